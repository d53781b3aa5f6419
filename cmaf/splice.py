"""AAC frames of one encoding in the place of those of another encoding of the same sound.

A frame overlaps its neighbours by half, and what they alias there cancels only if both halves have the same window. So
encodings can be joined between two frames where the first of the two has the same windows in both.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import BinaryIO

from cmaf.boxes import Box, TopBox, load, top_boxes
from cmaf.encoded import EncodedTrack, read_encoded
from model.errors import MediaError

_PAIR = 1  # ISO/IEC 14496-3 table 4.85: ID_CPE
Windows = tuple[int, int]


def windows_of(frame: bytes) -> Windows | None:
    """The sequence and shape of the windows of a stereo frame; None if its channels have windows of their own.

    ISO/IEC 14496-3 §4.4.2.1: 3 bits of element, 4 of tag, 1 that tells of a common window; then 1 reserved, 2 of
    sequence, 1 of shape.
    """
    bits = int.from_bytes(frame[:2].ljust(2, b"\0"), "big")
    if bits >> 13 != _PAIR or not bits >> 8 & 1:
        return None
    return bits >> 5 & 0b11, bits >> 4 & 1


def frames_of(encoded: EncodedTrack, file: BinaryIO, first: int, end: int) -> list[bytes]:
    """The frames from `first` up to, not including, `end`."""
    found = []
    for offset, size in zip(encoded.offsets[first:end], encoded.sizes[first:end], strict=True):
        file.seek(offset)
        found.append(file.read(size))
    return found


def replaced(source: BinaryIO, target: BinaryIO, frames: Mapping[int, bytes]) -> None:
    """Write to `target` what an encoder wrote, with these frames (by number) in the place of its own.

    Raises MediaError if it is not one `mdat` with all frames in their order, and `moov` behind it.
    """
    encoded = read_encoded(source)
    boxes = list(top_boxes(source))
    mdat = next(each for each in boxes if each.type == "mdat")
    starts = accumulate(encoded.sizes[:-1], initial=mdat.offset + mdat.header)
    if (
        boxes[-1].type != "moov"
        or list(starts) != list(encoded.offsets)
        or mdat.header + sum(encoded.sizes) != mdat.size
    ):
        raise MediaError("not the file of one encoder that wrote from the start to the end")
    sizes = [len(frames[at]) if at in frames else size for at, size in enumerate(encoded.sizes)]
    for each in boxes[:-1]:
        target.write(_head(source, each, sum(sizes)) if each is mdat else _all(source, each))
        if each is mdat:
            for at, offset in enumerate(encoded.offsets):
                source.seek(offset)
                target.write(frames[at] if at in frames else source.read(encoded.sizes[at]))
    target.write(_moov(load(source, boxes[-1]), encoded.offsets, sizes, mdat.offset + mdat.header))


def _all(source: BinaryIO, box: TopBox) -> bytes:
    source.seek(box.offset)
    return source.read(box.size)


def _head(source: BinaryIO, box: TopBox, payload: int) -> bytes:
    source.seek(box.offset)
    head = source.read(box.header)
    size = box.header + payload
    return size.to_bytes(4, "big") + head[4:] if box.header == 8 else head[:8] + size.to_bytes(8, "big")


def _moov(moov: Box, offsets: Sequence[int], sizes: Sequence[int], start: int) -> bytes:
    """The header for frames of other sizes: as long as it was, for it counts as many."""
    stbl = moov.at("trak", "mdia", "minf", "stbl")
    stsz, data = stbl.child("stsz"), bytearray(moov.data)
    if stsz.uint(4, 4):
        raise MediaError("frames that all have one size")
    for at, size in enumerate(sizes):
        data[stsz.start + 12 + 4 * at : stsz.start + 16 + 4 * at] = size.to_bytes(4, "big")
    moved = dict(zip(offsets, accumulate(sizes[:-1], initial=start), strict=True))
    chunks = stbl.find("stco")
    width = 4 if chunks is not None else 8
    chunks = chunks or stbl.child("co64")
    for number in range(chunks.uint(4, 4)):
        at = 8 + width * number
        offset = moved[chunks.uint(at, width)]
        data[chunks.start + at : chunks.start + at + width] = offset.to_bytes(width, "big")
    return bytes(data)
