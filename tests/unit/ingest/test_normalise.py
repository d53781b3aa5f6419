"""What ffmpeg's refusals mean, which lengths are believed, and when bits are dithered."""

from dataclasses import replace

import pytest

from avtool.output import Probe
from ingest.normalise import check_length, needs_dither, refusal
from ingest.settings import IngestSettings
from model.errors import SourceTooShort, SourceUnreadable, ToolFailed
from model.loudness import LoudnessTarget

PROBE = Probe(
    container="flac",
    codec="flac",
    sample_rate_hz=48_000,
    channel_layout="stereo",
    channels=2,
    bit_depth=24,
    lossless=True,
    duration_s=2.0,
)


def failed(stderr: str, status: int = 1) -> ToolFailed:
    """An ffmpeg that ended like this."""
    return ToolFailed("last line", subject="ffmpeg", exit_status_of_tool=status, stderr_tail=stderr)


@pytest.mark.parametrize(
    ("stderr", "status", "code", "hint"),
    [
        ("Stream map '0:a:0' matches no streams.", 234, "source-unsupported", "silent videos"),
        ("[in#0] Format not on whitelist 'wav,flac'", 1, "source-unsupported", "FLAC"),
        ("Error opening input files: Invalid data found", 183, "source-unreadable", "FLAC"),
        ("Error while decoding stream", 69, "source-unreadable", "copy it again"),
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


@pytest.mark.parametrize("missing", [1_000, 48_000])
def test_missing_frames(missing: int) -> None:
    """A lossless container knows its length: one lost block is a damaged file."""
    check_length(96_000, PROBE, subject="a.flac")
    with pytest.raises(SourceUnreadable, match="cut off or damaged"):
        check_length(96_000 - missing, PROBE, subject="a.flac")


def test_lengths_that_prove_nothing() -> None:
    """Lossy codecs pad, a video may go on after its sound, and some containers say nothing."""
    for probe in (replace(PROBE, lossless=False), replace(PROBE, alone=False), replace(PROBE, duration_s=None)):
        check_length(48_000, probe, subject="a")


def test_shorter_than_a_tenth_of_a_second() -> None:
    """There is nothing to stream."""
    check_length(4_800, replace(PROBE, duration_s=0.1), subject="a")
    with pytest.raises(SourceTooShort, match=r"0\.100 s"):
        check_length(4_799, PROBE, subject="a")


@pytest.mark.parametrize(
    ("probe", "gain_db", "dither"),
    [
        (PROBE, 0.0, False),
        (replace(PROBE, bit_depth=16), 0.0, False),
        (replace(PROBE, channels=1), 0.0, False),
        (PROBE, -1.0, True),
        (replace(PROBE, bit_depth=32), 0.0, True),
        (replace(PROBE, bit_depth=None), 0.0, True),
        (replace(PROBE, sample_rate_hz=44_100), 0.0, True),
        (replace(PROBE, channels=6), 0.0, True),
        (replace(PROBE, lossless=False), 0.0, True),
    ],
)
def test_dither_where_bits_are_dropped(probe: Probe, gain_db: float, dither: bool) -> None:
    """And only there: what fits into 24 bits goes through as it is."""
    assert needs_dither(probe, gain_db) is dither


def test_the_recipe_tells_settings_apart_that_change_the_sound() -> None:
    """It is part of the mezzanine's id; limits and folders are not."""
    default = IngestSettings()
    assert default.recipe == IngestSettings(scratch_dir="/elsewhere", duration_s_max=1.0).recipe
    others = (None, LoudnessTarget(integrated_lufs=-14.01), LoudnessTarget(true_peak_dbtp=-1.01))
    assert len({default.recipe, *(IngestSettings(target=target).recipe for target in others)}) == 4
