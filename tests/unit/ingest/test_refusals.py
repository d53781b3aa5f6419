"""What ffmpeg's refusals mean, and which lengths are believed."""

from dataclasses import replace

import pytest

from avtool.output import Probe
from ingest.checks.refusals import check_length, refusal
from model.errors import SourceDamaged, SourceTooShort, ToolFailed

PROBE = Probe(
    container="flac",
    codec="flac",
    sample_rate_hz=44_100,
    channel_layout="stereo",
    channels=2,
    bit_depth=24,
    lossless=True,
    duration_s=2.0,
)
PICTURE = "  Stream #0:0: Video: mjpeg (Baseline), yuvj420p\n"
FILM = "  Stream #0:0: Video: h264 (High), yuv420p\n"


def failed(stderr: str, status: int = 1) -> ToolFailed:
    """An ffmpeg that ended like this."""
    return ToolFailed("last line", subject="ffmpeg", exit_status_of_tool=status, stderr_tail=stderr)


@pytest.mark.parametrize(
    ("stderr", "status", "code", "hint"),
    [
        ("Stream map '0:a:0' matches no streams.", 234, "source-no-audio", "silent videos"),
        (FILM + "Stream map '0:a:0' matches no streams.", 234, "source-no-audio", "silent videos"),
        (PICTURE + "Stream map '0:a:0' matches no streams.", 234, "source-image-only", "music"),
        (PICTURE + FILM + "Stream map '0:a:0' matches no streams.", 234, "source-no-audio", "silent videos"),
        ("[in#0] Format not on whitelist 'wav,flac'", 1, "source-unsupported", "FLAC"),
        ("Could not find codec parameters for stream 0", 1, "source-unsupported", "FLAC"),
        ("misdetection possible!\nCould not find codec parameters for stream 0", 1, "source-not-music", "FLAC"),
        ("Error opening input files: Invalid data found", 183, "source-not-music", "FLAC"),
        ("Error while decoding stream", 69, "source-damaged", "copy it again"),
        ("Error writing trailer of file:x: No space left on device", 228, "storage-error", "--scratch"),
        ("", -9, "tool-failed", "--jobs"),
        ("", -11, "tool-failed", "--jobs"),
    ],
)
def test_refusals_are_told_apart(stderr: str, status: int, code: str, hint: str) -> None:
    """A source is blamed for what is in it; a full disk and a killed program are told as what they are."""
    error = refusal(failed(stderr, status), subject="a.wav")
    assert (error.code, error.subject) == (code, "a.wav")
    assert hint in error.hint


def test_a_lossless_source_is_exact() -> None:
    """One sample less than its header promises is a damaged file; more are none of its fault."""
    for samples in (88_200, 90_000):
        check_length(samples, PROBE, rate_hz=44_100, declared=88_200, subject="a.flac")
    with pytest.raises(SourceDamaged, match=r"2\.000 s of 2\.000 s") as caught:
        check_length(88_199, PROBE, rate_hz=44_100, declared=88_200, subject="a.flac")
    assert caught.value.hint


def test_resampling_may_round() -> None:
    """At another rate the count may be one off, and not two."""
    check_length(95_999, PROBE, rate_hz=48_000, declared=88_200, subject="a.flac")
    with pytest.raises(SourceDamaged):
        check_length(95_998, PROBE, rate_hz=48_000, declared=88_200, subject="a.flac")


def test_a_lossy_source_may_lose_a_frame() -> None:
    """A tenth of a second is forgiven, not more."""
    lossy = replace(PROBE, codec="mp3", lossless=False)
    check_length(88_200 - 4_409, lossy, rate_hz=44_100, declared=88_200, subject="a.mp3")
    with pytest.raises(SourceDamaged):
        check_length(88_200 - 4_412, lossy, rate_hz=44_100, declared=88_200, subject="a.mp3")


def test_without_a_promise_the_duration_counts() -> None:
    """A lossless stream alone in its container is as long as that; the probe tells it to 0.01 s."""
    check_length(88_200 - 800, PROBE, rate_hz=44_100, declared=None, subject="a.m4a")
    with pytest.raises(SourceDamaged):
        check_length(88_200 - 1_000, PROBE, rate_hz=44_100, declared=None, subject="a.m4a")


def test_lengths_that_prove_nothing() -> None:
    """Lossy codecs pad, a video may go on after its sound, and some containers say nothing."""
    for probe in (replace(PROBE, lossless=False), replace(PROBE, alone=False), replace(PROBE, duration_s=None)):
        check_length(44_100, probe, rate_hz=44_100, declared=None, subject="a")


def test_shorter_than_a_tenth_of_a_second() -> None:
    """There is nothing to stream."""
    short = replace(PROBE, duration_s=0.1)
    check_length(4_410, short, rate_hz=44_100, declared=4_410, subject="a")
    with pytest.raises(SourceTooShort, match=r"0\.100 s"):
        check_length(4_409, short, rate_hz=44_100, declared=4_409, subject="a")
