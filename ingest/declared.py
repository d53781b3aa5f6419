"""How long a container says it is. A decoder plays what is there of a cut-off WAV, AIFF or CAF and reports success."""

import os
import struct
from typing import BinaryIO

from ingest.scan import Source, plain_file, unreadable
from model.errors import SourceUnreadable

CHUNKS_MAX = 1_000
_LONG = 0xFFFF_FFFF
# What programs that write to a pipe put where a size belongs: they cannot go back to fill it in.
_UNKNOWN = frozenset([0, 0x7FFF_F000, 0x7FFF_FFFF, 0x8000_0000, *range(_LONG - 0xFFFF, _LONG + 1)])


def check_whole(source: Source) -> None:
    """Raises SourceUnreadable for a file that ends before its container says that its audio does. Blocking."""
    try:
        with open(source.path, "rb", opener=plain_file) as file:
            end = audio_end(file)
            size = file.seek(0, os.SEEK_END)
    except OSError as error:
        raise unreadable(source, error) from error
    if end is not None and end > size:
        message = f"the file is cut off: it has {size} of {end} bytes"
        raise SourceUnreadable(message, subject=source.name, hint="copy it again from where it came")


def audio_end(file: BinaryIO) -> int | None:
    """The position after the last audio byte as the headers of WAV, RF64, AIFF or CAF tell it; None for all else."""
    head = file.read(12)
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:] == b"WAVE":
        return _end_of(file, b"data", "<4sI", at=12, even=True)
    if head[:4] == b"FORM" and head[8:] in (b"AIFF", b"AIFC"):
        return _end_of(file, b"SSND", ">4sI", at=12, even=True)
    if head[:4] == b"caff":
        return _end_of(file, b"data", ">4sq", at=8, even=False)
    return None


def _end_of(file: BinaryIO, wanted: bytes, layout: str, *, at: int, even: bool) -> int | None:
    """Where the chunk `wanted` ends, None if it is not found or its size was never filled in."""
    long_size = 0
    for _ in range(CHUNKS_MAX):
        file.seek(at)
        header = file.read(struct.calcsize(layout))
        if len(header) < struct.calcsize(layout):
            return None
        name, size = struct.unpack(layout, header)
        start = at + len(header)
        if name == b"ds64":  # RF64: the sizes that 32 bits cannot hold
            long_size = int.from_bytes(file.read(16)[8:16], "little")
        if name == wanted:
            size = long_size if size == _LONG and long_size else size
            return None if size < 0 or (size in _UNKNOWN and size != long_size) or not size else start + size
        at = start + max(0, size) + (size % 2 if even else 0)
    return None
