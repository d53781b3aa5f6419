"""The packages of an order: encoded as one, cut, and uploaded."""

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from avtool.argv import SAMPLE_RATE_HZ
from avtool.scratch import scratch_folder
from manifests.build import target_duration_s
from model.errors import MediaError, ObjectNotFound
from model.events import Observer, Stage, StageProgress, StageStarted
from model.loudness import LoudnessReport
from model.package import Attempt, Package
from model.rendition import Ladder, Rendition
from model.segment import SegmentedRendition
from model.track import Mezzanine
from packager.encode import Encoder
from packager.job import EncodeJob
from packager.ladder import LOSSLESS
from packager.level import Settled, check_kept
from packager.lossless import LosslessSource, lossless_rendition, lossless_trim
from packager.order import Order, Packaging, album_told
from packager.publish import package_files, upload
from packager.track_files import Encoding, assembled, sha256_of, taken_over, track_file_name
from storage.base import ObjectStore
from storage.keys import mezzanine_key

_Made = tuple[SegmentedRendition, ...]  # a rendition of each recording


async def make_packages(work: Packaging, order: Order, past: Sequence[Sequence[Package]]) -> list[Package]:
    """Make the packages of an order and upload them; what the `past` packages of each recording hold is not encoded
    again.

    Raises LoudnessMissed, MediaError or ObjectNotFound (of a mezzanine), ToolError or StorageError.
    """
    async with scratch_folder(work.settings.scratch_dir) as scratch:
        work.observer.notify(StageStarted(subject=order.subject, stage=Stage.ENCODE))
        encoder = Encoder(_job(work, order, scratch))
        known = [attempt for each in past[order.position] for attempt in _attempts_of(each, work.ladder)]
        settled = await encoder.settle(order, work.ladder, known)
        check_kept(settled, subject=order.subject)
        making = _Making(work=work, order=order, past=past, scratch=scratch, encoder=encoder, settled=settled)
        made = await making.packages()
        work.observer.notify(StageStarted(subject=order.subject, stage=Stage.UPLOAD))
        for each, folder in zip(made, making.folders, strict=True):
            await upload(work.store, each, package_files(each, folder))
        return made


def _attempts_of(past: Package, ladder: Ladder) -> list[Attempt]:
    """The attempts at renditions that are in this ladder too: 64.0 and 64.4 kbit/s share an id."""
    same = {each.rendition.rendition_id for each in past.renditions if each.rendition in ladder.renditions}
    return [each for each in past.attempts if each.rendition_id in same]


def _job(work: Packaging, order: Order, scratch: Path) -> EncodeJob:
    seconds = sum(order.lengths) / SAMPLE_RATE_HZ
    return EncodeJob(
        tool=work.tool,
        slots=work.slots,
        lengths=order.lengths,
        mezzanines=partial(_fetch_mezzanines, work.store, order, scratch),
        ceiling_dbtp=order.aim.ceiling_dbtp if order.aim else math.inf,
        scratch=scratch,
        timeout_s=work.settings.tool_seconds_floor + work.settings.tool_seconds_per_second * seconds,
        subject=order.subject,
        on_seconds=_progress(work.observer, order.subject, seconds),
    )


async def _fetch_mezzanines(store: ObjectStore, order: Order, scratch: Path) -> list[Path]:
    again = order.track.source_name + (", with its album" if len(order.mezzanines) > 1 else "")
    return [
        await _fetch_mezzanine(store, each, scratch / f"mezzanine{number}.mp4", again=again)
        for number, each in enumerate(order.mezzanines)
    ]


async def _fetch_mezzanine(store: ObjectStore, mezzanine: Mezzanine, target: Path, *, again: str) -> Path:
    key = mezzanine_key(mezzanine.recording_id, mezzanine.mezzanine_id)
    try:
        await store.lend(key, target)
    except ObjectNotFound as error:
        hint = f"publish the source again: {again}"
        raise ObjectNotFound("the mezzanine is missing", subject=key, hint=hint) from error
    if await asyncio.to_thread(sha256_of, target) != mezzanine.sha256:
        hint = f"delete this object, then publish the source again: {again}"
        raise MediaError("the mezzanine is damaged", subject=key, hint=hint)
    return target


def _progress(observer: Observer, subject: str, total: float) -> Callable[[float], None]:
    def tell(seconds: float) -> None:
        observer.notify(StageProgress(subject=subject, stage=Stage.ENCODE, done=min(seconds, total), total=total))

    return tell


@dataclass(frozen=True, slots=True, kw_only=True)
class _Making:
    """Encodings that are settled, on their way to packages; each recording's files go to a folder of its own."""

    work: Packaging
    order: Order
    past: Sequence[Sequence[Package]]
    scratch: Path
    encoder: Encoder
    settled: Settled

    @property
    def folders(self) -> list[Path]:
        return [self.scratch / str(position) for position in range(len(self.order.mezzanines))]

    async def packages(self) -> list[Package]:
        """The packages of all recordings, their track files in the folders."""
        for folder in self.folders:
            folder.mkdir()
        ready = await self._ready()
        self.work.observer.notify(StageStarted(subject=self.order.subject, stage=Stage.PACKAGE))
        renditions = await asyncio.to_thread(self._assembled, ready)
        packages = []
        for position, folder in enumerate(self.folders):
            made = [*(each[position] for each in renditions), *await self._lossless(position)]
            packages.append(self._package(position, await asyncio.to_thread(self.work.protector.applied, made, folder)))
        return packages

    async def _ready(self) -> dict[Rendition, _Made]:
        """The renditions taken over from earlier packages; all others are held by the encoder afterwards."""
        ready: dict[Rendition, _Made] = {}
        lost: dict[Rendition, float] = {}
        for rendition, trim in self.settled.trims.items():
            if self.encoder.held(rendition, trim) is not None:
                continue
            found = [await self._taken_over(position, rendition, trim) for position in range(len(self.folders))]
            whole = tuple(each for each in found if each is not None)
            if len(whole) == len(found):
                ready[rendition] = whole
            else:
                lost[rendition] = trim
        if lost:
            await self.encoder.encode(lost)
        return ready

    async def _taken_over(self, position: int, rendition: Rendition, trim_db: float) -> SegmentedRendition | None:
        target = self.folders[position] / track_file_name(rendition.rendition_id)
        told = self._album if trim_db or rendition != LOSSLESS else self.order.mezzanines[position].album_loudness
        found = await taken_over(self.work.store, self.past[position], (rendition, trim_db, told), target)
        return found and await asyncio.to_thread(self.work.protector.opened, found, target)

    @property
    def _album(self) -> LoudnessReport | None:
        """What the renditions tell of the album."""
        level, aim = self.order.level_lufs, self.settled.aim
        lowered_db = level - aim.level_lufs if level is not None and aim is not None else 0.0
        return album_told(self.order.track, lower_db=lowered_db)

    def _assembled(self, ready: dict[Rendition, _Made]) -> list[_Made]:
        """Every lossy rendition with its track files in the folders. Blocking."""
        renditions = []
        for rendition, trim in self.settled.trims.items():
            found, held = ready.get(rendition), self.encoder.held(rendition, trim)
            if found is None:
                assert held is not None
                path, reports = held
                encoding = Encoding(
                    rendition=rendition, trim_db=trim, path=path, reports=reports, album_loudness=self._album
                )
                paths = [folder / track_file_name(rendition.rendition_id) for folder in self.folders]
                found = assembled(encoding, paths, lengths=self.order.lengths)
            renditions.append(found)
        return renditions

    async def _lossless(self, position: int) -> list[SegmentedRendition]:
        """The lossless rendition of a recording, if it gets one."""
        if not self.order.lossless[position]:
            return []
        trim_db = lossless_trim(self.settled, self.order.level_lufs)
        found = await self._taken_over(position, LOSSLESS, trim_db)
        if found is not None and (trim_db or found.track_file):  # one that was protected can be the mezzanine again
            return [found]
        mezzanines = await self.encoder.mezzanines()
        source = LosslessSource(
            job=self.encoder.job,
            mezzanine=self.order.mezzanines[position],
            path=mezzanines[position],
            folder=self.folders[position],
            album_loudness=self._album,
        )
        return [await lossless_rendition(source, trim_db)]

    def _package(self, position: int, renditions: Sequence[SegmentedRendition]) -> Package:
        order = self.order
        mezzanine = order.mezzanines[position]
        return Package(
            recording_id=mezzanine.recording_id,
            package_id=order.package_ids[position],
            mezzanine_id=mezzanine.mezzanine_id,
            media_samples=mezzanine.media_samples,
            target_duration_s=target_duration_s(renditions),
            true_peak_dbtp=order.track.target.true_peak_dbtp if order.track.target else None,
            level_lufs=_level_lufs(order, self.settled, mezzanine),
            renditions=tuple(renditions),
            asked_db=order.lower_db,
            attempts=self.settled.attempts,
            tool=self.work.recipe,
            run=order.mezzanine_ids if len(order.mezzanines) > 1 else (),
            position=position,
        )


def _level_lufs(order: Order, settled: Settled, mezzanine: Mezzanine) -> float | None:
    """The level of one recording of the order: in a run all go down together."""
    if settled.aim is None or order.level_lufs is None or mezzanine.loudness.integrated_lufs is None:
        return None
    if len(order.mezzanines) == 1:
        return settled.aim.level_lufs
    return mezzanine.loudness.integrated_lufs - (order.level_lufs - settled.aim.level_lufs)
