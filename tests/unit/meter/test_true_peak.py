"""True peaks: what lies between samples is found within the limits of BS.1770-4 annex 2."""

from collections.abc import Iterator

import numpy as np
import pytest

from meter.batches import Batch
from meter.between import TAPS, oversampling, phases
from meter.true_peak import PLACE_SAMPLES, PLACES_MAX, LargestTruePeak, TruePeaks

BATCH = 1 << 12


def _batches(samples: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> Iterator[Batch]:
    """Of (channels, samples), the last one not full."""
    batch = Batch(len(samples), BATCH)
    for start in range(0, samples.shape[1] + 1, BATCH):
        some = samples[:, start : start + BATCH]
        batch.fill(np.pad(some, ((0, 0), (0, BATCH - some.shape[1]))).T.copy(), some.shape[1])
        yield batch


def _steps(samples: np.ndarray[tuple[int, int], np.dtype[np.float32]], rate: int) -> list[float]:
    """The peaks of every 100 ms of (channels, samples)."""
    peaks = TruePeaks(rate, channels=len(samples))
    for batch in _batches(samples):
        peaks.take(batch)
    return list(peaks.steps)


@pytest.mark.parametrize(
    ("rate", "factor"), [(8_000, 4), (48_000, 4), (64_000, 4), (88_200, 2), (96_000, 2), (176_400, 1), (192_000, 1)]
)
def test_it_looks_at_least_so_closely(rate: int, factor: int) -> None:
    """Four points to a sample below 96 kHz, two below 192 kHz (88.2 and 176.4 kHz count with them)."""
    assert oversampling(rate) == factor


def test_points_between_samples_are_those_of_the_sound() -> None:
    """The filters keep every frequency up to 20 kHz at 48 kHz within 0.05 dB, and delay it by what they should."""
    filters = phases(4)
    at = np.arange(filters.shape[1]) - filters.shape[1] / 2 + 1
    for hertz in (20.0, 1_000.0, 10_000.0, 18_000.0, 20_000.0):
        for number, taps in enumerate(filters):
            turn = 2j * np.pi * hertz / 48_000
            response = (taps * np.exp(turn * at)).sum() / np.exp(turn * (number + 1) / 4)
            assert abs(20 * np.log10(abs(response))) < 0.05
            assert abs(np.angle(response)) < 0.01


def test_a_sample_is_a_lower_bound() -> None:
    """A single sample at full scale is at least full scale."""
    one = np.zeros((1, 4_800), np.float32)
    one[0, 2_000] = -1.0
    assert _steps(one, 48_000) == [pytest.approx(1.0, abs=1e-6)]


def test_each_step_has_its_own_peak() -> None:
    """A sine that doubles every 100 ms, and a last step that is shorter."""
    gains = np.repeat([0.125, 0.25, 0.5, 1.0], 4_410)[:14_000]
    wave = gains * np.sin(2 * np.pi * 441 / 44_100 * np.arange(gains.size))
    found = _steps(np.stack([wave, -wave]).astype(np.float32), 44_100)
    assert found == pytest.approx([0.125, 0.25, 0.5, 1.0], rel=0.03)


def test_what_rings_on_after_the_end_is_heard() -> None:
    """A cut through a loud high tone, at a batch's end and elsewhere, has the same last step."""
    for count in (BATCH, BATCH - 1, BATCH - 13, BATCH + 1):
        wave = 0.5 * np.sin(2 * np.pi * 0.25 * np.arange(count) + np.pi / 4 + np.pi / 2 * (-count % 4))
        (found,) = _steps(wave[np.newaxis].astype(np.float32), 48_000 * 2 // 2)
        assert 0.5 <= found < 0.75


def test_fast_rates_need_no_points_between() -> None:
    """At 192 kHz the samples are close enough."""
    wave = np.sin(2 * np.pi * 997 / 192_000 * np.arange(19_200))[np.newaxis].astype(np.float32)
    assert _steps(wave, 192_000) == [pytest.approx(1.0, abs=1e-4)]


def test_nothing_has_no_peak() -> None:
    """No samples, no steps."""
    assert _steps(np.zeros((2, 0), np.float32), 48_000) == []


def _largest(samples: np.ndarray[tuple[int, int], np.dtype[np.float32]], rate: int) -> float:
    """The largest peak of (channels, samples)."""
    found = LargestTruePeak(rate, channels=len(samples))
    for batch in _batches(samples):
        found.take(batch)
    return found.end()


@pytest.mark.parametrize("rate", [8_000, 48_000, 96_000, 192_000])
@pytest.mark.parametrize("count", [1, 31, 33, BATCH - 13, BATCH, 3 * BATCH + 5])
def test_the_largest_is_that_of_all_steps(rate: int, count: int) -> None:
    """Few places are looked at, and none is missed: noise that fades in or out, a lone click, and a cut through it."""
    filters = phases(oversampling(rate))
    rng = np.random.default_rng(count)
    noise = rng.uniform(-1, 1, (2, count))
    signals = [noise * np.linspace(0, 1, count), noise * np.linspace(1, 0, count), noise * 0.01]
    signals[2][:, count // 2] += 0.9
    for signal in signals:
        samples = signal.astype(np.float32)
        points = [np.convolve(channel, taps[::-1]) for channel in samples.astype(np.float64) for taps in filters]
        expected = pytest.approx(max(float(np.abs(each).max()) for each in (samples, *points)), rel=6e-6)
        assert _largest(samples, rate) == expected
        assert max(_steps(samples, rate)) == expected


def test_a_crest_far_above_all_samples_is_met() -> None:
    """The worst that samples can do: as large as they get, and signed as the filter is, so that they all add up. The
    point is larger than any sample around and than the samples of equal size before it, which were looked at."""
    taps = phases(4)[1]
    wave = np.zeros((1, BATCH), np.float32)
    wave[0, 100:200] = 0.99
    wave[0, 2_000 : 2_000 + len(taps)] = 0.98 * np.sign(taps)
    assert _largest(wave, 48_000) == pytest.approx(0.98 * float(np.abs(taps).sum()), rel=1e-5)


def test_of_silence_there_is_no_peak() -> None:
    """0, and nothing was looked for."""
    assert _largest(np.zeros((2, BATCH), np.float32), 48_000) == 0.0


def _places(samples: np.ndarray[tuple[int, int], np.dtype[np.float32]], above: float) -> dict[int, float]:
    """Where (channels, samples) at 48 kHz are above a limit."""
    found = LargestTruePeak(48_000, channels=len(samples), above=above)
    for batch in _batches(samples):
        found.take(batch)
    found.end()
    return found.places


def test_places_above_a_limit_are_told_wherever_the_largest_is() -> None:
    """Those before and after the highest, in either channel, each with its own peak; none that is not above."""
    wave = np.zeros((2, 10 * BATCH), np.float32)
    for at, channel, value in ((700, 0, 0.6), (3 * BATCH + 500, 1, -0.9), (9 * BATCH + 300, 0, 0.55), (9_000, 1, 0.4)):
        wave[channel, at] = value
    expected = {0: 0.6, (3 * BATCH + 500) // PLACE_SAMPLES: 0.9, (9 * BATCH + 300) // PLACE_SAMPLES: 0.55}
    assert _places(wave, 0.5) == pytest.approx(expected)
    assert _places(wave, 0.95) == {}


def test_a_peak_between_samples_has_a_place() -> None:
    """No sample is above the limit, what lies between is."""
    wave = np.zeros((1, 3 * BATCH), np.float32)
    wave[0, 2_500 : 2_500 + TAPS] = 0.5 * np.sign(phases(4)[1])
    assert list(_places(wave, 0.9)) == [2]


def test_of_too_many_places_the_highest_are_kept() -> None:
    """However long the stream."""
    count = PLACES_MAX + 8
    wave = np.zeros((1, count * PLACE_SAMPLES), np.float32)
    wave[0, 500::PLACE_SAMPLES] = np.linspace(0.6, 0.9, count)
    found = _places(wave, 0.5)
    assert PLACES_MAX // 2 <= len(found) <= PLACES_MAX
    assert min(found) >= PLACES_MAX // 2
    assert max(found) == count - 1
