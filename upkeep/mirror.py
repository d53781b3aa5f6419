"""Copy a store into another: what differs, checked by its hash on both sides, so that readers of the copy always find
whole tracks.

What is referred to is copied before what refers to it, and the pointers of all tracks come last. A pointer to something
that was published after we had passed by brings its package along. Equal objects are skipped, so a run that was cut off
goes on where it was.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from avtool.scratch import scratch_folder
from catalog.marks import Marks
from model.errors import ObjectDamaged, ObjectNotFound, PipelineError, RecordMalformed, StorageError, UsageError
from model.package import Current
from model.track import Track
from storage.base import ObjectEntry, ObjectInfo, ObjectStore
from storage.changes import signal
from storage.keys import ART, FEATURES_MARK, RECORDINGS, TRACKS, pointer_in, recording_prefix
from upkeep.groups import Group
from upkeep.live import of_recording, pointing
from upkeep.reporting import SILENT, Report
from upkeep.together import batches, by_owner, together

CHUNK_BYTES = 1 << 20
_OWNERS_AT_ONCE = 8

Pair = tuple[str, ObjectEntry | None, ObjectEntry | None]  # a key, what the source has there, what the target has


@dataclass(slots=True)
class Mirrored:
    """How many objects were copied, equal already, deleted, and could not be copied whole."""

    copied: int = 0
    copied_bytes: int = 0
    equal: int = 0
    deleted: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """From where to where, and how. `failed` is told of every object that could not be copied, and why."""

    source: ObjectStore
    target: ObjectStore
    delete: bool
    jobs: int
    scratch: Path
    failed: Callable[[str, PipelineError], None]
    marks: Marks
    gate: asyncio.Semaphore
    report: Report
    done: Mirrored = field(default_factory=Mirrored)


async def mirror(
    source: ObjectStore,
    target: ObjectStore,
    *,
    failed: Callable[[str, PipelineError], None],
    delete: bool = False,
    jobs: int = 8,
    scratch_dir: str | None = None,
    report: Report = SILENT,
) -> Mirrored:
    """Make the tracks of `target` those of `source`; with `delete` it loses what the source does not have.

    A damaged object is told, not copied, and no pointer to its recording is; then nothing is deleted, for the target's
    pointers may still need it. Safe to cancel, to kill, and to repeat.
    Raises UsageError if an empty source would empty the target; StorageUnavailable and StorageDenied; CatalogError.
    """
    if delete and not [each async for each in _first(source.walk(TRACKS))]:
        hint = "check the order: segue mirror FROM TO"
        raise UsageError("the source has no tracks: everything in the target would go", hint=hint)
    async with scratch_folder(scratch_dir) as scratch:
        with Marks() as marks:
            work = Mirror(
                source=source, target=target, delete=delete, jobs=jobs, scratch=scratch, failed=failed, marks=marks,
                gate=asyncio.Semaphore(jobs), report=report,
            )  # fmt: skip
            for prefix in (RECORDINGS, ART):
                await _copy_below(work, prefix)
            for live in (False, True):
                await _copy_pointers(work, live=live)
            await _copy_mark(work)
            if delete and not work.done.failed:
                for prefix in (TRACKS, ART, RECORDINGS):
                    await _delete_below(work, prefix)
            return work.done


async def _first(entries: AsyncIterator[ObjectEntry]) -> AsyncGenerator[ObjectEntry, None]:
    async for each in entries:
        yield each
        return


async def _pairs(work: Mirror, prefix: str) -> AsyncGenerator[Pair, None]:
    """What both stores have under a prefix, side by side: both listings are sorted."""
    ours, theirs = work.source.walk(prefix), work.target.walk(prefix)
    one, two = await anext(ours, None), await anext(theirs, None)
    while one or two:
        key = min(each.key for each in (one, two) if each)
        here = one if one and one.key == key else None
        there = two if two and two.key == key else None
        yield key, here, there
        one = await anext(ours, None) if here else one
        two = await anext(theirs, None) if there else two


async def _copy_below(work: Mirror, prefix: str) -> None:
    work.report.step(f"copy {prefix}")
    async with aclosing(by_owner(_pairs(work, prefix), lambda pair: pair[0])) as owners:
        async for some in batches(owners, _OWNERS_AT_ONCE):
            await together([_copy_owned(work, each) for each in some])


async def _copy_owned(work: Mirror, pairs: Sequence[Pair]) -> None:
    """Media first, then playlists, then records, and `package.json` last."""
    for rank in range(4):
        wanted = [each for each in pairs if each[1] and _rank(each[0]) == rank]
        if not all(await together([_copy_if_other(work, *each) for each in wanted])):
            return  # what refers to it is not copied either


def _rank(key: str) -> int:
    if key.endswith((".mp4", ".jpg")):
        return 0
    if not key.endswith(".json"):
        return 1
    return 3 if key.endswith("/package.json") else 2


async def _copy_if_other(work: Mirror, key: str, here: ObjectEntry | None, there: ObjectEntry | None) -> bool:
    """Whether the target has the object now."""
    async with work.gate:
        try:
            if here and there and here.size_bytes == there.size_bytes and await _equal(work, key):
                work.done.equal += 1
                work.report.add(1)
            else:
                await _copy(work, key)
        except ObjectNotFound:
            return True  # gone from the source since it was listed
        except StorageError as error:
            if error.retryable:
                raise
            _fail(work, key, error)
            return False
    return True


def _fail(work: Mirror, key: str, error: PipelineError) -> None:
    work.done.failed += 1
    work.marks.mark(of_recording(key.split("/")[1]), 0)
    work.failed(key, error)


async def _equal(work: Mirror, key: str) -> bool:
    here, there = await together([work.source.head(key), work.target.head(key)])
    return _told(here) == _told(there)


def _told(info: ObjectInfo) -> tuple[str, str, str]:
    return info.sha256, info.media_type, info.cache_control


async def _copy(work: Mirror, key: str) -> None:
    """Raises ObjectDamaged if what was read, or what was written, is not what the source promised."""
    file = work.scratch / hashlib.sha256(key.encode()).hexdigest()
    try:
        info = await work.source.fetch(key, file)
        if await asyncio.to_thread(_sha256_of, file) != info.sha256:
            hint = "`segue verify --deep --repair` on the source, then mirror again"
            raise ObjectDamaged("the bytes do not have their hash", subject=key, hint=hint)
        put = await work.target.put(key, file, media_type=info.media_type, cache_control=info.cache_control)
        if put.sha256 != info.sha256:
            raise ObjectDamaged("other bytes arrived than were sent", subject=key, hint="mirror again")
    finally:
        file.unlink(missing_ok=True)
    work.done.copied += 1
    work.done.copied_bytes += info.size_bytes
    work.report.add(1, info.size_bytes)


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def _copy_pointers(work: Mirror, *, live: bool) -> None:
    """The reports of all tracks, or what makes them live."""
    work.report.step("copy pointers" if live else "copy reports")
    async with aclosing(_pairs(work, TRACKS)) as pairs:
        async for some in batches(pairs, work.jobs):
            wanted = [each for each in some if (found := pointer_in(each[0])) and found.live == live and each[1]]
            await together([_copy_pointer(work, *each) for each in wanted])


async def _copy_pointer(work: Mirror, key: str, here: ObjectEntry | None, there: ObjectEntry | None) -> None:
    """Copy a pointer, the very bytes of it that we read, after what it names."""
    if here and there and here.size_bytes == there.size_bytes and await _equal(work, key):
        work.done.equal += 1
        work.report.add(1)
        return
    try:
        body = await work.source.read(key)
        pointer = pointer_in(key)
        assert pointer is not None
        record = pointing(pointer, body.data, subject=key)
        _check_whole(work, key, record)
        await _bring(work, record)
        _check_whole(work, key, record)
    except ObjectNotFound:
        return
    except (RecordMalformed, ObjectDamaged) as error:
        work.done.failed += 1
        work.failed(key, error)
        return
    info = body.info
    await work.target.put(key, body.data, media_type=info.media_type, cache_control=info.cache_control)
    await signal(work.target, pointer.track_id)
    work.done.copied += 1
    work.done.copied_bytes += info.size_bytes
    work.report.add(1, info.size_bytes)


def _check_whole(work: Mirror, key: str, record: Current | Track) -> None:
    if work.marks.since(of_recording(record.recording_id)) is not None:
        hint = "mend the objects that were told before, then mirror again"
        raise ObjectDamaged("not copied: what it points to is not whole", subject=key, hint=hint)


async def _bring(work: Mirror, record: Current | Track) -> None:
    """Copy what a pointer names if it was not there when we passed by."""
    if isinstance(record, Current):
        groups = [Group("package", record.recording_id, record.package_id)]
    else:
        groups = [
            Group("mezzanine", record.recording_id, record.mezzanine.mezzanine_id),
            Group("art", "", record.art_id),
        ]
    for group in groups:
        try:
            await work.target.head(group.record)
        except ObjectNotFound:
            prefix = recording_prefix(group.owner) if group.owner else group.prefix
            await _copy_owned(work, [each async for each in _pairs(work, prefix)])


async def _copy_mark(work: Mirror) -> None:
    """Catalogs of the target look for new features, too: all of them are there now."""
    with suppress(ObjectNotFound):
        here = await work.source.head(FEATURES_MARK)
        with suppress(ObjectNotFound):
            if _told(await work.target.head(FEATURES_MARK)) == _told(here):
                return
        await _copy(work, FEATURES_MARK)


async def _delete_below(work: Mirror, prefix: str) -> None:
    work.report.step(f"delete {prefix}")
    async with aclosing(_pairs(work, prefix)) as pairs:
        async for some in batches(pairs, work.jobs):
            await together([_delete(work, key) for key, here, _ in some if here is None])


async def _delete(work: Mirror, key: str) -> None:
    try:
        await work.source.head(key)  # it may have come since
    except ObjectNotFound:
        await work.target.delete(key)
        if pointer := pointer_in(key):
            await signal(work.target, pointer.track_id)
        work.done.deleted += 1
        work.report.add(1)
