"""A track file as the origin reads it: pieces (init section, index, each segment) in blocks of neighbours.

One read of the store brings what is left of a block, so a cold play of a rendition costs a few reads, not one a
segment. The first block is small, for many listeners leave early; the rest is two blocks, or more where two would be
too large. The split depends on the file and the settings alone. Pure.
"""

from bisect import bisect_right
from operator import attrgetter

from model.segment import SegmentedRendition
from storage.base import ByteRange

INIT_PART = 0  # and segment n is part n + 1
FIRST_BLOCK_BYTES = 1 << 20  # half a minute at 256 kbit/s
SPLIT_BYTES = 8 << 20  # a rest of at most this is one block


def part_range(rendition: SegmentedRendition, number: int) -> ByteRange | None:
    """Where part `number` lies in the track file; None if there is no such part."""
    if number == INIT_PART:
        return ByteRange(0, rendition.init_size_bytes)
    if not INIT_PART < number <= len(rendition.segments):
        return None
    segment = rendition.segments[number - 1]
    return ByteRange(segment.offset_bytes, segment.offset_bytes + segment.size_bytes)


def piece_at(rendition: SegmentedRendition, at: int) -> ByteRange:
    """The piece that holds byte `at` of the track file. Pieces tile the file; each part is one, and so is the index."""
    index_end = rendition.init_size_bytes + rendition.index_size_bytes
    if at < rendition.init_size_bytes:
        return ByteRange(0, rendition.init_size_bytes)
    if at < index_end:
        return ByteRange(rendition.init_size_bytes, index_end)
    segment = rendition.segments[bisect_right(rendition.segments, at, key=attrgetter("offset_bytes")) - 1]
    return ByteRange(segment.offset_bytes, segment.offset_bytes + segment.size_bytes)


def rest_of_block(rendition: SegmentedRendition, at: int, *, bytes_max: int) -> list[ByteRange]:
    """The pieces from the one that holds byte `at` to the end of its block; at least that one.

    A block begins with a piece, and is longer than `bytes_max` by less than a piece.
    """
    size = rendition.size_bytes
    pieces = [piece_at(rendition, at)]
    block = _block_of(pieces[0].start, size, bytes_max)
    while pieces[-1].end < size:
        following = piece_at(rendition, pieces[-1].end)
        if _block_of(following.start, size, bytes_max) != block:
            break
        pieces.append(following)
    return pieces


def _block_of(start: int, size: int, bytes_max: int) -> int:
    """The number of the block that a piece with this start belongs to."""
    first = min(FIRST_BLOCK_BYTES, bytes_max)
    rest = size - first
    if start < first or rest <= 0:
        return 0
    count = 1 if rest <= min(SPLIT_BYTES, bytes_max) else max(2, -(-rest // bytes_max))
    return 1 + (start - first) * count // rest
