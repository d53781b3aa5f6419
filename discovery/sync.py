"""The catalog brought up to the store: read what changed since the last time, forget what is gone.

One walk over the tracks. The pointers of a track (`ingest.json`, `current.json`) carry its state, and a listing shows
their versions; only tracks with another version than the catalog has are read, at most READS at a time. The walk is
sorted by track id and so is the catalog, so both are compared side by side, BATCH_TRACKS at a time.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from catalog.schema import TrackRow
from catalog.store import Catalog, PointerVersions
from model.errors import PipelineError, RecordMalformed, StorageUnavailable
from model.package import Current, Package
from model.records import from_json
from model.track import Track
from storage.base import ObjectStore
from storage.keys import TRACKS, current_key, ingest_key, package_key, pointer_in

log = logging.getLogger(__name__)

READS = 16  # objects read at the same time
BATCH_TRACKS = 256  # tracks compared and written at a time
SAMPLE_RATE_HZ = 48_000  # of media_samples

Record = TypeVar("Record", Track, Current, Package)


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


async def sync(store: ObjectStore, catalog: Catalog) -> SyncReport:
    """Make the catalog's tracks those of the store. Safe to repeat, to cancel, and to run while others publish.

    A track with a malformed record is logged, counted, and keeps the row it had; the next sync tries it again.
    Raises StorageError and CatalogError; what was done until then stays done.
    """
    total = SyncReport()
    after = ""
    async for batch in _batches(store):
        through = max(batch)
        total += await _compare(store, catalog, batch, after=after, through=through)
        after = through
    total += await _compare(store, catalog, {}, after=after, through=None)
    return total


async def _batches(store: ObjectStore) -> AsyncIterator[dict[str, PointerVersions]]:
    """The pointers of all tracks, in the order of the track ids, some tracks at a time."""
    batch: dict[str, PointerVersions] = {}
    async for entry in store.walk(TRACKS):
        pointer = pointer_in(entry.key)
        if pointer is None:
            continue
        if pointer.track_id not in batch and len(batch) == BATCH_TRACKS:
            yield batch
            batch = {}
        known = batch.get(pointer.track_id, PointerVersions(ingest=None, current=None))
        batch[pointer.track_id] = PointerVersions(
            ingest=known.ingest if pointer.live else entry.version,
            current=entry.version if pointer.live else known.current,
        )
    if batch:
        yield batch


async def _compare(
    store: ObjectStore, catalog: Catalog, found: Mapping[str, PointerVersions], *, after: str, through: str | None
) -> SyncReport:
    """Bring one stretch of track ids up to what was found there."""
    known = await asyncio.to_thread(catalog.versions_between, after, through)
    changed = {track_id: versions for track_id, versions in found.items() if known.get(track_id) != versions}
    vanished = known.keys() - found.keys()
    gate = asyncio.Semaphore(READS)
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_row(store, *each, gate)) for each in changed.items()]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors  # the first; the others were cancelled or say the same
    rows = [row for task in tasks if (row := task.result())]
    await asyncio.to_thread(catalog.apply, rows, vanished)
    return SyncReport(seen=len(found), updated=len(rows), removed=len(vanished), failed=len(tasks) - len(rows))


async def _row(
    store: ObjectStore, track_id: str, versions: PointerVersions, gate: asyncio.Semaphore
) -> TrackRow | None:
    try:
        async with gate:
            track = await _track(store, track_id) if versions.ingest else None
            package = await _package(store, track_id) if versions.current else None
        return _row_of(track_id, versions, track, package)
    except StorageUnavailable:
        raise  # not this track's fault, and the next ones would fare no better
    except PipelineError as error:
        log.warning("track left out", extra={"track_id": track_id, "error_code": error.code, "reason": str(error)})
        return None


async def _track(store: ObjectStore, track_id: str) -> Track:
    return await _record(store, Track, ingest_key(track_id), track_id)


async def _package(store: ObjectStore, track_id: str) -> Package:
    current = await _record(store, Current, current_key(track_id), track_id)
    key = package_key(track_id, current.package_id, "package.json")
    package = await _record(store, Package, key, track_id)
    if package.package_id != current.package_id:
        raise _misplaced(key)
    return package


async def _record(store: ObjectStore, kind: type[Record], key: str, track_id: str) -> Record:
    body = await store.read(key)
    # In a thread: a package of a long track takes milliseconds to parse, and the origin syncs while it serves.
    record = await asyncio.to_thread(from_json, kind, body.data, subject=key)
    if record.track_id != track_id:
        raise _misplaced(key)
    return record


def _misplaced(key: str) -> RecordMalformed:
    return RecordMalformed("the record is about something else", subject=key, hint="run `segue package --repair`")


def _row_of(track_id: str, versions: PointerVersions, track: Track | None, package: Package | None) -> TrackRow:
    """What players have, if the track is live; else what was ingested."""
    if package:
        samples, tags, level = package.media_samples, package.tags, package.level_lufs
    elif track:
        samples, tags, level = track.media_samples, track.tags, track.loudness_mezzanine.integrated_lufs
    else:
        raise AssertionError(f"a track without pointers: {track_id}")
    try:
        return TrackRow(
            track_id=track_id,
            ingest_version=versions.ingest,
            current_version=versions.current,
            package_id=package.package_id if package else None,
            title=tags.title,
            artist=", ".join(tags.artists),
            album=tags.album,
            album_artist=tags.album_artist,
            track_number=tags.track_number,
            disc_number=tags.disc_number,
            duration_s=samples / SAMPLE_RATE_HZ,
            level_lufs=level,
            ingest_id=track.ingest_id if track else None,
        )
    except (ValueError, OverflowError) as error:
        hint = "publish the track again, with other tags"
        raise RecordMalformed(f"tags that cannot be kept ({error})", subject=track_id, hint=hint) from error
