"""One stream, one result: whatever it is cut into, at any rate, and with whatever samples a file may hold."""

import gc
import hashlib
import tracemalloc
import weakref
from collections.abc import Iterator
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from meter.batches import BATCH
from meter.meter import LoudnessMeter, Meter, Metering, PeakMeter
from model.loudness import LoudnessReport
from tests.unit.meter import ebu
from tests.unit.meter.ebu import measured, report, tones

RNG = np.random.default_rng(7)
COUNT = 2 * BATCH + 12_345
NOISE = (RNG.standard_normal((COUNT, 2)) * np.linspace(0.01, 0.3, COUNT)[:, np.newaxis]).astype("<f4")


def _in_pieces(data: bytes, sizes: list[int]) -> Metering:
    meter = Meter(sample_rate_hz=44_100, channels=2, signs=True)
    at = 0
    for size in sizes:
        meter.take_bytes(data[at : at + size])
        at += size
    meter.take_bytes(data[at:])
    return meter.result()


@pytest.fixture(scope="module")
def whole() -> Metering:
    """What is measured of the noise in one piece."""
    return _in_pieces(NOISE.tobytes(), [])


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(0, 300_000), max_size=8))
def test_pieces_do_not_matter(whole: Metering, sizes: list[int]) -> None:
    """Cut anywhere, in the middle of a sample too: exactly the same result."""
    assert _in_pieces(NOISE.tobytes(), sizes) == whole


def test_small_pieces_do_not_matter(whole: Metering) -> None:
    """Nor do thousands of them."""
    assert _in_pieces(NOISE.tobytes(), [1021] * 600) == whole


def test_what_was_taken_is_named(whole: Metering) -> None:
    """Its length and the hash of its bytes."""
    assert whole.sha256 == hashlib.sha256(NOISE.tobytes()).hexdigest()
    assert whole.samples == len(NOISE)
    assert whole.not_finite == 0


def test_nothing_is_hashed_for_nobody() -> None:
    """All else is the same."""
    meter = Meter(sample_rate_hz=44_100, channels=2, signs=True, hashed=False)
    meter.take_bytes(NOISE.tobytes())
    unnamed = meter.result()
    assert unnamed.sha256 is None
    assert replace(_in_pieces(NOISE.tobytes(), []), sha256=None) == unnamed


def test_every_step_has_its_numbers(whole: Metering) -> None:
    """Energies of whole steps, peaks of all: six significant digits each."""
    assert len(whole.energies) == len(NOISE) // 4_410
    assert len(whole.peaks) == len(whole.energies) + 1
    for value in (*whole.energies, *whole.peaks):
        assert value == float(f"{value:.6g}")
    for step in range(len(whole.energies)):
        assert whole.peaks[step] >= float(np.abs(NOISE[step * 4_410 : (step + 1) * 4_410]).max()) * 0.999_995


@pytest.mark.parametrize(
    "rate", [8_000, 11_025, 16_000, 22_050, 32_000, 37_800, 44_100, 88_200, 96_000, 176_400, 192_000]
)
def test_any_rate_measures_alike(rate: int) -> None:
    """Also where 100 ms are no whole number of samples: a tone of -23 dBFS, 5.05 s of it."""
    found = measured(tones((-23, 5.05), rate=rate), rate=rate)
    assert found.loudness.integrated_lufs == pytest.approx(-23.0, abs=0.05)
    assert found.loudness.momentary_max_lufs == pytest.approx(-23.0, abs=0.05)
    assert found.loudness.short_term_max_lufs == pytest.approx(-23.0, abs=0.05)
    assert found.loudness.true_peak_dbtp == pytest.approx(-23.0, abs=0.1)
    assert (len(found.energies), len(found.peaks)) == (50, 51)


def test_a_sine_in_one_channel_is_the_reference() -> None:
    """997 Hz at 0 dBFS: -3.01 LUFS, as BS.1770-4 says."""
    left = tones((0, 5), hertz=997)
    left[:, 1] = 0
    assert report(left).integrated_lufs == pytest.approx(-3.01, abs=0.01)


def test_mono_that_plays_from_two_sides() -> None:
    """With a weight of 2 it is as loud as the same samples in stereo."""
    wave = tones((-20, 5), channels=1)
    meter = Meter(sample_rate_hz=48_000, channels=1, weights=(2.0,))
    meter.take(wave)
    assert meter.result().loudness == report(np.repeat(wave, 2, axis=1))
    plain = report(wave).integrated_lufs
    assert plain is not None
    assert report(np.repeat(wave, 2, axis=1)).integrated_lufs == pytest.approx(plain + 3.01, abs=0.01)


@pytest.mark.parametrize("dbfs", [12.0, 60.0])
def test_there_is_no_ceiling(dbfs: float) -> None:
    """A float source far above full scale is measured for what it is."""
    found = report(tones((dbfs, 5)))
    assert found.integrated_lufs == pytest.approx(dbfs, abs=0.05)
    assert found.true_peak_dbtp == pytest.approx(dbfs, abs=0.1)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38, -2e9])
def test_samples_that_are_no_sound_are_counted_and_left_out(bad: float) -> None:
    """They poison nothing: the rest measures as if there were zeros."""
    damaged, zeroed = NOISE.copy(), NOISE.copy()
    places = ([5, 40_000, len(NOISE) - 1], [0, 1, 1])
    damaged[places], zeroed[places] = bad, 0
    found, clean = measured(damaged, rate=44_100), measured(zeroed, rate=44_100)
    assert found.not_finite == 3
    assert (found.loudness, found.energies, found.peaks) == (clean.loudness, clean.energies, clean.peaks)


def test_silence_has_no_loudness() -> None:
    """Not -70, not -inf: none; and no peak where all is 0."""
    found = measured(np.zeros((96_000, 2), np.float32)).loudness
    assert (found.integrated_lufs, found.true_peak_dbtp) == (None, None)


def test_quiet_noise_has_a_peak_but_no_loudness() -> None:
    """Below the gate of -70 LUFS."""
    found = report((RNG.uniform(-1, 1, (96_000, 2)) * 1e-5).astype(np.float32))
    assert found.integrated_lufs is None
    assert found.true_peak_dbtp == pytest.approx(-97, abs=4)  # between the samples it may be higher


@pytest.mark.parametrize("count", [0, 1, 100, 4_799, 4_800, 19_199])
def test_less_than_a_block(count: int) -> None:
    """Any number of samples is a stream; under 400 ms it has a peak and no loudness."""
    found = measured(tones((-20, 1))[:count])
    assert found.samples == count
    assert found.loudness.integrated_lufs is None
    assert (found.loudness.true_peak_dbtp is not None) is (count > 1)
    assert (len(found.energies), len(found.peaks)) == (count // 4_800, -(-count // 4_800))


def test_memory_does_not_grow() -> None:
    """Ten minutes need no more than one, but for the numbers of every 100 ms."""
    second: NDArray[np.float32] = tones((-20, 1), rate=8_000)
    meter = Meter(sample_rate_hz=8_000, channels=2, signs=True)
    tracemalloc.start()
    used = []
    for number in range(600):
        meter.take(second)
        if number in (60, 599):
            used.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert used[1] - used[0] < 600 * 10 * 2 * 8 * 2


def test_half_a_frame_is_an_error() -> None:
    """Bytes that are no whole frame at the end are no stream of this shape."""
    meter = Meter(sample_rate_hz=48_000, channels=2)
    meter.take_bytes(bytes(12))
    with pytest.raises(ValueError, match="4 bytes are left"):
        meter.result()


@pytest.mark.parametrize(
    ("rate", "channels", "weights"),
    [(0, 2, None), (999, 2, None), (48_000, 0, None), (48_000, 3, None), (48_000, 2, (1.0,))],
)
def test_what_cannot_be_measured_is_refused(rate: int, channels: int, weights: tuple[float, ...] | None) -> None:
    """No rate, no channels, no weights for them."""
    with pytest.raises(ValueError, match="cannot measure"):
        Meter(sample_rate_hz=rate, channels=channels, weights=weights)


def test_seven_channels_with_weights() -> None:
    """Any layout, where the caller knows what its channels weigh."""
    meter = Meter(sample_rate_hz=48_000, channels=7, weights=(1, 1, 1, 0, 1.41, 1.41, 1.41))
    meter.take(tones((-30, 5), channels=7))
    expected = -30 - 3.01 + 10 * np.log10(3 + 3 * 1.41)
    assert meter.result().loudness.integrated_lufs == pytest.approx(expected, abs=0.05)


def _loudness(samples: NDArray[np.float32], *, rate: int = 48_000, pieces: int = 70_001) -> LoudnessReport:
    meter = LoudnessMeter(sample_rate_hz=rate, channels=samples.shape[1])
    data = samples.astype("<f4").tobytes()
    for at in range(0, len(data), pieces):
        meter.take_bytes(data[at : at + pieces])
    return meter.loudness()


@pytest.mark.parametrize("name", [*ebu.INTEGRATED, *ebu.PEAKS, "3342-1"])
def test_the_short_way_measures_the_same(name: str) -> None:
    """A `LoudnessMeter` says of the signals of the EBU what a `Meter` says."""
    samples = ebu.signal(name)
    _same(_loudness(samples), report(samples))


@pytest.mark.parametrize("samples", [NOISE, NOISE[:0], NOISE[:100], NOISE[:BATCH], NOISE[:19_201], 0 * NOISE])
def test_the_short_way_of_any_length(samples: NDArray[np.float32]) -> None:
    """Nothing, less than a block, a whole batch, noise and silence; cut in the middle of samples."""
    _same(_loudness(samples, rate=44_100), measured(samples, rate=44_100).loudness)


def _same(found: LoudnessReport, expected: LoudnessReport) -> None:
    """Within the last digit that is told: products of shorter floats may fall on the other side of it."""
    told = {name: pytest.approx(value, abs=0.000_201) for name, value in asdict(expected).items()}
    assert asdict(found) == told


def test_the_short_way_leaves_out_what_is_no_sound() -> None:
    """NaN counts as 0; half a frame at the end is an error."""
    damaged, zeroed = NOISE.copy(), NOISE.copy()
    damaged[40_000], zeroed[40_000] = np.nan, 0
    assert _loudness(damaged) == _loudness(zeroed)
    meter = LoudnessMeter(sample_rate_hz=48_000, channels=2)
    meter.take_bytes(bytes(12))
    with pytest.raises(ValueError, match="4 bytes are left"):
        meter.loudness()
    with pytest.raises(ValueError, match="cannot measure"):
        LoudnessMeter(sample_rate_hz=48_000, channels=3)


def test_places_alone_are_those_that_loudness_tells() -> None:
    """A `PeakMeter` says of places what a `LoudnessMeter` says, whatever pieces the stream comes in."""
    long = LoudnessMeter(sample_rate_hz=48_000, channels=2, ceiling_dbtp=-20.0)
    short = PeakMeter(sample_rate_hz=48_000, channels=2, ceiling_dbtp=-20.0)
    data = (NOISE * np.linspace(0.2, 1, len(NOISE), dtype=np.float32)[:, np.newaxis]).astype("<f4").tobytes()
    long.take_bytes(data)
    for at in range(0, len(data), 70_001):
        short.take_bytes(data[at : at + 70_001])
    long.loudness()
    found = short.places()
    assert found
    assert found == long.places()


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Only what nobody refers to goes."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.mark.usefixtures("no_collector")
def test_a_meter_that_was_asked_goes_at_once() -> None:
    """Its megabytes do not wait for the collector: nine renditions are heard within seconds."""
    meter = LoudnessMeter(sample_rate_hz=48_000, channels=2)
    meter.take_bytes(bytes(8 * BATCH))
    meter.loudness()
    there = weakref.ref(meter)
    del meter
    assert there() is None
