"""Encoded frames become a track file that says of itself what went in, read back by code that did not write it."""

import hashlib
from dataclasses import replace
from io import BytesIO
from itertools import accumulate

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cmaf.assemble import assemble
from cmaf.read import ParsedTrack, read_track_file
from cmaf.timeline import segment_durations
from model.errors import MediaError
from model.loudness import LoudnessReport
from model.rendition import Codec
from tests.unit.cmaf.samples import CONFIGS, ENTRIES, FRAME_TICKS, LOUDNESS, PRIMING_TICKS, Made, encoding, made

CODECS = st.sampled_from(list(Codec))
LENGTHS = st.integers(4_800, 30 * 48_000)
ALL = pytest.mark.parametrize("codec", list(Codec))


def _read(one: Made) -> ParsedTrack:
    return read_track_file(BytesIO(one.data))


@given(codec=CODECS, samples=LENGTHS, padding=st.integers(0, 3))
@example(codec=Codec.AAC, samples=46_080 - 1_024 + 1, padding=0)
@example(codec=Codec.OPUS, samples=46_080 - 312, padding=1)
@example(codec=Codec.FLAC, samples=46_081, padding=0)
@example(codec=Codec.AAC, samples=1, padding=0)
def test_the_file_is_what_was_asked_for(codec: Codec, samples: int, padding: int) -> None:
    """Every time, size and place: in what `assemble` returns, in the boxes, and in the segment index."""
    one = made(codec, samples, padding_frames=padding)
    parsed, file = _read(one), one.file
    durations = segment_durations(PRIMING_TICKS[codec] + samples)
    assert [each.duration_ticks for each in file.segments] == list(durations)
    assert [each.duration_ticks for each in parsed.fragments] == list(durations)
    assert [each.decode_time for each in parsed.fragments] == list(accumulate(durations[:-1], initial=0))
    assert [each.sequence for each in parsed.fragments] == list(range(1, len(durations) + 1))
    places = [(each.offset_bytes, each.size_bytes) for each in file.segments]
    assert [(each.offset_bytes, each.size_bytes) for each in parsed.fragments] == places
    assert list(parsed.index) == [(size, ticks) for (_, size), ticks in zip(places, durations, strict=True)]
    assert (parsed.init_size_bytes, parsed.index_size_bytes) == (file.init_size_bytes, file.index_size_bytes)
    assert places[-1][0] + places[-1][1] == len(one.data)
    assert all(each.frames_size_bytes == each.media_size_bytes for each in parsed.fragments)
    assert file.sha256 == hashlib.sha256(one.data).hexdigest()


@given(codec=CODECS, samples=LENGTHS, padding=st.integers(0, 3))
def test_the_media_are_exactly_the_frames(codec: Codec, samples: int, padding: int) -> None:
    """Every byte of every frame that is needed, in order, and none of the padding after the last."""
    one = made(codec, samples, padding_frames=padding)
    parsed = _read(one)
    media = b""
    for each in parsed.fragments:
        end = each.offset_bytes + each.size_bytes
        media += one.data[end - each.media_size_bytes : end]
    frames = -(-(PRIMING_TICKS[codec] + samples) // FRAME_TICKS[codec])
    assert sum(each.frame_count for each in parsed.fragments) == frames
    assert media == one.frames[: sum(one.encoded.sizes[:frames])]


@ALL
def test_frames_that_lie_scattered_are_gathered(codec: Codec) -> None:
    """An encoder may interleave or pad its chunks; order counts, not position."""
    encoded, source = encoding(codec, 100_000)
    frames = [source[at : at + size] for at, size in zip(encoded.offsets, encoded.sizes, strict=True)]
    backwards = b"".join(b"pad" + frame for frame in reversed(frames))
    ends = accumulate(len(frame) + 3 for frame in reversed(frames))
    starts = [end - len(frame) for end, frame in zip(ends, reversed(frames), strict=True)]
    scattered = replace(encoded, offsets=tuple(reversed(starts)))
    target = BytesIO()
    assemble(scattered, BytesIO(backwards), target, media_samples=100_000, loudness=LOUDNESS)
    assert target.getvalue() == made(codec, 100_000).data


@ALL
def test_long_frames_are_copied_in_pieces(codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    """However little is read at once, the file is the same."""
    whole = made(codec, 100_000).data
    monkeypatch.setattr("cmaf.assemble.COPY_BYTES", 7)
    assert made(codec, 100_000).data == whole


@ALL
def test_the_header_says_how_to_play_it(codec: Codec) -> None:
    """Brands, entry, configuration, timescale, priming and roll distance of each codec."""
    parsed = _read(made(codec, 48_000))
    assert parsed.brands[0] == "cmfc"
    assert ("caac" in parsed.brands) == (codec is Codec.AAC)
    assert parsed.sample_entry == ENTRIES[codec]
    config = CONFIGS[codec]
    if codec is Codec.FLAC:  # version and flags before it, the number of samples in it
        config = bytes(4) + config[:18] + (48_000).to_bytes(4, "big") + config[22:]
    assert parsed.config == config
    assert (parsed.timescale, parsed.channels) == (48_000, 2)
    assert parsed.edit_media_time == (1_024 if codec is Codec.AAC else None)
    assert parsed.roll_distance == {Codec.AAC: -1, Codec.OPUS: -4, Codec.FLAC: None}[codec]


@given(lufs=st.floats(-57.75, 6), peak=st.floats(-100, 10))
def test_the_loudness_is_the_measured_one(lufs: float, peak: float) -> None:
    """Within half a step of the fields of `ludt`: 0.25 LU and 1/32 dB."""
    report = LoudnessReport(integrated_lufs=lufs, true_peak_dbtp=peak)
    parsed = _read(made(Codec.AAC, 4_800, loudness=report))
    assert parsed.loudness_lufs == pytest.approx(lufs, abs=0.125)
    assert parsed.true_peak_dbtp == pytest.approx(peak, abs=1 / 64)


@given(st.floats(-200, 200))
def test_loudness_beyond_the_fields_is_clamped(level: float) -> None:
    """The least and the most that the fields can say."""
    parsed = _read(made(Codec.AAC, 4_800, loudness=LoudnessReport(integrated_lufs=level, true_peak_dbtp=level)))
    assert parsed.loudness_lufs == pytest.approx(min(6, max(-57.75, level)), abs=0.125)
    assert parsed.true_peak_dbtp == pytest.approx(min(19.96875, max(-107.96875, level)), abs=1 / 64)


def test_silence_has_no_ludt() -> None:
    """A loudness that is not there is not told, and a missing peak is told as missing."""
    silent = _read(made(Codec.AAC, 4_800, loudness=LoudnessReport(integrated_lufs=None)))
    assert (silent.loudness_lufs, silent.true_peak_dbtp) == (None, None)
    assert "ludt" not in silent.header_box_types
    peakless = _read(made(Codec.AAC, 4_800, loudness=LoudnessReport(integrated_lufs=-14.0)))
    assert (peakless.loudness_lufs, peakless.true_peak_dbtp) == (-14.0, None)


def test_three_hours_fit() -> None:
    """The index and all fragments of a very long track, and the last frame still cut to the sample."""
    samples = 3 * 3600 * 48_000 + 77
    parsed = _read(made(Codec.FLAC, samples))
    assert sum(each.duration_ticks for each in parsed.fragments) == samples
    assert len(parsed.index) == len(parsed.fragments) == 1779


@ALL
def test_too_few_frames_are_refused(codec: Codec) -> None:
    """An encoder that stopped early must not give a shorter track."""
    encoded, source = encoding(codec, 48_000)
    with pytest.raises(MediaError, match="less than it was given"):
        assemble(encoded, BytesIO(source), BytesIO(), media_samples=52_000, loudness=LOUDNESS)


@ALL
def test_a_file_that_ends_early_is_refused(codec: Codec) -> None:
    """Its table promises frames that are not there."""
    encoded, source = encoding(codec, 48_000)
    with pytest.raises(MediaError, match="ends before its last frame"):
        assemble(encoded, BytesIO(source[:-1]), BytesIO(), media_samples=48_000, loudness=LOUDNESS)


def test_what_does_not_fit_the_grid_is_refused() -> None:
    """Another timescale."""
    encoded, source = encoding(Codec.OPUS, 48_000)
    with pytest.raises(MediaError, match="timescale"):
        assemble(replace(encoded, timescale=44_100), BytesIO(source), BytesIO(), media_samples=1, loudness=LOUDNESS)
