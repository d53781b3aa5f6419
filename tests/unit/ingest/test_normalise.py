"""When bits are dithered on the way into the mezzanine."""

from dataclasses import replace

import pytest

from ingest.normalise import needs_dither
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
