"""Every byte against its hash, on both kinds of store."""

import io
import os
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from model.features import FeatureSet
from model.records import to_json
from scripts.s3_server import S3Server
from storage.base import ObjectStore
from storage.filesystem import FilesystemStore
from storage.keys import art_key, current_key, features_key, mezzanine_key, mezzanine_record_key, package_key, track_key
from storage.s3 import S3Store
from tests.integration.origin.published import Published, publish, put
from tests.unit.model.test_features import SOME
from upkeep.scrub import Damage, scrub


async def damages(store: ObjectStore, seen: frozenset[tuple[str, str]] = frozenset()) -> list[Damage]:
    """All that a scrub tells."""
    return [each async for each in scrub(store, seen=seen)]


def rot(root: Path, key: str) -> None:
    """Turn one bit of an object, as a failing disk does: in place, and with no trace in the file's times."""
    path = root / key
    stat, data = path.stat(), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def _keys(each: Published) -> dict[str, str]:
    recording_id, package_id = each.package.recording_id, each.package.package_id
    return {
        "track file": package_key(recording_id, package_id, "opus-96.mp4"),
        "playlist": package_key(recording_id, package_id, "aac-64.m3u8"),
        "package": package_key(recording_id, package_id, "package.json"),
        "mezzanine": mezzanine_key(recording_id, each.track.mezzanine.mezzanine_id),
        "art": art_key(each.track.art_id, 640),
        "report": track_key(each.track_id),
        "pointer": current_key(each.track_id),
        "features": features_key(recording_id),
        "librosa": features_key(recording_id, FeatureSet.LIBROSA),
    }


async def sound(store: ObjectStore, name: str = "one") -> Published:
    """A track whose mezzanine record names the hash that its file has."""
    made = await publish(store, name, segments=1)
    features = replace(SOME, recording_id=made.package.recording_id)
    for each in FeatureSet:
        await put(store, features_key(features.recording_id, each), to_json(replace(features, format=each.version)))
    flac = made.package.rendition("flac")
    assert flac is not None
    mezzanine = replace(made.track.mezzanine, sha256=flac.sha256)
    key = mezzanine_record_key(mezzanine.recording_id, mezzanine.mezzanine_id)
    await put(store, key, to_json(mezzanine))
    return made


async def test_a_sound_store_has_no_damage(store: ObjectStore) -> None:
    """Nothing is told."""
    await sound(store)
    assert await damages(store) == []


@pytest.mark.parametrize(
    "what", ["track file", "playlist", "package", "mezzanine", "art", "report", "pointer", "features"]
)
async def test_one_bit_is_found_wherever_it_is(tmp_path: Path, what: str) -> None:
    """By its key, with what to do; and nothing else is told."""
    store = FilesystemStore(tmp_path)
    key = _keys(await sound(store))[what]
    rot(tmp_path, key)
    found = await damages(store)
    assert [each.key for each in found] == [key]
    assert found[0].how_to_fix
    await store.close()


async def test_features_that_are_none_are_found(tmp_path: Path) -> None:
    """Whole, but no record of features."""
    store = FilesystemStore(tmp_path)
    key = _keys(await sound(store))["features"]
    await put(store, key, b"{}")
    assert [(each.key, "segue features" in each.how_to_fix) for each in await damages(store)] == [(key, True)]
    await store.close()


async def test_other_bytes_under_the_old_hash_are_found_in_a_bucket(s3_server: S3Server) -> None:
    """The service gives what it has; the hash beside it tells."""
    prefix = f"upkeep/{uuid4().hex}"
    store = S3Store(s3_server.address(prefix), s3_server.writer)
    made = await sound(store)
    for what in ("track file", "art"):
        key = _keys(made)[what]
        info = await store.head(key)
        data = bytearray((await store.read(key)).data)
        data[7] ^= 1
        s3_server.client().put_object(
            s3_server.bucket, f"{prefix}/{key}", io.BytesIO(bytes(data)), len(data), metadata={"sha256": info.sha256}
        )
    assert sorted(each.key for each in await damages(store)) == sorted(
        _keys(made)[what] for what in ("track file", "art")
    )
    await store.close()


async def test_a_replaced_file_is_held_against_its_record(tmp_path: Path) -> None:
    """Whole and with a hash of its own, but not the one that the record names."""
    store = FilesystemStore(tmp_path)
    keys = _keys(await sound(store))
    for what in ("track file", "mezzanine"):
        await put(store, keys[what], b"another")
    found = await damages(store)
    assert {each.key for each in found} == {keys["track file"], keys["mezzanine"]}
    assert all("record" in each.message for each in found)
    await store.close()


async def test_what_was_seen_is_not_read_again(tmp_path: Path) -> None:
    """Packages that somebody looked into are left out."""
    store = FilesystemStore(tmp_path)
    made = await sound(store)
    rot(tmp_path, _keys(made)["track file"])
    seen = frozenset({(made.package.recording_id, made.package.package_id)})
    assert await damages(store, seen) == []
    await store.close()
