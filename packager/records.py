"""The records that the packager reads from a store: the track, its live pointer, packages."""

from model.errors import ObjectNotFound, RecordMalformed, TrackUnknown
from model.package import Current, Package
from model.records import from_json
from model.track import Mezzanine, Piece, Track, is_id
from storage.base import ObjectStore
from storage.keys import current_key, mezzanine_record_key, package_key, recording_prefix, track_key

PACKAGE_RECORD = "package.json"


async def read_track(store: ObjectStore, track_id: str) -> Track:
    """The ingest report of a track. Raises TrackUnknown or RecordMalformed."""
    key = track_key(track_id)
    try:
        track = from_json(Track, (await store.read(key)).data, subject=key)
    except ObjectNotFound as error:
        hint = "`segue ls` shows the tracks; `segue ingest` adds one"
        raise TrackUnknown("no such track", subject=track_id, hint=hint) from error
    if track.track_id != track_id:
        raise RecordMalformed("the record of another track", subject=key, hint="publish the source again")
    return track


async def read_mezzanine(store: ObjectStore, piece: Piece) -> Mezzanine:
    """The record of a mezzanine. Raises ObjectNotFound or RecordMalformed."""
    key = mezzanine_record_key(piece.recording_id, piece.mezzanine_id)
    hint = "publish the album of this recording again"
    try:
        mezzanine = from_json(Mezzanine, (await store.read(key)).data, subject=key)
    except ObjectNotFound as error:
        raise ObjectNotFound("the record of a mezzanine is missing", subject=key, hint=hint) from error
    if (mezzanine.recording_id, mezzanine.mezzanine_id) != (piece.recording_id, piece.mezzanine_id):
        raise RecordMalformed("the record of another mezzanine", subject=key, hint=hint)
    return mezzanine


async def live_package(store: ObjectStore, track_id: str) -> Current | None:
    """Which package of a track is live; None if none is, or if the pointer cannot be read."""
    key = current_key(track_id)
    try:
        current = from_json(Current, (await store.read(key)).data, subject=key)
    except (ObjectNotFound, RecordMalformed):
        return None
    return current if current.track_id == track_id else None


async def read_package(store: ObjectStore, recording_id: str, package_id: str) -> Package:
    """The package of this id. Raises ObjectNotFound or RecordMalformed."""
    key = package_key(recording_id, package_id, PACKAGE_RECORD)
    package = from_json(Package, (await store.read(key)).data, subject=key)
    if (package.recording_id, package.package_id) != (recording_id, package_id):
        raise RecordMalformed("the record of another package", subject=key, hint="run `segue package --repair`")
    return package


async def find_package(store: ObjectStore, recording_id: str, package_id: str) -> Package | None:
    """The package of this id if it was uploaded whole (package.json goes up last) and can be read."""
    try:
        return await read_package(store, recording_id, package_id)
    except (ObjectNotFound, RecordMalformed):
        return None


async def packages_of(store: ObjectStore, recording_id: str) -> list[Package]:
    """All packages of a recording that can be read, in the order of their ids."""
    prefix, end = recording_prefix(recording_id), f"/{PACKAGE_RECORD}"
    names = [entry.key.removeprefix(prefix) async for entry in store.walk(prefix)]
    package_ids = [name.removesuffix(end) for name in names if name.endswith(end)]
    found = [await find_package(store, recording_id, each) for each in package_ids if is_id(each)]
    return [each for each in found if each is not None]
