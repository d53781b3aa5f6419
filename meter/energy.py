"""Energies over time: of every 100 ms, from which loudness is gated, and the largest of any 400 ms."""

from array import array
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from meter.steps import TICKS_PER_STEP, rounded, step_start, tick_ends
from meter.weighting import Weighting

MOMENTARY_S = 0.4
MOMENTARY_TICKS = 40  # looked at every 10 ms, a burst of 400 ms is met whole (Tech 3341 case 13)
_MOMENTARY = np.ones(MOMENTARY_TICKS)


class Energies:
    """K-weights one stream and sums up its powers; keeps one number for every whole 100 ms."""

    def __init__(self, sample_rate_hz: int, *, weights: Sequence[float], batch: int) -> None:
        """`weights` are the channels' shares; `batch` is as for `Weighting`."""
        self.steps = array("d")  # mean powers, six significant digits
        self.momentary_max = 0.0  # mean power
        self._rate = sample_rate_hz
        self._weights = np.array(weights)
        self._weighting = Weighting(sample_rate_hz, channels=len(weights), batch=batch)
        self._samples = 0
        self._ticks = 0
        self._begun = 0.0  # power of the tick that is not complete
        self._waiting = np.empty(0)  # ticks of the step that is not complete
        self._recent = np.empty(0)  # ticks that the next window of 400 ms begins with

    def take(self, samples: NDArray[np.float32], count: int) -> None:
        """A batch (channels, samples), of which so many belong to the stream."""
        if not count:
            return
        powers = self._weighting.take(samples)[:, :count]
        ticks = self._complete(np.square(powers, out=powers))
        recent = np.concatenate([self._recent, ticks])
        if len(recent) >= MOMENTARY_TICKS:
            largest = float(np.convolve(recent, _MOMENTARY, "valid").max())
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
        """The sums of the ticks that these powers (channels, samples) complete."""
        count = powers.shape[1]
        ends = tick_ends(self._ticks, self._samples + count, self._rate) - self._samples
        starts = np.concatenate([np.zeros(1, np.int64), ends[ends < count]])
        sums = self._weights @ np.add.reduceat(powers, starts, axis=1)
        sums[0] += self._begun
        self._begun = float(sums[-1]) if len(sums) > len(ends) else 0.0
        self._samples += count
        self._ticks += len(ends)
        return np.asarray(sums[: len(ends)])
