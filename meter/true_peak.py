"""True peaks (ITU-R BS.1770-4 annex 2): what lies between samples, by a polyphase filter as a product of matrices."""

import math
from array import array

import numpy as np
from numpy.typing import NDArray

from meter.batches import Samples, peak
from meter.steps import rounded, step_start

BLOCK = 32  # samples in a row of the product
TAPS = 24  # samples that one point between samples is made from
_SHARPNESS = 5.0  # Kaiser's beta: the points are within 0.02 dB up to 18 kHz at 44.1 kHz, 20 kHz at 48 kHz
_LOOKS = 256  # blocks looked at in one product
PLACE_SAMPLES = 1_024
PLACES_MAX = 4_096  # of more, the lower half is forgotten


def oversampling(sample_rate_hz: int) -> int:
    """How many points a sample becomes: together at least 176.4 kHz, as annex 2 asks."""
    if sample_rate_hz < 80_000:
        return 4
    return 2 if sample_rate_hz < 160_000 else 1


def phases(factor: int) -> NDArray[np.float64]:
    """The filters (factor − 1, TAPS) for the points between two samples: sinc in a Kaiser window, gain 1 at 0 Hz."""
    away = np.arange(TAPS) - TAPS / 2 + 1
    offsets = np.arange(1, factor)[:, np.newaxis] / factor
    place = offsets - away
    window = np.i0(_SHARPNESS * np.sqrt(np.clip(1 - (2 * place / TAPS) ** 2, 0, 1)))
    taps = np.sinc(place) * window
    return np.asarray(taps / taps.sum(axis=1, keepdims=True))


class TruePeaks:
    """The true peaks of one stream, one number for every 100 ms, the last may be shorter.

    A sample counts in its step, what lies between samples where it is known: at most 1 ms later.
    """

    def __init__(self, sample_rate_hz: int, *, channels: int, batch: int) -> None:
        """`batch` is the number of samples in every batch, a multiple of `BLOCK`."""
        self.steps = array("d")  # linear, six significant digits
        self._rate = sample_rate_hz
        self._samples = 0
        self._largest = 0.0  # of the step that is not complete
        self._silence = np.zeros((channels, batch), np.float32)
        self._between = Between(sample_rate_hz, channels=channels, batch=batch)

    def take(self, samples: Samples, count: int) -> None:
        """A batch (channels, samples). Of the last one only `count` belong to the stream; zeros follow."""
        points = self._between.take(samples)
        start = 0
        while start < count:
            end = min(start + self._step_end() - self._samples, count)
            self._hear(samples[:, start:end])
            self._hear(points[:, start // BLOCK : end // BLOCK])
            self._samples += end - start
            if self._samples == self._step_end():
                self._end_step()
            start = end
        if count < samples.shape[1]:
            self._hear(points[:, count // BLOCK :])
            self._hear(self._between.take(self._silence))
            self._end()

    def _hear(self, samples: Samples) -> None:
        self._largest = max(self._largest, peak(samples))

    def _step_end(self) -> int:
        return step_start(len(self.steps) + 1, self._rate)

    def _end_step(self) -> None:
        self.steps.append(rounded(self._largest))
        self._largest = 0.0

    def _end(self) -> None:
        """What rings on after the last sample belongs to the last step."""
        if self._samples > step_start(len(self.steps), self._rate):
            self._end_step()
        elif self.steps:
            self.steps[-1] = max(self.steps[-1], rounded(self._largest))


class LargestTruePeak:
    """The largest true peak of one stream, and where it passes a limit.

    No point between samples is larger than the largest sample that it is made from, times the sum of its filter's
    magnitudes. So only what lies between samples that come so near to the largest so far, or the limit, is looked at.
    """

    def __init__(self, sample_rate_hz: int, *, channels: int, batch: int, above: float = math.inf) -> None:
        """`batch` is the number of samples in every batch, a multiple of `BLOCK`; `above` the limit, linear."""
        self.places: dict[int, float] = {}  # the largest peak above the limit, by number of `PLACE_SAMPLES`
        self._above = above
        self._first_block = 0  # of the batch
        filters = phases(oversampling(sample_rate_hz))
        self._product = np.pad(_product(filters), ((BLOCK - TAPS + 1, 0), (0, 0)))
        self._gain_max = float(np.abs(filters).sum(axis=1).max(initial=0))
        self._blocks = np.zeros((channels, 1 + batch // BLOCK, BLOCK), np.float32)  # the first is of the batch before
        self._magnitudes = np.empty_like(self._blocks)
        self._starts = np.arange(0, self._magnitudes.size, BLOCK)  # of the blocks, one after the other
        self._before = 0.0  # the largest magnitude of the batch before
        self._largest = 0.0

    def take(self, samples: Samples, largest: float) -> None:
        """A batch (channels, samples) and its largest magnitude."""
        blocks = self._blocks
        blocks[:, 0] = blocks[:, -1]
        blocks[:, 1:] = samples.reshape(len(blocks), -1, BLOCK)
        self._largest = max(self._largest, largest)
        if self._gain_max * max(largest, self._before) > min(self._largest, self._above):
            self._look_between()
        self._before = largest
        self._first_block += blocks.shape[1] - 1

    def end(self) -> float:
        """The peak, linear, six significant digits; what rings on after the last sample is heard too."""
        self.take(np.zeros_like(self._blocks[:, 1:]), 0.0)
        return rounded(self._largest)

    def _look_between(self) -> None:
        blocks = self._blocks
        magnitudes = np.abs(blocks, out=self._magnitudes).reshape(-1)
        largest = np.maximum.reduceat(magnitudes, self._starts).reshape(len(blocks), -1)  # half the time of max(axis=2)
        least = min(self._largest, self._above)
        near = self._gain_max * np.maximum(largest[:, 1:], largest[:, :-1]) > least
        channel, at = np.nonzero(near)
        for start in range(0, len(at), _LOOKS):
            some = slice(start, start + _LOOKS)
            rows = np.hstack([blocks[channel[some], at[some]], blocks[channel[some], at[some] + 1]])
            points = rows @ self._product
            self._largest = max(self._largest, peak(points))
            if self._largest > self._above:
                highest = np.abs(np.hstack([points, rows[:, BLOCK:]])).max(axis=1)
                self._note(at[some], highest)

    def _note(self, at: NDArray[np.int64], highest: Samples) -> None:
        for block, value in zip(at[highest > self._above], highest[highest > self._above], strict=True):
            place = (self._first_block + int(block)) * BLOCK // PLACE_SAMPLES
            self.places[place] = max(rounded(float(value)), self.places.get(place, 0.0))
        if len(self.places) > PLACES_MAX:
            by_peak = sorted(self.places.items(), key=lambda each: (-each[1], each[0]))
            self.places = dict(by_peak[: PLACES_MAX // 2])


class Between:
    """The points between the samples of one stream, batch by batch."""

    def __init__(self, sample_rate_hz: int, *, channels: int, batch: int) -> None:
        """`batch` is the number of samples in every batch, a multiple of `BLOCK`."""
        filters = phases(oversampling(sample_rate_hz))
        self._product = _product(filters)
        self._rows = np.zeros((channels, batch // BLOCK, BLOCK + TAPS - 1), np.float32)
        self._points = np.empty((channels, batch // BLOCK, self._product.shape[1]), np.float32)

    def take(self, samples: Samples) -> Samples:
        """Points (channels, blocks, points) that a batch (channels, samples) completes, TAPS / 2 samples behind it.

        They are valid until the next batch. Without oversampling there are none.
        """
        if not self._points.size:
            return self._points
        rows = self._rows
        rows[:, 0, : TAPS - 1] = rows[:, -1, BLOCK:]
        rows[:, :, TAPS - 1 :] = samples.reshape(len(rows), -1, BLOCK)
        rows[:, 1:, : TAPS - 1] = rows[:, :-1, BLOCK:]
        np.matmul(rows.reshape(-1, rows.shape[2]), self._product, out=self._points.reshape(-1, self._points.shape[2]))
        return self._points


def _product(filters: NDArray[np.float64]) -> Samples:
    """For a block: the samples that its points are made from, TAPS − 1 before it and its own, to all its points."""
    product = np.zeros((BLOCK + TAPS - 1, BLOCK, len(filters)), np.float32)
    for at in range(BLOCK):
        product[at : at + TAPS, at] = filters.T
    return product.reshape(BLOCK + TAPS - 1, -1)
