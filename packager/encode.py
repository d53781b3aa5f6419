"""Mezzanines -> renditions with a trim each, decoded again and measured. Tracks of a run are encoded as one."""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from pathlib import Path

from avtool import argv
from avtool.decode import play_back
from avtool.output import progress_seconds
from avtool.run import Limits, run
from avtool.scratch import scratch_folder
from cmaf.parts import part_ends, parts
from meter.meter import LoudnessMeter
from meter.true_peak import PLACE_SAMPLES
from model.loudness import LoudnessReport
from model.package import Attempt
from model.rendition import Codec, Ladder, Rendition
from packager.dip import changed, dips
from packager.graft import graft
from packager.job import EncodeJob
from packager.ladder import LOSSLESS
from packager.level import Settled, key_of, settle, together
from packager.mend import helps, mend
from packager.order import Order

_FRAME_BYTES = 4 * argv.CHANNELS
_IN_HAND = os.cpu_count() or 1  # renditions at a time: one is mended before others are heard, for that takes longest


class Encoder:
    """Encodes and measures, and holds every encoding in scratch."""

    def __init__(self, job: EncodeJob) -> None:
        self.job = job
        self._held: dict[tuple[Rendition, float], tuple[LoudnessReport, ...]] = {}
        self._dips: dict[tuple[Rendition, float], tuple[argv.Dip, ...]] = {}
        self._mezzanines: list[Path] = []
        self._joining = asyncio.Lock()
        self._hands = asyncio.Semaphore(_IN_HAND)

    async def settle(self, order: Order, ladder: Ladder, known: list[Attempt]) -> Settled:
        """Encode what is not `known` until all renditions are at one level, as `packager.level.settle` finds it.

        Raises ToolError, or what bringing the mezzanine raises.
        """
        attempts = {key_of(each): each for each in known}
        start = {"trim_db": -order.lower_db, "room_db": order.room_db}
        while (settled := settle(ladder, order.aim, attempts, **start)).missing:
            await self.encode(settled.missing)
            for each, trim in settled.missing.items():
                loudness = together(self._held[each, trim], self.job.lengths)
                made = Attempt(rendition_id=each.rendition_id, trim_db=trim, loudness=loudness)
                attempts[key_of(made)] = made
        return settled

    async def encode(self, trims: Mapping[Rendition, float]) -> None:
        """Make these renditions, measure each, and mend what can be. One decode feeds all encoders. Raises as `settle`
        does, and MediaError.
        """
        await self._run([self._output(each, trim) for each, trim in trims.items()], self._tell)
        try:
            async with asyncio.TaskGroup() as group:
                for each, trim in trims.items():
                    group.create_task(self._mended(each, trim))
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

    async def _run(self, outputs: Sequence[argv.EncodeOutput], on_line: Callable[[str], None]) -> None:
        job, source = self.job, _as_one(await self.mezzanines())
        async with job.slots:
            await run(
                argv.encode(job.tool.path, str(source), outputs, joined=len(job.lengths) > 1),
                limits=Limits(timeout_s=job.timeout_s),
                subject=job.subject,
                on_line=on_line,
            )

    def _output(self, rendition: Rendition, trim_db: float) -> argv.EncodeOutput:
        path, dipped = self._path(rendition, trim_db), self._dips.get((rendition, trim_db), ())
        return argv.EncodeOutput(rendition=rendition, path=str(path), gain_db=trim_db, dips=dipped)

    def _path(self, rendition: Rendition, trim_db: float) -> Path:
        return self.job.scratch / f"{rendition.rendition_id}{trim_db:+.2f}dB.encoded.mp4"

    def _tell(self, line: str) -> None:
        seconds = progress_seconds(line)
        if seconds is not None:
            self.job.on_seconds(seconds)

    async def _mended(self, rendition: Rendition, trim_db: float) -> None:
        again, mended = 0, self._dipped if rendition.codec is Codec.OPUS else self._spliced
        async with self._hands:
            meters = await self._measured(self._path(rendition, trim_db))
            at_first = len(meters.places)
            while helps(again, len(meters.places), at_first) and await mended(rendition, trim_db, meters.places, again):
                again += 1
                meters = await self._measured(self._path(rendition, trim_db))
        self._held[rendition, trim_db] = meters.reports

    async def _spliced(self, rendition: Rendition, trim_db: float, places: Mapping[int, float], again: int) -> bool:
        mezzanine, path = await self._joined(), self._path(rendition, trim_db)
        return await mend(self.job, mezzanine, path, (rendition, trim_db), places, again=again)

    async def _joined(self) -> Path:
        """The mezzanine; those of a run in one file, so that the timeline's units begin where its blocks do."""
        if len(self.job.lengths) == 1:
            return (await self.mezzanines())[0]
        path = self.job.scratch / "run.mp4"
        async with self._joining:
            if not path.exists():
                await self._run([argv.EncodeOutput(rendition=LOSSLESS, path=str(path))], lambda _: None)
        return path

    async def _dipped(self, rendition: Rendition, trim_db: float, places: Mapping[int, float], again: int) -> bool:
        before = self._dips.get((rendition, trim_db), ())
        deeper = dips(places, self.job.ceiling_dbtp, self.job.samples, before, again=again)
        if deeper:
            self._dips[rendition, trim_db] = deeper
            mezzanine, path = await self._joined(), self._path(rendition, trim_db)
            if not await graft(self.job, mezzanine, path, (rendition, trim_db), deeper, changed(before, deeper)):
                await self._run([self._output(rendition, trim_db)], lambda _: None)
        return bool(deeper)

    async def _measured(self, path: Path) -> "_Meters":
        job = self.job
        async with job.slots:
            meters = _Meters(job.lengths, job.ceiling_dbtp)  # not before: nine of them would hold 30 MB
            async with scratch_folder(str(job.scratch)) as folder:
                listing = await asyncio.to_thread(_in_parts, path, folder)
                await play_back(
                    job.tool,
                    str(listing or path),
                    meters.take_bytes,
                    samples=job.samples,
                    joined=listing is not None,
                    timeout_s=job.timeout_s,
                    subject=job.subject,
                )
        meters.end()
        return meters


class _Meters:
    """A meter for each of several recordings that come as one stream.

    `places` has the peaks above the ceiling as if all were one, see `LoudnessMeter`; those of a recording that begins
    inside a place are in both places that theirs is part of.
    """

    def __init__(self, lengths: Sequence[int], ceiling_dbtp: float) -> None:
        self.reports: tuple[LoudnessReport, ...] = ()
        self.places: dict[int, float] = {}
        self._starts = tuple(accumulate(lengths[:-1], initial=0))
        self._ceiling_dbtp = ceiling_dbtp
        self._taken_bytes = 0
        self._meter = self._next()  # of the recording that is heard now

    def take_bytes(self, data: bytes) -> None:
        """The next of the stream."""
        for start in self._starts[len(self.reports) + 1 :]:
            left = start * _FRAME_BYTES - self._taken_bytes
            if len(data) < left:
                break
            self._take(data[:left])
            self.end()
            data, self._meter = data[left:], self._next()
        self._take(data)

    def end(self) -> None:
        """Of a recording, and once after all: then `reports` has the loudness of each."""
        start = self._starts[len(self.reports)]
        self.reports += (self._meter.loudness(),)
        for place, peak_dbtp in self._meter.places().items():
            first = start + place * PLACE_SAMPLES
            for at in {first // PLACE_SAMPLES, (first + PLACE_SAMPLES - 1) // PLACE_SAMPLES}:
                self.places[at] = max(peak_dbtp, self.places.get(at, peak_dbtp))

    def _take(self, data: bytes) -> None:
        self._meter.take_bytes(data)
        self._taken_bytes += len(data)

    def _next(self) -> LoudnessMeter:
        return LoudnessMeter(
            sample_rate_hz=argv.SAMPLE_RATE_HZ, channels=argv.CHANNELS, ceiling_dbtp=self._ceiling_dbtp
        )


def _in_parts(encoding: Path, folder: Path) -> Path | None:
    """The list of an encoding's parts, written to this folder; None for one that is short. Blocking."""
    with encoding.open("rb") as file:
        ends = part_ends(file)
        if len(ends) == 1:
            return None
        names = [f"{number}.mp4" for number in range(len(ends))]
        for name, pieces in zip(names, parts(file, ends), strict=True):
            with (folder / name).open("wb") as part:
                part.writelines(pieces)
    listing = folder / "parts.ffconcat"
    listing.write_bytes(argv.joined_list(names))
    return listing


def _as_one(mezzanines: Sequence[Path]) -> Path:
    """What an encoder reads: the mezzanine, or a list of several. Blocking, for a moment."""
    if len(mezzanines) == 1:
        return mezzanines[0]
    listing = mezzanines[0].with_name("run.ffconcat")
    listing.write_bytes(argv.joined_list([each.name for each in mezzanines]))
    return listing
