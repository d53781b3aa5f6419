"""When bits are dithered on the way into the mezzanine, and when its gain is corrected."""

from dataclasses import replace

import pytest

from ingest.normalise import correction_db, needs_dither
from model.loudness import LoudnessReport
from model.track import SourceInfo

INFO = SourceInfo(
    container="flac",
    codec="flac",
    sample_rate_hz=48_000,
    channels=2,
    channel_layout="stereo",
    bit_depth=24,
    lossless=True,
    size_bytes=1,
    sha256="",
)


@pytest.mark.parametrize(
    ("info", "gain_db", "dither"),
    [
        (INFO, 0.0, False),
        (replace(INFO, bit_depth=16), 0.0, False),
        (replace(INFO, channels=1), 0.0, False),
        (INFO, -1.0, True),
        (replace(INFO, bit_depth=32), 0.0, True),
        (replace(INFO, bit_depth=None), 0.0, True),
        (replace(INFO, sample_rate_hz=44_100), 0.0, True),
        (replace(INFO, channels=6), 0.0, True),
        (replace(INFO, lossless=False), 0.0, True),
    ],
)
def test_dither_where_bits_are_dropped(info: SourceInfo, gain_db: float, dither: bool) -> None:
    """And only there: what fits into 24 bits goes through as it is."""
    assert needs_dither(info, gain_db) is dither


@pytest.mark.parametrize(
    ("lufs", "peak_dbtp", "wanted_lufs", "change_db"),
    [
        (-14.0, -1.0, None, 0.0),
        (-14.0, -0.997, None, 0.0),
        (-14.0, -0.76, None, -0.24),
        (-15.3, -4.0, -14.0, 1.3),
        (-15.3, -1.8, -14.0, 0.8),
        (-15.3, -0.95, -14.0, -0.05),
        (-15.3, -1.02, -14.0, 0.0),
        (-14.02, -9.0, -14.0, 0.0),
        (-14.07, -9.0, -14.0, 0.07),
        (-13.5, -9.0, -14.0, -0.5),
        (None, -0.5, -14.0, -0.5),
        (None, None, -14.0, 0.0),
    ],
)
def test_what_resampling_changed_is_corrected(
    lufs: float | None, peak_dbtp: float | None, wanted_lufs: float | None, change_db: float
) -> None:
    """Loudness by what can be heard of it, and never above the ceiling."""
    report = LoudnessReport(integrated_lufs=lufs, true_peak_dbtp=peak_dbtp)
    change = correction_db(report, true_peak_dbtp=-1.0, integrated_lufs=wanted_lufs)
    assert change == pytest.approx(change_db, abs=0.0101)


def test_without_a_ceiling_nothing_is_corrected() -> None:
    """Loudness off leaves the signal as it is."""
    report = LoudnessReport(integrated_lufs=-3.0, true_peak_dbtp=6.0)
    assert correction_db(report, true_peak_dbtp=None, integrated_lufs=None) == 0.0
