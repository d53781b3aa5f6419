"""What is meant comes first: likeness, then popularity, and one's own."""

import pytest

from catalog.search_postings import Found
from discovery.search_rank import SURE, nearest, ranked
from discovery.search_text import parsed


def _track(rank: int, title: str, artist: str = "Somebody", album: str = "Album") -> Found:
    return Found(rank, f"t{rank}", title, artist, album)


def _titles(typed: str, *tracks: Found, own: dict[str, float] | None = None) -> list[str]:
    return [row.found.title for row in ranked(parsed(typed), tracks, own=own or {})]


def test_the_whole_title_comes_before_a_popular_one_that_goes_on() -> None:
    """Who types all of a name means it."""
    assert _titles("yellow", _track(1, "Yellow Submarine"), _track(5000, "Yellow")) == ["Yellow", "Yellow Submarine"]


def test_of_equals_the_popular_one_comes_first() -> None:
    """Rank decides where the text does not."""
    assert [row.found.rank for row in ranked(parsed("hello"), [_track(90, "Hello"), _track(2, "Hello")], own={})] == [
        2,
        90,
    ]


@pytest.mark.parametrize(
    "typed", ["abba waterloo", "waterloo abba", "waterloo arrival", "abba arrival waterloo", "abba wat"]
)
def test_fields_come_in_any_order(typed: str) -> None:
    """Artist, title and album, as people type them."""
    meant = _track(900, "Waterloo", "ABBA", "Arrival")
    assert _titles(typed, _track(1, "Waterloo Sunset", "The Kinks"), meant)[0] == "Waterloo"


def test_on_a_short_query_ones_own_comes_first() -> None:
    """The most played before the others; on a longer query one's own only leads among equals."""
    tracks = [_track(1, "Love Story"), _track(700, "Lost"), _track(800, "Low")]
    assert _titles("lo", *tracks, own={"t700": 3.0, "t800": 90.0}) == ["Low", "Lost", "Love Story"]
    assert _titles("love story", *tracks, own={"t700": 3.0})[0] == "Love Story"


def test_likeness_tells_a_slip_from_another_name() -> None:
    """What is a slip away is like enough only if it is long; the exact name is wholly alike."""
    exact, other = ranked(parsed("hello"), [_track(1, "Hello"), _track(2, "Yellow")], own={})
    assert exact.likeness == 100.0 > SURE > other.likeness


def test_the_nearest_spellings_are_one_edit_away_and_often_used() -> None:
    """Two edits are too many."""
    known = {"live": 5, "love": 50, "lose": 7, "glove": 1, "lvoe": 1, "leave": 99, "vole": 3}
    assert nearest("love", known) == ["love", "lose", "live", "glove", "lvoe"]
