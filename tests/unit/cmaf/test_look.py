"""Whatever bytes it is shown, looking raises nothing and ends soon; at our own files it sees what the reader sees."""

import struct
import time
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmaf.look import BOXES_MAX, HEADER_BYTES_MAX, InitLook, look_at_index, look_at_init, look_at_segment
from cmaf.read import read_track_file
from cmaf.rules import TrackLook, check_track
from cmaf.write import box
from model.rendition import Codec
from tests.unit.cmaf.samples import Made, made

FILES: dict[Codec, Made] = {codec: made(codec, 10 * 48_000) for codec in Codec}
CODECS = {Codec.AAC: ("mp4a.40.2",), Codec.OPUS: ("Opus",), Codec.FLAC: ("fLaC",)}
SECONDS_MAX = 5.0


def _init(codec: Codec) -> InitLook:
    return look_at_init(FILES[codec].data[: FILES[codec].file.init_size_bytes])


def _segments(codec: Codec) -> list[bytes]:
    one = FILES[codec]
    return [one.data[each.offset_bytes : each.offset_bytes + each.size_bytes] for each in one.file.segments]


@pytest.mark.parametrize("codec", Codec)
def test_it_sees_what_the_reader_of_ours_sees(codec: Codec) -> None:
    """Two readers, one file."""
    one, init = FILES[codec], _init(codec)
    read = read_track_file(BytesIO(one.data))
    assert (init.brands, init.sample_entry, init.timescale) == (read.brands, read.sample_entry, read.timescale)
    assert (init.channels, init.edit_media_time) == (read.channels, read.edit_media_time)
    assert (init.codecs, init.one_sound, init.flaws) == (CODECS[codec], True, ())
    looks = [look_at_segment(data, init) for data in _segments(codec)]
    assert [(each.duration_ticks, each.frames) for each in looks] == [
        (each.duration_ticks, each.frame_count) for each in read.fragments
    ]
    assert [each.fragments[0].decode_time for each in looks] == [each.decode_time for each in read.fragments]
    start = one.file.init_size_bytes
    assert look_at_index(one.data[start : start + one.file.index_size_bytes]) == read.index


def _bounded(init_data: bytes, data: bytes) -> None:
    began = time.monotonic()
    init = look_at_init(init_data)
    segment = look_at_segment(data, init)
    look_at_index(data)
    check_track(TrackLook(init=init, segments=(segment, None, segment)))
    assert time.monotonic() - began < SECONDS_MAX


@given(
    codec=st.sampled_from(list(Codec)),
    changes=st.lists(st.tuples(st.integers(0, 1_500), st.integers(0, 255)), max_size=8),
    cut=st.integers(0, 2_000),
)
def test_changed_and_cut_bytes(codec: Codec, changes: list[tuple[int, int]], cut: int) -> None:
    """In the header and in a segment."""
    pieces = [FILES[codec].data[: FILES[codec].file.init_size_bytes], _segments(codec)[1]]
    for place, value in changes:
        for number, piece in enumerate(pieces):
            data = bytearray(piece)
            data[place % len(data)] = value
            pieces[number] = bytes(data)
    _bounded(*pieces)
    _bounded(pieces[0][:cut], pieces[1][:cut])


@given(st.binary(max_size=1_000))
def test_junk(data: bytes) -> None:
    """Bytes that were never boxes."""
    _bounded(data, data)


@pytest.mark.parametrize(
    "data",
    [box(b"free") * (BOXES_MAX + 1), box(b"moof", bytes(HEADER_BYTES_MAX + 1)), box(b"moof") * BOXES_MAX],
    ids=["many boxes", "a large moof", "many moofs"],
)
def test_more_than_any_segment_has_is_not_looked_through(data: bytes) -> None:
    """Memory and time stay bounded."""
    began = time.monotonic()
    look = look_at_segment(data, _init(Codec.AAC))
    assert look.flaws or len(look.fragments) <= BOXES_MAX
    assert time.monotonic() - began < SECONDS_MAX


def _config(data: bytes) -> InitLook:
    """The AAC init section with another AudioSpecificConfig of as many bytes."""
    before = bytes.fromhex("119056e500")
    whole = FILES[Codec.AAC].data[: FILES[Codec.AAC].file.init_size_bytes]
    assert before in whole and len(before) == len(data)
    return look_at_init(whole.replace(before, data))


@pytest.mark.parametrize(
    ("config", "codecs"),
    [
        ("119056e500", ("mp4a.40.2",)),  # the extension is there and says: no SBR
        ("139056e580", ("mp4a.40.2", "mp4a.40.5")),  # and here: SBR
        ("2b11880000", ("mp4a.40.5",)),
        ("eb11880000", ("mp4a.40.29",)),
        ("f95a000000", ("mp4a.40.42",)),  # escaped: 32 and 10
    ],
)
def test_codecs_follow_from_the_decoder_configuration(config: str, codecs: tuple[str, ...]) -> None:
    """ISO/IEC 14496-3 §1.6.2.1."""
    data = bytearray(bytes.fromhex(config))
    if config == "f95a000000":
        data[0:2] = struct.pack(">H", 0b11111_001010_00000)
    assert _config(bytes(data)).codecs == codecs
