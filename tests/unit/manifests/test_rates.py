"""Peak and average rates against a recomputation with exact fractions, run by run."""

from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.rates import average_rate_bps, peak_rate_bps

SEGMENTS = st.lists(st.tuples(st.integers(1, 10**7), st.integers(1, 12_000_000)), min_size=1, max_size=30)


def exact_rate(segments: list[tuple[int, int]]) -> Fraction:
    """Bits per second over these (bytes, microseconds)."""
    return Fraction(8 * sum(size for size, _ in segments), 1) / Fraction(sum(us for _, us in segments), 1_000_000)


def exact_peak(segments: list[tuple[int, int]], target_s: int) -> Fraction:
    """The definition, word by word: every contiguous set, its duration, its rate, the largest."""
    runs = [segments[a:b] for a in range(len(segments)) for b in range(a + 1, len(segments) + 1)]
    seconds = [Fraction(sum(us for _, us in run), 1_000_000) for run in runs]
    rates = [
        exact_rate(run)
        for run, length in zip(runs, seconds, strict=True)
        if Fraction(target_s, 2) <= length <= Fraction(3 * target_s, 2)
    ]
    return max(rates, default=exact_rate(segments))


@given(segments=SEGMENTS, target_s=st.integers(1, 15))
def test_the_peak_is_that_of_the_densest_qualifying_run(segments: list[tuple[int, int]], target_s: int) -> None:
    """Brute force over all O(n²) runs gives the same, rounded up."""
    sizes, durations = [size for size, _ in segments], [us for _, us in segments]
    assert peak_rate_bps(sizes, durations, target_s) == ceil(exact_peak(segments, target_s))


@given(segments=SEGMENTS)
def test_the_average_is_all_bits_over_all_seconds(segments: list[tuple[int, int]]) -> None:
    """Rounded up."""
    assert average_rate_bps([size for size, _ in segments], [us for _, us in segments]) == ceil(exact_rate(segments))


@pytest.mark.parametrize(
    ("durations_us", "expected"),
    [
        ((3_000_000, 6_000_000), 3200),  # 0.5 target durations exactly: the first alone qualifies
        ((2_999_999, 6_000_000), 1334),  # a microsecond less: it counts only together with the second
        ((9_000_000, 100), 1067),  # 1.5 target durations exactly; with the second it would be too long
    ],
)
def test_both_ends_of_the_window_belong_to_it(durations_us: tuple[int, int], expected: int) -> None:
    """RFC 8216 §4.1: between 0.5 and 1.5 times the target duration."""
    assert peak_rate_bps([1200, 300], durations_us, 6) == expected


def test_a_track_too_short_for_any_run_has_the_rate_of_everything() -> None:
    """0.1 s under a target of 1 s: no run lasts 0.5 s."""
    assert peak_rate_bps([1000], [100_000], 1) == 80_000


def test_a_dense_ramp_segment_counts_only_with_its_neighbours() -> None:
    """0.96 s at 200 kbit/s is no peak under a target of 6 s; the 128 kbit/s of a whole segment are."""
    durations_us = [960_000, 1_920_000, 2_880_000, 6_080_000]
    assert peak_rate_bps([24_000, 15_360, 23_040, 97_280], durations_us, 6) == 128_000
