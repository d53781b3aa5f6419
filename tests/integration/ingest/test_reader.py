"""Tags and pictures are read by confined children: whatever happens to one, the batch goes on."""

import asyncio
import io
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import mutagen.flac
import pytest
from PIL import Image

import ingest.metadata.reader
from ingest.metadata.art import art_of
from ingest.metadata.drawing import drawn
from ingest.metadata.pictures import sized
from ingest.metadata.reader import Around, Reader
from ingest.metadata.sidecar import load_sidecar
from ingest.scan import Source
from tests.support.audio import make_audio
from tests.support.hostile_child import BEHAVIOURS

FLAC: Any = mutagen.flac
RECIPE = "sine=d=0.5"
LIMITS = {"Max address space": str(1 << 30), "Max file size": "0", "Max open files": "32", "Max core file size": "0"}


@pytest.fixture
async def reader(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Reader]:
    """A reader of one child that does not go for want of work; none of its children outlives it."""
    monkeypatch.setattr(ingest.metadata.reader, "IDLE_SECONDS_MAX", 60.0)
    monkeypatch.setattr(ingest.metadata.reader, "DONE_SECONDS_MAX", 60.0)
    async with Reader() as reader:
        yield reader
    assert children() == []


def children() -> list[int]:
    """The reading children of this process, zombies included."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            command = (entry / "cmdline").read_bytes()
        except (OSError, ValueError):
            continue
        if parent == os.getpid() and (not command or b"_child" in command):
            found.append(int(entry.name))
    return found


def png(colour: str, side: int = 300) -> bytes:
    """A square of one colour."""
    out = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(out, "PNG")
    return out.getvalue()


def tagged(folder: Path, *, title: str = "Evening", art: bytes | None = None, name: str = "01 name.flac") -> Source:
    """A source of our own with a title and a cover."""
    path = folder / name
    shutil.copy(make_audio(RECIPE, ".flac"), path)
    file = FLAC.FLAC(path)
    file["TITLE"], file["ALBUM"], file["ISRC"] = title, "Days", "DEABC2400001"
    if art is not None:
        picture = FLAC.Picture()
        picture.type, picture.data = 3, art
        file.add_picture(picture)
    file.save()
    return Source(path=path)


def is_drawn(around: Around) -> bool:
    """Whether its cover is the one drawn from its names."""
    tags = around.tags
    return around.art == art_of(drawn(tags.title, tags.album, tags.artists))


async def test_tags_length_and_cover(reader: Reader, tmp_path: Path) -> None:
    """As the file has them."""
    around = await reader.read(tagged(tmp_path, art=png("red")))
    assert (around.tags.title, around.tags.album, around.tags.album_named) == ("Evening", "Days", True)
    assert around.seconds == pytest.approx(0.5)
    assert around.art == art_of(sized(png("red")))
    assert around.warnings == ()


async def test_without_art(reader: Reader, tmp_path: Path) -> None:
    """A cover is drawn, from what the names say too; planning asks for none."""
    path = tmp_path / "07 Some Title.wav"
    shutil.copy(make_audio(RECIPE, ".wav"), path)
    around = await reader.read(Source(path=path))
    assert (around.tags.title, around.tags.track_number, around.warnings) == ("Some Title", 7, ())
    assert is_drawn(around)
    described = await reader.describe(Source(path=path))
    assert (described.tags, described.seconds, described.warnings) == (around.tags, around.seconds, ())


async def test_a_bad_cover_is_a_warning(reader: Reader, tmp_path: Path) -> None:
    """The track is taken, with a drawn one."""
    around = await reader.read(tagged(tmp_path, art=b"no picture"))
    assert around.tags.title == "Evening"
    assert is_drawn(around)
    assert [warning.partition(":")[0] for warning in around.warnings] == ["cover art refused"]


@pytest.mark.parametrize("name", ["gone.flac", "-x\n\"'.flac", os.fsdecode(b"caf\xe9.flac"), "pipe:1"])
async def test_any_name(reader: Reader, tmp_path: Path, name: str) -> None:
    """A file that is not there, and names of all kinds; no warning tells where the operator's files are."""
    around = await reader.read(Source(path=tmp_path / name))
    assert len(around.warnings) == 1
    assert str(tmp_path) not in around.warnings[0]
    assert (await reader.read(tagged(tmp_path, name=name))).tags.title == "Evening"


async def test_a_child_is_confined(reader: Reader, tmp_path: Path) -> None:
    """Little memory, no files to write, no environment, a group of its own."""
    await reader.describe(tagged(tmp_path))
    (pid,) = children()
    limits = Path(f"/proc/{pid}/limits").read_text()
    for name, value in LIMITS.items():
        line = next(line for line in limits.splitlines() if line.startswith(name))
        assert line.removeprefix(name).split()[:2] == [value, value]
    names = {entry.partition("=")[0] for entry in Path(f"/proc/{pid}/environ").read_text().split("\0") if entry}
    assert names == {"PATH", "LC_ALL", "TZ", "PYTHONPATH"}
    assert os.getpgid(pid) == pid != os.getpgrp()


async def test_a_child_that_hangs_is_replaced(tmp_path: Path) -> None:
    """Its file gets what its names say, a drawn cover and a warning; the next one is read by another child."""
    source = tagged(tmp_path, art=png("red"))
    async with Reader(time_limit_s=1) as reader:
        await reader.describe(source)
        (pid,) = children()
        os.kill(pid, signal.SIGSTOP)
        started = time.monotonic()
        around = await reader.read(source)
        assert 2.9 < time.monotonic() - started < 30
        assert (around.tags.title, around.tags.track_number) == ("name", 1)
        assert is_drawn(around)
        assert around.warnings == ("tags and pictures unreadable: reading was stopped after 3 s",)
        assert (await reader.read(source)).tags.title == "Evening"
        assert len(children()) == 1
        assert pid not in children()


async def test_a_child_that_was_killed_is_replaced(reader: Reader, tmp_path: Path) -> None:
    """While it rests or while it works: nobody notices, as the file is read again."""
    source = tagged(tmp_path)
    await reader.describe(source)
    (pid,) = children()
    os.kill(pid, signal.SIGKILL)
    assert (await reader.describe(source)).warnings == ()
    (pid,) = children()
    os.kill(pid, signal.SIGSTOP)
    reading = asyncio.create_task(reader.describe(source))
    await asyncio.sleep(0.3)
    os.kill(pid, signal.SIGKILL)
    described = await reading
    assert (described.tags.title, described.warnings) == ("Evening", ())
    assert pid not in children()


@pytest.mark.parametrize("what", BEHAVIOURS)
async def test_a_child_that_was_taken_over(
    what: str, reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it answers, or if it ends with each of its files: names speak, and it is not asked again."""
    monkeypatch.setattr(ingest.metadata.reader, "_CHILD", "tests.support.hostile_child")
    described = await reader.describe(Source(path=tmp_path / f"01 {what}.flac"))
    assert (described.tags.title, described.tags.track_number) == (what, 1)
    assert len(described.warnings) == 1
    assert described.warnings[0].startswith("tags and pictures unreadable: ")
    assert children() == []


async def test_a_child_that_lies(reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lie of the right form is a tag like any other: cleaned and bounded."""
    monkeypatch.setattr(ingest.metadata.reader, "_CHILD", "tests.support.hostile_child")
    described = await reader.describe(Source(path=tmp_path / "lie.flac"))
    assert (described.tags.title, described.seconds, described.warnings) == ("a b", None, ("c d",))


async def test_a_cancelled_reading_leaves_nothing(reader: Reader, tmp_path: Path) -> None:
    """The child is ended with its question: what it would answer fits no other."""
    source = tagged(tmp_path)
    await reader.describe(source)
    (pid,) = children()
    os.kill(pid, signal.SIGSTOP)
    reading = asyncio.create_task(reader.read(source))
    await asyncio.sleep(0.1)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert children() == []
    assert (await reader.describe(source)).tags.title == "Evening"


async def test_children_do_not_live_for_ever(reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After some files another one takes over."""
    monkeypatch.setattr(ingest.metadata.reader, "FILES_PER_CHILD", 3)
    source = tagged(tmp_path)
    seen = set()
    for _ in range(7):
        await reader.describe(source)
        seen.update(children())
    assert len(seen) == 3


async def test_an_idle_child_goes(reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While nobody asks, its memory is for others; the next question has another child."""
    monkeypatch.setattr(ingest.metadata.reader, "IDLE_SECONDS_MAX", 0.05)
    source = tagged(tmp_path)
    await reader.describe(source)
    async with asyncio.timeout(60):
        while children():  # noqa: ASYNC110 - nothing tells of an end but the list of processes
            await asyncio.sleep(0.02)
    assert (await reader.describe(source)).tags.title == "Evening"


async def test_many_at_once(tmp_path: Path) -> None:
    """No more children than allowed, and every answer to its own question."""
    sources = [tagged(tmp_path, title=f"Title {number}", name=f"{number}.flac") for number in range(20)]
    async with Reader(processes=2) as reader:
        found = await asyncio.gather(*map(reader.describe, sources))
        assert [described.tags.title for described in found] == [f"Title {number}" for number in range(20)]
        assert len(children()) <= 2
    assert children() == []


def test_children_end_with_us(tmp_path: Path) -> None:
    """Killed without a farewell, we leave nobody behind."""
    program = f"""
import asyncio
from pathlib import Path
from ingest.metadata.reader import Reader
from ingest.scan import Source
async def main():
    reader = Reader()
    await reader.describe(Source(path=Path({str(tagged(tmp_path).path)!r})))
    print(next(iter(reader._idle))._process.pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 10
    while _lives(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _lives(child)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_sidecar(tmp_path: Path) -> None:
    """Its tags and its picture go before those of the file; a row may know the file by its hash or its ISRC."""
    source = tagged(tmp_path, art=png("red", 900))
    (tmp_path / "front.png").write_bytes(png("blue", 90))
    cases = ["path,01 name.flac", f"sha256,{'ab' * 32}", "isrc,DEABC2400001"]
    for case in cases:
        kind, key = case.split(",")
        (tmp_path / "tags.csv").write_text(f"{kind},title,art\n{key},Other,front.png\n")
        with load_sidecar(tmp_path / "tags.csv") as sidecar:
            async with Reader(sidecar=sidecar) as reader:
                around = await reader.read(source, sha256="ab" * 32)
                assert (around.tags.title, around.tags.album) == ("Other", "Days")
                assert around.art == art_of(sized(png("blue", 90)))
                assert (await reader.describe(source, sha256="ab" * 32)).tags == around.tags
            assert not any(sidecar.unmatched())


async def test_a_sidecar_whose_picture_is_none(tmp_path: Path) -> None:
    """The file's own is taken, and somebody is told."""
    source = tagged(tmp_path, art=png("red"))
    (tmp_path / "tags.csv").write_text("path,art\n01 name.flac,gone.png\n")
    with load_sidecar(tmp_path / "tags.csv") as sidecar:
        async with Reader(sidecar=sidecar) as reader:
            around = await reader.read(source)
    assert around.art == art_of(sized(png("red")))
    assert around.warnings == ("cover art unreadable: no such file or directory",)


async def test_a_picture_of_the_most_pixels(reader: Reader, tmp_path: Path) -> None:
    """What we promise to take fits into the memory that a child has, seen through or not."""
    for mode in ("RGB", "RGBA", "CMYK"):
        out = io.BytesIO()
        image = Image.new(mode, (7_000, 7_000))
        image.save(out, "JPEG" if mode == "CMYK" else "PNG", **({} if mode == "CMYK" else {"compress_level": 1}))
        around = await Reader.read(reader, tagged(tmp_path, art=out.getvalue(), name=f"{mode}.flac"))
        assert around.warnings == ()
