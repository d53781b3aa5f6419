"""A track file in parts and blocks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.loudness import LoudnessReport
from model.rendition import Codec, Rendition
from model.segment import Segment, SegmentedRendition
from origin.blocks import INIT_PART, block_of, part_range
from storage.base import ByteRange

INIT_BYTES = 700
INDEX_BYTES = 100


def _rendition(sizes: list[int]) -> SegmentedRendition:
    offset = INIT_BYTES + INDEX_BYTES
    segments = []
    for size in sizes:
        segments.append(Segment(duration_ticks=46_080, offset_bytes=offset, size_bytes=size))
        offset += size
    return SegmentedRendition(
        rendition=Rendition(rendition_id="aac-64", codec=Codec.AAC, bitrate_bps=64_000),
        timescale=48_000,
        priming_ticks=1024,
        init_size_bytes=INIT_BYTES,
        index_size_bytes=INDEX_BYTES,
        segments=tuple(segments),
        sha256="0" * 64,
        loudness=LoudnessReport(integrated_lufs=-14.0),
    )


def test_parts_are_the_init_section_and_then_the_segments() -> None:
    """The index between them belongs to no part."""
    rendition = _rendition([10, 20])
    parts = [part_range(rendition, number) for number in range(-1, 4)]
    assert parts == [None, ByteRange(0, 700), ByteRange(800, 810), ByteRange(810, 830), None]


@pytest.mark.parametrize(("number", "first", "last"), [(0, 0, 1), (1, 0, 1), (2, 2, 3), (3, 2, 3), (4, 4, 4)])
def test_neighbours_share_a_block_while_they_fit(number: int, first: int, last: int) -> None:
    """900 bytes hold the init section and a segment of 100, or two segments of 400."""
    block = block_of(_rendition([100, 400, 400, 400]), number, bytes_max=900)
    assert (block.first, block.first + len(block.parts) - 1) == (first, last)


def test_a_part_larger_than_a_block_is_a_block_alone() -> None:
    """A limit on read-ahead is no limit on segments."""
    block = block_of(_rendition([10, 5000, 10]), 2, bytes_max=900)
    assert (block.first, block.byte_range) == (2, ByteRange(810, 5810))


@given(sizes=st.lists(st.integers(1, 400), min_size=1, max_size=30), bytes_max=st.integers(1, 2000))
def test_blocks_tile_the_parts(sizes: list[int], bytes_max: int) -> None:
    """Every part is in exactly one block, whichever part was asked for, and a split block gives the file's bytes."""
    rendition = _rendition(sizes)
    file = bytes(number % 251 for number in range(rendition.size_bytes))
    found: dict[int, bytes] = {}
    number = INIT_PART
    while number <= len(sizes):
        block = block_of(rendition, number, bytes_max=bytes_max)
        assert block.first == number
        pieces = block.split(file[block.byte_range.start : block.byte_range.end])
        assert all(block_of(rendition, each, bytes_max=bytes_max) == block for each in pieces)
        assert len(pieces) == 1 or block.byte_range.size_bytes <= bytes_max
        found |= pieces
        number += len(pieces)
    for each, data in found.items():
        part = part_range(rendition, each)
        assert part is not None and data == file[part.start : part.end]
    assert len(found) == len(sizes) + 1
