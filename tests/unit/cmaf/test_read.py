"""Whatever bytes the reader is given: a value or MediaError, and soon."""

import struct
import time
from contextlib import suppress
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmaf.boxes import load, top_boxes
from cmaf.read import read_track_file
from model.errors import MediaError
from model.rendition import Codec
from tests.unit.cmaf.samples import made

FILES = {codec: made(codec, 48_000).data for codec in Codec}
SECONDS_MAX = 5.0  # generous: a file takes under 1 ms
NUMBERS = st.sampled_from([0, 1, 7, 8, 0x7F, 0xFF, 0x7FFF_FFFF, 0xFFFF_FFFF]) | st.integers(0, 0xFFFF_FFFF)


def _bounded(data: bytes) -> None:
    began = time.monotonic()
    with suppress(MediaError):
        read_track_file(BytesIO(data))
    assert time.monotonic() - began < SECONDS_MAX


@given(codec=st.sampled_from(list(Codec)), cut=st.floats(0, 1))
def test_a_file_that_is_cut_off(codec: Codec, cut: float) -> None:
    """Anywhere."""
    _bounded(FILES[codec][: int(cut * len(FILES[codec]))])


@given(
    codec=st.sampled_from(list(Codec)), changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=8)
)
def test_a_file_with_changed_bytes(codec: Codec, changes: list[tuple[float, int]]) -> None:
    """Up to eight, most of them in the boxes."""
    data = bytearray(FILES[codec])
    for place, value in changes:
        data[int(place * (len(data) - 1))] = value
    _bounded(bytes(data))


@given(codec=st.sampled_from(list(Codec)), place=st.integers(0, 400), value=NUMBERS)
def test_a_header_with_a_changed_number(codec: Codec, place: int, value: int) -> None:
    """Any four bytes of the header: sizes, counts, versions, times."""
    data = bytearray(FILES[codec])
    struct.pack_into(">I", data, 2 * place, value)
    _bounded(bytes(data))


@given(st.binary(max_size=2_000))
def test_junk(data: bytes) -> None:
    """Bytes that were never a file."""
    with pytest.raises(MediaError):
        read_track_file(BytesIO(data))


@pytest.mark.parametrize("kind", [b"moov", b"traf", b"trak"])
def test_boxes_without_end_inside_each_other(kind: bytes) -> None:
    """10,000 deep, behind what a reader needs to get so far."""
    good = FILES[Codec.AAC]
    nested = b""
    for _ in range(10_000):
        nested = struct.pack(">I4s", 8 + len(nested), kind) + nested
    start = good.index(b"moov") - 4
    (size,) = struct.unpack_from(">I", good, start)
    moov = struct.pack(">I4s", size + len(nested), b"moov") + good[start + 8 : start + size] + nested
    with pytest.raises(MediaError, match="nested"):
        read_track_file(BytesIO(good[:start] + moov + good[start + size :]))


def test_two_runs_in_a_fragment_are_refused() -> None:
    """CMAF has one `traf` with one `trun`: our ranges and times assume it."""
    good = FILES[Codec.FLAC]
    moof = good.index(b"moof") - 4
    (size,) = struct.unpack_from(">I", good, moof)
    traf = good.index(b"traf") - 4
    (traf_size,) = struct.unpack_from(">I", good, traf)
    doubled = struct.pack(">I", size + traf_size) + good[moof + 4 : moof + size] + good[traf : traf + traf_size]
    with pytest.raises(MediaError, match="one traf"):
        read_track_file(BytesIO(good[:moof] + doubled + good[moof + size :]))


def test_a_fragment_without_its_media_is_refused() -> None:
    """`moof` must be followed by `mdat`, or a range of it would play nothing."""
    good = FILES[Codec.AAC]
    with pytest.raises(MediaError, match="not by mdat"):
        read_track_file(BytesIO(good.replace(b"mdat", b"free", 1)))
    moof = good.rindex(b"moof") - 4
    (size,) = struct.unpack_from(">I", good, moof)
    with pytest.raises(MediaError, match="mdat"):
        read_track_file(BytesIO(good[: moof + size]))


def test_large_sizes_and_boxes_to_the_end_are_understood() -> None:
    """64-bit sizes, and size 0 for the last box (ISO/IEC 14496-12 §4.2)."""
    data = struct.pack(">I4sQ", 1, b"free", 20) + b"1234" + struct.pack(">I4s", 0, b"mdat") + b"56"
    boxes = list(top_boxes(BytesIO(data)))
    assert [(each.type, each.offset, each.size, each.header) for each in boxes] == [
        ("free", 0, 20, 16),
        ("mdat", 20, 10, 8),
    ]
    assert load(BytesIO(data), boxes[0]).payload == b"1234"
