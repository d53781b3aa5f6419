"""Two-pass loudness, checked by a meter that the test runs by itself on the decoded mezzanine."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from model.loudness import Gain, LoudnessMode, LoudnessTarget
from model.track import Track
from tests.integration.ingest.conftest import Bench
from tests.support.audio import make_audio, music_like, noise, silence, tone


@dataclass(frozen=True)
class Heard:
    """What an independent run of ebur128 says in its summary."""

    integrated_lufs: float
    true_peak_dbtp: float


def heard(bench: Bench, path: Path) -> Heard:
    """Measured with another command line, whose summary has one decimal."""
    log = bench.ffmpeg("-v", "info", "-i", path, "-af", "ebur128=peak=true:framelog=quiet", "-f", "null", "-").decode()
    summary = log[log.rindex("Summary:") :]
    level, peak = re.search(r"I:\s+(\S+) LUFS", summary), re.search(r"Peak:\s+(\S+) dBFS", summary)
    assert level is not None
    assert peak is not None
    return Heard(float(level[1]), float(peak[1]))


def doubles(bench: Bench, path: Path) -> NDArray[np.float64]:
    """The decoded samples."""
    target = bench.folder / "doubles"
    bench.ffmpeg("-v", "error", "-i", path, "-f", "f64le", target)
    return np.fromfile(target, dtype="<f8")


def raw_md5(bench: Bench, path: Path, *options: str) -> str:
    """Of the decoded 24-bit samples."""
    target = bench.folder / "raw"
    bench.ffmpeg("-v", "error", "-i", path, *options, "-f", "s24le", target)
    return hashlib.md5(target.read_bytes(), usedforsecurity=False).hexdigest()


def quiet_but_peaky() -> Path:
    """A soft tone with a click near full scale each second."""
    return make_audio("aevalsrc=exprs='0.01*sin(2*PI*440*t)+0.8*lt(mod(t,1),0.0005)|0.01*sin(2*PI*330*t)':s=48000:d=3")


async def check_levels(bench: Bench, track: Track) -> None:
    """The report says of the mezzanine what an independent meter hears."""
    found = heard(bench, await bench.mezzanine(track))
    report = track.mezzanine.loudness
    assert report.integrated_lufs == pytest.approx(found.integrated_lufs, abs=0.06)
    assert report.true_peak_dbtp == pytest.approx(found.true_peak_dbtp, abs=0.06)


@pytest.mark.parametrize("target", [LoudnessTarget(), LoudnessTarget(integrated_lufs=-23.0)])
@pytest.mark.parametrize("suffix", [".flac", ".mp3"])
async def test_music_lands_on_its_target(bench: Bench, target: LoudnessTarget, suffix: str) -> None:
    """Within 0.1 LU, by one factor for the whole track."""
    bench.set(target=target)
    track = await bench.track(music_like(3, suffix=suffix))
    assert heard(bench, await bench.mezzanine(track)).integrated_lufs == pytest.approx(target.integrated_lufs, abs=0.1)
    assert track.gain.withheld_db == 0
    assert track.target == target
    await check_levels(bench, track)


async def test_the_source_is_measured_as_it_is(bench: Bench) -> None:
    """A stereo sine of −20 dBFS has −20 LUFS (BS.1770, as near to 1 kHz as makes no difference)."""
    track = await bench.track(tone(3, hertz=997, dbfs=-20))
    assert track.loudness_source.integrated_lufs == pytest.approx(-20.0, abs=0.1)
    assert track.loudness_source.true_peak_dbtp == pytest.approx(-20.0, abs=0.1)
    assert track.gain.applied_db == pytest.approx(6.0, abs=0.1)


async def test_a_loud_source_is_turned_down(bench: Bench) -> None:
    """Also one whose true peaks are far above full scale, and louder than ffmpeg's meter can count."""
    path = make_audio("aevalsrc=exprs='4*sin(2*PI*440*t)|4*sin(2*PI*440*t)':s=48000:d=2", ".wav", "-c:a", "pcm_f32le")
    track = await bench.track(path)
    assert track.loudness_source.true_peak_dbtp == pytest.approx(12.0, abs=0.1)
    assert heard(bench, await bench.mezzanine(track)).integrated_lufs == pytest.approx(-14.0, abs=0.1)


async def test_peaks_hold_gain_back(bench: Bench) -> None:
    """A quiet, peaky source is raised as far as its true peak allows, and the report says how much is missing."""
    track = await bench.track(quiet_but_peaky())
    found = heard(bench, await bench.mezzanine(track))
    assert track.gain.withheld_db > 3
    assert found.true_peak_dbtp == pytest.approx(-1.0, abs=0.1)
    assert found.true_peak_dbtp <= -1.0 + 0.06
    assert found.integrated_lufs == pytest.approx(-14.0 - track.gain.withheld_db, abs=0.1)
    await check_levels(bench, track)


async def test_the_gain_is_linear(bench: Bench) -> None:
    """The mezzanine is the source times one factor, click and tone alike: turned back, only rounding is left."""
    path = quiet_but_peaky()
    track = await bench.track(path)
    factor = 10 ** (track.gain.applied_db / 20)
    difference = doubles(bench, await bench.mezzanine(track)) / factor - doubles(bench, path)
    assert np.abs(difference).max() < 2**-18  # the gain goes to ffmpeg in steps of 0.0001 dB


async def test_silence(bench: Bench) -> None:
    """It has no loudness, gets no gain, and stays silence."""
    track = await bench.track(silence(1))
    assert track.loudness_source.silent
    assert track.mezzanine.loudness.silent
    assert track.gain == Gain(applied_db=0.0)
    assert raw_md5(bench, await bench.mezzanine(track)) == hashlib.md5(bytes(48_000 * 6)).hexdigest()


async def test_too_short_to_measure(bench: Bench) -> None:
    """Under one block of 400 ms there is no loudness either: the sound is left as it is."""
    track = await bench.track(tone(0.2))
    assert track.loudness_source.silent
    assert track.loudness_source.true_peak_dbtp == pytest.approx(-20, abs=0.1)
    assert track.gain == Gain(applied_db=0.0)


async def test_loud_and_too_short_to_measure(bench: Bench) -> None:
    """The ceiling holds all the same, and nobody is told that it is silence."""
    track = await bench.track(tone(0.3, dbfs=0))
    assert track.mezzanine.loudness.true_peak_dbtp == pytest.approx(-1.0, abs=0.02)
    assert track.gain.withheld_db == 0
    assert not [each for each in track.warnings if "silence" in each]


async def test_what_nobody_hears_does_not_count(bench: Bench) -> None:
    """Half of this noise is above 24 kHz, and gone at 48 kHz: what is left is brought to the target."""
    path = make_audio(f"amovie={noise(3.0, rate=96_000)},aformat=channel_layouts=stereo", ".flac")
    track = await bench.track(path)
    assert heard(bench, await bench.mezzanine(track)).integrated_lufs == pytest.approx(-14.0, abs=0.1)
    assert track.gain.withheld_db == 0
    await check_levels(bench, track)


@pytest.mark.parametrize(("suffix", "bits"), [(".flac", "24"), (".wav", "24"), (".wav", "16")])
async def test_loudness_off_changes_no_bit(bench: Bench, suffix: str, bits: str) -> None:
    """24-bit and 16-bit samples at 48 kHz come through as they are; they are only measured."""
    bench.set(mode=LoudnessMode.OFF, target=None)
    encoder = ("-sample_fmt", "s32") if suffix == ".flac" else ("-c:a", f"pcm_s{bits}le")
    path = make_audio(f"amovie={noise(1.0)},volume=0.7,aformat=channel_layouts=stereo", suffix, *encoder)
    track = await bench.track(path)
    assert raw_md5(bench, await bench.mezzanine(track)) == raw_md5(bench, path)
    assert track.target is None
    assert track.gain == Gain(applied_db=0.0)
    assert track.loudness_source == track.mezzanine.loudness


async def test_samples_that_are_no_numbers(bench: Bench) -> None:
    """A float file with a NaN cannot be measured, nor played: it is refused, with the reason."""
    path = bench.folder / "nan.wav"
    data = bytearray(make_audio("sine=d=1:r=48000", ".wav", "-c:a", "pcm_f32le").read_bytes())
    middle = data.index(b"data") + 8 + 4 * 20_000
    data[middle : middle + 4] = b"\0\0\xc0\x7f"
    path.write_bytes(data)
    assert "no numbers" in (await bench.refusal(path)).message
