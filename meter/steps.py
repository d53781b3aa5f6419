"""The grid of time: steps of 100 ms and ticks of 10 ms, at any sample rate."""

import numpy as np
from numpy.typing import NDArray

STEPS_PER_SECOND = 10
TICKS_PER_STEP = 10
TICKS_PER_SECOND = STEPS_PER_SECOND * TICKS_PER_STEP
_DIGITS = 6


def step_start(step: int, sample_rate_hz: int) -> int:
    """The sample at which a step starts. Where 100 ms are no whole number of samples, lengths differ by one."""
    return step * sample_rate_hz // STEPS_PER_SECOND


def tick_ends(first: int, samples: int, sample_rate_hz: int) -> NDArray[np.int64]:
    """Where each tick from number `first` on ends, as far as so many samples go. Every tenth is the end of a step."""
    complete = ((samples + 1) * TICKS_PER_SECOND - 1) // sample_rate_hz
    return np.arange(first + 1, complete + 1, dtype=np.int64) * sample_rate_hz // TICKS_PER_SECOND


def rounded(value: float) -> float:
    """Six significant digits: what is left is the same on every processor, and short as text."""
    return float(f"{value:.{_DIGITS}g}")
