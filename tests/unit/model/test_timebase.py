"""Time is exact: integers in, integers out, and errors that never add up."""

from fractions import Fraction
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.timebase import MICROSECONDS, cumulative_microseconds, decimal_seconds, microseconds, rounded_seconds

TIMESCALES = st.sampled_from([1, 7, 8_000, 44_100, 48_000, 90_000, 192_000]) | st.integers(1, 10**9)


@given(ticks=st.integers(0, 10**13), timescale=TIMESCALES)
def test_a_time_is_within_half_a_microsecond(ticks: int, timescale: int) -> None:
    """The nearest whole microsecond, halves upwards."""
    error = microseconds(ticks, timescale) - Fraction(ticks * MICROSECONDS, timescale)
    assert -Fraction(1, 2) < error <= Fraction(1, 2)


@given(durations=st.lists(st.integers(1, 10**9), max_size=200), timescale=TIMESCALES)
def test_every_prefix_sum_is_within_half_a_microsecond(durations: list[int], timescale: int) -> None:
    """However many segments there are, the sum of the first n is where the media is."""
    told = accumulate(cumulative_microseconds(durations, timescale))
    for sum_us, ticks in zip(told, accumulate(durations), strict=True):
        assert abs(sum_us - Fraction(ticks * MICROSECONDS, timescale)) <= Fraction(1, 2)


def test_rounding_each_by_itself_would_drift() -> None:
    """1,000 segments of 1/3 s: the sum is off by nothing, not by a third of a millisecond."""
    assert sum(cumulative_microseconds([1] * 3_000, 3)) == 1_000 * MICROSECONDS
    assert 3_000 * microseconds(1, 3) != 1_000 * MICROSECONDS


@given(st.integers(0, 10**15))
def test_decimal_seconds_are_exact(micros: int) -> None:
    """Six places, always, and they read back as what they were."""
    text = decimal_seconds(micros)
    assert len(text.partition(".")[2]) == 6
    assert Fraction(text) * MICROSECONDS == micros


@pytest.mark.parametrize(("micros", "seconds"), [(0, 0), (499_999, 0), (500_000, 1), (6_499_999, 6), (6_500_000, 7)])
def test_seconds_are_rounded_to_the_nearest(micros: int, seconds: int) -> None:
    """RFC 8216 §4.3.3.1: to the nearest integer, not up."""
    assert rounded_seconds(micros) == seconds


def test_nonsense_is_refused() -> None:
    """There is no timescale of 0 and no negative duration."""
    with pytest.raises(ValueError, match="timescale"):
        microseconds(1, 0)
    with pytest.raises(ValueError, match="negative"):
        decimal_seconds(-1)
