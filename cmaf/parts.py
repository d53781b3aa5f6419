"""A long encoding in parts that are played one after the other, with one decoder.

Whoever reads an MP4 file keeps a table of all frames so far: 36 bytes of each in ffmpeg, 18 MB of three hours. Of parts
it is that of one part.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import BinaryIO

from cmaf.boxes import load, top_boxes
from cmaf.encoded import AUDIO_ENTRY_FIELDS
from model.errors import MediaError

PART_FRAGMENTS = 120  # of 5 s: 10 minutes
COPY_BYTES = 1 << 20


def part_ends(file: BinaryIO, fragments: int = PART_FRAGMENTS) -> list[int]:
    """Where the parts of so many fragments end in the file; the first begins with it."""
    moofs = [box.offset for box in top_boxes(file) if box.type == "moof"]
    return [*moofs[fragments::fragments], file.seek(0, 2)]


def parts(file: BinaryIO, ends: list[int]) -> Iterator[Iterator[bytes]]:
    """The bytes of each part. A header is before all of them; but for the first it tells of no priming, which is over.

    Raises MediaError for a file that no encoder of ours wrote.
    """
    yield _copied(file, 0, ends[0])
    header = _without_priming(file)
    for begin, end in pairwise(ends):
        yield _with_header(header, _copied(file, begin, end))


def _with_header(header: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield header
    yield from rest


def _without_priming(file: BinaryIO) -> bytes:
    """The header: without its edit list (AAC), and with no pre-skip (Opus)."""
    moov = next((box for box in top_boxes(file) if box.type == "moov"), None)
    if moov is None:
        raise MediaError("no moov box")
    file.seek(0)
    header = bytearray(file.read(moov.offset + moov.size))
    trak = load(file, moov).child("trak")
    entry = next(trak.at("mdia", "minf", "stbl").child("stsd").children(skip=8), None)
    edts, opus = trak.find("edts"), entry.find("dOps", AUDIO_ENTRY_FIELDS) if entry else None
    for box, at, new in ((edts, -4, b"free"), (opus, 2, bytes(2))):
        if box is not None:
            start = moov.offset + box.start + at
            header[start : start + len(new)] = new
    return bytes(header)


def _copied(file: BinaryIO, begin: int, end: int) -> Iterator[bytes]:
    while begin < end:
        file.seek(begin)
        piece = file.read(min(COPY_BYTES, end - begin))
        begin += len(piece)
        yield piece
