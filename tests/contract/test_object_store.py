"""What every object store promises, on every implementation."""

import asyncio
import hashlib
import random
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.errors import ObjectNotFound, RangeNotSatisfiable, StorageError, StorageUnavailable, UsageError
from storage.base import ByteRange, ObjectBody, ObjectInfo, ObjectStore
from tests.contract.conftest import READ_BYTES_MAX

KEY = "tracks/aaaaaaaaaaaaaaaaaaaa/current.json"
TYPE = "application/x-odd; charset=utf-8"
CACHE = "public, max-age=7, stale-if-error=60"
TEN = b"0123456789"

IN_ONE_EXAMPLE = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # the store is shared by the examples, which is meant


async def _put(store: ObjectStore, key: str, body: bytes | Path) -> ObjectInfo:
    return await store.put(key, body, media_type=TYPE, cache_control=CACHE)


async def _keys(store: ObjectStore, prefix: str) -> list[str]:
    return [entry.key async for entry in store.walk(prefix)]


@pytest.mark.parametrize("size", [0, 1, 10, 1 << 20])
async def test_what_was_put_comes_back(store: ObjectStore, size: int) -> None:
    """Bytes, hash, size, media type and cache control; head, read and put say the same."""
    data = random.Random(size).randbytes(size)
    put = await _put(store, KEY, data)
    body = await store.read(KEY)
    assert body.data == data
    assert (put.size_bytes, put.sha256) == (size, hashlib.sha256(data).hexdigest())
    assert (put.key, put.media_type, put.cache_control) == (KEY, TYPE, CACHE)
    assert body.info == await store.head(KEY)
    assert body.info == replace(put, modified_s=body.info.modified_s)
    assert abs(put.modified_s - body.info.modified_s) <= 2
    assert abs(body.info.modified_s - time.time()) <= 60


async def test_a_listing_tells_when_an_object_was_written(store: ObjectStore) -> None:
    """To the second, as `head` does, and anew when it is replaced."""
    await _put(store, KEY, TEN)
    (first,) = [entry async for entry in store.walk("")]
    assert first.modified_s == (await store.head(KEY)).modified_s
    await asyncio.sleep(1.1)
    await _put(store, KEY, TEN)
    (second,) = [entry async for entry in store.walk("")]
    assert second.modified_s == (await store.head(KEY)).modified_s > first.modified_s


async def test_of_several_who_write_a_new_object_one_does(store: ObjectStore) -> None:
    """Its bytes are there, whole and with all that belongs to them; after a delete there may be another."""

    async def write(number: int) -> bool:
        return await store.put_if_absent(KEY, b"%d" % number, media_type=TYPE, cache_control=CACHE)

    written = await asyncio.gather(*(write(number) for number in range(8)))
    assert written.count(True) == 1
    body = await store.read(KEY)
    assert body.data == b"%d" % written.index(True)
    assert (body.info.media_type, body.info.cache_control) == (TYPE, CACHE)
    assert not await write(8)
    await store.delete(KEY)
    assert await write(9)
    assert (await store.read(KEY)).data == b"9"


async def test_a_file_is_put_and_fetched(store: ObjectStore, tmp_path: Path) -> None:
    """Bodies from files and to files, of more than one part and more than `read` would hold."""
    source, target = tmp_path / "source", tmp_path / "new-folder" / "target"
    source.write_bytes(random.Random(1).randbytes((11 << 20) + 3))
    put = await _put(store, KEY, source)
    fetched = await store.fetch(KEY, target)
    assert target.read_bytes() == source.read_bytes()
    assert list(target.parent.iterdir()) == [target]
    assert fetched == await store.head(KEY) == replace(put, modified_s=fetched.modified_s)
    assert put.sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
    with pytest.raises(StorageError, match="at once"):
        await store.read(KEY)
    part = await store.read(KEY, ByteRange((11 << 20) - 5, 1 << 40))
    assert part.data == source.read_bytes()[-8:]
    assert part.info == fetched


async def test_a_file_that_is_lent_is_the_object_as_it_was(store: ObjectStore, tmp_path: Path) -> None:
    """Its bytes and info, in place of what the target held, also when the object is replaced or deleted meanwhile."""
    target = tmp_path / "target"
    target.write_bytes(b"old")
    await _put(store, KEY, TEN)
    assert await store.lend(KEY, target) == await store.head(KEY)
    await _put(store, KEY, b"new")
    assert target.read_bytes() == TEN
    assert await store.lend(KEY, tmp_path / "new-folder" / "target") == await store.head(KEY)
    await store.delete(KEY)
    assert (tmp_path / "new-folder" / "target").read_bytes() == b"new"
    with pytest.raises(ObjectNotFound):
        await store.lend(KEY, target)
    assert target.read_bytes() == TEN


async def test_a_file_that_is_given_is_the_object(store: ObjectStore, tmp_path: Path) -> None:
    """As one that was put, in place of the old object; the file may be deleted then."""
    await _put(store, KEY, b"old")
    source = tmp_path / "source"
    source.write_bytes(random.Random(1).randbytes((11 << 20) + 3))
    sha256 = hashlib.sha256(source.read_bytes()).hexdigest()
    given = await store.give(KEY, source, sha256=sha256, media_type=TYPE, cache_control=CACHE)
    data = source.read_bytes()
    source.unlink()
    fetched = await store.fetch(KEY, tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == data
    assert fetched == await store.head(KEY) == replace(given, modified_s=fetched.modified_s)
    assert (fetched.sha256, fetched.size_bytes) == (sha256, len(data))
    assert (fetched.media_type, fetched.cache_control) == (TYPE, CACHE)
    for body in (tmp_path / "missing", tmp_path):
        with pytest.raises(StorageError) as caught:
            await store.give(KEY, body, sha256=sha256, media_type=TYPE, cache_control=CACHE)
        assert caught.value.subject == str(body)
    assert await store.head(KEY) == fetched


async def test_an_empty_file_is_fetched(store: ObjectStore, tmp_path: Path) -> None:
    """Nothing to copy is not an error, and replaces what the target held."""
    (tmp_path / "target").write_bytes(b"old")
    await _put(store, KEY, b"")
    await store.fetch(KEY, tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b""


async def test_a_fetch_that_fails_leaves_the_target_alone(store: ObjectStore, tmp_path: Path) -> None:
    """All or nothing: the old file stays, and no temporary one does."""
    (tmp_path / "mine").mkdir()
    target = tmp_path / "mine" / "target"
    target.write_bytes(b"old")
    with pytest.raises(ObjectNotFound):
        await store.fetch(KEY, target)
    await _put(store, KEY, TEN)
    with pytest.raises(StorageError) as caught:
        await store.fetch(KEY, target / "below-a-file")
    assert caught.value.hint
    assert target.read_bytes() == b"old"
    assert list(target.parent.iterdir()) == [target]


async def test_a_body_that_cannot_be_read_writes_nothing(store: ObjectStore, tmp_path: Path) -> None:
    """A missing file or a folder as the body: StorageError that names it, and the old object stays."""
    await _put(store, KEY, TEN)
    for body in (tmp_path / "missing", tmp_path):
        with pytest.raises(StorageError) as caught:
            await _put(store, KEY, body)
        assert caught.value.subject == str(body)
    assert (await store.read(KEY)).data == TEN


@pytest.mark.parametrize(
    ("start", "end"), [(0, 1), (0, 10), (0, 11), (0, 1 << 62), (3, 7), (9, 10), (9, 99), (1, 10), (5, 6)]
)
async def test_a_range_is_a_slice(store: ObjectStore, start: int, end: int) -> None:
    """A range that passes the end is cut there; the info is the whole object's."""
    info = await _put(store, KEY, TEN)
    body = await store.read(KEY, ByteRange(start, end))
    assert body.data == TEN[start:end]
    assert (body.info.size_bytes, body.info.sha256) == (10, info.sha256)


@pytest.mark.parametrize(("data", "start"), [(TEN, 10), (TEN, 11), (TEN, 1 << 40), (b"", 0), (b"", 5)])
async def test_a_range_past_the_end_is_an_error(store: ObjectStore, data: bytes, start: int) -> None:
    """There is no such byte, in an empty object not even the first."""
    await _put(store, KEY, data)
    with pytest.raises(RangeNotSatisfiable):
        await store.read(KEY, ByteRange(start, start + 5))


async def test_a_stream_has_what_a_read_has(store: ObjectStore) -> None:
    """Info first, then the same bytes, in more than one piece and of any size; ranges as in read."""
    data = random.Random(3).randbytes((3 << 20) + 7)
    await _put(store, KEY, data)
    info = await store.head(KEY)
    for asked, start, end in (
        (None, 0, len(data)),
        (ByteRange(5, 2 << 20), 5, 2 << 20),
        (ByteRange(9, 1 << 40), 9, len(data)),
    ):
        async with store.open(KEY, asked) as stream:
            assert (stream.info, stream.start, stream.end) == (info, start, end)
            chunks = [chunk async for chunk in stream.chunks]
        assert b"".join(chunks) == data[start:end]
        assert len(chunks) > 1
        assert all(chunks)


async def test_a_stream_of_nothing_is_empty(store: ObjectStore) -> None:
    """An empty object has info and no chunk; a range of it, or past an end, and a missing object are errors."""
    await _put(store, KEY, b"")
    async with store.open(KEY) as stream:
        assert (stream.info.size_bytes, stream.start, stream.end) == (0, 0, 0)
        assert [chunk async for chunk in stream.chunks] == []
    for key, asked, error in ((KEY, ByteRange(0, 1), RangeNotSatisfiable), ("nothing", None, ObjectNotFound)):
        with pytest.raises(error):
            async with store.open(key, asked):
                raise AssertionError("opened")


async def test_a_stream_is_of_one_version(store: ObjectStore) -> None:
    """An object that is replaced while it is streamed: the rest of the old one, or an error, never the new one's."""
    old, new = b"o" * (4 << 20), b"n" * (4 << 20)
    await _put(store, KEY, old)
    got = b""
    async with store.open(KEY) as stream:
        try:
            async for chunk in stream.chunks:
                got += chunk
                if len(got) == len(chunk):
                    await _put(store, KEY, new)
        except StorageUnavailable:
            assert got == old[: len(got)]
        else:
            assert got == old
        assert stream.info.sha256 == hashlib.sha256(old).hexdigest()
    assert (await store.head(KEY)).sha256 == hashlib.sha256(new).hexdigest()


async def test_a_stream_may_be_left_at_any_point(store: ObjectStore) -> None:
    """Early, by an error, cancelled: what it held is given back, so hundreds of them leave a store that works."""
    await _put(store, KEY, bytes(2 << 20))
    for n in range(150):
        task = asyncio.create_task(_look(store, chunks=n % 3))
        await asyncio.sleep(0.001 * (n % 5))
        if n % 2:
            task.cancel()
        await asyncio.wait([task], timeout=10)
        assert task.done()
        assert task.cancelled() or isinstance(task.exception(), LookupError)
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    await asyncio.gather(*(asyncio.create_task(_look(store, chunks=1)) for _ in range(100)), return_exceptions=True)
    assert len(list(Path("/proc/self/fd").iterdir())) <= descriptors + 64  # connections may be kept
    async with store.open(KEY) as stream:
        assert sum([len(chunk) async for chunk in stream.chunks]) == 2 << 20


async def _look(store: ObjectStore, *, chunks: int) -> None:
    async with store.open(KEY) as stream:
        async for _ in stream.chunks:
            if not (chunks := chunks - 1):
                break
        raise LookupError


@IN_ONE_EXAMPLE
@given(data=st.binary(max_size=300), start=st.integers(0, 310), size=st.integers(1, 310))
async def test_ranges_against_slicing(store: ObjectStore, data: bytes, start: int, size: int) -> None:
    """Any range of any object is what slicing gives, or RangeNotSatisfiable where slicing gives nothing."""
    await _put(store, KEY, data)
    wanted = data[start : start + size]
    try:
        body = await store.read(KEY, ByteRange(start, start + size))
    except RangeNotSatisfiable:
        assert start >= len(data)
    else:
        assert (body.data, body.info.size_bytes) == (wanted, len(data))


async def test_what_is_not_there_is_not_found(store: ObjectStore) -> None:
    """Unknown keys, folders of keys, and what lies below an object: ObjectNotFound that names the key."""
    await _put(store, KEY, TEN)
    for key in ("nothing", "tracks", "tracks/aaaaaaaaaaaaaaaaaaaa", f"{KEY}/below", "a/" * 20 + "b" * 255):
        for call in (store.head(key), store.read(key), store.read(key, ByteRange(0, 1))):
            with pytest.raises(ObjectNotFound) as caught:
                await call
            assert caught.value.subject == key
            assert caught.value.hint


@pytest.mark.parametrize(
    "key", ["", "/", "/a", "a/", "a//b", "..", "a/../b", ".hidden", "a/.segue", "a\\b", "a\nb", "é", "a b", "x" * 1025]
)
async def test_what_is_no_key_is_a_usage_error(store: ObjectStore, key: str, tmp_path: Path) -> None:
    """Every call refuses it before anything is touched."""
    for call in (
        store.head(key), store.read(key), store.delete(key), store.fetch(key, tmp_path / "t"), _put(store, key, TEN),
        store.lend(key, tmp_path / "t"),
    ):  # fmt: skip
        with pytest.raises(UsageError):
            await call
    assert await _keys(store, "") == []


async def test_a_put_replaces_all_of_the_old_object(store: ObjectStore) -> None:
    """Bytes and everything that is said about them change together."""
    await _put(store, KEY, TEN)
    await store.put(KEY, b"new", media_type="text/plain", cache_control="no-store")
    body = await store.read(KEY)
    assert (body.data, body.info.media_type, body.info.cache_control) == (b"new", "text/plain", "no-store")
    assert body.info.sha256 == hashlib.sha256(b"new").hexdigest()


async def test_readers_see_the_old_or_the_new_object_whole(store: ObjectStore) -> None:
    """While two writers fight over a key, every read has bytes of one version and that version's info."""
    bodies = [bytes([n]) * (1000 + 7 * n) for n in range(40)]
    await _put(store, KEY, bodies[0])
    done = asyncio.Event()

    async def write(mine: list[bytes]) -> None:
        for body in mine:
            await store.put(KEY, body, media_type=f"x/{body[0]}", cache_control=CACHE)

    async def watch() -> int:
        seen = 0
        while not done.is_set() or not seen:
            _assert_one_version(await store.read(KEY))
            seen += 1
        return seen

    watchers = [asyncio.create_task(watch()) for _ in range(3)]
    await asyncio.gather(write(bodies[1::2]), write(bodies[2::2]))
    done.set()
    assert min(await asyncio.gather(*watchers)) > 0
    last = await store.read(KEY)
    assert last.data in (bodies[-1], bodies[-2])


def _assert_one_version(body: ObjectBody) -> None:
    assert body.info.sha256 == hashlib.sha256(body.data).hexdigest()
    assert body.info.size_bytes == len(body.data) == 1000 + 7 * body.data[0]
    assert body.info.media_type in (f"x/{body.data[0]}", TYPE)


async def test_a_deleted_object_is_gone(store: ObjectStore) -> None:
    """Deleting is idempotent, touches no other object, and the key can be used again."""
    await _put(store, KEY, TEN)
    await _put(store, f"{KEY}.bak", TEN)
    for _ in range(2):
        await store.delete(KEY)
        await store.delete("never/was/there")
    await store.delete("tracks")  # a folder is no object
    assert await _keys(store, "") == [f"{KEY}.bak"]
    with pytest.raises(ObjectNotFound):
        await store.head(KEY)
    await _put(store, KEY, b"again")
    assert (await store.read(KEY)).data == b"again"


ORDER = ["a", "a-b/c", "a-b/c-d", "a.b", "a.b/c", "a/b-c", "a/b.c", "a/b/c", "a/b/d", "a0", "aA", "a_", "aa/b", "b"]


async def test_a_walk_is_sorted_by_code_point(store: ObjectStore) -> None:
    """Also where `-` and `.` compete with `/`, and also over the borders of a service's pages."""
    # A folder cannot hold both `a` and `a/b`: leave out what is in the way of others.
    keys = [key for key in ORDER if not any(other.startswith(f"{key}/") for other in ORDER)]
    await asyncio.gather(*(_put(store, key, TEN[: n % 10]) for n, key in enumerate(keys)))
    entries = [entry async for entry in store.walk("")]
    assert [entry.key for entry in entries] == sorted(keys)
    assert [entry.size_bytes for entry in entries] == [n % 10 for n, _ in enumerate(keys)]


async def test_a_walk_shows_what_starts_with_its_prefix(store: ObjectStore) -> None:
    """A prefix is text: it may end within a name; a prefix of nothing shows nothing."""
    for key in ("ab/c", "ab/d/e", "abc", "ac", "b/ab"):
        await _put(store, key, TEN)
    assert await _keys(store, "ab") == ["ab/c", "ab/d/e", "abc"]
    assert await _keys(store, "ab/") == ["ab/c", "ab/d/e"]
    assert await _keys(store, "ab/d/e") == ["ab/d/e"]
    assert await _keys(store, "ab/d/e/") == []
    assert await _keys(store, "nothing/at/all/") == []
    with pytest.raises(UsageError):
        await _keys(store, "../")


async def test_a_walk_goes_on_after_a_key(store: ObjectStore) -> None:
    """Whether there is such a key or not; in a folder, by code point; after the last one there is nothing."""
    for key in ("ab/10", "ab/11-a", "ab/11-b", "ab/2", "abc", "b/0"):
        await _put(store, key, TEN)

    async def after(key: str) -> list[str]:
        return [entry.key async for entry in store.walk("ab/", after=key)]

    assert await after("ab/11-a") == ["ab/11-b", "ab/2"]
    assert await after("ab/11") == ["ab/11-a", "ab/11-b", "ab/2"]
    assert await after("ab/0") == await after("a") == await _keys(store, "ab/")
    assert await after("ab/2") == await after("b/0") == []


async def test_a_version_differs_exactly_when_the_object_was_written(store: ObjectStore) -> None:
    """A listing tells what has to be read again, without reading it."""
    await _put(store, "a", TEN)
    await _put(store, "b", TEN)
    first = {entry.key: entry.version async for entry in store.walk("")}
    assert first == {entry.key: entry.version async for entry in store.walk("")}
    await _put(store, "a", b"9876543210")
    second = {entry.key: entry.version async for entry in store.walk("")}
    assert second["a"] != first["a"]
    assert second["b"] == first["b"]


async def test_a_walk_may_be_left_early(store: ObjectStore) -> None:
    """Who has seen enough stops; the store works on."""
    for n in range(10):
        await _put(store, f"n{n}", TEN)
    async for entry in store.walk(""):
        assert entry.key == "n0"
        break
    assert len(await _keys(store, "")) == 10


async def test_a_cancelled_put_is_settled(store: ObjectStore, tmp_path: Path) -> None:
    """When the cancellation is through, the object is the old or the new one, whole, and stays that one."""
    source = tmp_path / "source"
    source.write_bytes(b"n" * (6 << 20))
    await _put(store, KEY, TEN)
    for pause_s in (0, 0.001, 0.01, 0.03, 0.1):
        task = asyncio.create_task(_put(store, KEY, source))
        await asyncio.sleep(pause_s)
        task.cancel()
        await asyncio.wait([task])
        settled = await store.head(KEY)
        await asyncio.sleep(0.05)
        assert await store.head(KEY) == settled
        assert settled.size_bytes in (10, 6 << 20)
        assert await _keys(store, "") == [KEY]


async def test_a_closed_store_says_so(store: ObjectStore) -> None:
    """Closing is idempotent; afterwards calls fail with an error of ours."""
    await store.close()
    await store.close()
    with pytest.raises(StorageError, match="closed"):
        await store.head(KEY)


async def test_more_than_may_be_held_is_refused(store: ObjectStore) -> None:
    """The limit itself still passes; one byte more does not."""
    await _put(store, KEY, bytes(READ_BYTES_MAX + 1))
    with pytest.raises(StorageError, match="at once") as caught:
        await store.read(KEY)
    assert "range" in caught.value.hint
    assert len((await store.read(KEY, ByteRange(0, READ_BYTES_MAX))).data) == READ_BYTES_MAX
