"""The commands of upkeep as an operator runs them: lines, exit status, and what is left afterwards."""

import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from catalog.store import Catalog
from model.package import Current
from model.records import to_json
from model.track import track_id_of
from packager.records import live_package, read_package
from scripts.s3_server import S3Server
from storage.filesystem import FilesystemStore
from storage.keys import current_key, mezzanine_key, package_key, track_key
from storage.s3 import S3Store
from tests.integration.origin.published import publish, put
from tests.integration.packager.conftest import Shelf, sound_package
from tests.integration.upkeep.conftest import contents, segue
from tests.integration.upkeep.test_scrub import rot

LADDER = ("--aac", "64", "--opus", "64")


def age(folder: Path, days: int) -> None:
    """Make every object so old."""
    for path in folder.rglob("*.*"):
        if path.is_file():
            os.utime(path, (time.time() - 86_400 * days,) * 2)


async def test_gc_only_tells_unless_it_is_told(tmp_path: Path) -> None:
    """A dry run is the default; --delete does what it told, and a second one finds nothing."""
    store = FilesystemStore(tmp_path)
    for edition in (1, 2):
        await publish(store, edition=edition, segments=1)
    age(tmp_path, 2)
    before = await contents(store)
    words = ("gc", "--store", f"file:{tmp_path}", "--grace", "1d")
    for dry in (await segue(*words), await segue(*words, "--dry-run")):
        assert (dry.status, dry.last["found"], dry.last["deleted"]) == (0, 3, 0)
        assert {each["reason"] for each in dry.of("garbage")} == {"superseded", "unnamed"}
    assert await contents(store) == before
    assert (await segue("gc", "--store", f"file:{tmp_path}")).last["found"] == 0
    await store.close()


@pytest.mark.parametrize("words", [("--grace", "5"), ("--grace", "59m"), ("--delete", "--dry-run")])
async def test_gc_refuses_what_it_cannot_mean(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Exit 2."""
    assert (await segue("gc", "--store", f"file:{tmp_path}", *words)).status == 2


async def test_mirror_between_kinds_of_stores(s3_server: S3Server, tmp_path: Path) -> None:
    """A folder into a bucket; the summary counts; the same store twice is refused."""
    here = FilesystemStore(tmp_path)
    await publish(here, segments=1)
    keys = {"AWS_ACCESS_KEY_ID": s3_server.writer.access_key, "AWS_SECRET_ACCESS_KEY": s3_server.writer.secret_key}
    url = s3_server.url(f"upkeep/{tmp_path.name}")
    said = await segue("mirror", f"file:{tmp_path}", url, "--delete", "--parallel", "4", **keys)
    assert (said.status, said.last["failed"], said.last["copied"]) == (0, 0, len(await contents(here)))
    there = S3Store(s3_server.address(f"upkeep/{tmp_path.name}"), s3_server.writer)
    assert await contents(there) == await contents(here)
    assert (await segue("mirror", url, url, **keys)).last["code"] == "usage"
    rot(tmp_path, next(key for key in await contents(here) if key.endswith("aac-64.mp4")))
    await there.delete(next(key for key in await contents(there) if key.endswith("aac-64.mp4")))
    said = await segue("mirror", f"file:{tmp_path}", url, **keys)
    assert (said.status, said.of("failed")[0]["code"]) == (1, "object-damaged")
    await here.close()
    await there.close()


async def test_rebuild_makes_the_catalog_of_the_store(tmp_path: Path) -> None:
    """Wrong rows are righted, rows of nothing go, and what cannot be read is told by the exit status."""
    store = FilesystemStore(tmp_path / "store")
    one, two = await publish(store, "one", segments=1), await publish(store, "two", segments=1)
    file = tmp_path / "catalog.sqlite3"
    words = ("rebuild", "--store", f"file:{tmp_path / 'store'}", "--catalog", str(file))
    assert (await segue(*words)).last.items() >= {"tracks": 2, "removed": 0, "failed": 0}.items()
    with Catalog(file) as catalog:
        row = catalog.get(one.track_id)
        assert row is not None
        catalog.upsert(replace(row, title="wrong, though its versions are right"))
        catalog.upsert(replace(row, track_id="a" * 20))
    said = await segue(*words)
    assert (said.status, said.last["removed"]) == (0, 1)
    with Catalog(file) as catalog:
        assert [each.track_id for each in catalog.iterate()] == sorted([one.track_id, two.track_id])
        assert catalog.get(one.track_id) == row
    await put(store, current_key(two.track_id), b"{}")
    said = await segue(*words)
    assert (said.status, said.last["failed"]) == (1, 1)
    await store.close()


async def test_deep_verify_finds_and_repair_mends(published: Shelf, tmp_path: Path) -> None:
    """A turned bit in a track file is made good from the mezzanine, byte for byte, whatever ladder is the default now,
    for both tracks that it is of; one in the mezzanine cannot be."""
    folder = tmp_path / "store"
    shutil.copytree(published.folder, folder)
    store = FilesystemStore(folder)
    package = await sound_package(store, published.track.track_id)
    assert package is not None
    track_id = track_id_of(package.recording_id, "another release")
    other = replace(published.track, track_id=track_id, release="another release")
    await put(store, track_key(track_id), to_json(other))
    pointer = Current(track_id=track_id, recording_id=package.recording_id, package_id=package.package_id)
    await put(store, current_key(track_id), to_json(pointer))
    before = await contents(store)
    words = ("verify", "--deep", "--store", f"file:{folder}", "--catalog", str(tmp_path / "catalog.sqlite3"))
    clean = await segue(*words)
    assert (clean.status, clean.of("damage"), clean.last["damaged"]) == (0, [], 0)
    rot(folder, package_key(package.recording_id, package.package_id, "opus-64.mp4"))
    found = await segue(*words)
    assert (found.status, found.last["broken"], found.last["damaged"]) == (1, 2, 0)
    mended = await segue(*words, "--repair")
    assert (mended.status, mended.last["broken"], mended.last["damaged"]) == (0, 0, 0)
    assert [each["repaired"] for each in mended.of("repair")] == [True, True]
    assert await contents(store) == before
    rot(folder, mezzanine_key(package.recording_id, package.mezzanine_id))
    lost = await segue(*words, "--repair")
    assert (lost.status, lost.last["broken"], lost.last["damaged"]) == (1, 2, 1)  # it is the lossless rendition, too
    assert [each["repaired"] for each in lost.of("repair")] == [False, False]
    assert [each["key"] for each in lost.of("damage")] == [mezzanine_key(package.recording_id, package.mezzanine_id)]
    await store.close()


async def test_what_is_protected_is_not_repaired_into_the_clear(published: Shelf, tmp_path: Path) -> None:
    """Somebody forgot to say --protect: told, and nothing changes."""
    folder = tmp_path / "store"
    shutil.copytree(published.folder, folder)
    where = ("--store", f"file:{folder}", "--catalog", str(tmp_path / "catalog.sqlite3"))
    keys = ("--protect", "aes-128", "--key-store", f"file:{tmp_path / 'keys'}")
    assert (await segue("package", *where, *keys, *LADDER)).status == 0
    store = FilesystemStore(folder)
    current = await live_package(store, published.track.track_id)
    assert current is not None
    package = await read_package(store, current.recording_id, current.package_id)
    assert package.protection is not None
    before = await contents(store)
    rot(folder, package_key(package.recording_id, package.package_id, "opus-64.mp4"))
    said = await segue("verify", "--repair", *where)
    assert (said.status, [each["repaired"] for each in said.of("repair")]) == (1, [False])
    assert "--protect" in str(said.of("repair")[0]["hint"])
    said = await segue("verify", "--repair", *where, *keys)
    assert (said.status, [each["repaired"] for each in said.of("repair")]) == (0, [True])
    assert await contents(store) == before
    await store.close()


@pytest.mark.parametrize("words", [("--deep", "http://127.0.0.1:9/x.m3u8"), ("--deep", "a" * 20)])
async def test_deep_is_for_the_whole_store(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Exit 2."""
    assert (await segue("verify", *words, "--store", f"file:{tmp_path}")).status == 2


async def test_doctor_tells_what_the_store_can(s3_server: S3Server, tmp_path: Path) -> None:
    """A line for each ability, nothing left behind; a folder that is not there is not made."""
    keys = {"AWS_ACCESS_KEY_ID": s3_server.writer.access_key, "AWS_SECRET_ACCESS_KEY": s3_server.writer.secret_key}
    prefix = f"upkeep/{tmp_path.name}"
    said = await segue("doctor", "--store", s3_server.url(prefix), **keys)
    told = {each["name"]: each["status"] for each in said.of("check")}
    assert {"write", "read", "ranges", "listing", "replace", "clock", "conditional", "latency", "delete"} <= set(told)
    assert {told[name] for name in ("write", "conditional", "delete")} == {"ok"}
    store = S3Store(s3_server.address(prefix), s3_server.writer)
    assert await contents(store) == {}
    await store.close()
    said = await segue("doctor", "--store", f"file:{tmp_path / 'none'}")
    assert not (tmp_path / "none").exists() and "write" not in {each["name"] for each in said.of("check")}
