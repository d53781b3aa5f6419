"""What is to be encoded, and excerpts of it, encoded with several gains at once and heard again."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from avtool import argv
from avtool.decode import play_back
from avtool.locate import Ffmpeg
from avtool.run import Limits, run
from meter.meter import PeakMeter
from model.loudest import Loudest
from model.rendition import Rendition
from packager.excerpt import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeJob:
    """A recording to encode, or several that run into each other. `slots` bounds how many programs run at once on this
    machine.

    `lengths` are their samples at 48 kHz, `loudest` their loudest places as far as they were noted. `mezzanines` brings
    them to disk, into one folder, and is asked only when something has to be encoded. No true peak shall be above the
    ceiling.
    """

    tool: Ffmpeg
    slots: asyncio.Semaphore
    lengths: tuple[int, ...]
    mezzanines: Callable[[], Awaitable[Sequence[Path]]]
    ceiling_dbtp: float
    scratch: Path
    timeout_s: float
    subject: str
    on_seconds: Callable[[float], None]
    loudest: tuple[Loudest | None, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """An excerpt as it was encoded with one gain; `places` has its true peaks above a limit, see `PeakMeter`."""

    path: Path
    places: Mapping[int, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """Excerpts to encode: `windows` of the mezzanines, each rendition with each of its gains. Peaks are told above a
    limit."""

    mezzanines: Sequence[Path]
    windows: Sequence[Window]
    gains_db: Mapping[Rendition, Sequence[float]]
    above_dbtp: float


async def draw(job: EncodeJob, draws: Draws, folder: Path) -> dict[Rendition, list[Draw]]:
    """Encode excerpts into an empty folder and hear them, in the order of the gains. Raises ToolError."""
    listing = draws.mezzanines[0].with_name(f"{folder.name}.ffconcat")
    parts = [(draws.mezzanines[each.file].name, each.first, each.end) for each in draws.windows]
    listing.write_bytes(argv.excerpt_list(parts))
    paths = {
        each: [folder / f"{each.rendition_id}.{number}.mp4" for number in range(len(gains))]
        for each, gains in draws.gains_db.items()
    }
    outputs = [
        argv.EncodeOutput(rendition=each, path=str(path), gain_db=gain)
        for each, gains in draws.gains_db.items()
        for path, gain in zip(paths[each], gains, strict=True)
    ]
    async with job.slots:
        await run(
            argv.encode(job.tool.path, str(listing), outputs, joined=True),
            limits=Limits(timeout_s=job.timeout_s),
            subject=job.subject,
            on_line=lambda _: None,
        )
    every = [path for of_rendition in paths.values() for path in of_rendition]
    samples = sum(each.samples(job.lengths[each.file]) for each in draws.windows)
    places = await _heard(job, every, samples, draws.above_dbtp)
    return {
        each: [Draw(path=path, places=places[path]) for path in of_rendition] for each, of_rendition in paths.items()
    }


async def _heard(
    job: EncodeJob, paths: Sequence[Path], samples: int, above_dbtp: float
) -> dict[Path, dict[int, float]]:
    """`places_of` several files, on all slots that are free."""

    async def hear(path: Path) -> dict[int, float]:
        async with job.slots:
            return await places_of(job, path, samples, above_dbtp)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = {each: group.create_task(hear(each)) for each in paths}
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return {each: task.result() for each, task in tasks.items()}


async def places_of(job: EncodeJob, path: Path, samples: int, above_dbtp: float) -> dict[int, float]:
    """Where the true peaks of a file that we encoded, of so many samples, are above a limit. Raises ToolError."""
    meter = PeakMeter(sample_rate_hz=argv.SAMPLE_RATE_HZ, channels=argv.CHANNELS, ceiling_dbtp=above_dbtp)
    await play_back(
        job.tool, str(path), meter.take_bytes, samples=samples, timeout_s=job.timeout_s, subject=job.subject
    )
    return meter.places()
