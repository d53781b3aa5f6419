"""Energies over time: of every 100 ms, from which loudness is gated, and the largest of any 400 ms."""

from array import array

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from meter.steps import TICKS_PER_STEP, rounded, step_start, tick_ends

MOMENTARY_S = 0.4
MOMENTARY_TICKS = 40  # looked at every 10 ms, a burst of 400 ms is met whole (Tech 3341 case 13)


class Energies:
    """Sums up the powers of one stream's samples; keeps one number for every whole 100 ms."""

    def __init__(self, sample_rate_hz: int) -> None:
        self.steps = array("d")  # mean powers, six significant digits
        self.momentary_max = 0.0  # mean power
        self._rate = sample_rate_hz
        self._samples = 0
        self._ticks = 0
        self._begun = 0.0  # power of the tick that is not complete
        self._waiting = np.empty(0)  # ticks of the step that is not complete
        self._recent = np.empty(0)  # ticks that the next window of 400 ms begins with

    def take(self, powers: NDArray[np.float64]) -> None:
        """The powers of the next samples; there is at least one."""
        ticks = self._complete(powers)
        recent = np.concatenate([self._recent, ticks])
        if len(recent) >= MOMENTARY_TICKS:
            largest = float(sliding_window_view(recent, MOMENTARY_TICKS).sum(axis=1).max())
            self.momentary_max = max(self.momentary_max, largest / (MOMENTARY_S * self._rate))
        self._recent = recent[-MOMENTARY_TICKS + 1 :]
        waiting = np.concatenate([self._waiting, ticks])
        whole = len(waiting) // TICKS_PER_STEP * TICKS_PER_STEP
        for total in waiting[:whole].reshape(-1, TICKS_PER_STEP).sum(axis=1):
            step = len(self.steps)
            length = step_start(step + 1, self._rate) - step_start(step, self._rate)
            self.steps.append(rounded(float(total) / length))
        self._waiting = waiting[whole:]

    def _complete(self, powers: NDArray[np.float64]) -> NDArray[np.float64]:
        """The sums of the ticks that these samples complete."""
        count = len(powers)
        ends = tick_ends(self._ticks, self._samples + count, self._rate) - self._samples
        sums = np.add.reduceat(powers, np.concatenate([np.zeros(1, np.int64), ends[ends < count]]))
        sums[0] += self._begun
        self._begun = float(sums[-1]) if len(sums) > len(ends) else 0.0
        self._samples += count
        self._ticks += len(ends)
        return np.asarray(sums[: len(ends)])
