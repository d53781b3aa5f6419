"""The packages of an order: encoded as one, cut, and uploaded."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from avtool.argv import SAMPLE_RATE_HZ
from avtool.scratch import scratch_folder
from manifests.build import target_duration_s
from model.errors import MediaError, ObjectNotFound
from model.events import Observer, Stage, StageProgress, StageStarted
from model.package import Attempt, Package
from model.rendition import Ladder, Rendition
from model.segment import SegmentedRendition
from model.track import Mezzanine
from packager.encode import EncodeJob, Encoder
from packager.level import Settled, check_kept
from packager.order import Order, Packaging
from packager.publish import package_files, upload
from packager.track_files import assembled, sha256_of, taken_over, track_file_name
from storage.base import ObjectStore
from storage.keys import mezzanine_key

_Made = tuple[SegmentedRendition, ...]  # a rendition of each recording


async def make_packages(work: Packaging, order: Order, past: Sequence[Sequence[Package]]) -> list[Package]:
    """Make the packages of an order and upload them; what packages of the `past` hold is not encoded again.

    Raises LoudnessMissed, MediaError or ObjectNotFound (of a mezzanine), ToolError or StorageError.
    """
    async with scratch_folder(work.settings.scratch_dir) as scratch:
        folders = [scratch / str(position) for position in range(len(order.mezzanines))]
        for folder in folders:
            folder.mkdir()
        work.observer.notify(StageStarted(subject=order.subject, stage=Stage.ENCODE))
        encoder = Encoder(_job(work, order, scratch))
        own_past = past[order.position] if past else ()
        known = [attempt for each in own_past for attempt in _attempts_of(each, work.ladder)]
        settled = await encoder.settle(work.ladder, order.aim, known, trim_db=-order.lower_db)
        check_kept(settled, subject=order.subject)
        ready = await _ready(work.store, encoder, settled, past, folders)
        work.observer.notify(StageStarted(subject=order.subject, stage=Stage.PACKAGE))
        renditions = await asyncio.to_thread(_assembled, encoder, settled, ready, folders, order.lengths)
        made = [
            _package(work, order, settled, position, [each[position] for each in renditions])
            for position in range(len(folders))
        ]
        work.observer.notify(StageStarted(subject=order.subject, stage=Stage.UPLOAD))
        for each, folder in zip(made, folders, strict=True):
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
        await store.fetch(key, target)
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


async def _ready(
    store: ObjectStore,
    encoder: Encoder,
    settled: Settled,
    past: Sequence[Sequence[Package]],
    folders: Sequence[Path],
) -> dict[Rendition, _Made]:
    """The renditions taken over from earlier packages; all others are held by the encoder afterwards."""
    ready: dict[Rendition, _Made] = {}
    lost: dict[Rendition, float] = {}
    for rendition, trim in settled.trims.items():
        if encoder.held(rendition, trim) is not None:
            continue
        name = track_file_name(rendition.rendition_id)
        found = [
            await taken_over(store, packages, rendition, trim, folder / name)
            for packages, folder in zip(past, folders, strict=False)
        ]
        whole = tuple(each for each in found if each is not None)
        if len(whole) == len(folders):
            ready[rendition] = whole
        else:
            lost[rendition] = trim
    if lost:
        await encoder.encode(lost)
    return ready


def _assembled(
    encoder: Encoder,
    settled: Settled,
    ready: dict[Rendition, _Made],
    folders: Sequence[Path],
    lengths: Sequence[int],
) -> list[_Made]:
    """Every rendition with its track files in the folders. Blocking."""
    renditions = []
    for rendition, trim in settled.trims.items():
        found, encoding = ready.get(rendition), encoder.held(rendition, trim)
        if found is None:
            assert encoding is not None
            paths = [folder / track_file_name(rendition.rendition_id) for folder in folders]
            found = assembled(rendition, trim, encoding, paths, lengths=lengths)
        renditions.append(found)
    return renditions


def _package(
    work: Packaging, order: Order, settled: Settled, position: int, renditions: Sequence[SegmentedRendition]
) -> Package:
    mezzanine = order.mezzanines[position]
    return Package(
        recording_id=mezzanine.recording_id,
        package_id=order.package_ids[position],
        mezzanine_id=mezzanine.mezzanine_id,
        media_samples=mezzanine.media_samples,
        target_duration_s=target_duration_s(renditions),
        true_peak_dbtp=order.track.target.true_peak_dbtp if order.track.target else None,
        level_lufs=_level_lufs(order, settled, mezzanine),
        renditions=tuple(renditions),
        attempts=settled.attempts,
        tool=work.recipe,
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
