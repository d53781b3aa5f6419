"""Segments of joined tracks: frames of track files under another header."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmaf.joined import FrameRun, frames_in, joined_init, joined_segment, meeting_segment
from cmaf.read import read_track_file
from model.errors import MediaError
from model.joining import FRAME_TICKS
from model.rendition import Codec
from tests.support.box_reader import read_boxes
from tests.support.framed import frames_in_segment, run_of

SECONDS = 48_000
ONE = run_of([2 * SECONDS + 777], name="one")[0]
SEGMENTS = {
    codec: [
        ONE.files[rendition.rendition.rendition_id][each.offset_bytes : each.offset_bytes + each.size_bytes]
        for each in rendition.segments
    ]
    for codec in Codec
    for rendition in ONE.package.of(codec)[:1]
}


@pytest.mark.parametrize("codec", list(Codec))
def test_a_segment_holds_the_frames_at_its_place(codec: Codec) -> None:
    """Read back by a reader of its own: frames, durations and decode time are those that were asked for."""
    first, last = SEGMENTS[codec][0], SEGMENTS[codec][-1]
    runs = [frames_in(first, codec, 3, 9), frames_in(last, codec, 0, 2)]
    start = 7 * FRAME_TICKS[codec]
    made = joined_segment(codec, start, runs, whole_frames=True)
    moof, _ = read_boxes(made)
    assert moof.one("traf/tfdt")["decode_time"] == start
    assert moof.one("traf/tfhd")["duration"] == FRAME_TICKS[codec]
    assert [set(row) for row in moof.one("traf/trun").rows] == [{"size"}] * 8
    assert frames_in_segment(made) == frames_in_segment(first)[3:9] + frames_in_segment(last)[:2]


@pytest.mark.parametrize("codec", list(Codec))
def test_the_rest_of_a_file_ends_as_the_file_does(codec: Codec) -> None:
    """With the shorter last frame; unless whole frames are wanted."""
    last = SEGMENTS[codec][-1]
    count = len(frames_in_segment(last))
    run = frames_in(last, codec, 1, count)
    as_it_is = joined_segment(codec, 0, [run], whole_frames=False)
    durations = [row["duration"] for row in read_boxes(as_it_is)[0].one("traf/trun").rows]
    assert durations[-1] == run.last_ticks < FRAME_TICKS[codec] == durations[0]
    if codec is Codec.FLAC:
        with pytest.raises(MediaError, match="shorter block"):
            joined_segment(codec, 0, [run], whole_frames=True)
    else:
        whole = joined_segment(codec, 0, [run], whole_frames=True)
        assert [set(row) for row in read_boxes(whole)[0].one("traf/trun").rows] == [{"size"}] * (count - 1)


@pytest.mark.parametrize("codec", [Codec.AAC, Codec.OPUS])
def test_the_first_frame_gives_way_as_browsers_need_it(codec: Codec) -> None:
    """In AAC it has a fragment of its own, of its full length, and the next begins before its end; in Opus it is
    shorter. All frames are there once."""
    segment, frame = SEGMENTS[codec][0], FRAME_TICKS[codec]
    made = meeting_segment(codec, 5001, [frames_in(segment, codec, 0, 4)], skip_ticks=300, whole_frames=True)
    moofs = read_boxes(made)[::2]
    times = [moof.one("traf/tfdt")["decode_time"] for moof in moofs]
    durations = [[row.get("duration", frame) for row in moof.one("traf/trun").rows] for moof in moofs]
    if codec is Codec.AAC:
        assert (times, durations) == ([5001, 5001 + frame - 300], [[frame], [frame] * 3])
        lone = meeting_segment(codec, 0, [frames_in(segment, codec, 0, 1)], skip_ticks=300, whole_frames=True)
        assert len(read_boxes(lone)) == 2
    else:
        assert (times, durations) == ([5001], [[frame - 300, *[frame] * 3]])
    size = moofs[0].size + 8 + sum(row["size"] for row in moofs[0].one("traf/trun").rows)
    frames = [frame for part in (made[:size], made[size:]) if part for frame in frames_in_segment(part)]
    assert frames == frames_in_segment(segment)[:4]


def test_sequence_numbers_grow_with_the_time() -> None:
    """Also where segments are as short as a frame."""
    run = frames_in(SEGMENTS[Codec.OPUS][0], Codec.OPUS, 0, 1)
    numbers = [
        read_boxes(joined_segment(Codec.OPUS, 960 * at, [run], whole_frames=True))[0].one("mfhd")["sequence"]
        for at in range(1, 5)
    ]
    assert numbers == [2, 3, 4, 5]


@pytest.mark.parametrize(("first", "end"), [(-1, 2), (2, 2), (0, 10_000)])
def test_frames_that_are_not_there_are_an_error(first: int, end: int) -> None:
    """Not fewer frames than were asked for."""
    with pytest.raises(MediaError, match="frames, not"):
        frames_in(SEGMENTS[Codec.AAC][0], Codec.AAC, first, end)


def test_frames_of_another_codec_are_an_error() -> None:
    """They would be played too fast or too slow."""
    with pytest.raises(MediaError, match="not of 960 ticks"):
        frames_in(SEGMENTS[Codec.AAC][0], Codec.OPUS, 0, 1)


@given(at=st.integers(0, 400), paste=st.binary(max_size=8), cut=st.integers(0, 40))
def test_a_damaged_segment_is_frames_or_a_typed_error(at: int, paste: bytes, cut: int) -> None:
    """Nothing else comes out of bytes of any kind."""
    good = SEGMENTS[Codec.AAC][0]
    bad = good[:at] + paste + good[at + cut :]
    try:
        run = frames_in(bad, Codec.AAC, 0, 5)
    except MediaError:
        return
    assert isinstance(run, FrameRun)
    assert len(run.data) == sum(run.sizes)


@pytest.mark.parametrize(
    ("codec", "priming", "edit"),
    [(Codec.AAC, 1024, 1024), (Codec.AAC, 0, None), (Codec.OPUS, 312, None), (Codec.FLAC, 0, None)],
)
def test_an_init_section_is_like_those_of_tracks(codec: Codec, priming: int, edit: int | None) -> None:
    """But that it says nothing of loudness; every bit of it is accounted for by a reader of its own."""
    data = joined_init(codec, priming)
    read_boxes(data)
    found, theirs = (
        read_track_file(io.BytesIO(each)) for each in (data, ONE.files[ONE.package.of(codec)[0].rendition.rendition_id])
    )
    for name in ("brands", "sample_entry", "timescale", "entry_rate_hz", "channels", "bit_depth", "roll_distance"):
        assert getattr(found, name) == getattr(theirs, name)
    assert (found.edit_media_time, found.loudness_lufs) == (edit, None)
    if codec is Codec.OPUS:
        assert int.from_bytes(found.config[2:4], "big") == priming
    if codec is Codec.FLAC:
        assert int.from_bytes(found.config[18:21], "big") >> 4 == 48_000
