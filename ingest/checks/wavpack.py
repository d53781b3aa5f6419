"""WavPack's own promises: its total samples, and a last block that reaches them."""

import struct
from dataclasses import dataclass
from typing import BinaryIO

from ingest.checks.promise import SAYS_NOTHING, Promise, read_at

TAIL_BYTES = 4 << 20  # a block has at most 1 MiB; those of one moment, one for every two channels, stand together
BLOCKS_MAX = 64
_HEADER = struct.Struct("<4sIHBBIIII")  # name, size, version, index and total high bytes, total, index, samples, flags
_UNKNOWN = (0, 0xFFFF_FFFF)
_DSD = 0x8000_0000  # whose samples are not counted as they are decoded
_FINAL = 0x1000  # the last block of a moment


@dataclass(frozen=True, slots=True)
class _Block:
    end: int
    first: int
    samples: int
    total: int | None
    final: bool


def wavpack(file: BinaryIO, start: int, size: int) -> Promise:
    """WavPack, lossless or hybrid."""
    head = _block(read_at(file, start, _HEADER.size), start)
    if head is None:
        return SAYS_NOTHING
    at = max(start, size - TAIL_BYTES)
    tail = read_at(file, at, TAIL_BYTES)
    found = len(tail)
    for _ in range(BLOCKS_MAX):
        found = tail.rfind(b"wvpk", 0, found)
        if found < 0:
            break
        block = _block(tail[found : found + _HEADER.size], at + found)
        if block is None or (not block.samples and block.end <= size):  # chance, or a block of tags
            continue
        short = head.total is not None and block.first + block.samples < head.total
        lacks = "its last blocks" if short or not block.final else ""
        return Promise(end=block.end, lacks=lacks, samples=head.total)
    return Promise(samples=head.total)


def _block(header: bytes, at: int) -> _Block | None:
    if len(header) < _HEADER.size:
        return None
    name, length, version, index_high, total_high, total, index, samples, flags = _HEADER.unpack(header)
    if name != b"wvpk" or not 0x402 <= version <= 0x410:
        return None
    known = None if total in _UNKNOWN or flags & _DSD else total + (total_high << 32) - total_high
    return _Block(at + 8 + length, index + (index_high << 32), samples, known, bool(flags & _FINAL))
