"""What lies between samples (ITU-R BS.1770-4 annex 2): a polyphase filter as a product of matrices, where it matters.

Two limits hold for every point, and tell of nearly all that they are not the largest, for less than a product costs.
No point is larger than the largest sample that it is made from, times the sum of its filter's magnitudes, 2.36; and
none is larger than its larger neighbour plus 0.44 of the sharpest bend (the largest second difference) of the
samples that it is made from: a filter without the straight line between the neighbours is a sum of bends.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from meter.batches import BLOCK, Batch, Samples

TAPS = 24  # samples that one point between samples is made from
_BEFORE = TAPS // 2 - 1  # the place, in a filter, of the sample before the point
_SHARPNESS = 5.0  # Kaiser's beta: the points are within 0.02 dB up to 18 kHz at 44.1 kHz, 20 kHz at 48 kHz
_LOOKS = 1_024  # blocks looked at together
_ROUNDED = 1 + 1e-5  # how much limits and products may be off


def oversampling(sample_rate_hz: int) -> int:
    """How many points a sample becomes: together at least 176.4 kHz, as annex 2 asks."""
    if sample_rate_hz < 80_000:
        return 4
    return 2 if sample_rate_hz < 160_000 else 1


def phases(factor: int) -> NDArray[np.float64]:
    """The filters (factor − 1, TAPS) for the points between two samples: sinc in a Kaiser window, gain 1 at 0 Hz."""
    away = np.arange(TAPS) - _BEFORE
    offsets = np.arange(1, factor)[:, np.newaxis] / factor
    place = offsets - away
    window = np.i0(_SHARPNESS * np.sqrt(np.clip(1 - (2 * place / TAPS) ** 2, 0, 1)))
    taps = np.sinc(place) * window
    return np.asarray(taps / taps.sum(axis=1, keepdims=True))


class Between:
    """The points between the samples of one stream, batch by batch."""

    def __init__(self, sample_rate_hz: int, *, channels: int) -> None:
        filters = phases(oversampling(sample_rate_hz))
        self._product = _product(filters)
        self._gain = float(np.abs(filters).sum(axis=1).max(initial=0)) * _ROUNDED
        self._bend = _bend(filters) * _ROUNDED
        self._before = np.zeros((BLOCK, channels), np.float32)  # the last block of the batch before
        self._peaks_before = np.zeros(channels, np.float32)

    def near(
        self, batch: Batch, least: NDArray[np.float32] | float
    ) -> Iterator[tuple[NDArray[np.int64], Samples, Samples]]:
        """All blocks of the next batch with points that are larger than is asked for each of them, or all, and some
        others.

        They come as the numbers of several blocks, and in columns their samples and the points that these complete,
        TAPS / 2 samples behind them. Without oversampling there are none.
        """
        channels, before = len(batch.peaks[0]), self._before
        peaks = batch.peaks.reshape(-1)
        largest = np.maximum(peaks, np.concatenate([self._peaks_before, peaks[:-channels]]))
        self._before, self._peaks_before = batch.columns[:, -1].copy(), batch.peaks[-1].copy()
        each = np.repeat(least, channels) if isinstance(least, np.ndarray) else None
        near = np.flatnonzero(self._gain * largest > (least if each is None else each))
        for start in range(0, len(near), _LOOKS):
            at = near[start : start + _LOOKS]
            rows = np.empty((2 * BLOCK, len(at)), np.float32)
            batch.rows[:BLOCK].take(at - channels, axis=1, out=rows[:BLOCK], mode="clip")
            batch.rows[:BLOCK].take(at, axis=1, out=rows[BLOCK:], mode="clip")
            first = np.searchsorted(at, channels)  # they are in order
            rows[:BLOCK, :first] = before[:, at[:first]]
            nearer = _ROUNDED * largest[at] + self._bend * _sharpest(rows) > (least if each is None else each[at])
            if nearer.any():
                rows = rows[:, nearer]
                yield at[nearer] // channels, rows[BLOCK:], self._product @ rows


def _sharpest(rows: Samples) -> Samples:
    """The sharpest bend in each column of two blocks, from the first sample on that a point of the later is made of."""
    slopes = rows[BLOCK - TAPS + 2 :] - rows[BLOCK - TAPS + 1 : -1]
    bends = slopes[1:] - slopes[:-1]
    return np.asarray(np.abs(bends, out=bends).max(axis=0))


def _product(filters: NDArray[np.float64]) -> Samples:
    """For a column of two blocks: all points of the later one, from its samples and the TAPS − 1 before it."""
    product = np.zeros((2 * BLOCK, BLOCK, len(filters)), np.float32)
    for at in range(BLOCK):
        first = BLOCK + at - TAPS + 1
        product[first : first + TAPS, at] = filters.T
    return np.ascontiguousarray(product.reshape(2 * BLOCK, -1).T)


def _bend(filters: NDArray[np.float64]) -> float:
    """How much of the sharpest bend a point may be off the line between its neighbours."""
    bent = filters.copy()
    along = filters @ (np.arange(TAPS) - _BEFORE)  # the place on the line
    bent[:, _BEFORE] -= 1 - along
    bent[:, _BEFORE + 1] -= along
    return float(np.abs(bent.cumsum(axis=1).cumsum(axis=1)).sum(axis=1).max(initial=0))
