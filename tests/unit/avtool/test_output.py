"""What ffmpeg prints is outside data: understood where it is as documented, refused or ignored where it is not."""

import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avtool.output import MeterReading, Probe, parse_probe, progress_seconds
from model.errors import PipelineError, SourceUnreadable, SourceUnsupported, ToolFailed
from model.loudness import LoudnessReport

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


def _read(*lines: str) -> MeterReading:
    reading = MeterReading()
    for line in lines:
        reading.take(line)
    return reading


def _step(**values: str) -> list[str]:
    return ["frame:0    pts:0       pts_time:0", *(f"lavfi.r128.{name}={value}" for name, value in values.items())]


def test_the_last_integrated_and_the_largest_others_count() -> None:
    """`I` and `LRA` are running totals; peaks and windows have a maximum."""
    first = _step(I="-20.0", LRA="9.000", M="-12.5", S="-13.5", true_peak="0.9")
    last = _step(I="-14.2", LRA="4.500", M="-15.5", S="-15.0", true_peak="0.5")
    assert _read(*first * 40, *last).report() == LoudnessReport(
        integrated_lufs=-14.2,
        range_lu=4.5,
        true_peak_dbtp=20 * math.log10(0.9),
        momentary_max_lufs=-12.5,
        short_term_max_lufs=-13.5,
    )


def test_time_is_counted_in_steps() -> None:
    """100 ms for each; only the line that begins a step says so."""
    reading = MeterReading()
    assert [reading.take(line) for line in _step(I="-20.0")] == [True, False]
    assert reading.take("size=N/A time=00:00:01.00") is False
    assert reading.seconds == pytest.approx(0.1)


@pytest.mark.parametrize("level", ["-70.000", "-inf", "-120.691", "inf"])
def test_silence_is_a_case_not_a_number(level: str) -> None:
    """Nothing above the gate: no loudness at all, but a peak if there is one."""
    report = _read(*_step(I=level, M=level, S=level, LRA="0.000", true_peak="0.1")).report()
    assert report == LoudnessReport(integrated_lufs=None, true_peak_dbtp=-20.0)
    assert _read(*_step(I=level, true_peak="0.000")).report() == LoudnessReport(integrated_lufs=None)


def test_samples_that_are_no_numbers() -> None:
    """The meter keeps the level that it had before them, which is not the track's: it is refused, not reported."""
    reading = _read(*_step(I="-20.0", M="-20.0", true_peak="0.1"), *_step(I="-20.0", M="nan", true_peak="0.1"))
    with pytest.raises(SourceUnreadable, match="no numbers"):
        reading.report(subject="song.wav")


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


def test_nothing_at_all_is_silence() -> None:
    """Less than a step of audio."""
    assert MeterReading().report() == LoudnessReport(integrated_lufs=None)


def test_windows_that_were_never_full_are_none() -> None:
    """Half a second has no short-term loudness, and a range needs some seconds."""
    report = _read(*_step(I="-20.0", M="-19.0", S="-120.691", LRA="20.0", true_peak="0.1") * 5).report()
    assert (report.momentary_max_lufs, report.short_term_max_lufs, report.range_lu) == (-19.0, None, None)


@pytest.mark.parametrize("value", ["", "loud", "0x10", "1,5", "٣٫٥"])
def test_a_value_that_is_no_number_is_an_error(value: str) -> None:
    """The meter changed its language: better no publish than a wrong level."""
    with pytest.raises(ToolFailed, match="loudness meter printed I="):
        _read(*_step(I=value))


@given(
    st.lists(st.text() | st.builds("lavfi.r128.{}={}".format, st.sampled_from(["I", "M", "true_peak"]), st.floats()))
)
def test_a_meter_that_babbles(lines: list[str]) -> None:
    """Any lines: a report whose numbers are finite, or our own error."""
    with suppress(PipelineError):
        _read(*lines).report()


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        ("out_time_us=1500000", 1.5),
        ("out_time_us=1500000\r", 1.5),
        ("out_time_us=-21333", 0.0),
        ("out_time_us=N/A", None),
        ("out_time_us=--5", None),
        ("out_time_us=²", None),
        ("out_time_us=" + "9" * 5_000, None),
        ("out_time=00:00:01.500000", None),
        ("progress=continue", None),
        ("", None),
    ],
)
def test_progress_is_read_from_one_line(line: str, seconds: float | None) -> None:
    """Microseconds of output; before the first frame it is negative or not known."""
    assert progress_seconds(line) == seconds


@given(st.text())
def test_progress_of_junk(line: str) -> None:
    """None, or a time that is not negative."""
    assert (progress_seconds(line) or 0) >= 0


def test_no_number_after_silence_is_rounding() -> None:
    """A fade-out to digital silence ends in nan on some real tracks: the meter's sum of squares fell below 0."""
    steps = [*_step(I="-18.4", M="-18.0", true_peak="0.5"), *_step(I="-18.4", M="-104.2", true_peak="0.5")]
    report = _read(*steps, *_step(I="-18.4", M="nan", true_peak="0.5")).report()
    assert report.integrated_lufs == -18.4
