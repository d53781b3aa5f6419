"""Copies of stores: equal, whole at every moment for those who read them, and checked."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from model.errors import ObjectNotFound, PipelineError, StorageUnavailable, UsageError
from packager.records import live_package, read_package
from scripts.s3_server import S3Server
from storage.base import ObjectStore
from storage.changes import changes_since, signal
from storage.filesystem import FilesystemStore
from storage.keys import FEATURES_MARK, current_key, features_key, package_key, track_file_key
from storage.s3 import S3Store
from tests.integration.origin.published import Published, publish, put
from tests.integration.upkeep.conftest import contents
from tests.support.faulty_store import FaultyStore
from upkeep.mirror import Mirrored, mirror


@pytest.fixture
async def target(s3_server: S3Server) -> AsyncIterator[ObjectStore]:
    """An empty S3 store."""
    made = S3Store(s3_server.address(f"upkeep/{uuid.uuid4().hex}"), s3_server.writer)
    yield made
    await made.close()


async def run(source: ObjectStore, target: ObjectStore, *, delete: bool = False) -> tuple[Mirrored, list[str]]:
    """A mirror run, and the codes of what failed."""
    failures: list[str] = []

    def failed(_: str, error: PipelineError) -> None:
        failures.append(error.code)

    return await mirror(source, target, failed=failed, delete=delete), failures


async def assert_readable(store: ObjectStore, track_ids: set[str]) -> set[str]:
    """The tracks that are live; each has all that its package names."""
    live = set()
    for track_id in track_ids:
        if current := await live_package(store, track_id):
            package = await read_package(store, current.recording_id, current.package_id)
            for each in package.renditions:
                await store.head(track_file_key(package.recording_id, package.package_id, each.track_file_path))
            live.add(track_id)
    return live


async def test_a_mirror_is_equal(store: ObjectStore, target: ObjectStore) -> None:
    """Bytes, media types and caching; a second run copies nothing; changes are followed, losses if asked."""
    one = await publish(store, "one", segments=2)
    await publish(store, "two", segments=2)
    first, _ = await run(store, target)
    assert await contents(target) == await contents(store)
    assert (first.copied, first.equal, first.failed) == (len(await contents(store)), 0, 0)
    for key in await contents(store):
        here, there = await store.head(key), await target.head(key)
        assert (here.media_type, here.cache_control) == (there.media_type, there.cache_control)
    again, _ = await run(store, target)
    assert (again.copied, again.equal) == (0, first.copied)
    new = await publish(store, "one", edition=2, segments=2)
    for key in [key for key in await contents(store) if one.package.package_id in key]:
        await store.delete(key)
    await run(store, target)
    assert set(await contents(target)) > set(await contents(store))
    assert await assert_readable(target, {new.track_id}) == {new.track_id}
    last, _ = await run(store, target, delete=True)
    assert await contents(target) == await contents(store)
    assert last.deleted > 0


async def test_followers_of_a_copy_are_told(store: ObjectStore, target: ObjectStore) -> None:
    """Of what comes and what goes, by the copy's own changes; those of the source are its own."""
    one, two = await publish(store, "one", segments=1), await publish(store, "two", segments=1)
    await signal(store, "a" * 20)
    await run(store, target)
    assert {change.track_id for change in await changes_since(target, 0)} == {one.track_id, two.track_id}
    before = len(await changes_since(target, 0))
    await run(store, target)
    assert len(await changes_since(target, 0)) == before
    await store.delete(current_key(two.track_id))
    await run(store, target, delete=True)
    assert [change.track_id for change in (await changes_since(target, 0))[before:]] == [two.track_id]


async def test_readers_of_a_copy_find_whole_tracks_after_every_call(tmp_path: Path) -> None:
    """The copy breaks off at each of its calls: what is live in it is whole. The next run completes it."""
    source = FilesystemStore(tmp_path / "source")
    track_ids = {(await publish(source, name, segments=1)).track_id for name in ("one", "two")}
    for number in range(1, 400):
        inner = FilesystemStore(tmp_path / str(number))
        try:
            await run(source, FaultyStore(inner, kind="put", fail_at=number, from_then_on=True))
        except StorageUnavailable:
            await assert_readable(inner, track_ids)
            if number % 8 == 1:
                await run(source, inner)
                assert await contents(inner) == await contents(source)
            await inner.close()
            continue
        await inner.close()
        break
    assert number > 20
    await source.close()


async def test_a_damaged_object_is_told_and_nothing_points_to_it(tmp_path: Path) -> None:
    """The track is not live in the copy, the others are; nothing is deleted."""
    source, target = FilesystemStore(tmp_path / "source"), FilesystemStore(tmp_path / "target")
    bad, good = [await publish(source, name, segments=1) for name in ("bad", "good")]
    key = package_key(bad.package.recording_id, bad.package.package_id, "aac-64.mp4")
    path = tmp_path / "source" / key
    stat = path.stat()
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)  # in place, and unseen: as a disk does it
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    await put(target, "recordings/" + "z" * 20 + "/analysis.json", b"{}")
    done, failures = await run(source, target, delete=True)
    assert failures == 3 * ["object-damaged"]  # the object, and both pointers of its track, which are held back
    assert (done.failed, done.deleted) == (3, 0)
    assert await assert_readable(target, {bad.track_id, good.track_id}) == {good.track_id}
    with pytest.raises(ObjectNotFound):
        await target.head(key)
    await source.close()
    await target.close()


class Publishing:
    """Publishes into the source when the copy has passed the recordings."""

    def __init__(self, source: ObjectStore) -> None:
        self._source = source
        self.task: asyncio.Future[Published] | None = None

    def step(self, name: str) -> None:
        if name == "copy art/":
            self.task = asyncio.ensure_future(publish(self._source, "late", release="Late", segments=1))

    def add(self, objects: int, size_bytes: int = 0) -> None:
        pass


async def test_what_is_published_meanwhile_comes_whole_or_later(tmp_path: Path) -> None:
    """A pointer that is new since its recording was passed brings the recording along."""
    source, target = FilesystemStore(tmp_path / "source"), FilesystemStore(tmp_path / "target")
    await publish(source, "one", segments=1)
    publishing = Publishing(source)
    await mirror(source, target, failed=lambda key, error: pytest.fail(str(error)), report=publishing)
    assert publishing.task is not None
    late = await publishing.task
    await assert_readable(target, {late.track_id})
    await run(source, target)
    assert await contents(target) == await contents(source)
    await source.close()
    await target.close()


async def test_an_empty_source_empties_nothing(tmp_path: Path) -> None:
    """FROM and TO in the wrong order."""
    source, target = FilesystemStore(tmp_path / "source"), FilesystemStore(tmp_path / "target")
    await publish(target, "one", segments=1)
    with pytest.raises(UsageError):
        await run(source, target, delete=True)
    await source.close()
    await target.close()


async def test_features_made_later_are_noticed_in_the_copy(tmp_path: Path) -> None:
    """The mark that has catalogs look for them comes along, after them; once."""
    source, target = FilesystemStore(tmp_path / "source"), FilesystemStore(tmp_path / "target")
    made = await publish(source, segments=1)
    await run(source, target)
    await put(source, features_key(made.package.recording_id), b"{}")
    await put(source, FEATURES_MARK, b"1")
    assert (await run(source, target))[0].copied == 2
    assert (await target.read(FEATURES_MARK)).data == b"1"
    assert (await run(source, target))[0].copied == 0
    await source.close()
    await target.close()
