"""The mezzanine -> every rendition of the ladder, each measured and at the track's level."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from avtool import argv
from avtool.locate import Ffmpeg
from avtool.loudness import measure_loudness
from avtool.output import progress_seconds
from avtool.run import Limits, run
from model.errors import LoudnessMissed
from model.loudness import LoudnessReport, LoudnessTarget
from model.rendition import Ladder, Rendition
from packager.level import Attempt, kept, next_level, next_trim, overshoot_at

PASSES_MAX = 12


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
        untouched = dict.fromkeys(ladder.renditions, 0.0)
        return Encoded(encodings=tuple(await _encode(job, untouched)), level_lufs=None)
    settled = await settle(ladder, job.loudness.integrated_lufs, job.target, partial(_encode, job))
    for each in settled.encodings:
        if not kept(each.loudness, settled.level_lufs, job.target):
            raise _missed(each, settled.level_lufs, job.subject)
    return Encoded(encodings=settled.encodings, level_lufs=settled.level_lufs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The last encoding of each rendition, and the level that they were to have."""

    encodings: tuple[Encoding, ...]
    level_lufs: float


async def settle(
    ladder: Ladder,
    level_lufs: float,
    target: LoudnessTarget,
    encode: Callable[[dict[Rendition, float]], Awaitable[Sequence[Encoding]]],
) -> Settled:
    """Let `encode` make renditions with trims until all are at one level, or `PASSES_MAX` passes are over."""
    trims = dict.fromkeys(ladder.renditions, 0.0)
    done: dict[Rendition, Encoding] = {}
    overshoots: defaultdict[Rendition, list[float]] = defaultdict(list)  # of each try at this level
    for passes in range(1, PASSES_MAX + 1):
        for each in await encode(trims):
            done[each.rendition] = each
            overshoots[each.rendition].append(overshoot_at(level_lufs, each.loudness, target))
        attempts = {each: _attempt(encoding, overshoots[each]) for each, encoding in done.items()}
        lower = next_level(level_lufs, target, attempts.values(), passes=passes)
        if lower < level_lufs:
            level_lufs = lower
            overshoots.clear()
            attempts = {each: replace(attempt, tries=0) for each, attempt in attempts.items()}
        trims = _corrections(attempts, level_lufs, target)
        if not trims:
            break
    return Settled(encodings=tuple(done[each] for each in ladder.renditions), level_lufs=level_lufs)


def _attempt(encoding: Encoding, overshoots: Sequence[float]) -> Attempt:
    return Attempt(
        trim_db=encoding.trim_db,
        loudness=encoding.loudness,
        tries=len(overshoots),
        least_overshoot_db=min(overshoots, default=0.0),
    )


def _corrections(attempts: dict[Rendition, Attempt], level: float, target: LoudnessTarget) -> dict[Rendition, float]:
    """The trims to encode with again, for the renditions that need it."""
    trims = {each: next_trim(attempt, level, target) for each, attempt in attempts.items()}
    return {each: trim for each, trim in trims.items() if trim is not None}


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
    try:
        async with asyncio.TaskGroup() as group:
            measured = [group.create_task(_measured(job, path)) for path in paths.values()]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
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
