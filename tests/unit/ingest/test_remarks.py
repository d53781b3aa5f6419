"""What an operator is told of a source that was taken."""

from dataclasses import replace

from ingest.remarks import remarks
from model.analysis import Analysis, Signs
from model.loudness import Gain, LoudnessReport
from model.track import SourceInfo, recording_id_of

INFO = SourceInfo(
    container="flac",
    codec="flac",
    sample_rate_hz=44_100,
    channels=2,
    channel_layout="stereo",
    bit_depth=16,
    lossless=True,
    size_bytes=1,
    sha256="",
)
CLEAN = Signs(clipped_runs=0, silence_start_s=0.3, silence_end_s=1.0, mono=False, bandwidth_hz=21_800.0, cliff_db=10.0)
GAIN = Gain(applied_db=-3.0)


def told(
    signs: Signs = CLEAN,
    *,
    info: SourceInfo = INFO,
    gain: Gain = GAIN,
    lufs: float | None = -11.0,
    peak_dbtp: float | None = None,
    samples: int = 44_100,
) -> str:
    """All warnings, as one text."""
    analysis = Analysis(
        recording_id=recording_id_of("x"),
        meter="test",
        sample_rate_hz=44_100,
        samples=samples,
        loudness=LoudnessReport(integrated_lufs=lufs, true_peak_dbtp=peak_dbtp),
        energies=(),
        peaks=(),
        signs=signs,
    )
    return "; ".join(remarks(info, analysis, gain))


def test_a_master_without_fault_is_passed_in_silence() -> None:
    """Warnings are rare, or nobody reads them."""
    assert told() == ""


def test_a_lossless_file_with_a_wall_in_its_spectrum_is_told() -> None:
    """Only where the container claims to be lossless; a soft roll-off is music."""
    wall = replace(CLEAN, bandwidth_hz=16_000.0, cliff_db=60.0)
    assert "fake lossless: the spectrum ends at 16.0 kHz" in told(wall)
    assert told(wall, info=replace(INFO, lossless=False)) == ""
    assert told(replace(wall, cliff_db=12.0)) == ""
    assert told(wall, info=replace(INFO, sample_rate_hz=32_000)) == ""


def test_each_fault_has_its_words() -> None:
    """With numbers, for people decide by them."""
    assert "clipping: 132 runs" in told(replace(CLEAN, clipped_runs=132))
    assert "mono in stereo" in told(replace(CLEAN, mono=True))
    assert "silence: 4.2 s at the end" in told(replace(CLEAN, silence_end_s=4.2))
    assert "silence: 3.0 s at the start" in told(replace(CLEAN, silence_start_s=3.0))
    assert "quiet: 4.5 dB of gain withheld" in told(gain=Gain(applied_db=1.0, withheld_db=4.5))


def test_silence_is_said_once() -> None:
    """Nothing to hear has no start and no end."""
    assert told(replace(CLEAN, silence_start_s=9, silence_end_s=9), lufs=None) == "silence: there is nothing to hear"


def test_short_is_not_silent() -> None:
    """What is too short for a loudness can be heard all the same."""
    assert (
        told(lufs=None, peak_dbtp=-6.0, samples=17_199)
        == "short: under 0.4 s there is no loudness to bring to the target"
    )
    assert told(lufs=None, peak_dbtp=-90.0) == "silence: there is nothing to hear"
    assert told(lufs=None, samples=17_199) == "silence: there is nothing to hear"
