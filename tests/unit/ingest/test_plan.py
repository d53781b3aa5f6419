"""Sources are put together by album, in the order of the walk."""

from pathlib import Path

from catalog.ledger import Outline
from ingest.levels import ALBUM_TRACKS_MAX
from ingest.plan import grouped
from ingest.scan import Source


def sources(count: int) -> list[Source]:
    """Files that need not exist."""
    return [Source(path=Path(f"{number}.flac")) for number in range(count)]


def test_an_album_is_one_group_and_comes_where_its_first_track_was() -> None:
    """Singles between its tracks do not break it."""
    found = sources(4)
    outlines = [
        Outline(seconds=float(at), group=name) for at, name in enumerate(['["album", "x"]', "s", '["album", "x"]', "t"])
    ]
    groups = grouped(found, outlines)
    assert [[each.source for each in group.members] for group in groups] == [
        [found[0], found[2]],
        [found[1]],
        [found[3]],
    ]
    assert [group.album for group in groups] == [True, False, False]
    assert [group.seconds for group in groups] == [2.0, 1.0, 3.0]


def test_what_is_too_large_for_an_album_falls_apart() -> None:
    """ "Unknown Album" must not be held in memory as one."""
    count = ALBUM_TRACKS_MAX + 1
    groups = grouped(sources(count), [Outline(seconds=None, group='["album", "unknown"]')] * count)
    assert len(groups) == count
    assert not any(group.album for group in groups)
