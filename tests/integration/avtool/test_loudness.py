"""The meter against EBU Tech 3341, and what it says of audio that has no loudness."""

from pathlib import Path

import pytest

from avtool.locate import Ffmpeg
from avtool.loudness import measure_loudness
from model.errors import ToolFailed, ToolTimeout
from model.loudness import LoudnessReport
from tests.support.audio import make_audio, silence, tone


async def _measured(tool: Ffmpeg, path: Path) -> LoudnessReport:
    return await measure_loudness(tool, str(path), timeout_s=30, subject=path.name)


def _steps(*steps: tuple[float, float]) -> str:
    """A 1 kHz stereo sine of these levels in dBFS, each for so many seconds."""
    sine = "{level!r}*sin(2*PI*1000*t)"
    parts = [sine.format(level=10 ** (dbfs / 20)) for dbfs, _ in steps]
    sources = ";".join(
        f"aevalsrc=exprs='{part}|{part}':s=48000:d={seconds}[{n}]"
        for n, (part, (_, seconds)) in enumerate(zip(parts, steps, strict=True))
    )
    return f"{sources};{''.join(f'[{n}]' for n in range(len(steps)))}concat=n={len(steps)}:v=0:a=1"


@pytest.mark.parametrize(
    ("case", "steps", "lufs"),
    [
        (1, [(-23.0, 20.0)], -23.0),
        (2, [(-33.0, 20.0)], -33.0),
        (3, [(-36.0, 10.0), (-23.0, 60.0), (-36.0, 10.0)], -23.0),
    ],
)
async def test_ebu_tech_3341(tool: Ffmpeg, case: int, steps: list[tuple[float, float]], lufs: float) -> None:
    """Within 0.1 LU, cases 1 and 2 in momentary and short-term loudness as well; the peak is that of the sine."""
    report = await _measured(tool, make_audio(_steps(*steps), ".flac"))
    assert report.integrated_lufs == pytest.approx(lufs, abs=0.1)
    assert report.momentary_max_lufs == pytest.approx(lufs, abs=0.1)
    assert report.short_term_max_lufs == pytest.approx(lufs, abs=0.1)
    assert report.true_peak_dbtp == pytest.approx(lufs, abs=0.2)
    if case < 3:
        assert report.range_lu == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize(("hertz", "phase", "dbtp"), [(12_000, 0, -6.0), (12_000, 45, -6.0), (8_000, 60, -6.0)])
async def test_true_peaks_between_samples_are_seen(tool: Ffmpeg, hertz: int, phase: int, dbtp: float) -> None:
    """EBU Tech 3341 cases 15 to 17: −6 dBTP, +0.2/−0.4 dB, whatever the phase of the samples."""
    wave = f"min(1,4*t)*0.5*sin(2*PI*{hertz}*t+{phase}*PI/180)"  # faded in: a hard start has a peak of its own
    report = await _measured(tool, make_audio(f"aevalsrc=exprs='{wave}|{wave}':s=48000:d=2"))
    assert report.true_peak_dbtp is not None
    assert dbtp - 0.4 <= report.true_peak_dbtp <= dbtp + 0.2


async def test_silence_has_no_loudness(tool: Ffmpeg) -> None:
    """Not −70, not −inf: none."""
    assert await _measured(tool, silence(2)) == LoudnessReport(integrated_lufs=None)


async def test_less_than_a_block_has_a_peak_only(tool: Ffmpeg) -> None:
    """0.3 s: BS.1770 measures in blocks of 400 ms."""
    report = await _measured(tool, tone(0.3, dbfs=-20))
    assert report.integrated_lufs is None
    assert report.true_peak_dbtp == pytest.approx(-20, abs=0.2)


async def test_three_seconds_have_no_range(tool: Ffmpeg) -> None:
    """A steady tone has a range of 0; over so short a time ebur128 says 20, which is not told."""
    report = await _measured(tool, tone(3))
    assert report.integrated_lufs is not None
    assert report.range_lu is None


async def test_progress_is_told_once_a_second(tool: Ffmpeg) -> None:
    """In seconds of audio, rising."""
    told: list[float] = []
    await measure_loudness(tool, str(tone(3, suffix=".flac")), timeout_s=30, subject="x", on_seconds=told.append)
    assert told == sorted(told)
    assert len(told) in (2, 3)


async def test_what_cannot_be_decoded_is_an_error(tool: Ffmpeg, tmp_path: Path) -> None:
    """A file of noise under a familiar name; and no time at all."""
    (tmp_path / "noise.wav").write_bytes(b"RIFF\x00\x01\x00\x00WAVEjunk" * 40)
    with pytest.raises(ToolFailed):
        await _measured(tool, tmp_path / "noise.wav")
    with pytest.raises(ToolTimeout):
        await measure_loudness(tool, str(tone(3)), timeout_s=0.001, subject="x")
