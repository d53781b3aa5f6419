"""Which track file a player gets."""

import pytest

from discovery.subsonic.renditions import best, within
from model.rendition import Codec, Rendition

AAC = [Rendition(rendition_id=f"aac-{kbps}", codec=Codec.AAC, bitrate_bps=1000 * kbps) for kbps in (64, 128, 256)]
OPUS = [Rendition(rendition_id=f"opus-{kbps}", codec=Codec.OPUS, bitrate_bps=1000 * kbps) for kbps in (64, 160)]
FLAC = [Rendition(rendition_id="flac", codec=Codec.FLAC, bitrate_bps=0)]


@pytest.mark.parametrize(
    ("found", "kbps", "wanted"),
    [
        ([*OPUS, *AAC, *FLAC], 0, "aac-256"),
        ([*OPUS, *AAC], 320, "aac-256"),
        (AAC, 128, "aac-128"),
        (AAC, 127, "aac-64"),
        (AAC, 32, "aac-64"),
        (OPUS, 96, "opus-64"),
        (FLAC, 96, "flac"),
    ],
)
def test_the_best_within_a_bit_rate(found: list[Rendition], kbps: int, wanted: str) -> None:
    """AAC first, since every player knows it; the lowest if none fits."""
    assert within(found, 1000 * kbps).rendition_id == wanted


def test_the_best_of_all() -> None:
    """Lossless, else what sounds best in every player."""
    assert best([*AAC, *FLAC, *OPUS]).rendition_id == "flac"
    assert best([*OPUS, *AAC]).rendition_id == "aac-256"
    assert best(OPUS).rendition_id == "opus-160"
