"""What FilesystemStore does beyond the contract: kills, files brought in by hand, links, full disks, plain serving."""

import asyncio
import errno
import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from model.errors import ObjectNotFound, StorageDenied, StorageError, StorageUnavailable
from storage.base import ByteRange
from storage.file_walk import walk_files
from storage.filesystem import FilesystemStore

KEY = "tracks/a/current.json"
CACHE = "max-age=5"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[FilesystemStore]:
    """An empty store in tmp_path / "store"."""
    made = FilesystemStore(tmp_path / "store")
    yield made
    await made.close()


async def _put(store: FilesystemStore, key: str, body: bytes | Path) -> None:
    await store.put(key, body, media_type="x/y", cache_control=CACHE)


def _files(root: Path) -> list[str]:
    return sorted(
        str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and ".segue" not in str(path)
    )


async def test_objects_are_plain_files(store: FilesystemStore, tmp_path: Path) -> None:
    """Any web server over the folder serves the very bytes; nothing but objects is in sight."""
    await _put(store, KEY, b"1")
    await _put(store, "tracks/a/x.mp4", b"22")
    assert _files(tmp_path / "store") == [KEY, "tracks/a/x.mp4"]
    assert (tmp_path / "store" / KEY).read_bytes() == b"1"
    assert [entry.key async for entry in store.walk("")] == [KEY, "tracks/a/x.mp4"]


CHILD = """
    import asyncio, sys
    from pathlib import Path
    from storage.filesystem import FilesystemStore

    async def main():
        store = FilesystemStore(Path(sys.argv[1]))
        n = int(sys.argv[2])
        while True:
            n += 1
            body = bytes([n % 251]) * (1 + n * 7919 % 300_000)
            await store.put("a/pointer.json", body, media_type=f"x/{n % 251}", cache_control="no-cache")
            if n % 5 == 0:
                await store.delete("a/b/other")
            else:
                await store.put("a/b/other", body, media_type=f"x/{n % 251}", cache_control="no-cache")
            print(n, flush=True)

    asyncio.run(main())
"""


async def test_a_file_is_lent_without_a_copy_where_that_can_be(
    store: FilesystemStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On one disk it is the very file, and what is known of it stays known; on another it is a copy."""
    await store.put("a/b.mp4", b"bytes", media_type="audio/mp4", cache_control="no-cache")
    lent, copied = tmp_path / "lent", tmp_path / "copied"
    info = await store.lend("a/b.mp4", lent)
    assert lent.samefile(tmp_path / "store/a/b.mp4")
    lent.unlink()
    assert await store.head("a/b.mp4") == info

    def other_disk(*_: object) -> None:
        raise OSError(errno.EXDEV, "another disk")

    monkeypatch.setattr(Path, "hardlink_to", other_disk)
    assert await store.lend("a/b.mp4", copied) == info
    assert copied.read_bytes() == b"bytes"
    assert not copied.samefile(tmp_path / "store/a/b.mp4")


async def test_a_file_is_given_without_a_copy_where_that_can_be(
    store: FilesystemStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On one disk it becomes the object, as if it was put now; on another it is copied. Nothing else is left."""
    given = {"sha256": hashlib.sha256(b"bytes").hexdigest(), "media_type": "audio/mp4", "cache_control": "no-cache"}
    body = tmp_path / "body"
    body.write_bytes(b"bytes")
    os.utime(body, (0, 0))
    info = await store.give("a/b.mp4", body, **given)
    assert body.samefile(tmp_path / "store/a/b.mp4")
    assert info.modified_s > 1 << 30
    assert await store.head("a/b.mp4") == info
    assert await store.give("a/b.mp4", body, **given) == await store.head("a/b.mp4")

    def other_disk(*_: object) -> None:
        raise OSError(errno.EXDEV, "another disk")

    monkeypatch.setattr(Path, "hardlink_to", other_disk)
    await store.give("a/c.mp4", body, **given)
    assert not body.samefile(tmp_path / "store/a/c.mp4")
    assert (await store.read("a/c.mp4")).data == b"bytes"
    assert sorted(path.name for path in (tmp_path / "store/a").iterdir()) == ["b.mp4", "c.mp4"]


async def test_a_kill_at_any_moment_leaves_whole_objects(store: FilesystemStore, tmp_path: Path) -> None:
    """kill -9 amid puts and deletes, again and again: every read has one version's bytes, hash and media type."""
    root, acknowledged = tmp_path / "store", b"0"
    for round_ in range(6):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", textwrap.dedent(CHILD), str(root), acknowledged, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        acknowledged = await process.stdout.readline()  # it is at work
        deadline = time.monotonic() + 0.02 + 0.02 * round_
        while time.monotonic() < deadline:
            await _assert_whole(store)
        process.send_signal(signal.SIGKILL)
        acknowledged = [acknowledged, *(await process.stdout.read()).splitlines()][-1].strip()
        await process.wait()
        await _assert_whole(store)
        pointer = (await store.read("a/pointer.json")).data
        assert pointer[0] in (int(acknowledged) % 251, (int(acknowledged) + 1) % 251)  # nothing acknowledged is lost
        assert {entry.key async for entry in store.walk("")} <= {"a/pointer.json", "a/b/other"}


async def _assert_whole(store: FilesystemStore) -> None:
    for key in ("a/pointer.json", "a/b/other"):
        try:
            body = await store.read(key)
        except ObjectNotFound:
            assert key != "a/pointer.json"
            continue
        assert body.info.sha256 == hashlib.sha256(body.data).hexdigest()
        assert body.info.size_bytes == len(body.data)
        assert set(body.data) == {body.data[0]}
        assert body.info.media_type == f"x/{body.data[0]}"  # also after a kill between record and rename


async def test_a_kill_between_record_and_rename_keeps_what_was_known(store: FilesystemStore, tmp_path: Path) -> None:
    """The record has the new version already and the old file is still in place: the old one is told in full."""
    await _put(store, KEY, b"old")
    before = await store.head(KEY)
    record = tmp_path / "store" / ".segue" / "meta" / f"{KEY}@.json"
    (old,) = json.loads(record.read_bytes())
    new = {**old, "sha256": "0" * 64, "identity": {**old["identity"], "inode": 1}}
    record.write_text(json.dumps([new, old]))
    assert await store.head(KEY) == before


@pytest.mark.parametrize("damage", [b"", b"{", b"[{}]", b"null", b"[1]", b'[{"identity": {"x": 1}}]', b"\xff"])
async def test_a_damaged_record_costs_nothing_but_a_reading(
    store: FilesystemStore, tmp_path: Path, damage: bytes
) -> None:
    """Hash from the bytes, the rest from the suffix; and the record is good again."""
    await _put(store, KEY, b"bytes")
    record = tmp_path / "store" / ".segue" / "meta" / f"{KEY}@.json"
    record.write_bytes(damage)
    info = await store.head(KEY)
    assert (info.sha256, info.media_type) == (hashlib.sha256(b"bytes").hexdigest(), "application/json")
    assert json.loads(record.read_bytes())[0]["sha256"] == info.sha256


async def test_files_brought_in_by_hand_are_objects(store: FilesystemStore, tmp_path: Path) -> None:
    """Copied in, replaced, or written in place: info follows the bytes, at the next call."""
    path = tmp_path / "store" / "music" / "a.m3u8"
    path.parent.mkdir(parents=True)
    for data in (b"#EXTM3U", b"#EXTM3U again"):
        path.write_bytes(data)
        body = await store.read("music/a.m3u8")
        assert body.data == data
        assert body.info.sha256 == hashlib.sha256(data).hexdigest()
        assert (body.info.media_type, body.info.cache_control) == ("application/vnd.apple.mpegurl", "no-cache")
    await _put(store, "music/a.m3u8", b"put")
    assert (await store.head("music/a.m3u8")).media_type == "x/y"


async def test_a_store_that_may_only_be_read_is_read(tmp_path: Path) -> None:
    """No record can be written: the hash is read once and kept in memory."""
    root = tmp_path / "store"
    root.mkdir()
    (root / "a.mp4").write_bytes(b"audio")
    (root / ".segue").write_bytes(b"in the way of every record and lock")
    store = FilesystemStore(root)
    first = await store.head("a.mp4")
    assert first.sha256 == hashlib.sha256(b"audio").hexdigest()
    assert (await store.read("a.mp4", ByteRange(1, 3))).info == first
    (root / "a.mp4").write_bytes(b"other audio")
    assert (await store.read("a.mp4")).info.sha256 == hashlib.sha256(b"other audio").hexdigest()
    await store.close()


async def test_a_file_under_writing_is_never_read_half(store: FilesystemStore, tmp_path: Path) -> None:
    """Somebody appends without end: whole versions or StorageUnavailable, never bytes without their hash."""
    path = tmp_path / "store" / "grows"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    done = asyncio.Event()

    def grow() -> None:
        with path.open("ab", buffering=0) as file:
            while not done.is_set():
                file.write(b"x" * 50_000)
                if file.tell() > 5_000_000:
                    file.truncate(0)

    writer = asyncio.create_task(asyncio.to_thread(grow))
    for _ in range(30):
        try:
            body = await store.read("grows")
        except StorageUnavailable as error:
            assert "rename" in error.hint
        else:
            assert (body.info.sha256, body.info.size_bytes) == (hashlib.sha256(body.data).hexdigest(), len(body.data))
    done.set()
    await writer
    assert len((await store.read("grows")).data) == path.stat().st_size


async def test_a_file_rewritten_in_place_between_open_and_read_is_read_again(
    store: FilesystemStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes of the new version never come with the info of the old one."""
    await _put(store, KEY, b"old")
    pread, rewrites = os.pread, [b"new version"]

    def rewriting_pread(descriptor: int, size: int, offset: int) -> bytes:
        if rewrites:
            (tmp_path / "store" / KEY).write_bytes(rewrites.pop())
        return pread(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", rewriting_pread)
    body = await store.read(KEY)
    assert body.data == b"new version"
    assert body.info.sha256 == hashlib.sha256(b"new version").hexdigest()


async def test_no_link_leads_out_of_the_store(store: FilesystemStore, tmp_path: Path) -> None:
    """Linked files and folders are neither listed, read, written through, deleted, nor walked."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    await _put(store, "inside/a", b"1")
    root = tmp_path / "store"
    (root / "file").symlink_to(outside / "secret")
    (root / "folder").symlink_to(outside)
    (root / "loop").symlink_to(root)
    assert [entry.key async for entry in store.walk("")] == ["inside/a"]
    assert [entry.key async for entry in store.walk("folder/")] == []
    for key in ("file", "folder/secret", "loop/inside/a"):
        with pytest.raises(ObjectNotFound):
            await store.read(key)
        await store.delete(key)
    with pytest.raises(StorageDenied):
        await _put(store, "folder/new", b"1")
    assert _files(outside) == ["secret"]
    await _put(store, "file", b"2")  # replaces the link, not what it led to
    assert (outside / "secret").read_bytes() == b"secret"
    assert (await store.read("file")).data == b"2"


async def test_the_root_itself_may_be_a_link(tmp_path: Path) -> None:
    """Where the store lies is the operator's choice."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    store = FilesystemStore(tmp_path / "link")
    await _put(store, KEY, b"1")
    assert (await store.read(KEY)).data == b"1"
    assert _files(tmp_path / "disk") == [KEY]
    await store.close()


async def test_a_pipe_in_the_folder_is_no_object(store: FilesystemStore, tmp_path: Path) -> None:
    """It is not listed, and reading it does not hang."""
    await _put(store, "a", b"1")
    os.mkfifo(tmp_path / "store" / "pipe")
    with pytest.raises(ObjectNotFound):
        await asyncio.wait_for(store.head("pipe"), 5)
    assert [entry.key async for entry in store.walk("")] == ["a"]


async def test_a_key_in_the_way_of_another_is_said_so(store: FilesystemStore) -> None:
    """A file cannot be a folder too: StorageError with a hint, and both stay what they were."""
    await _put(store, "a/b", b"1")
    await _put(store, "c", b"2")
    for key in ("a", "c/d"):
        with pytest.raises(StorageError, match="in the way") as caught:
            await _put(store, key, b"3")
        assert "folder" in caught.value.hint
    assert [entry.key async for entry in store.walk("")] == ["a/b", "c"]


async def test_the_record_of_a_key_is_in_no_other_ones_way(store: FilesystemStore) -> None:
    """Records have names of their own that look like no key's."""
    for key in ("a", "a.json/b", "a.json/b.json/c"):
        await _put(store, key, b"1")
        assert (await store.head(key)).media_type == "x/y"


async def test_a_full_disk_is_told_with_what_to_do(tmp_path: Path) -> None:
    """The system refuses more bytes amid a put: a typed error, nothing left behind, the old object as it was."""
    code = """
        import asyncio, resource, signal, sys
        from pathlib import Path
        from model.errors import StorageError
        from storage.filesystem import FilesystemStore

        async def main():
            store = FilesystemStore(Path(sys.argv[1]))
            await store.put("a", b"old", media_type="x/y", cache_control="no-cache")
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
            try:
                await store.put("a", bytes(200_000), media_type="x/y", cache_control="no-cache")
            except StorageError as error:
                print(error.code, error.hint, (await store.read("a")).data, sep="|")
            await store.close()

        asyncio.run(main())
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "store"), stdout=subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert out.decode().strip().startswith("storage-error|make room on the disk")
    assert out.decode().strip().endswith("b'old'")
    assert _files(tmp_path / "store") == ["a"]


async def test_too_many_open_files_may_be_tried_again(store: FilesystemStore) -> None:
    """A shortage that passes is StorageUnavailable, not a missing object."""
    await _put(store, KEY, b"1")
    await store.head(KEY)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(StorageUnavailable) as caught:
            await store.read(KEY)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.EMFILE
    assert (await store.read(KEY)).data == b"1"


async def test_deleting_leaves_no_folders_behind(store: FilesystemStore, tmp_path: Path) -> None:
    """Empty folders and records go with the last object in them; the root stays."""
    await _put(store, "a/b/c", b"1")
    await _put(store, "a/d", b"1")
    await store.delete("a/b/c")
    root = tmp_path / "store"
    assert sorted(path.name for path in (root / "a").iterdir()) == ["d"]
    await store.delete("a/d")
    assert [path.name for path in root.iterdir()] == [".segue"]
    assert list((root / ".segue" / "meta").iterdir()) == []


async def test_puts_and_deletes_of_neighbours_do_not_disturb_each_other(store: FilesystemStore) -> None:
    """A folder is pruned the moment before a new object comes to it: the put succeeds all the same."""

    async def churn(name: str) -> None:
        for n in range(40):
            await _put(store, f"deep/er/{name}", b"%d" % n)
            assert (await store.read(f"deep/er/{name}")).data == b"%d" % n
            await store.delete(f"deep/er/{name}")

    await asyncio.gather(*(churn(f"n{n}") for n in range(6)))
    assert [entry async for entry in store.walk("")] == []


def _started(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=subprocess.PIPE)


async def test_what_a_crash_left_is_swept_and_what_is_being_written_is_not(
    store: FilesystemStore, tmp_path: Path
) -> None:
    """A temporary file belongs to its writer for as long as that lives, in whatever process; then to nobody."""
    await _put(store, KEY, b"1")
    folder = (tmp_path / "store" / KEY).parent
    (folder / ".tmp-left").write_bytes(b"half")
    program = """
        import pathlib, sys, time
        from storage.file_io import new_file
        with new_file(pathlib.Path(sys.argv[1])):
            print(flush=True)
            time.sleep(60)
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(folder)]
    with _started(command) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        await _put(store, KEY, b"2")
        assert len(list(folder.glob(".tmp-*"))) == 1
        assert [entry.key async for entry in store.walk("")] == [KEY]
        writer.kill()
    await _put(store, KEY, b"3")
    assert not list(folder.glob(".tmp-*"))


async def test_a_store_without_its_folder_is_empty(store: FilesystemStore, tmp_path: Path) -> None:
    """Reading makes nothing; the first put does."""
    assert [entry async for entry in store.walk("")] == []
    with pytest.raises(ObjectNotFound):
        await store.head(KEY)
    await store.delete(KEY)
    assert not (tmp_path / "store").exists()


async def test_a_store_whose_disk_has_gone_is_not_empty(store: FilesystemStore, tmp_path: Path) -> None:
    """What was there is out of reach, not deleted: nobody shall be told that there is no such music."""
    await _put(store, KEY, b"1")
    await store.head(KEY)
    root, elsewhere = tmp_path / "store", tmp_path / "elsewhere"
    root.rename(elsewhere)
    for _ in ("no folder", "a mount point without its disk"):
        with pytest.raises(StorageUnavailable):
            await store.read(KEY)
        with pytest.raises(StorageUnavailable):
            [entry async for entry in store.walk("tracks/")]
        root.mkdir(exist_ok=True)
    root.rmdir()
    elsewhere.rename(root)
    assert (await store.read(KEY)).data == b"1"
    await store.delete(KEY)
    with pytest.raises(ObjectNotFound):
        await store.head(KEY)
    assert [entry async for entry in store.walk("")] == []


async def test_a_store_that_holds_something_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    """Opened while its disk is away, it is out of reach; its own folder or one object says that it is there."""
    root = tmp_path / "store"
    store = FilesystemStore(root, filled=True)
    for _ in ("no folder", "a mount point without its disk"):
        with pytest.raises(StorageUnavailable):
            await store.head(KEY)
        with pytest.raises(StorageUnavailable):
            [entry async for entry in store.walk("")]
        root.mkdir(exist_ok=True)
    (root / ".segue").mkdir()
    with pytest.raises(ObjectNotFound):
        await store.head(KEY)
    assert [entry async for entry in store.walk("")] == []
    await store.close()


@pytest.mark.parametrize("names_max", [1, 2, 3, 100])
async def test_a_folder_of_any_size_is_listed_in_order(store: FilesystemStore, tmp_path: Path, names_max: int) -> None:
    """However few of its names fit the memory, each is listed once."""
    keys = ["a-b", "a.b", "a/x", "a/y/z", "a0", "b/1", "b/2", "b/3", "c"]
    for key in reversed(keys):
        await _put(store, key, b"x")

    def listed(prefix: str, after: str) -> list[str]:
        return [entry.key for entry in walk_files(tmp_path / "store", prefix, after, names_max=names_max)]

    assert listed("", "") == keys
    assert listed("", "a/x") == keys[3:]
    assert listed("b/", "b/1") == ["b/2", "b/3"]
