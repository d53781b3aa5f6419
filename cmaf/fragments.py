"""Fragments of a file that an encoder wrote."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

from cmaf.boxes import Box, TopBox, load, top_boxes
from model.errors import MediaError

ENTRY, DEFAULT_TICKS, DEFAULT_BYTES = 0x02, 0x08, 0x10


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedFragment:
    """Frames that lie in the file together: a `moof`, and the place of its `mdat`.

    `size_fields` are where the sizes stand in the bytes of the `moof`; None if all are the default size.
    """

    moof: Box
    mdat: TopBox
    sizes: Sequence[int]
    durations: Sequence[int]
    size_fields: range | None


def fragments(file: BinaryIO) -> Iterator[EncodedFragment]:
    """The fragments of a file, in order. Raises MediaError if frames do not fill their `mdat`, one after the other."""
    for top, mdat in pairwise([*top_boxes(file), TopBox("nothing", 0, 0, 0)]):
        if top.type != "moof":
            continue
        if mdat.type != "mdat":
            raise MediaError(f"moof is followed by {mdat.type}, not by mdat")
        moof = load(file, top)
        tfhd, trun = (moof.child("traf").child(kind) for kind in ("tfhd", "trun"))
        found = _frames(tfhd, trun, moof, mdat)
        if trun.uint(8, 4) != top.size + mdat.header or sum(found.sizes) != mdat.size - mdat.header:
            raise MediaError("frames do not fill their mdat")
        yield found


def _frames(tfhd: Box, trun: Box, moof: Box, mdat: TopBox) -> EncodedFragment:
    """What a fragment says of its frames (ISO/IEC 14496-12 §8.8.7, §8.8.8)."""
    flags, count = trun.uint(1, 3), trun.uint(4, 4)
    has_offset, has_durations, has_sizes = flags & 0x1, flags & 0x100, flags & 0x200
    if not has_offset or not 0 < count <= mdat.size:  # no frame is empty
        raise MediaError(f"{count} frames in an mdat of {mdat.size} bytes")
    columns = (flags & 0xF00).bit_count()
    first = trun.start + (16 if flags & 0x4 else 12)
    if first + 4 * columns * count > trun.end:
        raise MediaError("table trun is cut off")
    table = struct.unpack_from(f">{columns * count}I", trun.data, first)
    size_column = 1 if has_durations else 0
    size_fields = range(first + 4 * size_column, first + 4 * columns * count, 4 * columns) if has_sizes else None
    return EncodedFragment(
        moof=moof,
        mdat=mdat,
        sizes=table[size_column::columns] if has_sizes else (_default(tfhd, DEFAULT_BYTES),) * count,
        durations=table[::columns] if has_durations else (_default(tfhd, DEFAULT_TICKS),) * count,
        size_fields=size_fields,
    )


def default_fields(tfhd: Box) -> dict[int, int]:
    """What a `tfhd` says of the frames of its fragment, by the bit of the flags that tells of it (§8.8.7)."""
    flags, fields, position = tfhd.uint(1, 3), dict[int, int](), 8
    for bit, size in ((0x01, 8), (ENTRY, 4), (DEFAULT_TICKS, 4), (DEFAULT_BYTES, 4), (0x20, 4)):
        if flags & bit:
            fields[bit] = tfhd.uint(position, size)
            position += size
    return fields


def _default(tfhd: Box, bit: int) -> int:
    fields = default_fields(tfhd)
    if bit not in fields:
        raise MediaError("tfhd without the defaults that its frames have")
    return fields[bit]
