"""Order: artists apart, neighbours alike, nothing lost, the same on every machine."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.sequence.item import Item, chance, fifths_of, fifths_step, tempo_of, tempo_step
from discovery.sequence.order import in_order, spread
from discovery.sequence.pairs import steps
from discovery.sequence.spacing import GAP
from model.features import KeyMode
from tests.unit.discovery.sequence.catalogue import tracks
from tests.unit.model.test_features import SOME


def gap_of(items: list[Item]) -> int:
    """The fewest places between two tracks of one artist."""
    last: dict[str, int] = {}
    gaps = [len(items)]
    for place, item in enumerate(items):
        if item.artist in last:
            gaps.append(place - last[item.artist])
        last[item.artist] = place
    return min(gaps)


def capped(items: list[Item], share: int = 4) -> list[Item]:
    """As many of them as leave no artist more than its share."""
    most, left, found = len(items) // share, Counter[str](), []
    for item in items:
        left[item.artist] += 1
        if left[item.artist] <= most // 2:
            found.append(item)
    return found


@given(st.integers(0, 60), st.integers(0, 99), st.text(max_size=5))
def test_an_order_loses_and_repeats_nothing(count: int, seed: int, word: str) -> None:
    """Every track once, whatever is known of it."""
    items = [
        replace(item, energy=None, fifths=None) if n % 3 else item for n, item in enumerate(tracks(count, seed=seed))
    ]
    assert Counter(in_order(items, seed=word)) == Counter(items)
    assert in_order(items, seed=word) == in_order(items[::-1], seed=word)


@pytest.mark.parametrize("seed", range(8))
def test_artists_keep_their_distance(seed: int) -> None:
    """At least GAP places, where no artist has more than an eighth or so."""
    items = capped(tracks(120, seed=seed))
    assert gap_of(in_order(items, seed=str(seed))) >= GAP


def test_a_quarter_of_all_still_keeps_its_distance() -> None:
    """The most that can be: every fourth track is by one artist."""
    rest = [replace(item, artist=f"One {n}") for n, item in enumerate(tracks(30))]
    mine = [replace(item, artist="Often", album=f"{n}") for n, item in enumerate(tracks(10, seed=2))]
    assert gap_of(in_order([*rest, *mine], seed="x")) == GAP


def test_too_few_artists_are_as_far_apart_as_can_be() -> None:
    """Two artists take turns."""
    items = [replace(item, artist="AB"[n % 2]) for n, item in enumerate(tracks(10))]
    assert gap_of(in_order(items, seed="x")) == 2
    alone = [replace(item, artist="A") for item in items]
    assert len(in_order(alone, seed="x")) == 10


def test_what_was_played_before_keeps_its_distance_too() -> None:
    """The first tracks are by others than the last ones."""
    items = tracks(60)
    lately = [replace(items[0], artist=items[n].artist) for n in range(3)]
    ordered = in_order(items, seed="x", after=lately)
    assert not {each.artist for each in lately[-3:]} & {ordered[0].artist}


@pytest.mark.parametrize("seed", range(5))
def test_neighbours_fit_much_better_than_by_chance(seed: int) -> None:
    """The mean step is at most three quarters of that of a spread order, which is as rough as chance."""
    items = capped(tracks(100, seed=seed))
    rough, smooth = spread(items, seed="x"), in_order(items, seed="x")

    def roughness(order: list[Item]) -> float:
        rows = steps(order)
        return mean(rows[one][other] for one, other in pairwise(range(len(order))))

    assert roughness(smooth) < 0.75 * roughness(rough)


def test_a_spread_order_has_each_artist_everywhere() -> None:
    """Of an artist with ten of forty tracks, two or three are in each quarter."""
    items = [replace(item, artist="Often" if n < 10 else f"One {n}") for n, item in enumerate(tracks(40))]
    ordered = spread(items, seed="x")
    quarters = [sum(each.artist == "Often" for each in ordered[place : place + 10]) for place in range(0, 40, 10)]
    assert all(1 <= count <= 4 for count in quarters) and sum(quarters) == 10


def test_another_seed_is_another_order() -> None:
    """And the same seed the same."""
    items = tracks(40)
    assert in_order(items, seed="a") == in_order(items, seed="a") != in_order(items, seed="b")


def test_chance_is_the_same_everywhere() -> None:
    """A number that was computed on another day."""
    assert chance("a", "b") == pytest.approx(0.3503791, abs=1e-6)
    assert chance("ab", "") != chance("a", "b")
    assert 0.4 < mean(chance(str(number)) for number in range(1000)) < 0.6


def test_half_and_double_tempos_go_together() -> None:
    """So do keys that share their notes."""
    assert tempo_step(70, 140) == tempo_step(120, 120) == 0
    assert tempo_step(100, 150) == pytest.approx(0.415, abs=0.001)
    c, a_minor = replace(SOME, key=0, mode=KeyMode.MAJOR), replace(SOME, key=9, mode=KeyMode.MINOR)
    assert fifths_of(c) == fifths_of(a_minor) == 0
    assert fifths_of(replace(c, key=7)) == 1
    assert fifths_of(replace(c, key_confidence=0.0)) is None
    assert tempo_of(replace(c, tempo_confidence=0.0)) is None
    assert (fifths_step(0, 11), fifths_step(0, 6), fifths_step(3, 3)) == (1, 6, 0)
