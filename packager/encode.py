"""The mezzanine -> renditions with a trim each, decoded again and measured."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from avtool import argv
from avtool.decode import decode
from avtool.locate import Ffmpeg
from avtool.output import progress_seconds
from avtool.run import Limits, run
from meter.meter import Meter
from model.loudness import LoudnessReport
from model.package import Attempt
from model.rendition import Ladder, Rendition
from packager.level import Aim, Settled, settle


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeJob:
    """A recording to encode. `slots` bounds how many programs run at once on this machine.

    `mezzanine` brings it to disk, and is asked only when something has to be encoded.
    """

    tool: Ffmpeg
    slots: asyncio.Semaphore
    mezzanine: Callable[[], Awaitable[Path]]
    scratch: Path
    timeout_s: float
    subject: str
    on_seconds: Callable[[float], None]


class Encoder:
    """Encodes and measures, and holds every encoding in scratch."""

    def __init__(self, job: EncodeJob) -> None:
        self._job = job
        self._held: dict[tuple[Rendition, float], LoudnessReport] = {}
        self._mezzanine: Path | None = None

    async def settle(self, ladder: Ladder, aim: Aim | None, known: list[Attempt], *, trim_db: float = 0.0) -> Settled:
        """Encode what is not `known` until all renditions are at one level, as `packager.level.settle` finds it.

        Raises ToolError, or what bringing the mezzanine raises.
        """
        attempts = {(each.rendition_id, each.trim_db): each for each in known}
        while (settled := settle(ladder, aim, attempts, trim_db=trim_db)).missing:
            await self.encode(settled.missing)
            for rendition, trim in settled.missing.items():
                which = (rendition.rendition_id, trim)
                loudness = self._held[rendition, trim]
                attempts[which] = Attempt(rendition_id=rendition.rendition_id, trim_db=trim, loudness=loudness)
        return settled

    async def encode(self, trims: Mapping[Rendition, float]) -> None:
        """Make these renditions and measure each. One decode feeds all encoders. Raises as `settle` does."""
        job = self._job
        self._mezzanine = self._mezzanine or await job.mezzanine()
        outputs = [
            argv.EncodeOutput(rendition=each, path=str(self._path(each, trim)), gain_db=trim)
            for each, trim in trims.items()
        ]
        async with job.slots:
            await run(
                argv.encode(job.tool.path, str(self._mezzanine), outputs),
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

    def held(self, rendition: Rendition, trim_db: float) -> tuple[Path, LoudnessReport] | None:
        """The encoding with this trim and its loudness, if it was made."""
        loudness = self._held.get((rendition, trim_db))
        return None if loudness is None else (self._path(rendition, trim_db), loudness)

    def _path(self, rendition: Rendition, trim_db: float) -> Path:
        return self._job.scratch / f"{rendition.rendition_id}{trim_db:+.2f}dB.encoded.mp4"

    def _tell(self, line: str) -> None:
        seconds = progress_seconds(line)
        if seconds is not None:
            self._job.on_seconds(seconds)

    async def _measure(self, rendition: Rendition, trim_db: float) -> None:
        job, meter = self._job, Meter(sample_rate_hz=argv.SAMPLE_RATE_HZ, channels=argv.CHANNELS)
        async with job.slots:
            await decode(
                job.tool,
                str(self._path(rendition, trim_db)),
                meter.take_bytes,
                sample_rate_hz=argv.SAMPLE_RATE_HZ,
                channels=argv.CHANNELS,
                timeout_s=job.timeout_s,
                subject=job.subject,
            )
        self._held[rendition, trim_db] = meter.result().loudness
