"""Reading ISO-BMFF boxes (ISO/IEC 14496-12 §4.2) from bytes that may be anything."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from model.errors import MediaError

HEADER_BYTES = 8
BOXES_MAX = 1_000_000  # per file; a 24-hour track has about 60,000
METADATA_BYTES_MAX = 256 << 20  # a `moov` of a 24-hour track is about 40 MB


@dataclass(frozen=True, slots=True)
class Box:
    """A box inside `data`: its type and where its payload lies."""

    type: str
    data: bytes
    start: int
    end: int

    @property
    def payload(self) -> bytes:
        """The bytes after the header."""
        return self.data[self.start : self.end]

    def children(self, skip: int = 0) -> Iterator["Box"]:
        """The boxes inside, after `skip` bytes of fields."""
        return boxes_in(self.data, self.start + skip, self.end)

    def child(self, kind: str, skip: int = 0) -> "Box":
        """The first box of a type inside. Raises MediaError if there is none."""
        found = self.find(kind, skip)
        if found is None:
            raise MediaError(f"box {self.type} has no {kind} box")
        return found

    def find(self, kind: str, skip: int = 0) -> "Box | None":
        """The first box of a type inside, or None."""
        return next((box for box in self.children(skip) if box.type == kind), None)

    def at(self, *path: str) -> "Box":
        """The box at a path of types. Raises MediaError if it is not there."""
        box = self
        for kind in path:
            box = box.child(kind)
        return box

    def uint(self, offset: int, size: int) -> int:
        """A big-endian unsigned field. Raises MediaError past the end of the box."""
        begin = self.start + offset
        if begin + size > self.end:
            raise MediaError(f"box {self.type} ends before its fields do")
        return int.from_bytes(self.data[begin : begin + size], "big")


def boxes_in(data: bytes, start: int, end: int) -> Iterator[Box]:
    """The boxes that follow each other from `start` to `end`. Raises MediaError where they do not fit."""
    position = start
    while position < end:
        if end - position < HEADER_BYTES:
            raise MediaError(f"{end - position} stray bytes after the last box")
        size = int.from_bytes(data[position : position + 4], "big")
        header = HEADER_BYTES
        if size == 1:
            header = 16
            size = int.from_bytes(data[position + 8 : position + 16], "big")
        kind = data[position + 4 : position + 8].decode("latin-1")
        if size < header or position + size > end:
            raise MediaError(f"box {kind!r} of {size} bytes does not fit into the {end - position} that are left")
        yield Box(kind, data, position + header, position + size)
        position += size


@dataclass(frozen=True, slots=True)
class TopBox:
    """A box at the top level of a file: type, position and size of the whole box, and size of its header."""

    type: str
    offset: int
    size: int
    header: int


def top_boxes(file: BinaryIO) -> Iterator[TopBox]:
    """The top-level boxes of a file, without reading their payloads."""
    end = file.seek(0, 2)
    position = 0
    for _ in range(BOXES_MAX):
        if position >= end:
            return
        file.seek(position)
        head = file.read(16)
        if len(head) < HEADER_BYTES:
            raise MediaError(f"{len(head)} stray bytes at the end of the file")
        size = int.from_bytes(head[:4], "big")
        header = HEADER_BYTES
        if size == 1:
            header, size = 16, int.from_bytes(head[8:16], "big")
        elif size == 0:
            size = end - position
        kind = head[4:8].decode("latin-1")
        if size < header or position + size > end:
            raise MediaError(f"box {kind!r} of {size} bytes passes the end of the file", hint="the file is cut off")
        yield TopBox(kind, position, size, header)
        position += size
    raise MediaError(f"more than {BOXES_MAX} boxes")


def load(file: BinaryIO, box: TopBox) -> Box:
    """A top-level box with its payload in memory."""
    if box.size > METADATA_BYTES_MAX:
        raise MediaError(f"box {box.type} of {box.size} bytes is larger than any that we read")
    file.seek(box.offset)
    data = file.read(box.size)
    return Box(box.type, data, box.header, box.size)
