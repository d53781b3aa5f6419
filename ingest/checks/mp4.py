"""What MP4, M4A and QuickTime promise: the sizes of their boxes, an index, and where the index says the audio lies."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from ingest.checks.promise import Promise, read_at

BOXES_MAX = 100_000  # a fragmented file of a day has one for every few seconds
ENTRIES_MAX = 100_000  # of a sample table that are read; what it says of the end stands in its last ones
_LOCKED = frozenset([b"enca", b"drms", b"aavd", b"p608"])
_ENTRY_BYTES = 8 + 8 + 20  # box header, sample entry, sound description


@dataclass(frozen=True, slots=True)
class _Box:
    name: bytes
    start: int  # of what is in it
    end: int


def mp4(file: BinaryIO, start: int, size: int) -> Promise:
    """ISO base media and QuickTime, plain or in fragments. Without its index (`moov`) nothing of it can be played."""
    end, moov, indexed = 0, None, 0
    for box in _boxes(file, start, size):
        end = box.end
        if box.name == b"moov":
            moov = box
        elif box.name == b"sidx":
            indexed = max(indexed, _indexed_end(file, box))
    if moov is None or moov.end > size:
        return Promise(end=end, lacks="" if end > size else "its index (moov)")
    sound = next((track for track in _children(file, moov, b"trak") if _is_sound(file, track)), None)
    table = next(_inside(file, sound, b"mdia", b"minf", b"stbl"), None) if sound else None
    if table is None:
        return Promise(end=max(end, indexed))
    return Promise(end=max(end, indexed, _last_chunk_end(file, table)), encrypted=_is_locked(file, table))


def _boxes(file: BinaryIO, at: int, end: int) -> Iterator[_Box]:
    for _ in range(BOXES_MAX):
        head = read_at(file, at, 16)
        if at + 8 > end or len(head) < 8:
            return
        length, name = struct.unpack(">I4s", head[:8])
        header = 8
        if length == 1 and len(head) == 16:
            length, header = int.from_bytes(head[8:], "big"), 16
        elif length == 0:  # to the end
            length = end - at
        if length < header:
            return
        yield _Box(name, at + header, at + length)
        at += length


def _children(file: BinaryIO, box: _Box, name: bytes) -> Iterator[_Box]:
    return (child for child in _boxes(file, box.start, box.end) if child.name == name)


def _inside(file: BinaryIO, box: _Box, *path: bytes) -> Iterator[_Box]:
    """Every box along this path of names."""
    if not path:
        yield box
        return
    for child in _children(file, box, path[0]):
        yield from _inside(file, child, *path[1:])


def _is_sound(file: BinaryIO, track: _Box) -> bool:
    return any(read_at(file, box.start + 8, 4) == b"soun" for box in _inside(file, track, b"mdia", b"hdlr"))


def _is_locked(file: BinaryIO, table: _Box) -> bool:
    """Whether the first sample description is one of encrypted audio."""
    for box in _children(file, table, b"stsd"):
        entry = next(_boxes(file, box.start + 8, box.end), None)
        if entry is not None:
            inside = _Box(b"", entry.start - 8 + _ENTRY_BYTES, entry.end)
            return entry.name in _LOCKED or any(_children(file, inside, b"sinf"))
    return False


def _indexed_end(file: BinaryIO, box: _Box) -> int:
    """Where the last segment of a segment index ends."""
    head = read_at(file, box.start, 32)
    if len(head) < 32:
        return 0
    wide = head[0] > 0
    first = int.from_bytes(head[20:28] if wide else head[16:20], "big")
    count = int.from_bytes(head[30:32] if wide else head[22:24], "big")
    rows = read_at(file, box.start + (32 if wide else 24), 12 * count)
    sizes = (size & 0x7FFF_FFFF for size, _, _ in struct.iter_unpack(">III", rows[: len(rows) // 12 * 12]))
    return int(box.end + first + sum(sizes))


def _last_chunk_end(file: BinaryIO, table: _Box) -> int:
    """Where the last chunk of the track ends, 0 if its sample table does not say."""
    boxes = {box.name: box for box in _boxes(file, table.start, table.end)}
    wide = b"co64" in boxes
    offsets, runs, sizes = boxes.get(b"co64" if wide else b"stco"), boxes.get(b"stsc"), boxes.get(b"stsz")
    if offsets is None or runs is None or sizes is None:
        return 0
    chunks = _last_entries(file, offsets, ">Q" if wide else ">I", 1)
    run = _last_entries(file, runs, ">III", 1)
    if not chunks or not run:
        return 0
    return int(chunks[0][0]) + _size_of_last(file, sizes, run[0][1])


def _size_of_last(file: BinaryIO, sizes: _Box, samples: int) -> int:
    """The bytes of the last `samples` samples."""
    every, count = struct.unpack(">II", read_at(file, sizes.start + 4, 8).ljust(8, b"\0"))
    wanted = min(samples, count, ENTRIES_MAX)
    if every:
        return int(every * wanted)
    at = sizes.start + 12 + 4 * (count - wanted)
    rows = read_at(file, at, 4 * wanted) if at + 4 * wanted <= sizes.end else b""
    return sum(size for (size,) in struct.iter_unpack(">I", rows[: len(rows) // 4 * 4]))


def _last_entries(file: BinaryIO, box: _Box, layout: str, number: int) -> list[tuple[int, ...]]:
    """The last rows of a table: version and flags, a count, then the rows."""
    row = struct.calcsize(layout)
    count = int.from_bytes(read_at(file, box.start + 4, 4), "big")
    at = box.start + 8 + row * (count - number)
    if count < number or at + row * number > box.end:
        return []
    data = read_at(file, at, row * number)
    return list(struct.iter_unpack(layout, data)) if len(data) == row * number else []
