"""What is to be encoded, and excerpts of it, encoded with several gains at once and heard again."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from avtool import argv
from avtool.decode import play_back
from avtool.locate import Ffmpeg
from avtool.run import Limits, run
from cmaf.splice import replaced
from meter.meter import PeakMeter
from model.rendition import Rendition
from packager.excerpt import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeJob:
    """A recording to encode, or several that run into each other. `slots` bounds how many programs run at once on this
    machine.

    `lengths` are their samples at 48 kHz. `mezzanines` brings them to disk, into one folder, and is asked only when
    something has to be encoded. No true peak shall be above the ceiling.
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

    @property
    def samples(self) -> int:
        """Of all recordings together."""
        return sum(self.lengths)


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """Windows of a mezzanine that are to be encoded as one."""

    mezzanine: Path
    windows: Sequence[Window]
    rendition: Rendition


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """An excerpt as it was encoded with one gain; `places` has its true peaks above a limit, see `PeakMeter`."""

    path: Path
    places: Mapping[int, float]


async def draw(
    job: EncodeJob, excerpt: Excerpt, gains_db: Sequence[float], folder: Path, *, above_dbtp: float
) -> list[Draw]:
    """Encode an excerpt with each gain into an empty folder, and hear what comes out. Raises ToolError."""
    paths = [folder / f"{number}.mp4" for number in range(len(gains_db))]
    outputs = [
        argv.EncodeOutput(rendition=excerpt.rendition, path=str(path), gain_db=gain_db)
        for path, gain_db in zip(paths, gains_db, strict=True)
    ]
    await encode_excerpt(job, excerpt, outputs, name=folder.name)
    return await _heard(job, paths, sum(each.samples(job.samples) for each in excerpt.windows), above_dbtp)


async def encode_excerpt(job: EncodeJob, excerpt: Excerpt, outputs: Sequence[argv.EncodeOutput], *, name: str) -> None:
    """Encode an excerpt; its list, of this name, is put beside the mezzanine. Raises ToolError."""
    listing = excerpt.mezzanine.with_name(f"{name}.ffconcat")
    source = excerpt.mezzanine.name
    listing.write_bytes(argv.excerpt_list([(source, each.first, each.end) for each in excerpt.windows]))
    async with job.slots:
        await run(
            argv.encode(job.tool.path, str(listing), outputs, joined=True),
            limits=Limits(timeout_s=job.timeout_s),
            subject=job.subject,
            on_line=lambda _: None,
        )


async def _heard(job: EncodeJob, paths: Sequence[Path], samples: int, above_dbtp: float) -> list[Draw]:
    """Draws of so many samples, heard on all slots that are free."""

    async def hear(path: Path) -> Draw:
        async with job.slots:
            return Draw(path=path, places=await places_of(job, path, samples, above_dbtp))

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(hear(each)) for each in paths]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [each.result() for each in tasks]


async def places_of(job: EncodeJob, path: Path, samples: int, above_dbtp: float) -> dict[int, float]:
    """Where the true peaks of a file that we encoded, of so many samples, are above a limit. Raises ToolError."""
    meter = PeakMeter(sample_rate_hz=argv.SAMPLE_RATE_HZ, channels=argv.CHANNELS, ceiling_dbtp=above_dbtp)
    await play_back(
        job.tool, str(path), meter.take_bytes, samples=samples, timeout_s=job.timeout_s, subject=job.subject
    )
    return meter.places()


def put_in(encoding: Path, frames: Mapping[int, bytes], scratch: Path) -> None:
    """Put frames in the place of those that have their numbers in an encoding. Raises MediaError as `replaced` does,
    and then the encoding is as it was. Blocking."""
    with encoding.open("rb") as source, scratch.open("wb") as target:
        replaced(source, target, frames)
    scratch.replace(encoding)
