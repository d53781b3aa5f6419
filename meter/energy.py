"""Energies over time: of every 100 ms, from which loudness is gated, and the largest of any 400 ms."""

from array import array
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from meter.batches import BLOCK, Batch
from meter.steps import TICKS_PER_STEP, rounded, step_start, tick_ends
from meter.weighting import Float, Weighting

MOMENTARY_S = 0.4
MOMENTARY_TICKS = 40  # looked at every 10 ms, a burst of 400 ms is met whole (Tech 3341 case 13)
_MOMENTARY = np.ones(MOMENTARY_TICKS)


class Energies:
    """K-weights one stream and sums up its powers; keeps one number for every whole 100 ms."""

    def __init__(
        self, sample_rate_hz: int, *, weights: Sequence[float], batch: int, kind: type[Float] = np.float64
    ) -> None:
        """`weights` are the channels' shares; `batch` and `kind` are as for `Weighting`."""
        self.steps = array("d")  # mean powers, six significant digits
        self.momentary_max = 0.0  # mean power
        self._rate = sample_rate_hz
        self._weights = np.array(weights)
        self._weighting = Weighting(sample_rate_hz, channels=len(weights), batch=batch, kind=kind)
        self._samples = 0
        self._ticks = 0
        self._begun = 0.0  # power of the tick that is not complete
        self._waiting = np.empty(0)  # ticks of the step that is not complete
        self._recent = np.empty(0)  # ticks that the next window of 400 ms begins with

    def take(self, batch: Batch) -> None:
        """The next batch."""
        if not batch.count:
            return
        weighted = self._weighting.take(batch.columns)
        ticks = self._complete(np.square(weighted, out=weighted), batch.count)
        recent = np.concatenate([self._recent, ticks])
        if len(recent) >= MOMENTARY_TICKS:
            largest = float(np.convolve(recent, _MOMENTARY, "valid").max())
            self.momentary_max = max(self.momentary_max, largest / (MOMENTARY_S * self._rate))
        self._recent = recent[-MOMENTARY_TICKS + 1 :]
        waiting = np.concatenate([self._waiting, ticks])
        whole = len(waiting) // TICKS_PER_STEP * TICKS_PER_STEP
        self._waiting = waiting[whole:]
        first = len(self.steps)
        starts = [step_start(first + step, self._rate) for step in range(whole // TICKS_PER_STEP + 1)]
        totals = waiting[:whole].reshape(-1, TICKS_PER_STEP).sum(axis=1)
        self.steps.extend(rounded(each) for each in (totals / np.diff(starts)).tolist())

    def _complete(self, powers: NDArray[Float], count: int) -> NDArray[np.float64]:
        """The sums of the ticks that so many of these powers, in columns, complete."""
        ends = tick_ends(self._ticks, self._samples + count, self._rate) - self._samples
        sums = self._sums(powers, ends[ends < count], count)
        sums[0] += self._begun
        self._begun = float(sums[-1]) if len(sums) > len(ends) else 0.0
        self._samples += count
        self._ticks += len(ends)
        return np.asarray(sums[: len(ends)])

    def _sums(self, powers: NDArray[Float], cuts: NDArray[np.int64], end: int) -> NDArray[np.float64]:
        """Of the powers up to an end, the sums of what lies between some places."""
        blocks = powers.sum(axis=0).astype(np.float64) @ self._weights
        places = cuts if end == len(blocks) * BLOCK else np.append(cuts, end)
        at, rows = np.divmod(places, BLOCK)
        starts = np.append(0, at)
        if not rows.any():
            return np.asarray(np.add.reduceat(blocks, starts)[: len(cuts) + 1])
        split = powers[:, at].astype(np.float64) @ self._weights
        before = np.arange(BLOCK)[:, np.newaxis] < rows
        twice = np.where(np.diff(at, prepend=-1) == 0, blocks[at], 0.0)  # what two cuts in a block leave of both sides
        blocks[at] = 0
        sums = np.add.reduceat(blocks, starts)
        sums[:-1] += np.where(before, split, 0.0).sum(axis=0) - twice
        sums[1:] += np.where(before, 0.0, split).sum(axis=0)
        return np.asarray(sums[: len(cuts) + 1])
