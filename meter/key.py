"""Which key a stream is in: how often each pitch class sounds, against what is usual in each key."""

import numpy as np
from numpy.typing import NDArray

from meter.frames import Frames
from model.features import PITCH_CLASSES, KeyMode

BIN_HZ = 2.5  # frames of 400 ms
_LOWEST_HZ, _HIGHEST_HZ = 60.0, 2_000.0
_RATE_HZ = 6_000  # at least
_OUTPUTS = 8  # samples made by one row of the product
_TAPS_PER_SAMPLE = 10
_CUT_HZ = 2_600.0
_FINE = 10  # parts of a semitone
_REFERENCE_HZ = 440 * 2 ** (-9 / 12 - 4)  # C0
_QUIET = 1e-3  # of the largest peak of a frame: −60 dB
_AROUND = 12  # bins
_STANDS_OUT = 2.5  # times the mean around: few peaks of noise do
_TONAL_MIN = 0.01  # of all peaks, what stands out: 0.002 of white noise, 0.017 of the noisiest of 57 pieces of music
_CLEAR = 0.25  # a key that fits so much better than the next is sure
# Albrecht, Shanahan 2013: how often each pitch class is used in a key, from its tonic on
_MAJOR = (0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081)
_MINOR = (0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052)

Array = NDArray[np.float64]
Samples = NDArray[np.float32]


class Pitches:
    """How often each pitch sounds in a stream."""

    def __init__(self, sample_rate_hz: int) -> None:
        factor = max(1, sample_rate_hz // _RATE_HZ)
        rate_hz = sample_rate_hz / factor
        taps = _TAPS_PER_SAMPLE * factor + 1
        self._lower = _low_pass(sample_rate_hz, factor, taps) if factor > 1 else None
        self._rows = Frames((_OUTPUTS - 1) * factor + taps, _OUTPUTS * factor)
        frame = 2 * round(rate_hz / BIN_HZ / 2)
        self._frames = Frames(frame, frame // 2)
        self._window = np.hanning(frame + 1)[:-1]
        self._bin_hz = rate_hz / frame
        self._bins = slice(int(_LOWEST_HZ / self._bin_hz), int(min(_HIGHEST_HZ, rate_hz / 2.1) / self._bin_hz))
        self._heard = np.zeros(PITCH_CLASSES * _FINE)
        self._all = 0.0

    def take(self, samples: Samples) -> None:
        """The next samples."""
        self._hear(self._frames.take(self._lowered(samples)))

    def end(self) -> tuple[int | None, KeyMode | None, float]:
        """The key, its mode, and how sure that is, from 0 to 1."""
        self._hear(self._frames.end())
        if not self._heard.sum() > _TONAL_MIN * self._all:
            return None, None, 0.0
        return key_of(pitch_classes(self._heard))

    def _lowered(self, samples: Samples) -> Samples:
        if self._lower is None:
            return samples
        return (np.ascontiguousarray(self._rows.take(samples)) @ self._lower).reshape(-1)

    def _hear(self, frames: Samples) -> None:
        if not len(frames):
            return
        magnitudes = np.abs(np.fft.rfft(frames * self._window))[:, : self._bins.stop + 1].astype(np.float64)
        middle = magnitudes[:, 1:-1]
        peaks = (middle > magnitudes[:, :-2]) & (middle >= magnitudes[:, 2:])
        peaks &= middle > _QUIET * magnitudes.max(axis=1, keepdims=True)
        peaks[:, : self._bins.start] = False
        row, at = np.nonzero(peaks)
        if not len(row):
            return
        around = _around(middle)
        above = np.maximum(middle - _STANDS_OUT * around, 0)[row, at]
        self._all += float(middle[row, at].sum())
        before, here, after = (np.log(np.maximum(magnitudes[row, at + off], 1e-30)) for off in range(3))
        bend = before - 2 * here + after
        aside = np.where(bend < 0, 0.5 * (before - after) / np.where(bend < 0, bend, -1), 0)
        octaves = np.log2((at + 1 + np.clip(aside, -0.5, 0.5)) * self._bin_hz / _REFERENCE_HZ)
        parts = np.floor(octaves * PITCH_CLASSES * _FINE + 0.5).astype(np.int64) % len(self._heard)
        self._heard += np.bincount(parts, weights=above, minlength=len(self._heard))


def _around(magnitudes: Array) -> Array:
    """The mean of the bins around each."""
    edge = np.pad(magnitudes, ((0, 0), (_AROUND + 1, _AROUND)), mode="edge").cumsum(axis=1)
    return np.asarray((edge[:, 2 * _AROUND + 1 :] - edge[:, : -2 * _AROUND - 1]) / (2 * _AROUND + 1))


def pitch_classes(heard: Array) -> Array:
    """Tenths of semitones to pitch classes, however the instruments are tuned."""
    turns = np.exp(2j * np.pi * np.arange(len(heard)) / _FINE)
    tuned = round(float(np.angle(heard @ turns)) / (2 * np.pi) * _FINE)
    near = np.roll(heard, _FINE // 2 - tuned).reshape(PITCH_CLASSES, _FINE)
    return np.asarray(near @ np.hanning(_FINE + 1)[:-1])


def key_of(classes: Array) -> tuple[int | None, KeyMode | None, float]:
    """The key whose usual pitch classes are most like these."""
    if not classes.std() > 0:
        return None, None, 0.0
    fits = np.array(
        [[_fit(np.roll(classes, -key), usual) for key in range(PITCH_CLASSES)] for usual in (_MAJOR, _MINOR)]
    )
    best, second = np.sort(fits, axis=None)[:-3:-1]
    minor, key = divmod(int(fits.argmax()), PITCH_CLASSES)
    sure = max(0.0, float(best)) * min(1.0, float(best - second) / _CLEAR)
    return key, KeyMode.MINOR if minor else KeyMode.MAJOR, sure


def _fit(classes: Array, usual: tuple[float, ...]) -> float:
    return float(np.corrcoef(classes, usual)[0, 1])


def _low_pass(sample_rate_hz: int, factor: int, taps: int) -> Samples:
    """For a row of samples: some of every `factor`-th, with nothing above what they can hold."""
    place = np.arange(taps) - (taps - 1) / 2
    filter_ = np.sinc(2 * _CUT_HZ / sample_rate_hz * place) * np.hamming(taps)
    filter_ /= filter_.sum()
    product = np.zeros(((_OUTPUTS - 1) * factor + taps, _OUTPUTS), np.float32)
    for output in range(_OUTPUTS):
        product[output * factor : output * factor + taps, output] = filter_
    return product
