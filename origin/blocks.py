"""A track file as the origin reads it: pieces (init section, index, each segment), and which of them in one read.

Who comes without having played what lies before waits for one piece, and many of them leave: that piece is read, and
the one that he asks for next if he stays. Who plays on is read ahead for, in blocks of neighbours, so that
a cold play of a rendition costs a few reads, not one a segment. The split into blocks depends on the file and the
settings alone. Pure.
"""

from bisect import bisect_right
from operator import attrgetter

from model.segment import SegmentedRendition
from storage.base import ByteRange

INIT_PART, FIRST_SEGMENT_PART = 0, 1  # segment n is part n + 1
FIRST_READ_BYTES = 64 << 10  # small pieces are not worth a read each: a play begins with three of them
FIRST_BLOCK_BYTES = 1 << 20  # at least; half a minute at 256 kbit/s
GUESS = ByteRange(0, 256 << 10)  # where a file's first segment lies, if it has eight seconds at 256 kbit/s


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


def piece_before(rendition: SegmentedRendition, piece: ByteRange) -> ByteRange | None:
    """The piece that ends where this one begins; None before the first."""
    return piece_at(rendition, piece.start - 1) if piece.start else None


def piece_after(rendition: SegmentedRendition, piece: ByteRange) -> ByteRange | None:
    """The piece that begins where this one ends; None after the last."""
    return piece_at(rendition, piece.end) if piece.end < rendition.size_bytes else None


def first_pieces(rendition: SegmentedRendition, piece: ByteRange) -> list[ByteRange]:
    """A piece, the one after it, and those that begin soon after."""
    pieces = [piece]
    while len(pieces) < 2 or pieces[-1].end < piece.start + FIRST_READ_BYTES:
        following = piece_after(rendition, pieces[-1])
        if following is None:
            break
        pieces.append(following)
    return pieces


def pieces_before(rendition: SegmentedRendition, piece: ByteRange, end: int) -> list[ByteRange]:
    """A piece and those after it that end by byte `end`; none if it does not."""
    pieces: list[ByteRange] = []
    following: ByteRange | None = piece
    while following is not None and following.end <= end:
        pieces.append(following)
        following = piece_after(rendition, following)
    return pieces


def rest_of_block(rendition: SegmentedRendition, at: int, *, bytes_max: int) -> list[ByteRange]:
    """The pieces from the one that holds byte `at` to the end of its block; at least that one.

    A block begins with a piece, and is longer than `bytes_max` by less than a piece.
    """
    size = rendition.size_bytes
    pieces = [piece_at(rendition, at)]
    block = _block_of(pieces[0].start, size, bytes_max)
    while (following := piece_after(rendition, pieces[-1])) is not None:
        if _block_of(following.start, size, bytes_max) != block:
            break
        pieces.append(following)
    return pieces


def _block_of(start: int, size: int, bytes_max: int) -> int:
    """The number of the block that a piece with this start belongs to.

    Two blocks, the first a third, for many listeners leave early. Where two are too small, a short one and then as many
    of one size as it takes.
    """
    first = min(FIRST_BLOCK_BYTES, bytes_max)
    if size <= 2 * bytes_max:
        first = max(first, size // 3, size - bytes_max)
    rest = size - first
    if start < first or rest <= 0:
        return 0
    return 1 + (start - first) * -(-rest // bytes_max) // rest
