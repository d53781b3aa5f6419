"""The mezzanine -> every rendition of the ladder, each measured and at the track's level."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from avtool import argv
from avtool.locate import Ffmpeg
from avtool.loudness import measure_loudness
from avtool.output import progress_seconds
from avtool.run import Limits, run
from model.errors import LoudnessMissed
from model.loudness import LoudnessReport, LoudnessTarget
from model.rendition import Codec, Ladder, Rendition
from packager.level import AIM_LU, TOLERANCE_LU, may_overshoot, off_level, reachable_level

PASSES_MAX = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """One rendition as the encoder wrote it, with its measurement after decoding."""

    rendition: Rendition
    path: Path
    trim_db: float
    loudness: LoudnessReport


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeJob:
    """A mezzanine to encode. `slots` bounds how many programs run at once on this machine."""

    tool: Ffmpeg
    slots: asyncio.Semaphore
    mezzanine: Path
    loudness: LoudnessReport
    target: LoudnessTarget | None
    scratch: Path
    timeout_s: float
    subject: str
    on_seconds: Callable[[float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """All renditions of a track, and the level that they have; None for silence or when loudness is off."""

    encodings: tuple[Encoding, ...]
    level_lufs: float | None


async def encode_ladder(job: EncodeJob, ladder: Ladder) -> Encoded:
    """Encode every rendition, decode and measure each, and encode again what missed the level.

    One decode feeds all encoders of a pass. Raises LoudnessMissed if a rendition stays off its level after
    `PASSES_MAX` passes, or ToolError.
    """
    if job.target is None or job.loudness.integrated_lufs is None:
        encodings = await _encode(job, dict.fromkeys(ladder.renditions, 0.0))
        return Encoded(encodings=tuple(encodings), level_lufs=None)
    level, trims = await _scouted(job, ladder, job.target, job.loudness.integrated_lufs)
    done: dict[str, Encoding] = {}
    for _ in range(PASSES_MAX):
        for encoding in await _encode(job, trims):
            done[encoding.rendition.rendition_id] = encoding
        level = reachable_level(level, job.target, [each.loudness for each in done.values()])
        trims = _corrections(done, level, job.target)
        if not trims:
            break
    missed = [each for each in done.values() if off_level(each.loudness, level, job.target, within_lu=TOLERANCE_LU)]
    if missed:
        raise _missed(missed[0], level, job.subject)
    return Encoded(encodings=tuple(done[each.rendition_id] for each in ladder.renditions), level_lufs=level)


async def _scouted(
    job: EncodeJob, ladder: Ladder, target: LoudnessTarget, level: float
) -> tuple[float, dict[Rendition, float]]:
    """The level to try and the trims for it. Where peaks are near the ceiling, the lowest rung of each codec, which
    overshoots most, is tried alone first: cheaper than encoding the whole ladder twice."""
    trims = dict.fromkeys(ladder.renditions, 0.0)
    if not may_overshoot(job.loudness, target):
        return level, trims
    families = [ladder.of(codec) for codec in Codec]
    lowest = [min(family, key=lambda each: each.bitrate_bps) for family in families if family]
    scouts = await _encode(job, dict.fromkeys(lowest, 0.0))
    lower = reachable_level(level, target, [each.loudness for each in scouts])
    return lower, dict.fromkeys(trims, lower - level)


def _corrections(done: dict[str, Encoding], level: float, target: LoudnessTarget) -> dict[Rendition, float]:
    """New trims for the renditions that are off the level."""
    return {
        each.rendition: each.trim_db + level - each.loudness.integrated_lufs
        for each in done.values()
        if each.loudness.integrated_lufs is not None and off_level(each.loudness, level, target, within_lu=AIM_LU)
    }


async def _encode(job: EncodeJob, trims: dict[Rendition, float]) -> Sequence[Encoding]:
    paths = {rendition: job.scratch / f"{rendition.rendition_id}.encoded.mp4" for rendition in trims}
    outputs = [
        argv.EncodeOutput(rendition=rendition, path=str(paths[rendition]), gain_db=trim)
        for rendition, trim in trims.items()
    ]

    def take(line: str) -> None:
        seconds = progress_seconds(line)
        if seconds is not None:
            job.on_seconds(seconds)

    async with job.slots:
        await run(
            argv.encode(job.tool.path, str(job.mezzanine), outputs),
            limits=Limits(timeout_s=job.timeout_s),
            subject=job.subject,
            on_line=take,
        )
    async with asyncio.TaskGroup() as group:
        measured = [group.create_task(_measured(job, path)) for path in paths.values()]
    return [
        Encoding(rendition=rendition, path=paths[rendition], trim_db=trim, loudness=report.result())
        for (rendition, trim), report in zip(trims.items(), measured, strict=True)
    ]


async def _measured(job: EncodeJob, path: Path) -> LoudnessReport:
    async with job.slots:
        return await measure_loudness(job.tool, str(path), timeout_s=job.timeout_s, subject=job.subject)


def _missed(encoding: Encoding, level: float, subject: str) -> LoudnessMissed:
    report = encoding.loudness
    return LoudnessMissed(
        f"{encoding.rendition.rendition_id} is at {report.integrated_lufs} LUFS and {report.true_peak_dbtp} dBTP, "
        f"not at {level:.2f} LUFS",
        subject=subject,
        hint="lower --true-peak, or publish with --loudness off",
    )
