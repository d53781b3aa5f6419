"""Excerpts: whole units around each place, none twice, and where each of them plays."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from cmaf.timeline import UNIT_TICKS
from meter.true_peak import PLACE_SAMPLES
from packager.excerpt import PLACES_PER_UNIT, Window, shifts, windows_around


@given(places=st.sets(st.integers(0, 2_000), min_size=1), more=st.integers(1, 40 * UNIT_TICKS))
def test_every_place_is_inside_one_window_with_its_surroundings(places: set[int], more: int) -> None:
    """With a unit before and after, as far as there is one; windows are in order, and do not touch."""
    samples = max(places) * PLACE_SAMPLES + more
    units = -(-samples // UNIT_TICKS)
    windows = windows_around(places, samples)
    assert sorted(place for each in windows for place in each.places) == sorted(places)
    assert all(0 <= each.first < each.end <= units for each in windows)
    assert all(before.end < after.first for before, after in pairwise(windows))
    for each in windows:
        for place in each.places:
            unit = place // PLACES_PER_UNIT
            assert each.first <= max(0, unit - 1)
            assert each.end >= min(units, unit + 2)


def test_a_unit_is_whole_places() -> None:
    """So that a window begins with a place, and with a frame of AAC."""
    assert PLACES_PER_UNIT * PLACE_SAMPLES == UNIT_TICKS


def test_a_place_in_what_the_encoder_padded_belongs_to_the_last_unit() -> None:
    """What is decoded may be longer than the music by most of a frame."""
    assert windows_around([30], 2 * UNIT_TICKS) == [Window(0, 2, (30,))]


def test_windows_play_one_after_the_other() -> None:
    """Each is so many places later or earlier than in its mezzanine."""
    windows = [Window(2, 5, (50,)), Window(9, 12, (160,)), Window(20, 22, (307,))]
    assert shifts(windows) == [-2 * PLACES_PER_UNIT, (3 - 9) * PLACES_PER_UNIT, (6 - 20) * PLACES_PER_UNIT]
    assert shifts([]) == []
