"""Where a stream's spectrum ends, and how: a lossy encoder, or a lower sample rate before, ends it with a wall."""

import numpy as np
from numpy.typing import NDArray

FRAME = 4_096
SPAN = 32_768
_BAND_HZ = 200.0  # what is narrower is averaged away
_NEAR_HZ, _FAR_HZ = 150.0, 750.0  # the level on either side of the end is that of this far from it
_ABOVE_FLOOR_DB = 10.0
_LOWEST_DB, _QUIET_DB = -150.0, -100.0  # of a bin: numbers below mean nothing; music is louder somewhere
_FLOOR_MAX_DB = -105.0  # of a bin: dithered 16 bit have -126, a quiet room -115; what is louder is music
_STEEPEST_FROM = 0.8  # of where the floor is reached: an encoder lets a little through, now and then, above its wall
_FLOOR_FROM = 0.25  # of half the sample rate: no noise floor is looked for below


class Spectrum:
    """The mean power spectrum of a stream, from one frame of each span, of one channel after the other."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._rate = sample_rate_hz
        window = np.hanning(FRAME)
        self._window = (window / window.sum() * 2).astype(np.float32)  # a sine at full scale has power 1 in its bin
        self._power = np.zeros(FRAME // 2 + 1)
        self._frames = 0

    def take(self, samples: NDArray[np.float32]) -> None:
        """Some spans (channels, samples); of the last, what is shorter than a frame tells nothing."""
        for start in range(0, samples.shape[1], SPAN):
            middle = start + (min(SPAN, samples.shape[1] - start) - FRAME) // 2
            if middle >= start:
                channel = samples[self._frames % len(samples)]
                spectrum = np.fft.rfft(channel[middle : middle + FRAME] * self._window)
                self._power += spectrum.real**2 + spectrum.imag**2
                self._frames += 1

    def end(self) -> tuple[float, float] | None:
        """The frequency where the spectrum falls to an even floor, in Hz, and how many dB it falls around it.

        It is half the sample rate, and 0 dB, where the spectrum does not end before. None if there was no sound.
        """
        if not self._frames:
            return None
        bins_per_hz = FRAME / self._rate
        levels = _smoothed_db(self._power / self._frames, max(1, round(_BAND_HZ * bins_per_hz)))
        if levels.max() < _QUIET_DB:
            return None
        floor = levels[int(_FLOOR_FROM * len(levels)) :].min()
        last = int(np.flatnonzero(levels >= floor + _ABOVE_FLOOR_DB).max(initial=0))
        near, far = (max(1, round(hertz * bins_per_hz)) for hertz in (_NEAR_HZ, _FAR_HZ))
        if floor > _FLOOR_MAX_DB or not far < last <= len(levels) - far:
            return self._rate / 2, 0.0
        falls = {at: _fall(levels, at, near, far) for at in range(max(far, int(_STEEPEST_FROM * last)), last + 1)}
        steepest = max(falls, key=falls.__getitem__)
        return round(steepest / bins_per_hz, 1), round(falls[steepest], 1)


def _fall(levels: NDArray[np.float64], at: int, near: int, far: int) -> float:
    """How much lower it is above a place than below it."""
    return float(levels[at - far : at - near].mean() - levels[at + near : at + far].mean())


def _smoothed_db(power: NDArray[np.float64], bins: int) -> NDArray[np.float64]:
    padded = np.pad(power, (bins // 2, bins - 1 - bins // 2), mode="edge")
    smoothed = np.lib.stride_tricks.sliding_window_view(padded, bins).mean(axis=1)
    return np.asarray(10 * np.log10(np.maximum(smoothed, 10 ** (_LOWEST_DB / 10))))
