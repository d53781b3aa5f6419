"""Every byte of a store against its hash: the one that a record names, or else the one that it was stored with."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Container, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from model.errors import ObjectNotFound, RecordMalformed, StorageUnavailable
from model.features import Features, FeatureSet
from model.package import Current, Package
from model.records import from_json
from model.track import Mezzanine, Track
from storage.base import ObjectEntry, ObjectStore
from storage.keys import ART, RECORDINGS, TRACKS, features_key, mezzanine_key, package_key, pointer_in
from upkeep.groups import Group, group_of
from upkeep.reporting import SILENT, Report
from upkeep.together import batches, by_owner, together

OBJECTS_AT_ONCE = 4
LOOKS = 2  # bytes may be damaged on the way, too

_HINTS = {
    "package": "if it is live, `segue verify --deep --repair` makes it again; else `segue gc` removes it in time",
    "mezzanine": "no copy is in this store: delete the object, then publish the source again, or mirror another store",
    "art": "delete the object, then publish the source again, or mirror another store",
    "features": "delete the object, then `segue features` makes it again",
    "": "publish the source again, or mirror another store",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """An object that is not what it must be."""

    key: str
    message: str
    how_to_fix: str


async def scrub(
    store: ObjectStore, *, seen: Container[tuple[str, str]] = (), report: Report = SILENT
) -> AsyncGenerator[Damage, None]:
    """Read every object of recordings, covers and tracks, and tell what is damaged; what goes meanwhile is left out.

    `seen` are packages, by recording and id, whose own files somebody else looked at. Holds what one recording has at
    a time. Raises StorageError; what was told until then is true.
    """
    for prefix in (RECORDINGS, ART, TRACKS):
        report.step(f"read {prefix}")
        async with aclosing(by_owner(store.walk(prefix), lambda each: each.key)) as owners:
            async for entries in owners:
                unseen = [each for each in entries if not _is_seen(each.key, seen)]
                hashes = await _named_hashes(store, unseen)
                async with aclosing(_each(unseen)) as items:
                    async for some in batches(items, OBJECTS_AT_ONCE):
                        for found in await together([_look(store, each, hashes.get(each.key, "")) for each in some]):
                            if found:
                                yield found
                        report.add(len(some), sum(each.size_bytes for each in some))


def _is_seen(key: str, seen: Container[tuple[str, str]]) -> bool:
    group = group_of(key)
    return group is not None and group.kind == "package" and (group.owner, group.own_id) in seen


async def _each(entries: Sequence[ObjectEntry]) -> AsyncGenerator[ObjectEntry, None]:
    for each in entries:
        yield each


async def _named_hashes(store: ObjectStore, entries: Sequence[ObjectEntry]) -> dict[str, str]:
    """The hashes that the records of a recording name, by key. A record that cannot be read has its turn later."""
    hashes: dict[str, str] = {}
    for group in dict.fromkeys(group for each in entries if (group := group_of(each.key)) and each.key == group.record):
        try:
            data = (await store.read(group.record)).data if group.kind != "art" else b""
            hashes |= await asyncio.to_thread(_hashes_in, group, data)
        except (ObjectNotFound, RecordMalformed):
            continue
    return hashes


def _hashes_in(group: Group, data: bytes) -> dict[str, str]:
    if group.kind == "mezzanine":
        return {mezzanine_key(group.owner, group.own_id): from_json(Mezzanine, data, subject=group.record).sha256}
    if group.kind == "package":
        package = from_json(Package, data, subject=group.record)
        own = [each for each in package.renditions if not each.track_file]
        return {package_key(group.owner, group.own_id, each.track_file_path): each.sha256 for each in own}
    return {}


async def _look(store: ObjectStore, entry: ObjectEntry, named: str) -> Damage | None:
    """What is wrong with one object."""
    try:
        sha256, promised, data = await _read(store, entry.key)
    except ObjectNotFound:
        return None
    if sha256 != promised:
        return _damage(entry.key, "the bytes do not have the hash that they were stored with")
    if named and sha256 != named:
        return _damage(entry.key, "the bytes do not have the hash that their record names")
    if data and (trouble := await asyncio.to_thread(_trouble, entry.key, data)):
        return _damage(entry.key, trouble)
    return None


async def _read(store: ObjectStore, key: str) -> tuple[str, str, bytes]:
    """The hash of what lies there, the one it was stored with, and, of a record, its bytes."""
    for look in range(LOOKS):
        digest = hashlib.sha256()
        kept = []
        try:
            async with store.open(key) as stream:
                async for chunk in stream.chunks:
                    digest.update(chunk)
                    if key.endswith(".json"):
                        kept.append(chunk)
                return digest.hexdigest(), stream.info.sha256, b"".join(kept)
        except StorageUnavailable as error:
            if "do not have their hash" not in error.message:  # an S3 store looks for itself
                raise
            if look == LOOKS - 1:
                return "", "damaged", b""
    raise AssertionError("unreachable")


def _trouble(key: str, data: bytes) -> str:
    """What is wrong with a record."""
    group, pointer = group_of(key), pointer_in(key)
    kind: type[Track] | type[Current] | type[Mezzanine] | type[Package] | type[Features]
    if pointer:
        kind = Current if pointer.live else Track
    elif group and key == group.record:
        kind = Mezzanine if group.kind == "mezzanine" else Package
    elif _is_features(key):
        kind = Features
    else:
        return ""
    try:
        from_json(kind, data, subject=key)
    except RecordMalformed as error:
        return error.message
    return ""


def _damage(key: str, message: str) -> Damage:
    group = group_of(key)
    kind = group.kind if group else "features" if _is_features(key) else ""
    return Damage(key=key, message=message, how_to_fix=_HINTS[kind])


def _is_features(key: str) -> bool:
    return key.startswith(RECORDINGS) and key in [features_key(key.split("/")[1], each) for each in FeatureSet]
