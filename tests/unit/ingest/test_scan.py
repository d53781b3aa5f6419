"""Which files are sources, in which order, and how hostile ones are refused."""

import asyncio
import hashlib
import os
import shutil
import socket
import tempfile
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from ingest.hashing import READ_BYTES, hash_file
from ingest.scan import Source, check_file, plain_file
from model.errors import (
    SourceChanged,
    SourceEmpty,
    SourceError,
    SourceTooLong,
    SourceUnreadable,
    SourceUnsupported,
    SourceVanished,
    UsageError,
)
from segue.batch import BATCH
from segue.plan import Plan

SOME_BYTES = 1 << 20
ODD_NAMES = (
    "with space.wav",
    'it\'s "quoted".wav',
    "line\nfeed.wav",
    "-i.wav",
    "concat:a|b.wav",
    "100%d.wav",
    "ünïcödé ♫.wav",
    os.fsdecode(b"latin-1 \xe9\xff.wav"),
)


def made(path: Path, data: bytes = b"music") -> Path:
    """The file, with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def find_sources(named: Sequence[Path]) -> list[Source]:
    """The sources of a batch."""

    async def all_of(plan: Plan) -> list[Source]:
        return [source async for source in plan.sources()]

    with Plan() as plan:
        plan.find(named)
        return asyncio.run(all_of(plan))


def names_in(folder: Path) -> list[str]:
    """What is found in a folder, as paths below it."""
    return [str(source.path.relative_to(folder)) for source in find_sources([folder])]


def refusal_of(path: Path) -> SourceError:
    """The error that checking this file raises."""
    with pytest.raises(SourceError) as caught:
        check_file(Source(path=path), bytes_max=SOME_BYTES)
    assert caught.value.hint
    return caught.value


class TestFinding:
    """What a plan finds."""

    def test_order_is_by_name_and_stable(self, tmp_path: Path) -> None:
        """Files of a folder before its folders, each by name, whatever order they were made in."""
        for name in ("b/2.wav", "z.wav", "b/10.wav", "a/1.wav", "a.wav", "b/a/0.wav"):
            made(tmp_path / name)
        expected = ["a.wav", "z.wav", "a/1.wav", "b/10.wav", "b/2.wav", "b/a/0.wav"]
        assert names_in(tmp_path) == expected == names_in(tmp_path)

    def test_hidden_files_and_folders_are_left_out(self, tmp_path: Path) -> None:
        """What begins with a dot is not found, and is taken if it is named."""
        for name in (".hidden.wav", "._resource-fork.wav", ".trash/a.wav", "seen.wav"):
            made(tmp_path / name)
        assert names_in(tmp_path) == ["seen.wav"]
        assert find_sources([tmp_path / ".hidden.wav"]) == [Source(path=tmp_path / ".hidden.wav")]

    def test_suffixes_in_any_case(self, tmp_path: Path) -> None:
        """Only music by its suffix is found in a folder; anything can be named."""
        for name in ("a.WAV", "b.Flac", "c.jpg", "d", "e.wav.txt", "f.M4A", "g.cue"):
            made(tmp_path / name)
        assert names_in(tmp_path) == ["a.WAV", "b.Flac", "f.M4A"]
        assert [source.path.name for source in find_sources([tmp_path / "c.jpg"])] == ["c.jpg"]

    def test_music_that_we_do_not_take_is_found(self, tmp_path: Path) -> None:
        """It is refused with a reason later, and not left out without a word; so are empty files."""
        for name in ("a.wma", "b.dsf", "c.ape", "d.m4p", "e.mid"):
            made(tmp_path / name)
        made(tmp_path / "f.wav", b"")
        assert names_in(tmp_path) == ["a.wma", "b.dsf", "c.ape", "d.m4p", "e.mid", "f.wav"]

    def test_the_order_of_names_is_kept(self, tmp_path: Path) -> None:
        """What is named first comes first."""
        second, first = made(tmp_path / "a.wav"), made(tmp_path / "b.wav")
        assert [source.path for source in find_sources([first, second, tmp_path])] == [first, second]

    @pytest.mark.timeout(10)
    def test_what_is_no_file_does_not_hang_the_search(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Pipes and sockets with musical names are found like music, without being opened."""
        monkeypatch.chdir(tmp_path)
        os.mkfifo("pipe.wav")
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("socket.wav")
            assert names_in(tmp_path) == ["pipe.wav", "socket.wav"]

    def test_each_file_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file that is named, found, and named in other words is one source."""
        path = made(tmp_path / "a.wav")
        monkeypatch.chdir(tmp_path)
        assert len(find_sources([path, tmp_path, Path("a.wav"), Path("./a.wav"), Path()])) == 1

    @pytest.mark.parametrize("name", ODD_NAMES, ids=ascii)
    def test_odd_names_are_found_and_can_be_printed(self, tmp_path: Path, name: str) -> None:
        """Any name that a file can have is taken, and has a form that every terminal and JSON can hold."""
        path = made(tmp_path / name)
        (source,) = find_sources([tmp_path])
        assert source.path == path
        assert source.name.encode("utf-8").decode("utf-8") == source.name
        assert check_file(source, bytes_max=SOME_BYTES).st_size == 5

    def test_symbolic_links(self, tmp_path: Path) -> None:
        """Links to files are followed, links to folders are not: a loop ends."""
        album = tmp_path / "album"
        made(album / "a.wav")
        (album / "loop").symlink_to(album)
        (album / "loop.wav").symlink_to(album, target_is_directory=True)
        (album / "link.wav").symlink_to(album / "a.wav")
        (album / "nowhere.wav").symlink_to(tmp_path / "gone")
        assert names_in(album) == ["a.wav", "link.wav", "nowhere.wav"]

    def test_a_folder_called_like_music(self, tmp_path: Path) -> None:
        """It is a folder, and is walked."""
        made(tmp_path / "x.wav" / "a.wav")
        assert names_in(tmp_path) == ["x.wav/a.wav"]

    def test_a_name_that_does_not_exist(self, tmp_path: Path) -> None:
        """A typo on the command line is a usage error before anything is done, also with odd bytes in it."""
        for missing in (tmp_path / "typo.wav", made(tmp_path / "a.wav") / "b.wav", tmp_path / os.fsdecode(b"\xff")):
            with pytest.raises(UsageError) as caught:
                find_sources([tmp_path, missing])
            assert caught.value.hint
            assert str(caught.value).encode("utf-8")

    def test_many_files(self, tmp_path: Path) -> None:
        """One folder of more files than are read at once is found whole, in order."""
        expected = [f"{number:05}.wav" for number in range(2 * BATCH + 1)]
        for name in expected:
            os.close(os.open(tmp_path / name, os.O_CREAT))
        assert names_in(tmp_path) == expected

    def test_folders_deeper_than_the_system_can_name(self, deep: Path) -> None:
        """The walk neither recurses to death nor goes silent: the folder it could not list is a source that fails."""
        found = find_sources([deep])
        assert found[0].path == deep / "a.wav"
        error = refusal_of(found[-1].path)
        assert error.code == "source-unreadable"
        assert "name too long" in error.message


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """A music file, and beside it 1,300 folders in each other."""
    top = tmp_path / "deep"
    made(top / "a.wav")
    before = Path.cwd()
    os.chdir(top)
    for _ in range(1_300):
        Path("ddd").mkdir()
        os.chdir("ddd")
    os.chdir(before)
    yield top
    _dismantle(top)


def _dismantle(top: Path) -> None:
    """Remove what is too deep to be named, by lifting each folder out of the one above."""
    depth = 0
    while (inner := top / "ddd").is_dir():
        inner.rename(lifted := top.parent / f"lifted-{depth}")
        shutil.rmtree(top)
        top, depth = lifted, depth + 1
    shutil.rmtree(top)


class TestChecking:
    """check_file: what is no readable file of music fails at once, typed, and never hangs."""

    def test_plain_file(self, tmp_path: Path) -> None:
        """A file with bytes passes and has a size."""
        assert check_file(Source(path=made(tmp_path / "a.wav")), bytes_max=5).st_size == 5

    @pytest.mark.timeout(10)
    def test_pipes_sockets_and_devices(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is no file is refused without being opened."""
        monkeypatch.chdir(tmp_path)  # a socket's address is short
        os.mkfifo("pipe.wav")
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("socket.wav")
            for path in (Path("pipe.wav"), Path("socket.wav"), Path("/dev/zero"), tmp_path):
                assert isinstance(refusal_of(path), SourceUnsupported)

    def test_empty(self, tmp_path: Path) -> None:
        """No bytes, no music."""
        assert isinstance(refusal_of(made(tmp_path / "a.wav", b"")), SourceEmpty)

    def test_too_large(self, tmp_path: Path) -> None:
        """A limit that the operator can see."""
        huge = tmp_path / "huge.wav"
        huge.touch()
        os.truncate(huge, SOME_BYTES + 1)
        assert isinstance(refusal_of(huge), SourceTooLong)

    def test_vanished_and_unreadable(self, tmp_path: Path) -> None:
        """A file that is gone, a link that leads nowhere and a link to itself each say so."""
        (tmp_path / "nowhere.wav").symlink_to(tmp_path / "gone")
        (tmp_path / "loop.wav").symlink_to(tmp_path / "loop.wav")
        assert isinstance(refusal_of(tmp_path / "gone.wav"), SourceVanished)
        assert isinstance(refusal_of(tmp_path / "nowhere.wav"), SourceVanished)
        assert isinstance(refusal_of(tmp_path / "loop.wav"), SourceUnreadable)
        assert "symbolic links" in refusal_of(tmp_path / "loop.wav").message

    def test_no_rights(self) -> None:
        """A file that is not ours to read is told before anything is done for it."""
        with tempfile.TemporaryDirectory() as folder:  # where nobody may look in, as into pytest's own
            Path(folder).chmod(0o755)
            path = made(Path(folder) / "a.wav")
            path.chmod(0)
            with nobody():
                error = refusal_of(path)
        assert isinstance(error, SourceUnreadable)
        assert "permission denied" in error.message
        assert "rights" in error.hint


@contextmanager
def nobody() -> Iterator[None]:
    """Without root's power to read anything."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(before)


class TestHashing:
    """hash_file."""

    async def test_it_is_the_sha256_of_the_bytes(self, tmp_path: Path) -> None:
        """Of a file of several pieces."""
        data = os.urandom(1000) * 5000
        path = made(tmp_path / "a.wav", data)
        assert await hash_file(Source(path=path), size_bytes=len(data)) == hashlib.sha256(data).hexdigest()

    async def test_large_files_are_read_in_pieces(self, tmp_path: Path) -> None:
        """Hashing half a gigabyte takes a few megabytes."""
        path = made(tmp_path / "a.wav")
        os.truncate(path, 512 << 20)
        tracemalloc.start()
        try:
            await hash_file(Source(path=path), size_bytes=512 << 20)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 5 * READ_BYTES

    @pytest.mark.parametrize("size_bytes", [4, 6])
    async def test_another_size_than_before(self, tmp_path: Path, size_bytes: int) -> None:
        """A file that grew or shrank since it was looked at is being written to."""
        with pytest.raises(SourceChanged, match="changed while it was read"):
            await hash_file(Source(path=made(tmp_path / "a.wav")), size_bytes=size_bytes)

    async def test_a_file_that_never_ends(self) -> None:
        """No more is read than the file was said to have: a writer that is faster than us cannot hold us."""
        async with asyncio.timeout(60):
            with pytest.raises(SourceUnreadable):
                await hash_file(Source(path=Path("/dev/zero")), size_bytes=100)

    @pytest.mark.timeout(10)
    async def test_a_pipe_that_took_the_files_place(self, tmp_path: Path) -> None:
        """Between the look and the read anything can happen; opening does not wait for a writer."""
        os.mkfifo(tmp_path / "pipe.wav")
        with pytest.raises(SourceUnreadable, match="not a plain file"):
            await hash_file(Source(path=tmp_path / "pipe.wav"), size_bytes=100)

    async def test_vanished(self, tmp_path: Path) -> None:
        """Gone between the look and the read."""
        with pytest.raises(SourceVanished, match="not there"):
            await hash_file(Source(path=tmp_path / "gone.wav"), size_bytes=100)

    def test_the_opener_leaves_nothing_open(self, tmp_path: Path) -> None:
        """Refusing many pipes costs no file descriptors."""
        os.mkfifo(tmp_path / "pipe")
        lowest = os.open(tmp_path, os.O_RDONLY)
        os.close(lowest)
        for _ in range(10):
            with pytest.raises(OSError, match="plain"):
                plain_file(str(tmp_path / "pipe"), os.O_RDONLY)
        again = os.open(tmp_path, os.O_RDONLY)
        os.close(again)
        assert again == lowest
