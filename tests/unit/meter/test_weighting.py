"""K-weighting is what BS.1770-4 prints, at any rate and whatever the samples are cut into."""

import numpy as np
import pytest
from numpy.typing import NDArray

from meter.batches import Batch
from meter.weighting import BATCH_UNIT, Biquad, Weighting, high_pass, shelf

BATCH = 2 * BATCH_UNIT


def _recursive(biquad: Biquad, samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """The filter as its definition says, sample by sample."""
    x = np.concatenate([[0.0, 0.0], samples])
    y = np.zeros_like(x)
    for n in range(2, x.size):
        y[n] = (
            biquad.b0 * x[n] + biquad.b1 * x[n - 1] + biquad.b2 * x[n - 2] - biquad.a1 * y[n - 1] - biquad.a2 * y[n - 2]
        )
    return y[2:]


def _weighted(weighting: Weighting, samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """A batch (channels, samples), as the same."""
    batch = Batch(len(samples), BATCH)
    batch.fill(np.ascontiguousarray(samples.T), BATCH)
    return weighting.take(batch).swapaxes(0, 1).reshape(-1, len(samples)).T.astype(np.float64)


def _gain_db(sample_rate_hz: int, hertz: float) -> float:
    """The gain at a frequency, from the coefficients."""
    total = 1.0
    for biquad in (shelf(sample_rate_hz), high_pass(sample_rate_hz)):
        z = np.exp(-2j * np.pi * hertz / sample_rate_hz)
        total *= abs((biquad.b0 + biquad.b1 * z + biquad.b2 * z**2) / (1 + biquad.a1 * z + biquad.a2 * z**2))
    return float(20 * np.log10(total))


def test_the_coefficients_are_those_of_the_recommendation() -> None:
    """Tables 1 and 2 of BS.1770-4, at 48 kHz."""
    first = (1.53512485958697, -2.69169618940638, 1.19839281085285, -1.69065929318241, 0.73248077421585)
    second = (1.0, -2.0, 1.0, -1.99004745483398, 0.99007225036621)
    for biquad, printed in ((shelf(48_000), first), (high_pass(48_000), second)):
        found = (biquad.b0, biquad.b1, biquad.b2, biquad.a1, biquad.a2)
        assert found == pytest.approx(printed, abs=1e-9)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 96_000, 192_000])
def test_other_rates_weigh_alike(rate: int) -> None:
    """The same gain at the same frequency as at 48 kHz, within 0.1 dB; 0.3 dB where 1.7 kHz is near the end."""
    for hertz in (20.0, 38.0, 100.0, 500.0, 997.0, 1_680.0):
        assert _gain_db(rate, hertz) == pytest.approx(_gain_db(48_000, hertz), abs=0.3 if rate < 16_000 else 0.1), hertz


@pytest.mark.parametrize("rate", [1_000, 2_000, 3_363, 3_364])
def test_a_rate_that_ends_below_the_shelf_is_weighted_too(rate: int) -> None:
    """The shelf lies above all that it has: what is left is the high-pass, within 0.2 dB of 48 kHz."""
    assert _gain_db(rate, 300.0) == pytest.approx(_gain_db(48_000, 300.0), abs=0.2)
    assert _gain_db(rate, 38.0) == pytest.approx(_gain_db(48_000, 38.0), abs=0.2)


@pytest.mark.parametrize("rate", [1_000, 3_363, 8_000, 44_100, 48_000, 192_000])
def test_products_are_the_recursive_filter(rate: int) -> None:
    """Over several batches, two channels at once: the memory goes on from batch to batch."""
    samples = np.random.default_rng(rate).uniform(-1, 1, (2, 2 * BATCH)).astype(np.float32)
    weighting = Weighting(rate, channels=2, batch=BATCH)
    found = np.hstack([_weighted(weighting, samples[:, :BATCH]), _weighted(weighting, samples[:, BATCH:])])
    for channel in range(2):
        expected = _recursive(high_pass(rate), _recursive(shelf(rate), samples[channel].astype(np.float64)))
        assert found[channel] == pytest.approx(expected, abs=1e-8)


def test_silence_becomes_exactly_silent() -> None:
    """What is left of a sound ends at 0, not in numbers too small for fast arithmetic."""
    weighting = Weighting(48_000, channels=1, batch=BATCH)
    _weighted(weighting, np.ones((1, BATCH), np.float32))
    silence = np.zeros((1, BATCH), np.float32)
    after = [float(np.abs(_weighted(weighting, silence)).max()) for _ in range(12)]
    assert after[0] > 0
    assert after[-1] == 0
