"""A distance between the tracks of an artist is kept whenever any order keeps it."""

from collections import Counter
from dataclasses import replace
from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from discovery.sequence.order import in_order
from discovery.sequence.spacing import GAP
from tests.unit.discovery.sequence.catalogue import tracks

ARTISTS = "ABCDE"


def distances(artists: list[str]) -> list[int]:
    """How far each is from the one of the same artist before it."""
    last: dict[str, int] = {}
    found = []
    for place, artist in enumerate(artists):
        if artist in last:
            found.append(place - last[artist])
        last[artist] = place
    return found


def best_of_all_orders(artists: list[str], lately: list[str]) -> tuple[int, int]:
    """The largest distance of any order, within and to what was before: all of them are tried."""

    @cache
    def can(left: tuple[tuple[str, int], ...], recent: tuple[tuple[str, int], ...], gap: int) -> bool:
        # `recent` are artists, and in how many places they may come again
        if not left:
            return True
        waits = dict(recent)
        for artist, _ in left:
            if waits.get(artist, 0) <= 0:
                rest = Counter(dict(left)) - Counter([artist])
                passed = {each: wait - 1 for each, wait in waits.items() if wait > 1} | {artist: gap - 1}
                if can(tuple(sorted(rest.items())), tuple(sorted(passed.items())), gap):
                    return True
        return False

    for gap in range(GAP, 0, -1):
        for joint in range(gap, 0, -1):
            waits: dict[str, int] = {}
            for back, artist in enumerate(reversed(lately), 1):
                waits.setdefault(artist, joint - back)
            if can(tuple(sorted(Counter(artists).items())), tuple(sorted(waits.items())), gap):
                return gap, joint
    raise AssertionError("a distance of 1 is none")


@given(st.lists(st.sampled_from(ARTISTS), min_size=1, max_size=11), st.lists(st.sampled_from(ARTISTS), max_size=4))
def test_no_order_keeps_more_distance(artists: list[str], lately: list[str]) -> None:
    """Seen against all orders."""
    made = tracks(len(artists) + len(lately))
    named = [replace(item, artist=artist, album="") for item, artist in zip(made, [*lately, *artists], strict=True)]
    before, items = named[: len(lately)], named[len(lately) :]
    found = [each.artist for each in in_order(items, seed="x", after=before)]
    gap, joint = best_of_all_orders(artists, lately)
    assert Counter(found) == Counter(artists)
    assert min([*distances(found), GAP]) >= gap
    near = [
        place + back
        for back, artist in enumerate(reversed(lately), 1)
        for place, each in enumerate(found)
        if each == artist
    ]
    assert min([*near, GAP]) >= joint
