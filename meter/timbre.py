"""How a stream is coloured, and where something begins in it, from its spectrum every 20 ms.

All is made so that a gain changes nothing: floors are relative to what was heard, means are weighted by powers of it.
"""

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from model.features import CONTRASTS, MFCCS

BIN_HZ = 25.0  # frames of 40 ms
HOPS_PER_SECOND = 50
_HOPS_PER_FRAME = 2
_BANDS = 40
_LOWEST_HZ, _HIGHEST_HZ = 50.0, 10_000.0
_MEL_BREAK_HZ = 700.0
_BAND_FLOOR = 1e-6  # of the loudest band of the frame: -60 dB
_BIN_FLOOR = 1e-8  # of the loudest bin
_ONSET_FLOORS = 5e-2, 1e-6  # of the power of late of the band, -13 dB, and of all bands
_FORGETS_S = 10.0  # in this time the power of late falls to a half
_CONTRAST_HZ = (0, 200, 400, 800, 1600, 3200, 6400, 10_000)
_EXTREME_PART = 8  # peaks and valleys are the means of an eighth of the bins
_CONTRAST_EVERY = 8  # frames
_WEIGHT_POWER = 0.25  # a frame counts by the root of its amplitude
_OCTAVE_FROM_HZ = 1_000.0

Array = NDArray[np.float64]
Spectra = NDArray[np.float32]


def frame_and_hop(sample_rate_hz: int) -> tuple[int, int]:
    """In samples. The bins are the same at every rate, so the numbers are, too."""
    hop = max(1, round(sample_rate_hz / HOPS_PER_SECOND))
    return _HOPS_PER_FRAME * hop, hop


class Timbre:
    """Means and deviations over all frames of a stream."""

    def __init__(self, sample_rate_hz: int) -> None:
        frame, _ = frame_and_hop(sample_rate_hz)
        window = np.hanning(frame + 1)[:-1]
        self._window = window / window.sum() * 2
        self._bins = min(frame // 2 + 1, round(_HIGHEST_HZ / BIN_HZ) + 1)
        self._mel = _triangles(self._bins)
        self._octaves = np.array([_octave(bin_) for bin_ in range(self._bins)], np.float32)
        self._cosines = _cosines()
        self._weight = 0.0
        self._sum = np.zeros(MFCCS + 2)
        self._squares = np.zeros(MFCCS + 2)
        self._contrast_weight = 0.0
        self._contrast = np.zeros(CONTRASTS)
        self._frames = 0
        self._bands: Array = np.zeros((1, _BANDS))  # of the last frame
        self._late: Array = np.zeros(_BANDS)  # the power of late

    def take(self, frames: Spectra) -> Array:
        """Frames (n, frame). How much begins in each: the mean rise of its bands, in dB."""
        if not len(frames):
            return np.zeros(0)
        spectra = np.fft.rfft(frames * self._window)[:, : self._bins]
        power = (spectra.real**2 + spectra.imag**2).astype(np.float32)
        bands = (power @ self._mel).astype(np.float64)
        heard = bands.max(axis=1) > 0
        if heard.any():
            self._describe(power[heard], bands[heard])
            self._describe_contrast(power[-self._frames % _CONTRAST_EVERY :: _CONTRAST_EVERY])
        self._frames += len(frames)
        return self._rises(bands)

    def _describe(self, power: Spectra, bands: Array) -> None:
        levels = 10 * np.log10(bands + _BAND_FLOOR * bands.max(axis=1, keepdims=True))
        cepstra = levels @ self._cosines
        magnitudes = np.sqrt(power)
        centroid = (magnitudes @ self._octaves) / magnitudes.sum(axis=1)
        flatness = levels.mean(axis=1) / 10 - np.log10(bands.mean(axis=1))
        values = np.column_stack([cepstra, centroid, flatness])
        weights = bands.sum(axis=1) ** _WEIGHT_POWER
        self._weight += float(weights.sum())
        self._sum += weights @ values
        self._squares += weights @ values**2

    def _describe_contrast(self, power: Spectra) -> None:
        largest = power.max(axis=1, initial=0)
        power, largest = power[largest > 0], largest[largest > 0]
        if not len(power):
            return
        weights = power.sum(axis=1, dtype=np.float64) ** _WEIGHT_POWER
        self._contrast_weight += float(weights.sum())
        for number, (low_hz, high_hz) in enumerate(pairwise(_CONTRAST_HZ)):
            band = np.sort(power[:, round(low_hz / BIN_HZ) : round(high_hz / BIN_HZ)], axis=1)
            some = band.shape[1] // _EXTREME_PART
            if some:
                floor = _BIN_FLOOR * largest.astype(np.float64)
                high, low = band[:, -some:].sum(axis=1) + floor, band[:, :some].sum(axis=1) + floor
                self._contrast[number] += float(weights @ (10 * np.log10(high / low)))

    def _rises(self, bands: Array) -> Array:
        before = np.vstack([self._bands, bands[:-1]])
        self._bands = bands[-1:]
        fades = 0.5 ** (np.arange(1, len(bands) + 1) / (_FORGETS_S * HOPS_PER_SECOND))[:, np.newaxis]
        late = fades * np.maximum(np.maximum.accumulate(bands / fades), self._late)
        self._late = late[-1]
        of_band, of_all = _ONSET_FLOORS
        floor = of_band * late + of_all * late.sum(axis=1, keepdims=True)
        heard = floor[:, 0] > 0
        rises = np.zeros(len(bands))
        ratios = (bands[heard] + floor[heard]) / (before[heard] + floor[heard])
        rises[heard] = 10 * np.log10(np.maximum(ratios, 1)).mean(axis=1)
        return rises

    def end(self) -> Array:
        """MFCC means and deviations, contrasts, centroid and its deviation, flatness; zeros of silence."""
        mean = self._sum / self._weight if self._weight else self._sum
        square = self._squares / self._weight if self._weight else self._squares
        deviation = np.sqrt(np.maximum(square - mean**2, 0))
        contrast = self._contrast / self._contrast_weight if self._contrast_weight else self._contrast
        colours = [mean[MFCCS], deviation[MFCCS], mean[MFCCS + 1]]
        return np.concatenate([mean[:MFCCS], deviation[:MFCCS], contrast, colours])


def _octave(bin_: int) -> float:
    return math.log2(max(bin_, 1) * BIN_HZ / _OCTAVE_FROM_HZ)


def _mel(hertz: float) -> float:
    return math.log1p(hertz / _MEL_BREAK_HZ)


def _triangles(bins: int) -> Spectra:
    """Power in bins to power in bands, evenly spaced as the ear hears pitch."""
    edges = _MEL_BREAK_HZ * np.expm1(np.linspace(_mel(_LOWEST_HZ), _mel(_HIGHEST_HZ), _BANDS + 2))
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    hertz = BIN_HZ * np.arange(bins)[:, np.newaxis]
    shares = np.minimum((hertz - low) / (middle - low), (high - hertz) / (high - middle))
    return np.asarray(np.clip(shares, 0, None), np.float32)


def _cosines() -> Array:
    """Levels in bands to the cepstrum from 1 to MFCCS, orthonormal."""
    places = (np.arange(_BANDS)[:, np.newaxis] + 0.5) * np.arange(1, MFCCS + 1)
    return np.asarray(np.cos(np.pi / _BANDS * places) * math.sqrt(2 / _BANDS))
