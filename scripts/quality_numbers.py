"""The arithmetic of the quality study: how two signals lie on each other, and what a set of differences says. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

LAG_MAX = 4_096  # samples; four AAC frames, more than any priming
DRAWS = 10_000
_CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean with the ends of its 95 % confidence interval, and how many independent values it is of."""

    mean: float
    low: float
    high: float
    count: int

    @property
    def differs_from_zero(self) -> bool:
        """Whether zero lies outside the interval."""
        return not self.low <= 0.0 <= self.high


def lag_samples(reference: Samples, decoded: Samples) -> int:
    """By how many samples `decoded` is late, within ±LAG_MAX, from the cross-correlation of the channels' sums.

    Raises ValueError for silence, where no lag can be told.
    """
    first, second = _mono(reference), _mono(decoded)
    size = 1 << (len(first) + len(second)).bit_length()
    products = np.fft.irfft(np.fft.rfft(second, size) * np.conj(np.fft.rfft(first, size)), size)
    near = np.concatenate([products[-LAG_MAX:], products[: LAG_MAX + 1]])
    if not np.any(near):
        raise ValueError("silence has no lag")
    return int(np.argmax(near)) - LAG_MAX


def gain_to_match_db(reference: Samples, decoded: Samples) -> float:
    """The gain that gives `decoded` the energy of `reference`, in dB. Raises ValueError if either is silent."""
    wanted, found = _energy(reference), _energy(decoded)
    if wanted <= 0.0 or found <= 0.0:
        raise ValueError("silence has no level")
    return float(10.0 * np.log10(wanted / found))


def scaled(samples: Samples, gain_db: float) -> Samples:
    """The samples with a linear gain."""
    return (samples * np.float32(10.0 ** (gain_db / 20.0))).astype(np.float32)


def matched_rate_bps(nominal_bps: int, wanted_kbps: float, found_kbps: float) -> int:
    """The bit rate to ask for so that an encoder that gave `found_kbps` gives `wanted_kbps`."""
    return round(nominal_bps * wanted_kbps / found_kbps)


def estimate(values: Sequence[float], *, seed: int = 0) -> Estimate:
    """The mean of independent values, with a percentile bootstrap interval; equal inputs give equal results."""
    if not values:
        raise ValueError("nothing to estimate from")
    sample = np.asarray(values, np.float64)
    picks = np.random.default_rng(seed).integers(0, len(sample), size=(DRAWS, len(sample)))
    tail = 50.0 * (1.0 - _CONFIDENCE)
    low, high = np.percentile(sample[picks].mean(axis=1), [tail, 100.0 - tail])
    return Estimate(mean=float(sample.mean()), low=float(low), high=float(high), count=len(sample))


def _mono(samples: Samples) -> NDArray[np.float64]:
    return np.asarray(samples.sum(axis=1, dtype=np.float64))


def _energy(samples: Samples) -> float:
    return float(np.mean(np.square(samples, dtype=np.float64)))
