"""The catalog brought up to the store: read what changed since the last time, forget what is gone.

All of it by one walk over the tracks, or some tracks by name. `track.json` and `current.json` carry the state of a
track, and a listing shows their versions; only tracks with another version than the catalog has are read, at most READS
at a time. The walk is sorted by track id and so is the catalog, so both are compared side by side, BATCH_TRACKS at a
time.
"""

import asyncio
import logging
import re
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Container,
    Coroutine,
    Iterable,
    Mapping,
    Sequence,
)
from dataclasses import dataclass
from itertools import islice
from typing import Any, NoReturn, TypeVar

from catalog.schema import TrackRow
from catalog.store import Catalog, PointerVersions
from discovery.sync_features import catch_up, read_features
from model.errors import PipelineError, RecordMalformed, StorageUnavailable
from model.features import Features, FeatureSet
from model.package import Current, Package
from model.records import from_json
from model.track import Track
from storage.base import ObjectEntry, ObjectStore
from storage.keys import FEATURES_MARK, TRACKS, TrackPointer, current_key, package_key, pointer_in, track_key

log = logging.getLogger(__name__)

READS = 16  # objects read at the same time
BATCH_TRACKS = 256  # tracks compared and written at a time
_YEAR = re.compile(r"[0-9]{4}")
SAMPLE_RATE_HZ = 48_000  # of media_samples

Record = TypeVar("Record")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncReport:
    """How many tracks the store has, and how many rows were written, removed, or could not be read."""

    seen: int = 0
    updated: int = 0
    removed: int = 0
    failed: int = 0

    def __add__(self, other: "SyncReport") -> "SyncReport":
        return SyncReport(
            seen=self.seen + other.seen,
            updated=self.updated + other.updated,
            removed=self.removed + other.removed,
            failed=self.failed + other.failed,
        )


# What is told of every stretch that changed, once it is in the catalog: rows new or again, and track ids that are gone.
Changed = Callable[[Sequence[TrackRow], Collection[str]], Awaitable[None]]


async def unheard(rows: Sequence[TrackRow], vanished: Collection[str]) -> None:
    """For a sync that nobody listens to."""


async def sync(
    store: ObjectStore,
    catalog: Catalog,
    changed: Changed = unheard,
    *,
    logged: set[object] | None = None,
    newer: Container[str] = (),
) -> SyncReport:
    """Make the catalog's tracks those of the store. Safe to repeat, to cancel, and to run while others publish.

    What has no `track.json` is no track. One with a malformed record is logged, counted, and keeps the row it had; the
    next sync tries it again. Who syncs all the time keeps `logged` from one time to the next: each is logged once then.
    `newer` are tracks that `sync_named` brings meanwhile: what the listing says of them may be old.
    Raises StorageError and CatalogError; what was done until then stays done.
    """
    total = SyncReport()
    logged = set() if logged is None else logged
    after = ""
    marks: list[str] = []
    async for batch in _batches(store, marks):
        through = max(batch)
        known = await asyncio.to_thread(catalog.versions_between, after, through)
        total += await _compare(store, catalog, batch, known, changed, logged, newer)
        after = through
    known = await asyncio.to_thread(catalog.versions_between, after, None)
    total += await _compare(store, catalog, {}, known, changed, logged, newer)
    for mark in marks:
        await catch_up(store, catalog, mark)
    return total


async def sync_named(
    store: ObjectStore,
    catalog: Catalog,
    track_ids: Iterable[str],
    changed: Changed = unheard,
    *,
    logged: set[object] | None = None,
) -> SyncReport:
    """Make these tracks of the catalog those of the store, with one small listing for each. Else as `sync`."""
    total = SyncReport()
    logged = set() if logged is None else logged
    rest = iter(track_ids)
    while some := list(islice(rest, READS)):
        found = dict(zip(some, await _together([_look(store, each) for each in some]), strict=True))
        rows = await asyncio.to_thread(catalog.rows_of, some)
        known = {each: PointerVersions(row.ingest_version, row.current_version) for each, row in rows.items()}
        total += await _compare(store, catalog, found, known, changed, logged, ())
    return total


async def _look(store: ObjectStore, track_id: str) -> PointerVersions:
    """What is found of one track."""
    found = PointerVersions(None, None)
    async for entry in store.walk(track_key(track_id).removesuffix("track.json")):
        if pointer := pointer_in(entry.key):
            found = _with(found, pointer, entry)
    return found


def _with(known: PointerVersions, pointer: TrackPointer, entry: ObjectEntry) -> PointerVersions:
    return PointerVersions(
        ingest=known.ingest if pointer.live else entry.version, current=entry.version if pointer.live else known.current
    )


async def _batches(store: ObjectStore, marks: list[str]) -> AsyncIterator[dict[str, PointerVersions]]:
    """What is found of all tracks, in the order of the track ids, some tracks at a time; marks of new features, too."""
    batch: dict[str, PointerVersions] = {}
    async for entry in store.walk(TRACKS):
        pointer = pointer_in(entry.key)
        if entry.key == FEATURES_MARK:
            marks.append(entry.version)
        if pointer is None:
            continue
        if pointer.track_id not in batch and len(batch) == BATCH_TRACKS:
            yield batch
            batch = {}
        batch[pointer.track_id] = _with(batch.get(pointer.track_id, PointerVersions(None, None)), pointer, entry)
    if batch:
        yield batch


async def _compare(
    store: ObjectStore,
    catalog: Catalog,
    found: Mapping[str, PointerVersions],
    known: Mapping[str, PointerVersions],
    told: Changed,
    logged: set[object],
    newer: Container[str],
) -> SyncReport:
    """Bring some tracks up to what was found of them."""
    found = {track_id: versions for track_id, versions in found.items() if versions.ingest}
    changed = {track_id: versions for track_id, versions in found.items() if known.get(track_id) != versions}
    gate = asyncio.Semaphore(READS)
    read = [
        each
        for each in await _together([_row(store, *each, catalog.features, gate, logged) for each in changed.items()])
        if each
    ]
    rows = [row for row, _ in read if row.track_id not in newer]
    features = {row.track_id: heard for row, heard in read if heard and row.track_id not in newer}
    vanished = {track_id for track_id in known.keys() - found.keys() if track_id not in newer}
    await asyncio.to_thread(catalog.apply, rows, vanished, features)
    if rows or vanished:
        await told(rows, vanished)
    return SyncReport(seen=len(found), updated=len(rows), removed=len(vanished), failed=len(changed) - len(read))


async def _together(calls: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in calls]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors  # the first; the others were cancelled or say the same
    return [task.result() for task in tasks]


async def _row(
    store: ObjectStore,
    track_id: str,
    versions: PointerVersions,
    wanted: FeatureSet,
    gate: asyncio.Semaphore,
    logged: set[object],
) -> tuple[TrackRow, Features | None] | None:
    try:
        async with gate:
            track = await _track(store, track_id)
            live = await _live(store, track) if versions.current else None
            features = await read_features(store, track.recording_id, wanted) if live else None
        return _row_of(track, versions, live), features
    except StorageUnavailable:
        raise  # not this track's fault, and the next ones would fare no better
    except PipelineError as error:
        if (track_id, versions) not in logged:
            logged.add((track_id, versions))
            log.warning("track left out", extra={"track_id": track_id, "error_code": error.code, "reason": str(error)})
        return None


async def _track(store: ObjectStore, track_id: str) -> Track:
    key = track_key(track_id)
    track = await _record(store, Track, key)
    if track.track_id != track_id:
        _misplaced(key)
    return track


@dataclass(frozen=True, slots=True)
class _Live:
    """The live package of a track, and since when it is."""

    package: Package
    since_s: int


async def _live(store: ObjectStore, track: Track) -> _Live:
    """The live package of a track, which must be of its recording."""
    key = current_key(track.track_id)
    current, since_s = await _dated(store, Current, key)
    if (current.track_id, current.recording_id) != (track.track_id, track.recording_id):
        _misplaced(key)
    key = package_key(current.recording_id, current.package_id, "package.json")
    package = await _record(store, Package, key)
    if (package.recording_id, package.package_id) != (current.recording_id, current.package_id):
        _misplaced(key)
    return _Live(package, since_s)


async def _record(store: ObjectStore, kind: type[Record], key: str) -> Record:
    record, _ = await _dated(store, kind, key)
    return record


async def _dated(store: ObjectStore, kind: type[Record], key: str) -> tuple[Record, int]:
    """A record, and when it was written."""
    body = await store.read(key)
    # In a thread: a package of a long track takes milliseconds to parse, and the origin syncs while it serves.
    return await asyncio.to_thread(from_json, kind, body.data, subject=key), body.info.modified_s


def _misplaced(key: str) -> NoReturn:
    hint = "publish the track again; `segue package --repair` mends packages"
    raise RecordMalformed("the record is about something else", subject=key, hint=hint)


def _row_of(track: Track, versions: PointerVersions, live: _Live | None) -> TrackRow:
    """Names from the track; length and level as players have them if it is live, else as its mezzanine has them."""
    tags, package = track.tags, live.package if live else None
    try:
        return TrackRow(
            track_id=track.track_id,
            ingest_version=versions.ingest,
            current_version=versions.current,
            recording_id=track.recording_id,
            package_id=package.package_id if package else None,
            art_id=track.art_id,
            title=tags.title,
            artist=", ".join(tags.artists),
            album=tags.album,
            album_artist=tags.album_artist,
            track_number=tags.track_number,
            disc_number=tags.disc_number,
            duration_s=(package or track).media_samples / SAMPLE_RATE_HZ,
            level_lufs=package.level_lufs if package else track.mezzanine.loudness.integrated_lufs,
            families=" ".join(package.codecs) if package else "",
            protected=bool(package and package.protection),
            year=int(year[0]) if (year := _YEAR.match(tags.date)) else None,
            genres=tuple(genre for each in tags.genres if (genre := " ".join(each.split()))),
            published_s=live.since_s if live else None,
        )
    except (ValueError, OverflowError) as error:
        hint = "publish the track again, with other tags"
        raise RecordMalformed(f"a track that cannot be listed ({error})", subject=track.track_id, hint=hint) from error
