"""Drop folders on a real file system: what arrives, and where it goes when it is done."""

import asyncio
import errno
import os
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from pathlib import Path

import pytest

from ingest.scan import Source
from model.errors import SourceUnreadable, SourceVanished, UsageError
from segue.batch import BATCH
from segue.watch import Arrivals, done_folder, look_at, move_done, watched

SETTLE_S = 0.2


def _watch(*named: Path) -> AsyncGenerator[Iterable[Source], None]:
    return watched(named, settle_s=SETTLE_S, poll_s=0.02)


async def _next(arriving: AsyncGenerator[Iterable[Source], None]) -> list[str]:
    return [source.path.name for source in await asyncio.wait_for(anext(arriving), timeout=60)]


async def _logged(caplog: pytest.LogCaptureFixture, words: str) -> None:
    for _ in range(1000):
        if words in caplog.text:
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"nobody logged: {words}")


async def test_files_arrive_when_nobody_writes_to_them_any_more(tmp_path: Path) -> None:
    """A copy that takes its time comes when it is whole; a download, when it has its name."""
    slow = tmp_path / "slow.flac"
    (tmp_path / "download.flac.part").write_bytes(b"x")

    async def copy() -> None:
        for _ in range(8):
            with slow.open("ab") as file:
                file.write(b"x" * 1000)
            await asyncio.sleep(SETTLE_S / 3)

    async with aclosing(_watch(tmp_path)) as arriving, asyncio.TaskGroup() as group:
        group.create_task(copy())
        assert await _next(arriving) == ["slow.flac"]
        assert slow.stat().st_size == 8000
        (tmp_path / "download.flac.part").rename(tmp_path / "download.flac")
        assert await _next(arriving) == ["download.flac"]
        slow.write_bytes(b"another")
        assert await _next(arriving) == ["slow.flac"]


async def test_a_named_path_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    """A spelling mistake is not waited for."""
    with pytest.raises(UsageError, match="no such file or folder"):
        await anext(_watch(tmp_path / "dorp"))


async def test_a_folder_that_goes_away_is_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An unmounted share: a warning, no end, and nothing comes twice when it is back."""
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / "1.flac").write_bytes(b"x")
    async with aclosing(_watch(drop)) as arriving:
        assert await _next(arriving) == ["1.flac"]
        drop.rename(tmp_path / "away")
        waiting = asyncio.create_task(_next(arriving))
        await _logged(caplog, "cannot look into a watched folder")
        (tmp_path / "away").rename(drop)
        (drop / "2.flac").write_bytes(b"x")
        assert await waiting == ["2.flac"]


async def test_cancelling_ends_the_watch_at_once(tmp_path: Path) -> None:
    """However long the pause between two looks is."""
    arriving = watched([tmp_path], poll_s=600.0)
    waiting = asyncio.ensure_future(anext(arriving))
    await asyncio.sleep(0.1)
    waiting.cancel()
    began = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert time.monotonic() - began < 60  # it would look again in ten minutes


async def test_a_file_named_itself_does_not_wait_for_its_neighbours(tmp_path: Path) -> None:
    """Only what was named is watched."""
    (tmp_path / "1.flac").write_bytes(b"x")

    async def busy() -> None:
        for number in range(10_000):
            (tmp_path / "2.flac").write_bytes(b"x" * number)
            await asyncio.sleep(0.01)

    neighbour = asyncio.create_task(busy())
    async with aclosing(_watch(tmp_path / "1.flac")) as arriving:
        assert await _next(arriving) == ["1.flac"]
    neighbour.cancel()


def test_what_is_looked_at(tmp_path: Path) -> None:
    """Folders by name, a folder's files before its folders; more than are looked at at once, and each once, however
    often it was named. Links to folders are not followed."""
    names = [f"{number:04}.flac" for number in range(BATCH + 1)]
    albums = [f"album {number:04}" for number in range(BATCH + 1)]
    for name in (*names, *(f"{album}/1.flac" for album in albums), "album 0003/named.txt", ".hidden/1.flac", "a.part"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "album 0002").rename(tmp_path / "z")
    (tmp_path / "album 0002").symlink_to(tmp_path / "z")
    named = [tmp_path / name for name in ("album 0001", ".", "album 0003/named.txt", "album 0001")]
    with Arrivals(settle_s=10.0, patience_s=0.0) as arrivals:
        assert [look_at(arrivals, named, now) for now in (0.0, 10.0)] == [frozenset(), frozenset()]
        found = [source.path.relative_to(tmp_path) for source in arrivals]
    del albums[1:3]
    walked = ["album 0001/1.flac", *names, *(f"{album}/1.flac" for album in albums), "z/1.flac", "album 0003/named.txt"]
    assert found == [*map(Path, walked)]


def test_what_is_done_keeps_its_folders(tmp_path: Path) -> None:
    """The structure below the watched folder is found again below the other."""
    drop, into = tmp_path / "drop", tmp_path / "done"
    track = drop / "artist" / "album" / "1.flac"
    track.parent.mkdir(parents=True)
    track.write_bytes(b"music")
    moved = move_done(track, named=[tmp_path, drop], into=into)
    assert moved == into / "artist" / "album" / "1.flac"
    assert moved.read_bytes() == b"music"
    assert not track.exists()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """The second of a name gets a number, and the third another."""
    drop, into = tmp_path / "drop", tmp_path / "done"
    drop.mkdir()
    for number in range(3):
        (drop / "1.flac").write_bytes(b"%d" % number)
        move_done(drop / "1.flac", named=[drop], into=into)
    found = {path.name: path.read_bytes() for path in into.iterdir()}
    assert found == {"1.flac": b"0", "1 (1).flac": b"1", "1 (2).flac": b"2"}


def test_to_another_file_system_it_is_copied_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Same bytes and time; the old one is gone, and no half file is left."""
    drop, into = tmp_path / "drop", tmp_path / "done"
    drop.mkdir()
    track = drop / "1.flac"
    track.write_bytes(os.urandom(3_000_000))
    before, status = track.read_bytes(), track.stat()
    monkeypatch.setattr("os.rename", _across_file_systems)
    moved = move_done(track, named=[drop], into=into)
    assert moved.read_bytes() == before
    assert moved.stat().st_mtime_ns == status.st_mtime_ns
    assert ([*drop.iterdir()], [*into.iterdir()]) == ([], [moved])


def test_a_move_that_fails_leaves_everything_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk in the middle of a copy: a typed error, the file where it lay, nothing in the other folder."""
    drop, into = tmp_path / "drop", tmp_path / "done"
    drop.mkdir()
    (drop / "1.flac").write_bytes(b"music")
    monkeypatch.setattr("os.rename", _across_file_systems)
    monkeypatch.setattr("os.fsync", _full)
    with pytest.raises(SourceUnreadable, match=r"cannot move what is done \(no space left on device\)"):
        move_done(drop / "1.flac", named=[drop], into=into)
    assert (drop / "1.flac").read_bytes() == b"music"
    assert [*into.iterdir()] == []


def test_a_file_that_is_not_there_any_more_is_told(tmp_path: Path) -> None:
    """Somebody else moved it: no empty file takes its place."""
    with pytest.raises(SourceVanished):
        move_done(tmp_path / "1.flac", named=[tmp_path], into=tmp_path / "done")
    assert not (tmp_path / "done").exists()


@pytest.mark.parametrize("inside", [".", "done", "a/b"])
def test_what_is_done_cannot_go_into_a_watched_folder(tmp_path: Path, inside: str) -> None:
    """It would be found again, for ever."""
    with pytest.raises(UsageError, match="watched folder"):
        done_folder(tmp_path / inside, [tmp_path])
    assert [*tmp_path.iterdir()] == []


def test_the_folder_for_what_is_done_is_made(tmp_path: Path) -> None:
    """Beside the watched one; a file of that name is told."""
    assert done_folder(tmp_path / "done" / "here", [tmp_path / "drop"]).is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot make the folder"):
        done_folder(tmp_path / "file", [tmp_path / "drop"])


def _across_file_systems(source: Path, target: Path) -> None:
    raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(source))


def _full(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
