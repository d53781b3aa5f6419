"""The arithmetic of the quality study: laying signals on each other, and estimating from few values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.quality_numbers import (
    LAG_MAX,
    Samples,
    estimate,
    gain_to_match_db,
    lag_samples,
    matched_rate_bps,
    scaled,
)


def noise(count: int = 20_000) -> Samples:
    """Two channels of noise; the same every time."""
    return np.random.default_rng(3).standard_normal((count, 2)).astype(np.float32)


@given(st.integers(-LAG_MAX, LAG_MAX))
def test_a_lag_is_found_to_the_sample_in_both_directions(lag: int) -> None:
    """A decoder that gives its priming would be late, one that cuts too much early."""
    music = noise()
    shifted = np.roll(music, lag, axis=0)
    assert lag_samples(music, shifted) == lag


def test_a_lag_is_found_under_noise_and_another_level() -> None:
    """What a codec does to the signal hides no lag."""
    music = noise()
    late = scaled(np.roll(music, 1_024, axis=0), -6.0) + 0.5 * noise(20_000)[::-1]
    assert lag_samples(music, late) == 1_024


def test_signals_of_unequal_length_are_compared_from_their_starts() -> None:
    """A frame of padding at the end is no lag."""
    music = noise()
    assert lag_samples(music, np.concatenate([music, np.zeros((648, 2), np.float32)])) == 0


def test_silence_has_neither_lag_nor_level() -> None:
    """A decoder that gives nothing must not pass for one that is in time."""
    silence = np.zeros((20_000, 2), np.float32)
    with pytest.raises(ValueError, match="silence"):
        lag_samples(noise(), silence)
    with pytest.raises(ValueError, match="silence"):
        gain_to_match_db(noise(), silence)


@given(st.floats(-20, 20))
def test_levels_match_after_the_gain(offset_db: float) -> None:
    """The gain that is found undoes the one that was there."""
    music = noise(2_000)
    assert gain_to_match_db(music, scaled(music, offset_db)) == pytest.approx(-offset_db, abs=1e-4)


def test_the_rate_is_asked_for_in_proportion() -> None:
    """An encoder that gave 5 % too much is asked for that much less."""
    assert matched_rate_bps(128_000, 128.0, 134.4) == 121_905


def test_an_interval_holds_its_mean_and_narrows_with_more_values() -> None:
    """Twelve tracks say less than a hundred."""
    values = np.random.default_rng(1).normal(0.1, 0.05, 100).tolist()
    few, many = estimate(values[:12]), estimate(values)
    assert few.low <= few.mean <= few.high
    assert many.high - many.low < few.high - few.low
    assert many.differs_from_zero and many.count == 100


def test_an_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """Of 200 samples of 18 values, some 95 % have the true mean in their interval: a bit fewer, for they are small."""
    generator = np.random.default_rng(5)
    intervals = [estimate(generator.normal(0.0, 1.0, 18).tolist(), seed=seed) for seed in range(200)]
    missed = sum(interval.differs_from_zero for interval in intervals)
    assert 2 <= missed <= 28


def test_an_estimate_is_the_same_every_time_and_of_one_value_it_is_that_value() -> None:
    """Equal results give equal reports."""
    assert estimate([1.0, 2.0, 4.0]) == estimate([1.0, 2.0, 4.0])
    assert estimate([3.0]).low == estimate([3.0]).high == 3.0
    with pytest.raises(ValueError, match="nothing"):
        estimate([])
