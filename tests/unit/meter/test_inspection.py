"""What an engineer would look for in a master, found where it is and nowhere else."""

import numpy as np
import pytest
from numpy.typing import NDArray

from meter.batches import BATCH
from model.analysis import Signs
from tests.unit.meter.ebu import RATE, measured, tones


def _signs(samples: NDArray[np.float32]) -> Signs:
    found = measured(samples, signs=True).signs
    assert found is not None
    return found


def test_nobody_who_does_not_ask_is_told() -> None:
    """Looking costs a little."""
    assert measured(tones((-20, 1))).signs is None


def test_runs_at_full_scale_are_clipping() -> None:
    """Three or more neighbours of one channel; two may be chance."""
    samples = np.zeros((3 * BATCH, 2), np.float32)
    samples[10:12] = 1.0  # two: no run
    samples[100:103, 0] = 1.0
    samples[200:400, 1] = -1.0  # one long run is one
    samples[500:503] = 32_767 / 32_768  # the largest sample of 16 bits, on both channels
    assert _signs(samples).clipped_runs == 4


@pytest.mark.parametrize("start", [BATCH - 4, BATCH - 3, BATCH - 2, BATCH - 1, BATCH])
def test_a_run_that_two_batches_share_is_one(start: int) -> None:
    """Wherever the stream is cut."""
    samples = np.zeros((2 * BATCH, 2), np.float32)
    samples[start : start + 4, 0] = -1.0
    assert _signs(samples).clipped_runs == 1


def test_a_loud_sine_is_not_clipped() -> None:
    """A crest that just touches full scale is no run at 1 kHz; a sine that was cut off is."""
    assert _signs(tones((-0.1, 2))).clipped_runs == 0
    assert _signs(np.clip(tones((3, 1)), -1, 1)).clipped_runs == pytest.approx(2 * 2 * 1000, abs=4)


def test_floats_above_full_scale_are_not_clipped() -> None:
    """A legal master at +12 dBFS: nothing was cut off."""
    assert _signs(tones((12, 1))).clipped_runs < 10


def test_silence_at_the_ends_is_timed() -> None:
    """To the sample, below -60 dBFS, over batches too; silence within does not count."""
    quiet, loud = (-61, 1.25), (-20, 2.0)
    found = _signs(tones(quiet, loud, (-np.inf, 1.0), loud, (-61, 0.75)))
    assert found.silence_start_s == pytest.approx(1.25, abs=0.001)
    assert found.silence_end_s == pytest.approx(0.75, abs=0.001)


def test_sound_all_along_has_no_silent_ends() -> None:
    """Not a sample."""
    samples = np.full((RATE, 2), 0.5, np.float32)
    assert (_signs(samples).silence_start_s, _signs(samples).silence_end_s) == (0.0, 0.0)


def test_of_silence_both_ends_are_silent() -> None:
    """All along; and there is no spectrum to speak of."""
    found = _signs(np.zeros((RATE, 2), np.float32))
    assert (found.silence_start_s, found.silence_end_s) == (1.0, 1.0)
    assert (found.bandwidth_hz, found.cliff_db) == (None, None)


def test_mono_in_stereo_is_told() -> None:
    """Equal in every sample; one bit anywhere is stereo; one channel is just mono."""
    samples = tones((-20, 2))
    assert _signs(samples).mono
    assert not _signs(samples[:, :1]).mono
    samples[-1, 1] += 1e-4
    assert not _signs(samples).mono


def _noise(cut_hz: float, *, seconds: float = 4, floor: float = 0.0) -> NDArray[np.float32]:
    """White noise at -20 dBFS with nothing above a frequency, over even noise of another level."""
    rng = np.random.default_rng(3)
    spectrum = np.fft.rfft(rng.standard_normal(round(RATE * seconds)) * 0.1)
    spectrum[np.fft.rfftfreq(round(RATE * seconds), 1 / RATE) > cut_hz] = 0
    wave = np.fft.irfft(spectrum) + rng.uniform(-floor, floor, round(RATE * seconds))
    return np.column_stack([wave, wave]).astype(np.float32)


@pytest.mark.parametrize("hertz", [11_025, 16_000, 18_500, 22_050])
@pytest.mark.parametrize("floor", [0.0, 2**-15])
def test_a_wall_in_the_spectrum_is_found(hertz: float, floor: float) -> None:
    """As of a lossy encoder, or of a lower rate before: where it is, and that it is steep, over 16 bits' noise too."""
    found = _signs(_noise(hertz, floor=floor))
    assert found.bandwidth_hz == pytest.approx(hertz, abs=250)
    assert found.cliff_db is not None
    assert found.cliff_db > 35


def test_a_full_spectrum_has_no_end() -> None:
    """Half the sample rate, and no fall."""
    found = _signs(_noise(24_000))
    assert (found.bandwidth_hz, found.cliff_db) == (24_000, 0.0)


def test_a_spectrum_that_fades_has_no_wall() -> None:
    """Down by 60 dB between 6 and 18 kHz into the noise floor, as of old tapes: there is an end, but no steep one."""
    count = RATE * 8
    rng = np.random.default_rng(5)
    frequencies = np.fft.rfftfreq(count, 1 / RATE)
    gain = 10 ** (-np.clip((frequencies - 6_000) / 12_000 * 60, 0, 90) / 20)
    wave = np.fft.irfft(np.fft.rfft(rng.standard_normal(count) * 0.03) * gain) + rng.uniform(-(2**-15), 2**-15, count)
    found = _signs(np.column_stack([wave, wave]).astype(np.float32))
    assert found.bandwidth_hz is not None
    assert 12_000 < found.bandwidth_hz < 22_000
    assert found.cliff_db is not None
    assert found.cliff_db < 12


def test_too_short_to_tell() -> None:
    """Less than one spectrum's worth of samples."""
    assert _signs(tones((-20, 0.08))).bandwidth_hz is None
