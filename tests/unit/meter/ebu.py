"""The test signals of EBU Tech 3341 and 3342, and what a meter must say of them. But for case 6, all are stereo."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from meter.meter import Meter, Metering
from model.loudness import LoudnessReport

RATE = 48_000
Samples = NDArray[np.float32]
Tones = list[tuple[float, float]]

# Tech 3341 cases 1 to 5: integrated loudness -23.0 but for case 2, which is -33.0.
INTEGRATED: dict[str, Tones] = {
    "3341-1": [(-23, 20)],
    "3341-2": [(-33, 20)],
    "3341-3": [(-36, 10), (-23, 60), (-36, 10)],
    "3341-4": [(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)],
    "3341-5": [(-26, 20), (-20, 20.1), (-26, 20)],
}
# Tech 3342 cases 1 to 4: the loudness range in LU.
RANGES: dict[str, tuple[Tones, float]] = {
    "3342-1": ([(-20, 20), (-30, 20)], 10),
    "3342-2": ([(-20, 20), (-15, 20)], 5),
    "3342-3": ([(-40, 20), (-20, 20)], 20),
    "3342-4": ([(-50, 20), (-35, 20), (-20, 20), (-35, 20), (-50, 20)], 15),
}
# Tech 3341 cases 15 to 23: the true peak in dBTP.
_SINES = {
    "3341-15": (4, 0.0, -6.0),
    "3341-16": (4, 45.0, -6.0),
    "3341-17": (6, 60.0, -6.0),
    "3341-18": (8, 67.5, -6.0),
    "3341-19": (4, 45.0, 3.0),
}
_BURSTS = {f"3341-{20 + offset}": offset for offset in range(4)}
PEAKS: dict[str, float] = {name: level for name, (_, _, level) in _SINES.items()} | dict.fromkeys(_BURSTS, 0.0)


def measured(samples: Samples, *, rate: int = RATE, signs: bool = False) -> Metering:
    """What the meter says of samples (n, channels)."""
    meter = Meter(sample_rate_hz=rate, channels=samples.shape[1], signs=signs)
    meter.take(samples)
    return meter.result()


def report(samples: Samples, *, rate: int = RATE) -> LoudnessReport:
    """How loud the meter finds samples (n, channels)."""
    return measured(samples, rate=rate).loudness


def tones(
    *levels_and_seconds: tuple[float, float], hertz: float = 1000, rate: int = RATE, channels: int = 2
) -> Samples:
    """One sine whose peak level (dBFS) changes: (level, seconds) after each other, -inf for silence."""
    parts = [np.full(round(rate * seconds), 10 ** (level / 20)) for level, seconds in levels_and_seconds]
    gains = np.concatenate(parts)
    wave = np.sin(2 * np.pi * hertz / rate * np.arange(gains.size)) * gains
    return np.repeat(wave[:, np.newaxis], channels, axis=1).astype(np.float32)


def surround() -> Samples:
    """Tech 3341 case 6, L R C Ls Rs: -23.0 LUFS."""
    levels = (-28, -28, -24, -30, -30)
    return np.hstack([tones((level, 20), channels=1) for level in levels])


def short_term() -> Iterator[Samples]:
    """Tech 3341 case 9, then the twenty of case 10: the largest short-term loudness is -23.0."""
    yield tones(*[(-20, 1.34), (-30, 1.66)] * 5)
    for number in range(20):
        yield tones((-np.inf, number * 0.15), (-23, 3), (-np.inf, 1))


def momentary() -> Iterator[Samples]:
    """Tech 3341 case 12, then the twenty of case 13: the largest momentary loudness is -23.0."""
    yield tones(*[(-20, 0.18), (-30, 0.22)] * 25)
    for number in range(20):
        yield tones((-np.inf, number * 0.02), (-23, 0.4), (-np.inf, 1))


def signal(name: str) -> Samples:
    """A signal of INTEGRATED, PEAKS or RANGES. Made when asked for: that takes a second."""
    if name in _SINES:
        return _sine(*_SINES[name])
    if name in _BURSTS:
        return _burst(_BURSTS[name])
    return tones(*(INTEGRATED.get(name) or RANGES[name][0]))


def _stereo(wave: NDArray[np.float64]) -> Samples:
    return np.column_stack([wave, wave]).astype(np.float32)


def _sine(period: int, degrees: float, level: float) -> Samples:
    """A sine of the rate / `period` whose samples miss its crest; faded in, as a hard start has a peak of its own."""
    at = np.arange(RATE)
    fade = np.clip(np.minimum(at, RATE - 1 - at) / (RATE / 20), 0, 1)
    return _stereo(10 ** (level / 20) * fade * np.sin(2 * np.pi * at / period + np.deg2rad(degrees)))


def _burst(offset: int) -> Samples:
    """A sixth of the rate at half scale, and in it one period of a quarter of the rate at full scale.

    It is made at four times the rate, and of the fine samples every fourth is kept, from `offset` on: the crest falls
    between samples in another place.
    """
    half = 2 * RATE
    base = 0.5 * np.sin(2 * np.pi * np.arange(half) / 24)
    wave = np.concatenate([base, np.sin(2 * np.pi * np.arange(16) / 16), base])
    at = np.arange(wave.size)
    spectrum = np.fft.rfft(wave * np.clip(np.minimum(at, wave.size - 1 - at) / (RATE / 5), 0, 1))
    spectrum[np.fft.rfftfreq(wave.size) > 1 / 8] = 0
    return _stereo(np.fft.irfft(spectrum, wave.size)[offset::4])


def growing() -> Iterator[Samples]:
    """Tech 3341 case 11, its twenty parts: each has a burst of 3 s, later in the part and 1 dB louder than the last."""
    for number in range(20):
        yield tones((-np.inf, number * 0.15), (-38 + number, 3), (-np.inf, 3 - number * 0.15))
