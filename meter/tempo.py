"""How fast a stream beats: what begins in it, compared with itself some time later."""

import math

import numpy as np
from numpy.typing import NDArray

from meter.timbre import HOPS_PER_SECOND

SLOWEST_BPM, FASTEST_BPM = 40.0, 250.0
_WINDOW = 800  # 16 s
_LAGS = 400  # 8 s
_SHORTEST = 4 * HOPS_PER_SECOND  # less is no beat
_AROUND = HOPS_PER_SECOND // 2  # a rise counts by what it is above the mean of half a second before and after
_SMOOTH = (0.25, 0.5, 0.25)  # so that a beat between two frames is one, too
_TRANSFORM = 2_048  # no shorter than window and lags together
_USUAL_BPM, _USUAL_OCTAVES = 120.0, 0.8
_STEPS_PER_OCTAVE = 240
_BEATS = 4
_EVEN = 0.88, 0.98  # as much, or more, like the beat's is what begins at a half or a third of it: that is the beat
_UNEVEN = 0.5
_FINE = np.linspace(-0.03, 0.03, 121)  # octaves, about 2 %
_STEADY_MIN = 0.06  # noise has less
_RELATED = (-1.0, 1.0, math.log2(1.5), -math.log2(1.5), math.log2(3), -math.log2(3))  # octaves
_NEAR = 6  # steps

Array = NDArray[np.float64]


class Beats:
    """What begins in a stream, every 20 ms. Holds some windows of it, whatever its length."""

    def __init__(self) -> None:
        self._rest: Array = np.zeros(0)
        self._likeness: Array = np.zeros(_LAGS + 1)
        self._strength = 0.0
        self._taken = 0
        self._windows = 0

    def take(self, rises: Array) -> None:
        """The next rises."""
        self._taken += len(rises)
        self._rest = np.concatenate([self._rest, rises])
        while len(self._rest) >= _WINDOW:
            self._look(self._rest[:_WINDOW])
            self._rest = self._rest[_WINDOW // 2 :]

    def end(self) -> tuple[float | None, float, float]:
        """Beats a minute, None if nothing beats; how sure that is, from 0 to 1; how much begins, in dB."""
        if len(self._rest) > (_WINDOW // 2 if self._windows else 0):
            self._look(self._rest)
        strength = self._strength / self._windows if self._windows else 0.0
        if self._taken < _SHORTEST or not self._likeness[0] > 0:
            return None, 0.0, strength
        return (*_tempo(self._likeness / self._likeness[0]), strength)

    def _look(self, rises: Array) -> None:
        above = np.maximum(rises - _around(rises) / _around(np.ones(len(rises))), 0)
        above = np.convolve(above, _SMOOTH, "same")
        self._strength += float(above.mean())
        self._windows += 1
        even = above - above.mean()
        spectrum = np.fft.rfft(even, _TRANSFORM)
        lags = np.arange(min(_LAGS + 1, len(rises)))
        likeness = np.fft.irfft(spectrum.real**2 + spectrum.imag**2)[lags] * (len(rises) / (len(rises) - lags))
        self._likeness[lags] += likeness


def _tempo(likeness: Array) -> tuple[float | None, float]:
    """The tempo whose beats are most like each other, and how sure it is. `likeness` is 1 at no lag."""
    octaves = (
        np.arange(
            math.floor(_STEPS_PER_OCTAVE * math.log2(SLOWEST_BPM / _USUAL_BPM)),
            math.ceil(_STEPS_PER_OCTAVE * math.log2(FASTEST_BPM / _USUAL_BPM)) + 1,
        )
        / _STEPS_PER_OCTAVE
    )
    beats = np.array([_at(likeness, beat * _lag(octaves)) for beat in range(1, _BEATS + 1)])
    steady = (beats.mean(axis=0) + beats.min(axis=0)) / 2  # at twice the tempo every other beat is unlike
    first = np.maximum(beats[0], 1e-9)
    between = np.maximum(_at(likeness, _lag(octaves) / 2), _at(likeness, _lag(octaves) / 3)) / first
    even = np.clip((between - _EVEN[0]) / (_EVEN[1] - _EVEN[0]), 0, 1)
    usual = np.exp(-0.5 * (octaves / _USUAL_OCTAVES) ** 2)
    scores = usual * np.maximum(steady, 0) * (1 - _UNEVEN * even)
    best = int(scores.argmax())
    if not steady[best] > _STEADY_MIN:
        return None, 0.0
    fine = octaves[best] + _FINE
    octave = float(fine[_at_all_beats(likeness, fine).argmax()])
    others = [scores[_near(best, related, len(scores))].max(initial=0) for related in _RELATED]
    sure = min(1.0, float(steady[best])) * (1 - 0.5 * max(others) / float(scores[best]))
    return _USUAL_BPM * 2**octave, min(1.0, max(0.0, sure))


def _around(rises: Array) -> Array:
    return np.convolve(rises, np.ones(2 * _AROUND + 1))[_AROUND:-_AROUND]


def _near(best: int, octaves: float, count: int) -> slice:
    middle = best + round(octaves * _STEPS_PER_OCTAVE)
    return slice(max(0, middle - _NEAR), max(0, min(count, middle + _NEAR + 1)))


def _lag(octaves: Array) -> Array:
    return np.asarray(60 * HOPS_PER_SECOND / (_USUAL_BPM * 2**octaves))


def _at_all_beats(likeness: Array, octaves: Array) -> Array:
    """The mean likeness over all beats that are known: the further, the finer."""
    lags = _lag(octaves)
    count = int((_LAGS - 1) / lags.max())
    return np.asarray(np.mean([_at(likeness, beat * lags) for beat in range(1, count + 1)], axis=0))


def _at(likeness: Array, lags: Array) -> Array:
    return np.interp(lags, np.arange(len(likeness)), likeness)
