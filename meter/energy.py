"""Energies over time: of every 100 ms, from which loudness is gated, and the largest of any 400 ms."""

from array import array
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from meter.batches import BLOCK, Batch, Float
from meter.steps import TICKS_PER_SECOND, TICKS_PER_STEP, rounded, step_start, tick_ends
from meter.weighting import Weighting

MOMENTARY_S = 0.4
MOMENTARY_TICKS = 40  # looked at every 10 ms, a burst of 400 ms is met whole (Tech 3341 case 13)
_MOMENTARY = np.ones(MOMENTARY_TICKS)
_BATCHES = 16  # whose ticks are found together


class Energies:
    """K-weights one stream and sums up its powers; keeps one number for every whole 100 ms."""

    def __init__(
        self, sample_rate_hz: int, *, weights: Sequence[float], batch: int, kind: type[Float] = np.float64
    ) -> None:
        """`weights` are the channels' shares; `batch` and `kind` are as for `Weighting`."""
        self.steps = array("d")  # mean powers, six significant digits; of all batches when one came that is not full
        self.momentary_max = 0.0  # mean power
        self._rate = sample_rate_hz
        self._weights = np.array(weights)
        self._weighting = Weighting(sample_rate_hz, channels=len(weights), batch=batch, kind=kind)
        self._samples = 0
        self._ticks = 0
        self._begun = 0.0  # power of the tick that is not complete
        self._waiting = np.empty(0)  # ticks of the step that is not complete
        self._recent = np.empty(0)  # ticks that the next window of 400 ms begins with
        whole = sample_rate_hz % (TICKS_PER_SECOND * BLOCK) == 0  # every tick is whole blocks
        self._blocks = np.empty((_BATCHES if whole else 1, batch // BLOCK * len(weights)), kind)  # powers of blocks
        self._batches = self._count = 0  # and how many of them there are, of so many samples

    def take(self, batch: Batch) -> None:
        """The next batch."""
        if batch.count:
            weighted = self._weighting.take(batch)
            self._powers = np.square(weighted, out=weighted)
            np.sum(self._powers.reshape(BLOCK, -1), axis=0, out=self._blocks[self._batches])
            self._batches += 1
            self._count += batch.count
        if self._count and (self._batches == len(self._blocks) or batch.count < len(batch.frames)):
            blocks = self._blocks[: self._batches].reshape(-1, len(self._weights)).astype(np.float64) @ self._weights
            self._keep(self._complete(blocks, self._count))
            self._batches = self._count = 0

    def _keep(self, ticks: NDArray[np.float64]) -> None:
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

    def _complete(self, blocks: NDArray[np.float64], count: int) -> NDArray[np.float64]:
        """The sums of the ticks that the next so many samples complete, from the powers of their blocks."""
        ends = tick_ends(self._ticks, self._samples + count, self._rate) - self._samples
        sums = self._sums(blocks, ends[ends < BLOCK * len(blocks)])
        sums[0] += self._begun
        self._begun = float(sums[-1]) if len(sums) > len(ends) else 0.0
        self._samples += count
        self._ticks += len(ends)
        return np.asarray(sums[: len(ends)])

    def _sums(self, blocks: NDArray[np.float64], cuts: NDArray[np.int64]) -> NDArray[np.float64]:
        """The sums of what lies before, between and behind some places, from the powers of blocks.

        Where a block is cut, they are of the last batch, whose weighted samples are there still.
        """
        at, rows = np.divmod(cuts, BLOCK)
        starts = np.append(0, at)
        if not rows.any():
            return np.asarray(np.add.reduceat(blocks, starts))
        split = self._powers[:, at].astype(np.float64) @ self._weights
        before = np.arange(BLOCK)[:, np.newaxis] < rows
        twice = np.where(np.diff(at, prepend=-1) == 0, blocks[at], 0.0)  # what two cuts in a block leave of both sides
        blocks[at] = 0
        sums = np.add.reduceat(blocks, starts)
        sums[:-1] += np.where(before, split, 0.0).sum(axis=0) - twice
        sums[1:] += np.where(before, 0.0, split).sum(axis=0)
        return np.asarray(sums)
