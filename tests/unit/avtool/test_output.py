"""What ffmpeg prints is outside data: understood where it is as documented, refused or ignored where it is not."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avtool.output import Probe, parse_packet_hash, parse_probe, progress_seconds
from model.errors import PipelineError, SourceUnsupported, ToolFailed

HEADER = """\
#extradata 0:       34, 0x765e0974
#software: Lavf63.1.102
#tb 0: 1/44100
#media_type 0: audio
#codec_id 0: flac
#sample_rate 0: 44100
#channel_layout_name 0: stereo
"""
BANNER = """\
Input #0, flac, from 'file:song.flac':
  Metadata:
    TITLE           : Song
  Duration: 01:02:03.45, start: 0.000000, bitrate: 1098 kb/s
  Stream #0:0: Audio: flac, 44100 Hz, stereo, s32 (24 bit)
  Stream #0:1: Video: mjpeg (Baseline), yuvj420p, 600x600, 90k tbr (attached pic)
Stream mapping:
  Stream #0:0 -> #0:0 (copy)
Output #0, framecrc, to 'pipe:1':
  Metadata:
    TITLE           : Song
  Stream #0:0: Audio: flac, 44100 Hz, stereo, s32 (24 bit)
"""


def _probe(header: str = HEADER, banner: str = BANNER) -> Probe:
    return parse_probe(header.encode(), banner, subject="song.flac")


def test_a_source_is_described() -> None:
    """Container, codec, rate, layout, depth and length."""
    assert _probe() == Probe(
        container="flac",
        codec="flac",
        sample_rate_hz=44_100,
        channel_layout="stereo",
        channels=2,
        bit_depth=24,
        lossless=True,
        duration_s=3723.45,
    )


@pytest.mark.parametrize(
    ("codec", "stream", "lossless", "bit_depth"),
    [
        ("pcm_s16le", "pcm_s16le ([1][0][0][0] / 0x0001), 44100 Hz, stereo, s16, 1411 kb/s", True, 16),
        ("pcm_s24le", "pcm_s24le ([1][0][0][0] / 0x0001), 96000 Hz, stereo, s32 (24 bit), 4608 kb/s", True, 24),
        ("pcm_f32le", "pcm_f32le ([3][0][0][0] / 0x0003), 48000 Hz, stereo, flt, 3072 kb/s", True, 32),
        ("pcm_u8", "pcm_u8 ([1][0][0][0] / 0x0001), 22050 Hz, mono, u8, 176 kb/s", True, 8),
        ("alac", "alac (alac / 0x63616C61), 44100 Hz, stereo, s16p, 707 kb/s (default)", True, 16),
        ("wavpack", "wavpack, 44100 Hz, stereo, s16p", True, 16),
        ("flac", "flac, 44100 Hz, stereo, something new", True, None),
        ("mp3", "mp3 (mp3float), 44100 Hz, stereo, fltp, 320 kb/s", False, None),
        ("vorbis", "vorbis, 44100 Hz, stereo, fltp, 192 kb/s", False, None),
        ("aac", "aac (LC) (mp4a / 0x6134706D), 44100 Hz, stereo, fltp, 256 kb/s", False, None),
    ],
)
def test_depth_is_told_where_there_is_one(codec: str, stream: str, lossless: bool, bit_depth: int | None) -> None:
    """Lossless codecs have a bit depth, lossy ones do not."""
    found = _probe(HEADER.replace("flac", codec), f"Input #0, x, from 'a':\n  Stream #0:0(eng): Audio: {stream}\n")
    assert (found.codec, found.lossless, found.bit_depth) == (codec, lossless, bit_depth)


@pytest.mark.parametrize(
    ("layout", "channels"),
    [("mono", 1), ("5.1(side)", 6), ("7.1.4", 12), ("6 channels", 6), ("3 channels (FL+FR+LFE)", 3), ("FL+FR+TC", 3)],
)
def test_channels_are_counted(layout: str, channels: int) -> None:
    """By name, by number, by parts; every name that ffmpeg knows is tried against its own list elsewhere."""
    assert _probe(HEADER.replace("stereo", layout)).channels == channels


def test_a_tag_cannot_forge_a_line() -> None:
    """ffmpeg indents what follows a line feed in a tag, so it is no line of the banner."""
    lie = "    TITLE           : a\n                    :   Duration: 99:00:00.00\n                    : " + (
        "  Stream #0:0: Audio: pcm_s16le, 8000 Hz, mono, s16\n"
    )
    assert _probe(banner=BANNER.replace("    TITLE           : Song\n", lie)) == _probe()


def test_a_file_name_cannot_forge_a_line() -> None:
    """It is printed as it is, line feeds and all, but before what it would forge."""
    name = "a\n  Duration: 99:00:00.00\n  Stream #0:0: Audio: pcm_u8, 8000 Hz, mono, u8\n.flac"
    forged = _probe(banner=BANNER.replace("file:song.flac", name))
    assert (forged.duration_s, forged.bit_depth) == (_probe().duration_s, _probe().bit_depth)


def test_without_a_banner_only_the_header_counts() -> None:
    """What is not said is None."""
    found = _probe(banner="")
    assert (found.container, found.bit_depth, found.duration_s) == ("", None, None)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "#codec_id 0: flac\n",
        HEADER.replace("stereo", "0 channels"),
        *(HEADER.replace("44100\n#", f"{rate}\n#") for rate in ("0", "-1", "many", "9" * 5000)),
    ],
)
def test_no_audio_is_refused(header: str) -> None:
    """A header without codec, rate or channels, or with none of them."""
    with pytest.raises(SourceUnsupported, match=r"song\.flac") as refused:
        _probe(header)
    assert refused.value.hint


@given(stdout=st.binary(), stderr=st.text())
def test_junk_is_refused(stdout: bytes, stderr: str) -> None:
    """Nothing but our own error."""
    with suppress(PipelineError):
        parse_probe(stdout, stderr, subject="x")


@given(data=st.data())
def test_a_damaged_banner_is_a_value_or_an_error(data: st.DataObject) -> None:
    """Any stretch of what ffmpeg printed, replaced by anything."""
    text = data.draw(st.sampled_from([HEADER, BANNER]))
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 2)))
    damaged = text[:start] + data.draw(st.text("0123456789 :.()#+-, \nbitchannels", max_size=12)) + text[end:]
    with suppress(PipelineError):
        assert _probe(*((damaged, BANNER) if text is HEADER else (HEADER, damaged))).channels > 0


def _step(**values: str) -> list[str]:
    return ["frame:0    pts:0       pts_time:0", *(f"lavfi.r128.{name}={value}" for name, value in values.items())]


@pytest.mark.parametrize(
    ("streams", "alone"),
    [
        ("", True),
        ("  Stream #0:1: Video: mjpeg, yuvj420p, 300x300 (attached pic)\n", True),
        ("  Stream #0:1[0x2](und): Video: h264 (High), yuv420p, 640x480\n", False),
        ("  Stream #0:1(eng): Audio: flac, 44100 Hz, stereo, s16\n", False),
    ],
)
def test_other_streams_may_be_what_is_as_long_as_the_file(streams: str, alone: bool) -> None:
    """A cover has no length; moving pictures and further audio have."""
    assert _probe(banner=BANNER.replace("Stream mapping:", f"{streams}Stream mapping:")).alone is alone


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        ("0,      72000,      72000,     3840,    16540, 0xf282ddd0", 1.5),
        ("0,      -1024,      -1024,     1024,      540, 0xf282ddd0", 0.0),
        ("0, 0, 0, 1, 2, 0x0", 0.0),
        ("1,      72000,      72000,     3840,    16540, 0xf282ddd0", None),
        ("0, 1, " + "9" * 5_000 + ", 1, 1, 0x0", None),
        ("0, 1, ², 1, 1, 0x0", None),
        ("#tb 0: 1/48000", None),
        ("", None),
    ],
)
def test_progress_is_read_from_one_line(line: str, seconds: float | None) -> None:
    """The time of a packet, in samples; before the music it is negative."""
    assert progress_seconds(line) == seconds


@given(st.text())
def test_progress_of_junk(line: str) -> None:
    """None, or a time that is not negative."""
    assert (progress_seconds(line) or 0) >= 0


HASH = "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8"


def test_the_packet_hash_is_found_among_complaints() -> None:
    """The last line that is one: complaints may say anything before it."""
    said = f"[mp3 @ 0x1] SHA256={HASH[::-1]}\nSHA256={HASH[::-1]}\n[mp3 @ 0x1] Header missing\nSHA256={HASH}\n"
    assert parse_packet_hash(said, subject="song.mp3") == HASH


@pytest.mark.parametrize("said", ["", "SHA256=", f"SHA256={HASH[1:]}\n", f"a SHA256={HASH}\n", f"MD5={HASH[:32]}\n"])
def test_no_packet_hash_is_an_error(said: str) -> None:
    """Never an empty or a shortened one."""
    with pytest.raises(ToolFailed, match=r"no packet hash .*song\.mp3"):
        parse_packet_hash(said, subject="song.mp3")
