"""Mezzanines -> renditions with a trim each, decoded again and measured. Tracks of a run are encoded as one."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from avtool import argv
from avtool.decode import play_back
from avtool.locate import Ffmpeg
from avtool.output import progress_seconds
from avtool.run import Limits, run
from meter.meter import LoudnessMeter
from model.loudness import LoudnessReport
from model.package import Attempt
from model.rendition import Ladder, Rendition
from packager.level import Settled, settle, together
from packager.order import Order

_SAMPLE_BYTES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeJob:
    """A recording to encode, or several that run into each other. `slots` bounds how many programs run at once on this
    machine.

    `lengths` are their samples at 48 kHz. `mezzanines` brings them to disk, into one folder, and is asked only when
    something has to be encoded.
    """

    tool: Ffmpeg
    slots: asyncio.Semaphore
    lengths: tuple[int, ...]
    mezzanines: Callable[[], Awaitable[Sequence[Path]]]
    scratch: Path
    timeout_s: float
    subject: str
    on_seconds: Callable[[float], None]


class Encoder:
    """Encodes and measures, and holds every encoding in scratch."""

    def __init__(self, job: EncodeJob) -> None:
        self.job = job
        self._held: dict[tuple[Rendition, float], tuple[LoudnessReport, ...]] = {}
        self._mezzanines: list[Path] = []

    async def settle(self, order: Order, ladder: Ladder, known: list[Attempt]) -> Settled:
        """Encode what is not `known` until all renditions are at one level, as `packager.level.settle` finds it.

        Raises ToolError, or what bringing the mezzanine raises.
        """
        attempts = {(each.rendition_id, each.trim_db): each for each in known}
        start = {"trim_db": -order.lower_db, "room_db": order.room_db}
        while (settled := settle(ladder, order.aim, attempts, **start)).missing:
            await self.encode(settled.missing)
            for rendition, trim in settled.missing.items():
                which = (rendition.rendition_id, trim)
                loudness = together(self._held[rendition, trim], self.job.lengths)
                attempts[which] = Attempt(rendition_id=rendition.rendition_id, trim_db=trim, loudness=loudness)
        return settled

    async def encode(self, trims: Mapping[Rendition, float]) -> None:
        """Make these renditions and measure each. One decode feeds all encoders. Raises as `settle` does."""
        job = self.job
        source = _as_one(await self.mezzanines())
        outputs = [
            argv.EncodeOutput(rendition=each, path=str(self._path(each, trim)), gain_db=trim)
            for each, trim in trims.items()
        ]
        async with job.slots:
            await run(
                argv.encode(job.tool.path, str(source), outputs, joined=len(job.lengths) > 1),
                limits=Limits(timeout_s=job.timeout_s),
                subject=job.subject,
                on_line=self._tell,
            )
        try:
            async with asyncio.TaskGroup() as group:
                for each, trim in trims.items():
                    group.create_task(self._measure(each, trim))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def mezzanines(self) -> list[Path]:
        """The mezzanines on disk, in their order. Raises what bringing them raises."""
        self._mezzanines = self._mezzanines or list(await self.job.mezzanines())
        return self._mezzanines

    def held(self, rendition: Rendition, trim_db: float) -> tuple[Path, tuple[LoudnessReport, ...]] | None:
        """The encoding with this trim and the loudness of each recording in it, if it was made."""
        loudness = self._held.get((rendition, trim_db))
        return None if loudness is None else (self._path(rendition, trim_db), loudness)

    def _path(self, rendition: Rendition, trim_db: float) -> Path:
        return self.job.scratch / f"{rendition.rendition_id}{trim_db:+.2f}dB.encoded.mp4"

    def _tell(self, line: str) -> None:
        seconds = progress_seconds(line)
        if seconds is not None:
            self.job.on_seconds(seconds)

    async def _measure(self, rendition: Rendition, trim_db: float) -> None:
        job, meters = self.job, _Meters(self.job.lengths)
        async with job.slots:
            await play_back(
                job.tool,
                str(self._path(rendition, trim_db)),
                meters.take_bytes,
                timeout_s=job.timeout_s,
                subject=job.subject,
            )
        self._held[rendition, trim_db] = meters.reports()


class _Meters:
    """A meter for each of several recordings that come as one stream."""

    def __init__(self, lengths: Sequence[int]) -> None:
        *self._borders_bytes, _ = (length * argv.CHANNELS * _SAMPLE_BYTES for length in lengths)
        self._heard: list[LoudnessReport] = []
        self._meter, self._taken_bytes = _meter(), 0  # of the recording that is heard now

    def take_bytes(self, data: bytes) -> None:
        """The next of the stream; what an encoder pads at the end counts to the last recording."""
        while len(self._heard) < len(self._borders_bytes):
            left = self._borders_bytes[len(self._heard)] - self._taken_bytes
            if len(data) < left:
                break
            self._meter.take_bytes(data[:left])
            self._heard.append(self._meter.loudness())
            data, self._meter, self._taken_bytes = data[left:], _meter(), 0
        self._meter.take_bytes(data)
        self._taken_bytes += len(data)

    def reports(self) -> tuple[LoudnessReport, ...]:
        """The loudness of each recording. Ask once, at the end."""
        return (*self._heard, self._meter.loudness())


def _meter() -> LoudnessMeter:
    return LoudnessMeter(sample_rate_hz=argv.SAMPLE_RATE_HZ, channels=argv.CHANNELS)


def _as_one(mezzanines: Sequence[Path]) -> Path:
    """What an encoder reads: the mezzanine, or a list of several. Blocking, for a moment."""
    if len(mezzanines) == 1:
        return mezzanines[0]
    listing = mezzanines[0].with_name("run.ffconcat")
    listing.write_bytes(argv.joined_list([each.name for each in mezzanines]))
    return listing
