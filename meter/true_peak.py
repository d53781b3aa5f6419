"""True peaks (ITU-R BS.1770-4 annex 2) of one stream: of every 100 ms, or the largest and where it passes a limit."""

import math
from array import array

import numpy as np
from numpy.typing import NDArray

from meter.batches import BLOCK, Batch, Samples
from meter.between import Between
from meter.steps import rounded, step_start

PLACE_SAMPLES = 1_024
PLACES_MAX = 4_096  # of more, the lower half is forgotten


class TruePeaks:
    """The true peaks of one stream, one number for every 100 ms, the last may be shorter.

    A sample counts in its step, what lies between samples where it is known: at most 1 ms later.
    """

    def __init__(self, sample_rate_hz: int, *, channels: int) -> None:
        self.steps = array("d")  # linear, six significant digits
        self._rate = sample_rate_hz
        self._samples = 0
        self._largest = 0.0  # of the step that is not complete
        self._between = Between(sample_rate_hz, channels=channels)

    def take(self, batch: Batch) -> None:
        """The next batch. The last one has fewer samples of the stream than it has samples."""
        largest = self._largest_of(batch, np.array([0, *self._step_ends(batch.count)]))
        self.steps.extend(rounded(float(each)) for each in largest[:-1])
        self._largest = float(largest[-1])
        self._samples += batch.count
        if batch.count < len(batch.frames):
            silence = Batch(batch.frames.shape[1], BLOCK)
            self._largest = float(self._largest_of(silence, np.zeros(1, np.int64))[0])
            self._end()

    def _step_ends(self, count: int) -> list[int]:
        """Where steps end in the next samples."""
        ends: list[int] = []
        while (end := step_start(len(self.steps) + len(ends) + 1, self._rate) - self._samples) <= count:
            ends.append(end)
        return ends

    def _largest_of(self, batch: Batch, starts: NDArray[np.int64]) -> Samples:
        """The largest magnitude from each start in a batch to the next, or the end, also between the samples."""
        samples, channels = batch.frames.shape
        within = starts[starts < samples]  # a step may end with the batch
        highest, lowest = (
            each.reduceat(batch.frames.reshape(-1), within * channels) for each in (np.maximum, np.minimum)
        )
        largest = np.zeros(len(starts), np.float32)
        largest[: len(within)] = np.maximum(highest, -lowest)
        largest[0] = max(largest[0], self._largest)
        steps = np.searchsorted(within // BLOCK, np.arange(samples // BLOCK), side="right") - 1
        for at, _, points in self._between.near(batch, largest[steps]):
            np.maximum.at(largest, steps[at], np.abs(points).max(axis=0))
        return largest

    def _end(self) -> None:
        """What rings on after the last sample belongs to the last step."""
        if self._samples > step_start(len(self.steps), self._rate):
            self.steps.append(rounded(self._largest))
        elif self.steps:
            self.steps[-1] = max(self.steps[-1], rounded(self._largest))


class LargestTruePeak:
    """The largest true peak of one stream, and where it passes a limit.

    Only what may lie above the largest so far, or the limit, is looked at closely.
    """

    def __init__(self, sample_rate_hz: int, *, channels: int, above: float = math.inf) -> None:
        """`above` is the limit, linear."""
        self.places: dict[int, float] = {}  # the largest peak above the limit, by number of `PLACE_SAMPLES`
        self._above = above
        self._first_block = 0  # of the batch
        self._between = Between(sample_rate_hz, channels=channels)
        self._silence = Batch(channels, BLOCK)
        self._largest = 0.0

    def take(self, batch: Batch) -> None:
        """The next batch."""
        self._largest = max(self._largest, batch.largest)
        for at, samples, points in self._between.near(batch, min(self._largest, self._above)):
            highest = np.abs(np.concatenate([points, samples])).max(axis=0)
            self._largest = max(self._largest, float(highest.max()))
            if self._largest > self._above:
                self._note(at, highest)
        self._first_block += len(batch.peaks)

    def end(self) -> float:
        """The peak, linear, six significant digits; what rings on after the last sample is heard too."""
        self.take(self._silence)
        return rounded(self._largest)

    def _note(self, at: NDArray[np.int64], highest: Samples) -> None:
        for block, value in zip(at[highest > self._above], highest[highest > self._above], strict=True):
            place = (self._first_block + int(block)) * BLOCK // PLACE_SAMPLES
            self.places[place] = max(rounded(float(value)), self.places.get(place, 0.0))
        if len(self.places) > PLACES_MAX:
            by_peak = sorted(self.places.items(), key=lambda each: (-each[1], each[0]))
            self.places = dict(by_peak[: PLACES_MAX // 2])
