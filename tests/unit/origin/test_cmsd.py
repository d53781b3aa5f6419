"""CMSD-Static, read by its own rules: a dictionary of structured fields."""

import re

import pytest

from model.loudness import LoudnessReport
from model.rendition import Codec, Rendition
from model.segment import Segment, SegmentedRendition
from origin.cmsd import of_init, of_segment, of_track_file
from origin.settings import OriginSettings


def _rendition(codec: Codec, bitrate_bps: int) -> SegmentedRendition:
    return SegmentedRendition(
        rendition=Rendition(rendition_id="x", codec=codec, bitrate_bps=bitrate_bps),
        timescale=48_000,
        priming_ticks=0,
        init_size_bytes=100,
        index_size_bytes=0,
        segments=(
            Segment(duration_ticks=46_080, offset_bytes=100, size_bytes=120_000),
            Segment(duration_ticks=291_840, offset_bytes=120_100, size_bytes=700_000),
        ),
        sha256="ab" * 32,
        loudness=LoudnessReport(integrated_lufs=-14.0, true_peak_dbtp=-1.0),
    )


def _read(text: str) -> dict[str, str]:
    assert re.fullmatch(r'[a-z]+=([a-z]+|\d+|"[ -~]*")(,[a-z]+=([a-z]+|\d+|"[ -~]*"))*', text)
    return dict(pair.split("=") for pair in text.split(","))


def test_a_segment_tells_its_rate_and_its_length() -> None:
    """The rendition's nominal kbit/s, the segment's own milliseconds."""
    rendition = _rendition(Codec.AAC, 128_000)
    told = _read(of_segment(rendition, rendition.segments[1], ""))
    assert told == {"br": "128", "d": "6080", "ot": "a", "sf": "h", "st": "v"}


def test_lossless_rates_are_counted() -> None:
    """820,000 bytes in 7.04 s."""
    rendition = _rendition(Codec.FLAC, 0)
    assert _read(of_segment(rendition, rendition.segments[0], ""))["br"] == "932"


def test_init_sections_and_track_files() -> None:
    """An init section has no rate; a track file is for players of HLS and DASH alike."""
    assert _read(of_init("")) == {"ot": "i", "sf": "h", "st": "v"}
    assert _read(of_track_file(_rendition(Codec.AAC, 64_000), "")) == {"br": "64", "d": "7040", "ot": "a", "st": "v"}


def test_a_node_may_have_a_name() -> None:
    """Quoted; a name that needed escapes is refused with the settings."""
    assert _read(of_init("ams-1"))["n"] == '"ams-1"'
    with pytest.raises(ValueError, match="node_name"):
        OriginSettings(node_name='a"b')
