"""Dips: around each place that is too high, as deep as it takes, and none where the whole is too high."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from avtool.argv import Dip
from meter.true_peak import PLACE_SAMPLES
from packager.dip import DEEPEST_DB, FRAME_SAMPLES, PART_MAX, PASSES_MAX, dips

CEILING_DBTP = -1.0
MINUTE = 48_000 * 60
PLACES = st.dictionaries(
    st.integers(0, 2_700), st.floats(CEILING_DBTP + 0.01, CEILING_DBTP + 1.0), min_size=1, max_size=9
)


@given(places=PLACES, more=st.dictionaries(st.integers(0, 2_700), st.floats(-0.99, -0.8), max_size=3))
def test_every_place_is_softer_by_more_than_it_is_too_high(places: dict[int, float], more: dict[int, float]) -> None:
    """All of it, and half a frame on either side; and softer still when it is too high again."""
    first = dips(places, CEILING_DBTP, MINUTE)
    second = dips(more, CEILING_DBTP, MINUTE, first, again=1) if more else first
    for found, high in ((first, places), (second, more)):
        if found:
            depth = {frame: each.softer_db for each in found for frame in range(each.first, each.end)}
            assert all(before.end <= after.first for before, after in pairwise(found))
            for place, peak_dbtp in high.items():
                begin, end = (
                    place * PLACE_SAMPLES - FRAME_SAMPLES // 2,
                    (place + 1) * PLACE_SAMPLES + FRAME_SAMPLES // 2,
                )
                for frame in range(max(0, begin // FRAME_SAMPLES), -(-end // FRAME_SAMPLES)):
                    assert depth[frame] > peak_dbtp - CEILING_DBTP
    if first and second:
        were = {frame: each.softer_db for each in first for frame in range(each.first, each.end)}
        are = {frame: each.softer_db for each in second for frame in range(each.first, each.end)}
        assert all(are[frame] >= softer for frame, softer in were.items())


def test_a_dip_is_short() -> None:
    """Four frames of 20 ms, or five, and places in a row are one."""
    (alone,) = dips({1_000: -0.7}, CEILING_DBTP, MINUTE)
    assert alone == Dip(1_065, 1_069, 0.4)
    assert dips({1_000: -0.7, 1_001: -0.7}, CEILING_DBTP, MINUTE) == (Dip(1_065, 1_070, 0.4),)


def test_what_is_no_chance_is_left_to_the_level_of_all() -> None:
    """What is far too high, in too many places, or did not help so often."""
    assert not dips({1_000: CEILING_DBTP + DEEPEST_DB}, CEILING_DBTP, MINUTE)
    everywhere = dict.fromkeys(range(0, 2_800, 100), -0.9)
    assert not dips(everywhere, CEILING_DBTP, MINUTE)
    assert dips(everywhere, CEILING_DBTP, PART_MAX * MINUTE)
    assert not dips({1_000: -0.9}, CEILING_DBTP, MINUTE, again=PASSES_MAX)
    assert dips({0: -0.9, 40: -0.9}, CEILING_DBTP, 48_000)  # but two are few in the shortest


def test_what_is_as_deep_as_may_be_stays_so() -> None:
    """Others are made deeper beside it; when nothing can be, it ends."""
    deep = dips({1_000: CEILING_DBTP + 1.0}, CEILING_DBTP, MINUTE)
    deepest = dips({1_000: CEILING_DBTP + 0.5, 2_000: -0.9}, CEILING_DBTP, MINUTE, deep, again=1)
    assert [each.softer_db for each in deepest] == [DEEPEST_DB, 0.3]
    assert not dips({1_000: CEILING_DBTP + 0.5}, CEILING_DBTP, MINUTE, deepest, again=2)
