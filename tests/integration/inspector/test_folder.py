"""In a folder: what is in it, nothing outside of it, nothing of the network."""

import os
from contextlib import aclosing
from pathlib import Path

import pytest

from inspector.judge import Inspection, inspected, is_foreign
from inspector.limits import Limits
from model.errors import UsageError
from tests.integration.inspector.conftest import written
from tests.unit.inspector.streams import in_ranges, in_segments, text

FIRST = "aac-1.m3u8"


async def all_of(target: Path, limits: Limits | None = None) -> list[Inspection]:
    """Every stream of a folder or file."""
    async with aclosing(inspected(str(target), limits or Limits())) as found:
        return [each async for each in found]


async def test_a_folder_is_looked_at_from_its_multivariant_playlists_down(tmp_path: Path) -> None:
    """Each stream once, whatever it is called; media playlists that nothing leads to are streams of their own."""
    written(in_segments(), tmp_path / "a")
    written(in_ranges(), tmp_path / "b")
    written({name: data for name, data in in_ranges().items() if name != "index.m3u8"}, tmp_path / "c")
    found = await all_of(tmp_path)
    assert [each.stream.location for each in found] == [
        "a/index.m3u8", "b/index.m3u8", "c/aac-1.m3u8", "c/aac-2.m3u8",
    ]  # fmt: skip
    assert [each.findings for each in found] == [(), (), (), ()]
    assert [each.unseen for each in found] == [(), (), (), ()]


async def test_a_playlist_file_is_looked_at_alone(tmp_path: Path) -> None:
    """With what it leads to."""
    (inspection,) = await all_of(written(in_segments(), tmp_path) / FIRST)
    assert inspection.findings == () and inspection.stream.multivariant is None


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("../secret.mp4", "lies outside of the folder"),
        ("aac-1/../../secret.mp4", "lies outside of the folder"),
        ("%2e%2e/secret.mp4", "lies outside of the folder"),
        ("/etc/passwd", "lies outside of the folder"),
        ("file:///etc/passwd", "lies on the network or elsewhere"),
        ("http://127.0.0.1:9/x.mp4", "lies on the network or elsewhere"),
        ("//127.0.0.1:9/x.mp4", "lies on the network or elsewhere"),
        ("out.mp4", "leads out of the folder"),
        ("?x", "names no file"),
    ],
)
async def test_what_lies_elsewhere_is_not_looked_into(tmp_path: Path, uri: str, reason: str) -> None:
    """No file outside, no network; and no fault of the playlist's."""
    (tmp_path / "secret.mp4").write_bytes(b"secret")
    folder = written(text(in_segments(), FIRST, "aac-1/2.mp4", uri), tmp_path / "in")
    (folder / "out.mp4").symlink_to(tmp_path / "secret.mp4")
    (inspection,) = await all_of(folder / FIRST)
    assert inspection.findings == ()
    assert reason in " ".join(each.reason for each in inspection.unseen)


@pytest.mark.parametrize("kind", ["nothing", "folder", "pipe", "loop", "unreadable name"])
async def test_what_is_no_file_is_found_missing(tmp_path: Path, kind: str) -> None:
    """And nothing waits for a pipe."""
    folder = written(in_segments(), tmp_path)
    place = folder / "aac-1" / "2.mp4"
    place.unlink()
    if kind == "folder":
        place.mkdir()
    elif kind == "pipe":
        os.mkfifo(place)
    elif kind == "loop":
        place.symlink_to(place)
    elif kind == "unreadable name":
        long = "x" * 300 + ".mp4"
        (folder / FIRST).write_bytes((folder / FIRST).read_bytes().replace(b"aac-1/2.mp4", long.encode()))
    (inspection,) = await all_of(folder / FIRST)
    assert [(each.rule, each.line) for each in inspection.findings] == [("RFC8216-6.2.1", 12)]


async def test_a_folder_without_playlists_is_usage(tmp_path: Path) -> None:
    """And so is one with far too many."""
    with pytest.raises(UsageError, match="no playlist"):
        await all_of(tmp_path)
    written(in_segments(), tmp_path)
    with pytest.raises(UsageError, match="more than 2 playlists"):
        await all_of(tmp_path, Limits(playlists_in_folder_max=2))


def test_what_is_foreign_is_told_by_its_form(tmp_path: Path) -> None:
    """URLs and paths that are there; anything else is a track of ours."""
    assert is_foreign("http://x/y.m3u8") and is_foreign(str(tmp_path))
    assert not is_foreign("67jjjmxtxo66lz276wqk") and not is_foreign(str(tmp_path / "nothing"))
    assert not is_foreign("x" * 5_000) and not is_foreign("\0")
