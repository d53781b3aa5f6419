"""A track file in pieces and blocks."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.loudness import LoudnessReport
from model.rendition import Codec, Rendition
from model.segment import Segment, SegmentedRendition
from origin.blocks import (
    FIRST_BLOCK_BYTES,
    FIRST_READ_BYTES,
    first_pieces,
    part_range,
    piece_after,
    piece_at,
    piece_before,
    pieces_before,
    rest_of_block,
)
from storage.base import ByteRange

INIT_BYTES = 700
INDEX_BYTES = 100
MIB = 1 << 20


def _rendition(sizes: list[int], *, index_bytes: int = INDEX_BYTES) -> SegmentedRendition:
    offset = INIT_BYTES + index_bytes
    segments = []
    for size in sizes:
        segments.append(Segment(duration_ticks=46_080, offset_bytes=offset, size_bytes=size))
        offset += size
    return SegmentedRendition(
        rendition=Rendition(rendition_id="aac-64", codec=Codec.AAC, bitrate_bps=64_000),
        timescale=48_000,
        priming_ticks=1024,
        init_size_bytes=INIT_BYTES,
        index_size_bytes=index_bytes,
        segments=tuple(segments),
        sha256="0" * 64,
        loudness=LoudnessReport(integrated_lufs=-14.0),
    )


def _blocks(rendition: SegmentedRendition, bytes_max: int) -> list[list[ByteRange]]:
    blocks, at = [], 0
    while at < rendition.size_bytes:
        blocks.append(rest_of_block(rendition, at, bytes_max=bytes_max))
        at = blocks[-1][-1].end
    return blocks


def test_parts_are_the_init_section_and_then_the_segments() -> None:
    """The index between them belongs to no part."""
    rendition = _rendition([10, 20])
    parts = [part_range(rendition, number) for number in range(-1, 4)]
    assert parts == [None, ByteRange(0, 700), ByteRange(800, 810), ByteRange(810, 830), None]


@given(sizes=st.lists(st.integers(1, 400), min_size=1, max_size=30), index=st.integers(0, 50), data=st.data())
def test_pieces_tile_the_file(sizes: list[int], index: int, data: st.DataObject) -> None:
    """Every byte is in one piece, and every part is a piece."""
    rendition = _rendition(sizes, index_bytes=index)
    at = data.draw(st.integers(0, rendition.size_bytes - 1))
    piece = piece_at(rendition, at)
    assert piece.start <= at < piece.end
    assert all(piece_at(rendition, other) == piece for other in (piece.start, piece.end - 1))
    for number in range(len(sizes) + 1):
        part = part_range(rendition, number)
        assert part is not None and piece_at(rendition, part.start) == part


@given(sizes=st.lists(st.integers(1, 90_000), min_size=1, max_size=30), data=st.data())
def test_the_first_read_is_short(sizes: list[int], data: st.DataObject) -> None:
    """The piece that was asked for, the one after it, and those that begin soon; each next to the one before."""
    rendition = _rendition(sizes)
    at = data.draw(st.integers(0, rendition.size_bytes - 1))
    pieces = first_pieces(rendition, piece_at(rendition, at))
    assert pieces[0] == piece_at(rendition, at)
    assert [piece_after(rendition, piece) for piece in pieces[:-1]] == pieces[1:]
    assert [piece_before(rendition, piece) for piece in pieces[1:]] == pieces[:-1]
    assert len(pieces) == 2 or pieces[-1].start < pieces[0].start + FIRST_READ_BYTES
    following = piece_after(rendition, pieces[-1])
    assert (pieces[-1].end == rendition.size_bytes) if following is None else following.start == pieces[-1].end
    assert following is None or (len(pieces) > 1 and following.start >= pieces[0].start + FIRST_READ_BYTES)


@given(
    sizes=st.lists(st.integers(1, 400_000), min_size=1, max_size=60),
    bytes_max=st.integers(1, 8 * MIB),
    data=st.data(),
)
def test_blocks_tile_the_pieces(sizes: list[int], bytes_max: int, data: st.DataObject) -> None:
    """Whichever piece is asked for first, its block ends at the same place; none is much too long."""
    rendition = _rendition(sizes)
    blocks = _blocks(rendition, bytes_max)
    assert [piece for block in blocks for piece in block][-1].end == rendition.size_bytes
    block = data.draw(st.sampled_from(blocks))
    assert block[-1].start - block[0].start < bytes_max
    piece = data.draw(st.sampled_from(block))
    inside = data.draw(st.integers(piece.start, piece.end - 1))
    assert rest_of_block(rendition, inside, bytes_max=bytes_max) == block[block.index(piece) :]


@pytest.mark.parametrize(
    ("segments", "segment_bytes", "blocks", "first_bytes"),
    [
        (8, 96_000, 1, FIRST_BLOCK_BYTES),  # half a minute
        (42, 194_000, 2, 3 * MIB),  # four minutes at 256 kbit/s: 8 MB
        (240, 96_000, 2, 8 * MIB),  # 24 minutes at 128 kbit/s: 23 MB
        (42, 607_000, 2, 9 * MIB),  # four minutes of FLAC: 25 MB
        (180, 194_000, 4, FIRST_BLOCK_BYTES),  # 18 minutes at 256 kbit/s, 35 MB, pass what two blocks hold
        (1776, 243_000, 27, FIRST_BLOCK_BYTES),  # three hours at 320 kbit/s: 432 MB
    ],
)
def test_a_rendition_is_few_blocks(segments: int, segment_bytes: int, blocks: int, first_bytes: int) -> None:
    """As docs/decisions/0035-a-short-first-read.md says: two, the first a third; or a short one, and more."""
    found = _blocks(_rendition([segment_bytes] * segments), 16 * MIB)
    assert len(found) == blocks
    assert found[0][-1].start < first_bytes


@given(st.lists(st.integers(1, 100_000), min_size=1, max_size=20), st.integers(0, 2_000_000), st.data())
def test_pieces_before_a_byte_are_whole(sizes: list[int], end: int, data: st.DataObject) -> None:
    """They follow one another from the first on, end by that byte, and the next one does not."""
    rendition = _rendition(sizes)
    first = piece_at(rendition, data.draw(st.integers(0, rendition.size_bytes - 1)))
    pieces = pieces_before(rendition, first, end)
    if not pieces:
        assert first.end > end
        return
    assert pieces[0] == first and pieces[-1].end <= end
    assert all(before.end == after.start for before, after in pairwise(pieces))
    following = piece_after(rendition, pieces[-1])
    assert following is None or following.end > end
