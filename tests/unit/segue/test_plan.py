"""What a batch finds, and in which order; tests/unit/ingest/test_scan.py has what of it is found."""

import os
from pathlib import Path

import pytest

from ingest.scan import Source
from model.errors import UsageError
from segue.plan import Plan

NAMES = (
    "b.wav",
    "a/2.wav",
    "a/1.wav",
    "a/b/1.wav",
    "a b/1.wav",
    "a.wav",
    "B/1.wav",
    "é.flac",
    "a/ü.mp3",
    "z/notes.txt",
)
WALK = (
    "a.wav",
    "b.wav",
    "é.flac",
    "B/1.wav",
    "a/1.wav",
    "a/2.wav",
    "a/ü.mp3",
    "a/b/1.wav",
    "a b/1.wav",
)


async def found(*named: Path) -> list[Source]:
    """The sources of a plan."""
    with Plan() as plan:
        plan.find(named)
        sources = [source async for source in plan.sources()]
        assert plan.count() == len(sources)
    return sources


def made(folder: Path) -> None:
    """Files that need not be music."""
    for name in NAMES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


async def test_sources_are_found_in_the_order_of_a_walk_and_each_once(tmp_path: Path) -> None:
    """Whatever is named besides the folder: a file in it, a folder in it, all of it again."""
    made(tmp_path)
    for named in ([], ["a.wav"], ["a/b/1.wav"]):
        walked = [name for name in WALK if name not in named]
        paths = [tmp_path / name for name in (*named, ".", "a")]
        assert await found(*paths) == [Source(path=tmp_path / name) for name in (*named, *walked)]


async def test_odd_names_come_back_as_they_were(tmp_path: Path) -> None:
    """Bytes that are no text, and what SQL or JSON would take for their own."""
    for name in (b"latin-1 \xe9\xff.wav", b'it\'s "quoted".wav', b"line\nfeed.wav", b"{}.wav"):
        Path(os.fsdecode(bytes(tmp_path) + b"/" + name)).touch()
    assert sorted(source.path for source in await found(tmp_path)) == sorted(tmp_path.iterdir())


async def test_what_is_added_stays_in_its_order(tmp_path: Path) -> None:
    """As a watched folder gives it: relative names stay relative."""
    added = [Source(path=Path(name)) for name in ("z.wav", "a.wav", "m.wav")]
    with Plan() as plan:
        plan.add(added[:2], wanted=True)
        plan.add(added, wanted=False)
        assert [source async for source in plan.sources()] == added


async def test_a_name_that_is_not_there_is_said(tmp_path: Path) -> None:
    """Before anything is walked."""
    with Plan() as plan, pytest.raises(UsageError):
        plan.find([tmp_path, tmp_path / "missing"])
