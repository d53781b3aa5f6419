"""The boxes of a track file against the tables of ISO/IEC 23000-19, walked by a reader of this test's own."""

import struct
from collections.abc import Iterator

import pytest

from model.rendition import Codec
from tests.unit.cmaf.samples import made

HEADER_BOXES = frozenset([  # ISO/IEC 23000-19 table 3
    "ftyp", "moov", "mvhd", "trak", "tkhd", "edts", "elst", "mdia", "mdhd", "hdlr", "elng", "minf", "smhd", "dinf",
    "dref", "stbl", "stsd", "stts", "stsc", "stsz", "stco", "sgpd", "udta", "cprt", "kind", "mvex", "mehd", "trex",
    "pssh",
])  # fmt: skip
CHUNK_BOXES = frozenset([  # table 5
    "styp", "prft", "emsg", "moof", "mfhd", "traf", "tfhd", "tfdt", "trun", "senc", "saio", "saiz", "sbgp", "sgpd",
    "subs", "mdat",
])  # fmt: skip
CONTAINERS = frozenset(["moov", "trak", "edts", "mdia", "minf", "dinf", "stbl", "mvex", "moof", "traf"])
ALL = pytest.mark.parametrize("codec", list(Codec))


def walk(data: bytes, start: int, end: int) -> Iterator[tuple[str, int, int]]:
    """Type, start of the payload and end of every box, those inside containers after their container."""
    while start < end:
        size, kind = struct.unpack_from(">I4s", data, start)
        name = kind.decode("ascii")
        assert 8 <= size <= end - start, f"{name} of {size} bytes at {start}"
        yield name, start + 8, start + size
        if name in CONTAINERS:
            yield from walk(data, start + 8, start + size)
        start += size
    assert start == end


def split(codec: Codec) -> tuple[bytes, bytes, list[bytes]]:
    """Init section, segment index and segments of a track of 20 s, cut as `assemble` says."""
    one = made(codec, 20 * 48_000 + 7)
    init, index = one.file.init_size_bytes, one.file.index_size_bytes
    segments = [one.data[each.offset_bytes : each.offset_bytes + each.size_bytes] for each in one.file.segments]
    return one.data[:init], one.data[init : init + index], segments


@ALL
def test_the_init_section_has_the_boxes_of_a_cmaf_header(codec: Codec) -> None:
    """`ftyp` first, one `moov` that starts with `mvhd`, one track, and only boxes of table 3."""
    init, _, _ = split(codec)
    names = [name for name, _, _ in walk(init, 0, len(init))]
    assert names[:3] == ["ftyp", "moov", "mvhd"]
    assert set(names) <= HEADER_BOXES
    for once in ("moov", "trak", "mdia", "stsd", "trex", "udta"):
        assert names.count(once) == 1, once
    assert ("elst" in names) == (codec is Codec.AAC)
    assert ("sgpd" in names) == (codec is not Codec.FLAC)


@ALL
def test_the_index_is_one_box(codec: Codec) -> None:
    """`sidx`, version 1, as many references as segments, each to media."""
    _, index, segments = split(codec)
    ((name, start, end),) = walk(index, 0, len(index))
    assert (name, end) == ("sidx", len(index))
    (count,) = struct.unpack_from(">H", index, start + 30)
    assert count == len(segments)
    for number, segment in enumerate(segments):
        (size,) = struct.unpack_from(">I", index, start + 32 + 12 * number)
        assert size == len(segment)


@ALL
def test_a_segment_is_one_fragment(codec: Codec) -> None:
    """One `moof` and one `mdat`; in it one `traf` with one `tfdt` and one `trun`; only boxes of table 5."""
    _, _, segments = split(codec)
    for number, segment in enumerate(segments, start=1):
        found = list(walk(segment, 0, len(segment)))
        names = [name for name, _, _ in found]
        grouped = ["sbgp"] if codec is not Codec.FLAC else []
        assert names == ["moof", "mfhd", "traf", "tfhd", "tfdt", *grouped, "trun", "mdat"]
        assert set(names) <= CHUNK_BOXES
        at = {name: start for name, start, _ in found}
        assert struct.unpack_from(">I", segment, at["mfhd"] + 4) == (number,)
        flags, track = struct.unpack_from(">II", segment, at["tfhd"])
        assert flags & 0x020000, "default-base-is-moof"
        assert track == 1
        (data_offset,) = struct.unpack_from(">i", segment, at["trun"] + 8)
        assert data_offset == at["mdat"], "the frames begin where trun says"


@ALL
def test_the_last_frame_lasts_to_the_last_sample(codec: Codec) -> None:
    """A shorter duration in the last `trun`, where a decoder trims; all frames before have the duration of `tfhd`."""
    _, _, segments = split(codec)
    frame = {Codec.AAC: 1_024, Codec.OPUS: 960, Codec.FLAC: 3_840}[codec]
    total = 20 * 48_000 + 7 + {Codec.AAC: 1_024, Codec.OPUS: 312, Codec.FLAC: 0}[codec]
    at = {name: start for name, start, _ in walk(segments[-1], 0, len(segments[-1]))}
    flags, count = struct.unpack_from(">II", segments[-1], at["trun"])
    assert flags & 0x100
    durations = [struct.unpack_from(">I", segments[-1], at["trun"] + 12 + 8 * row)[0] for row in range(count)]
    assert durations == [frame] * (count - 1) + [total % frame]


@ALL
def test_the_same_input_gives_the_same_bytes(codec: Codec) -> None:
    """No clock, no random ids: a package made twice is one package."""
    assert made(codec, 50_001).data == made(codec, 50_001).data
