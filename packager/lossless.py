"""The lossless rendition of a recording: its mezzanine itself, or the mezzanine a little softer.

A lossless encoder adds no peaks and takes no loudness, so nothing has to be found by measuring: where encoders' peaks
took the other renditions down, this one follows them by the same linear gain.
"""

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path

from avtool import argv
from avtool.run import Limits, run
from cmaf.read import read_track_file
from model.loudness import LoudnessReport
from model.segment import Segment, SegmentedRendition
from model.track import Mezzanine
from packager.job import EncodeJob
from packager.ladder import LOSSLESS
from packager.level import Settled
from packager.track_files import Encoding, assembled, track_file_name

APART_DB = 0.1  # a difference in level below this is no reason to store the music twice


def lossless_trim(settled: Settled, level_lufs: float | None) -> float:
    """How much softer than the mezzanine the lossless rendition has to be, in whole hundredths of a decibel, 0 or less.

    `level_lufs` is the mezzanine's level; both are None for silence and where loudness is off.
    """
    if settled.aim is None or level_lufs is None:
        return 0.0
    trim_db = round(settled.aim.level_lufs - level_lufs, 2)
    return trim_db if trim_db <= -APART_DB else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LosslessSource:
    """A mezzanine on disk, the folder that its lossless rendition goes to, and what that tells of the album."""

    job: EncodeJob
    mezzanine: Mezzanine
    path: Path
    folder: Path
    album_loudness: LoudnessReport | None


async def lossless_rendition(source: LosslessSource, trim_db: float) -> SegmentedRendition:
    """The lossless rendition, its track file in the folder: if it is the mezzanine, under the rendition's name.

    Raises MediaError for a mezzanine that is none, or ToolError.
    """
    if not trim_db:
        target = source.folder / track_file_name(LOSSLESS.rendition_id)
        target.unlink(missing_ok=True)
        target.hardlink_to(source.path)
        return await asyncio.to_thread(_mezzanine_itself, source)
    job, encoded_path = source.job, source.folder / "flac.encoded.mp4"
    output = argv.EncodeOutput(rendition=LOSSLESS, path=str(encoded_path), gain_db=trim_db)
    async with job.slots:
        limits = Limits(timeout_s=job.timeout_s)
        words = argv.encode(job.tool.path, str(source.path), [output])
        await run(words, limits=limits, subject=job.subject, on_line=lambda _: None)
    encoding = Encoding(
        rendition=LOSSLESS,
        trim_db=trim_db,
        path=encoded_path,
        reports=[_softer(source.mezzanine.loudness, trim_db)],
        album_loudness=source.album_loudness,
    )
    target = source.folder / track_file_name(LOSSLESS.rendition_id)
    (made,) = await asyncio.to_thread(assembled, encoding, [target], lengths=[source.mezzanine.media_samples])
    return made


def _mezzanine_itself(source: LosslessSource) -> SegmentedRendition:
    with source.path.open("rb") as file:
        parsed = read_track_file(file)
    return SegmentedRendition(
        rendition=LOSSLESS,
        timescale=parsed.timescale,
        priming_ticks=0,
        init_size_bytes=parsed.init_size_bytes,
        index_size_bytes=parsed.index_size_bytes,
        segments=tuple(
            Segment(duration_ticks=each.duration_ticks, offset_bytes=each.offset_bytes, size_bytes=each.size_bytes)
            for each in parsed.fragments
        ),
        sha256=source.mezzanine.sha256,
        loudness=source.mezzanine.loudness,
        album_loudness=source.mezzanine.album_loudness,
        track_file=f"../mezzanine/{source.mezzanine.mezzanine_id}.mp4",
    )


def _softer(report: LoudnessReport, trim_db: float) -> LoudnessReport:
    """What a measurement is after a linear gain; the range stays."""

    def moved(level: float | None) -> float | None:
        return None if level is None else level + trim_db

    return replace(
        report,
        integrated_lufs=moved(report.integrated_lufs),
        true_peak_dbtp=moved(report.true_peak_dbtp),
        momentary_max_lufs=moved(report.momentary_max_lufs),
        short_term_max_lufs=moved(report.short_term_max_lufs),
    )
