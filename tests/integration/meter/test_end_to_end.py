"""Files in, figures out: through the decoder into the meter, against the EBU's values and ffmpeg's own meter."""

import re
import subprocess
from itertools import islice
from pathlib import Path

import pytest
from threadpoolctl import threadpool_info

from avtool.decode import decode
from avtool.locate import Ffmpeg
from meter.meter import Meter, Metering
from tests.support.audio import make_audio, music_like
from tests.unit.meter import ebu


async def _metered(tool: Ffmpeg, path: Path, *, rate: int = 48_000, signs: bool = False) -> Metering:
    meter = Meter(sample_rate_hz=rate, channels=2, signs=signs)
    await decode(tool, str(path), meter.take_bytes, sample_rate_hz=rate, channels=2, timeout_s=60, subject=path.name)
    return meter.result()


def _float_wave(tool: Ffmpeg, samples: ebu.Samples, path: Path) -> Path:
    shape = ["-f", "f32le", "-ar", "48000", "-ac", "2", "-i", "pipe:0", "-c:a", "pcm_f32le"]
    subprocess.run([tool.path, "-v", "error", *shape, str(path)], input=samples.tobytes(), check=True, timeout=60)
    return path


async def test_ebu_signals_from_files(tool: Ffmpeg, tmp_path: Path) -> None:
    """One of each kind, as a float WAV: exactly what the samples by themselves gave, so within the same tolerances."""
    named = [ebu.signal(name) for name in ("3341-1", "3341-5", "3341-17", "3341-19", "3341-21", "3342-3")]
    signals = [*named, *islice(ebu.short_term(), 3), *islice(ebu.momentary(), 3)]
    for samples in signals:
        found = await _metered(tool, _float_wave(tool, samples, tmp_path / "signal.wav"))
        (tmp_path / "signal.wav").unlink()
        assert found == ebu.measured(samples)


def _convert(tool: Ffmpeg, source: Path, *words: str) -> None:
    command = [tool.path, "-nostdin", "-v", "error", "-i", str(source), *words]
    subprocess.run(command, check=True, timeout=60, capture_output=True)


def _by_ffmpeg(tool: Ffmpeg, path: Path) -> tuple[float, float, float]:
    """Integrated loudness, range and true peak by ffmpeg's ebur128."""
    command = [tool.path, "-nostdin", "-hide_banner", "-i", str(path), "-af", "ebur128=peak=true", "-f", "null", "-"]
    said = subprocess.run(command, check=True, timeout=60, capture_output=True, text=True).stderr
    summary = said[said.rindex("Summary:") :]
    integrated, span, peak = (re.search(rf"{name}:\s+(-?[\d.]+)", summary) for name in ("I", "LRA", "Peak"))
    assert integrated and span and peak
    return float(integrated[1]), float(span[1]), float(peak[1])


def _changing(rate: int, seed: int) -> Path:
    """Music whose level moves over 20 dB, with attacks that are cut off at full scale."""
    left, right = (f"(0.3*sin(2*PI*{f}*t)+0.4*(random({n})-0.5))*exp(-6*mod(t,0.4))" for n, f in enumerate((311, 317)))
    level = f"pow(10,-0.5-0.5*sin(2*PI*t/{9 + seed}))*3"
    return make_audio(f"aevalsrc=exprs='clip({level}*{left},-1,1)|clip({level}*{right},-1,1)':s={rate}:d=24", ".flac")


@pytest.mark.parametrize(("rate", "seed"), [(44_100, 1), (48_000, 2), (96_000, 3), (22_050, 4)])
async def test_music_measures_as_by_another_meter(tool: Ffmpeg, rate: int, seed: int) -> None:
    """ffmpeg's ebur128 says the same, as far as it prints it: 0.05 LU, 0.2 LU of range, 0.1 dB of true peak."""
    for path in (_changing(rate, seed), music_like(12, seed=seed, rate=rate)):
        loudness = (await _metered(tool, path, rate=rate)).loudness
        integrated, span, peak = _by_ffmpeg(tool, path)
        printed = 0.0501  # half of the last digit that it prints
        assert loudness.integrated_lufs == pytest.approx(integrated, abs=0.05 + printed)
        assert loudness.range_lu == pytest.approx(span, abs=0.2 + printed)
        assert loudness.true_peak_dbtp == pytest.approx(peak, abs=0.1 + printed)


@pytest.mark.parametrize(
    ("suffix", "options", "hertz"),
    [
        (".mp3", ("-c:a", "libmp3lame", "-b:a", "128k"), 17_000),
        (".m4a", ("-c:a", "aac", "-b:a", "128k"), 17_500),
        (".ogg", ("-c:a", "libvorbis", "-b:a", "96k"), 16_700),
    ],
)
@pytest.mark.parametrize("depth", ["s16", "s32"])
async def test_lossless_made_from_lossy_shows(
    tool: Ffmpeg, tmp_path: Path, suffix: str, options: tuple[str, ...], hertz: float, depth: str
) -> None:
    """The encoder's own wall, steep, in a FLAC of 16 and of 24 bits; the same music never encoded has none."""
    source = music_like(8, seed=5)
    lossy, flac = tmp_path / f"lossy{suffix}", tmp_path / "lossless.flac"
    _convert(tool, source, *options, str(lossy))
    _convert(tool, lossy, "-af", "asetpts=N", "-sample_fmt", depth, str(flac))
    fake, real = [(await _metered(tool, path, rate=44_100, signs=True)).signs for path in (flac, source)]
    assert fake is not None and real is not None
    assert fake.bandwidth_hz == pytest.approx(hertz, abs=700)
    assert fake.cliff_db is not None and fake.cliff_db > 30
    assert (real.bandwidth_hz, real.cliff_db) == (22_050, 0.0)


async def test_a_low_rate_made_high_shows(tool: Ffmpeg, tmp_path: Path) -> None:
    """44.1 kHz sold as 96: the spectrum ends at 22 kHz, with a wall."""
    high = tmp_path / "high.flac"
    _convert(tool, music_like(8), "-af", "aresample=96000:resampler=soxr", "-sample_fmt", "s32", str(high))
    signs = (await _metered(tool, high, rate=96_000, signs=True)).signs
    assert signs is not None
    assert signs.bandwidth_hz == pytest.approx(21_500, abs=700)
    assert signs.cliff_db is not None and signs.cliff_db > 30


async def test_a_master_that_is_clipped_shows(tool: Ffmpeg) -> None:
    """Thousands of runs at full scale, in a file of 16 bits; the same music at a lower level has none."""
    hot = make_audio("sine=frequency=220:d=3:r=44100,volume=30dB,pan=stereo|c0=c0|c1=c0", ".wav")
    signs = (await _metered(tool, hot, rate=44_100, signs=True)).signs
    assert signs is not None
    assert signs.clipped_runs == pytest.approx(2 * 2 * 220 * 3, rel=0.01)
    clean = (await _metered(tool, music_like(8, seed=5), rate=44_100, signs=True)).signs
    assert clean is not None
    assert clean.clipped_runs == 0


async def test_the_same_file_measures_the_same(tool: Ffmpeg) -> None:
    """However the pieces happened to be cut by the pipe."""
    path = music_like(12, seed=2)
    assert await _metered(tool, path, rate=44_100, signs=True) == await _metered(tool, path, rate=44_100, signs=True)


def test_products_run_in_one_thread() -> None:
    """A batch keeps all cores busy by its jobs; threads inside a product would only wait for each other."""
    assert {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"} == {1}
