"""A track file as the origin reads it: parts (the init section, then each segment) in blocks of neighbours.

One read of the store brings a whole block, so a cold play of a rendition costs a few reads, not one a segment. The
split into blocks depends on the file alone: any two requests that miss in one block want the very same read. Pure.
"""

from dataclasses import dataclass

from model.segment import SegmentedRendition
from storage.base import ByteRange

INIT_PART = 0  # and segment n is part n + 1


@dataclass(frozen=True, slots=True)
class Block:
    """Parts `first`, `first + 1`, … of a track file, and the bytes from the first one's start to the last one's end."""

    first: int
    parts: tuple[ByteRange, ...]

    @property
    def byte_range(self) -> ByteRange:
        """What to read of the track file."""
        return ByteRange(self.parts[0].start, self.parts[-1].end)

    def split(self, data: bytes) -> dict[int, bytes]:
        """The bytes of each part, by part number, cut from the bytes of the block."""
        start = self.byte_range.start
        return {
            number: data[part.start - start : part.end - start] for number, part in enumerate(self.parts, self.first)
        }


def part_range(rendition: SegmentedRendition, number: int) -> ByteRange | None:
    """Where part `number` lies in the track file; None if there is no such part."""
    if number == INIT_PART:
        return ByteRange(0, rendition.init_size_bytes)
    if not INIT_PART < number <= len(rendition.segments):
        return None
    segment = rendition.segments[number - 1]
    return ByteRange(segment.offset_bytes, segment.offset_bytes + segment.size_bytes)


def block_of(rendition: SegmentedRendition, number: int, *, bytes_max: int) -> Block:
    """The block that holds part `number`, which exists. Longer than `bytes_max` only if its one part is."""
    first = INIT_PART
    parts: list[ByteRange] = []
    for at in range(len(rendition.segments) + 1):
        part = part_range(rendition, at)
        assert part is not None
        if parts and part.end - parts[0].start > bytes_max:
            if first <= number < at:
                break
            first, parts = at, []
        parts.append(part)
    return Block(first, tuple(parts))
