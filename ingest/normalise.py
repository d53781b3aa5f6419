"""The mezzanine: 48 kHz, 24 bit, stereo, one linear gain; a FLAC CMAF track file, metered while it is written."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from avtool.argv import ALONE, CHANNELS, SAMPLE_RATE_HZ, Surroundings
from avtool.decode import normalise
from avtool.locate import Ffmpeg
from cmaf.assemble import TrackFile, assemble
from cmaf.encoded import read_encoded
from ingest.checks.refusals import refusal
from ingest.levels import OFF_LU
from ingest.listen import trimmed_twice
from ingest.scan import Source
from meter.meter import LoudnessMeter
from model.errors import MediaError, SourceError, SourceTooShort, ToolFailed
from model.loudness import LoudnessReport, as_told, covering
from model.track import SourceInfo

TRIES_MAX = 3
_ROUNDING_S = 1e-4  # what resampling may round a length by, and less than any frame
_OVER_DB = 0.005  # a true peak this much above the ceiling is rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A mezzanine on disk."""

    path: Path
    file: TrackFile
    gain_db: float
    media_samples: int
    loudness: LoudnessReport
    album_loudness: LoudnessReport | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """What writing a mezzanine needs to know."""

    tool: Ffmpeg
    source: Source
    info: SourceInfo
    scratch: Path
    timeout_s: float
    on_seconds: Callable[[float], None]
    heard_s: float  # what was heard of the source, in seconds
    around: Surroundings = ALONE
    album: LoudnessReport | None = None  # its album's, before the gain


async def write_mezzanine(
    work: Writing, *, gain_db: float, true_peak_dbtp: float | None, integrated_lufs: float | None = None
) -> Written:
    """Decode, resample to 48 kHz stereo, apply the gain, and write.

    Resampling may raise a true peak, and takes what is above 24 kHz: see `correction_db`. Raises SourceDamaged if the
    source breaks off, StorageError if scratch is full.
    """
    for _ in range(TRIES_MAX):
        written = await _write(work, gain_db)
        change_db = correction_db(written.loudness, true_peak_dbtp=true_peak_dbtp, integrated_lufs=integrated_lufs)
        if not change_db:
            break
        gain_db = round(gain_db + change_db, 2)
    return written


def correction_db(report: LoudnessReport, *, true_peak_dbtp: float | None, integrated_lufs: float | None) -> float:
    """What the gain of a mezzanine has to be changed by, in whole hundredths of a decibel; 0 if it is as it should be.

    A true peak above the ceiling is taken back. Loudness that is off what was wanted (None: any will do) is brought
    there, as far as the ceiling allows.
    """
    room, wish = math.inf, 0.0
    if true_peak_dbtp is not None and report.true_peak_dbtp is not None:
        room = true_peak_dbtp - report.true_peak_dbtp
    if integrated_lufs is not None and report.integrated_lufs is not None:
        wish = integrated_lufs - report.integrated_lufs
    change = min(wish, room)
    if room >= -_OVER_DB and abs(change) <= OFF_LU:
        return 0.0
    return math.floor(change * 100) / 100


async def _write(work: Writing, gain_db: float) -> Written:
    """Without checksums, for the source was heard with them; but with them where that gives another length."""
    if work.around == ALONE and not _trimmed_twice(work):
        try:
            written = await _written(work, gain_db, checked=False)
        except (SourceError, ToolFailed):
            pass  # it may be a frame that is passed over where frames are checked
        else:
            if abs(written.media_samples / SAMPLE_RATE_HZ - work.heard_s) < _ROUNDING_S:
                return written
    return await _written(work, gain_db, checked=True)


def _trimmed_twice(work: Writing) -> bool:
    return trimmed_twice(work.info.container, work.info.codec)


async def _written(work: Writing, gain_db: float, *, checked: bool) -> Written:
    encoded, path = work.scratch / "flac.mp4", work.scratch / "mezzanine.mp4"
    meter = LoudnessMeter(sample_rate_hz=SAMPLE_RATE_HZ, channels=CHANNELS)
    try:
        await normalise(
            work.tool,
            str(work.source.path),
            str(encoded),
            meter.take_bytes,
            gain_db=gain_db,
            dither=needs_dither(work.info, gain_db),
            mono=work.info.channels == 1,
            ignore_trims=_trimmed_twice(work),
            around=work.around,
            checked=checked,
            timeout_s=work.timeout_s,
            subject=work.source.name,
            on_seconds=work.on_seconds,
        )
    except ToolFailed as error:
        raise refusal(error, subject=work.source.name) from error
    loudness = meter.loudness()
    album = covering(as_told(work.album, gain_db), loudness) if work.album else None
    file, samples = await asyncio.to_thread(_assembled, work.source, encoded, path, loudness, album)
    return Written(
        path=path,
        file=file,
        gain_db=gain_db,
        media_samples=samples,
        loudness=loudness,
        album_loudness=album,
    )


def _assembled(
    source: Source, encoded_path: Path, path: Path, loudness: LoudnessReport, album: LoudnessReport | None
) -> tuple[TrackFile, int]:
    """The track file made of the encoder's file, which is gone afterwards, and its samples. Blocking."""
    with encoded_path.open("rb") as frames, path.open("wb") as target:
        try:
            encoded = read_encoded(frames)
        except MediaError as error:  # a file of no frames has no track: ffmpeg heard nothing
            hint = "if it should hold music, copy it again from where it came"
            raise SourceTooShort("there are no samples in the file", subject=source.name, hint=hint) from error
        samples = encoded.media_ticks
        file = assemble(encoded, frames, target, media_samples=samples, loudness=loudness, album_loudness=album)
    encoded_path.unlink()
    return file, samples


def needs_dither(info: SourceInfo, gain_db: float) -> bool:
    """Whether bits are dropped on the way to 24-bit: not for a source that goes through as it is."""
    as_it_is = gain_db == 0 and info.sample_rate_hz == SAMPLE_RATE_HZ and info.channels <= CHANNELS
    return not (as_it_is and info.lossless and (info.bit_depth or 64) <= 24)
