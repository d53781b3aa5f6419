"""Fragments of a file that an encoder wrote."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

from cmaf.boxes import Box, TopBox, load, top_boxes
from model.errors import MediaError


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
        sizes=table[size_column::columns] if has_sizes else (_default(tfhd, 0x10),) * count,
        durations=table[::columns] if has_durations else (_default(tfhd, 0x8),) * count,
        size_fields=size_fields,
    )


def _default(tfhd: Box, bit: int) -> int:
    """The default that a bit of the flags tells of: each of those before it takes its place (§8.8.7)."""
    flags = tfhd.uint(1, 3)
    if not flags & bit:
        raise MediaError("tfhd without the defaults that its frames have")
    base = 8 if flags & 0x1 else 0
    return tfhd.uint(8 + base + 4 * (flags & (bit - 1) & 0x3E).bit_count(), 4)
