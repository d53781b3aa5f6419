"""Frames of one encoding in the place of those of another encoding of the same sound.

A frame of AAC overlaps its neighbours by half, and what they alias there cancels only if both halves have the same
window. So encodings can be joined between two frames where the first of the two has the same windows in both.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import BinaryIO

from cmaf.boxes import HEADER_BYTES
from cmaf.encoded import EncodedTrack
from cmaf.fragments import EncodedFragment, fragments
from model.errors import MediaError

COPY_BYTES = 1 << 20
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


def frames_at(file: BinaryIO, numbers: Set[int]) -> Iterator[tuple[int, bytes]]:
    """The frames with these numbers in what an encoder wrote, as far as there are such. Raises MediaError if it is not
    such a file."""
    for each, own in _numbered(file):
        if not numbers.isdisjoint(own):
            frames = zip(own, _own_frames(file, each), strict=True)
            yield from ((at, frame) for at, frame in frames if at in numbers)


def replaced(source: BinaryIO, target: BinaryIO, frames: Mapping[int, bytes]) -> None:
    """Write to `target` what an encoder wrote, with these frames (by number) in the place of its own.

    Raises MediaError if it is not such a file, or a frame of a fragment is replaced in which all have one size.
    """
    copied = 0
    for each, numbers in _numbered(source):
        if frames.keys().isdisjoint(numbers):
            continue
        begin = each.mdat.offset - len(each.moof.data)
        _copy(source, target, copied, begin)
        copied = each.mdat.offset + each.mdat.size
        own = _own_frames(source, each)
        _write(target, each, [frames.get(number, mine) for number, mine in zip(numbers, own, strict=True)])
    _copy(source, target, copied, source.seek(0, 2))


def _numbered(file: BinaryIO) -> Iterator[tuple[EncodedFragment, range]]:
    """The fragments of a file, and the numbers of the frames in them."""
    first = 0
    for each in fragments(file):
        yield each, range(first, first + len(each.sizes))
        first += len(each.sizes)


def _own_frames(file: BinaryIO, fragment: EncodedFragment) -> Iterator[bytes]:
    file.seek(fragment.mdat.offset + fragment.mdat.header)
    for size in fragment.sizes:
        yield file.read(size)


def _write(target: BinaryIO, fragment: EncodedFragment, frames: Sequence[bytes]) -> None:
    """A fragment of other frames: its header is as long as it was, for it counts as many."""
    if fragment.size_fields is None or fragment.mdat.header != HEADER_BYTES:
        raise MediaError("frames that all have one size")
    moof = bytearray(fragment.moof.data)
    for at, frame in zip(fragment.size_fields, frames, strict=True):
        moof[at : at + 4] = len(frame).to_bytes(4, "big")
    target.write(moof)
    target.write((HEADER_BYTES + sum(map(len, frames))).to_bytes(4, "big") + b"mdat")
    target.writelines(frames)


def _copy(source: BinaryIO, target: BinaryIO, begin: int, end: int) -> None:
    source.seek(begin)
    while begin < end:
        piece = source.read(min(COPY_BYTES, end - begin))
        target.write(piece)
        begin += len(piece)
