"""The chunks of WAV, RF64, BW64, W64, AIFF, AIFC and CAF: where the samples end, and how many there are."""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from ingest.checks.promise import SAYS_NOTHING, Endless, Promise, read_at

CHUNKS_MAX = 1_000
_LONG = 0xFFFF_FFFF
# What programs that write to a pipe put where a size belongs: they cannot go back to fill it in.
_UNKNOWN = frozenset([0, 0x7FFF_F000, 0x7FFF_FFFF, 0x8000_0000])
_UNKNOWN_FROM = _LONG - 0xFFFF
_LINEAR = (1, 3, 6, 7)  # WAVE format tags whose blocks are one sample of each channel: PCM, float, A-law, µ-law
_EXTENSIBLE = 0xFFFE
_W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")  # of the ids of its chunks; `riff` itself ends otherwise
_W64_LONGEST = 1 << 62  # more is what is written where the size is not known
_AIFF_PLAIN = (
    b"NONE",
    b"sowt",
    b"twos",
    b"in24",
    b"in32",
    b"raw ",
    b"fl32",
    b"FL32",
    b"fl64",
    b"FL64",
    b"alaw",
    b"ulaw",
)


@dataclass(frozen=True, slots=True)
class _Chunk:
    name: bytes
    start: int
    size: int


def _says_nothing(size: int) -> bool:
    return size in _UNKNOWN or _UNKNOWN_FROM <= size <= _LONG


def riff(file: BinaryIO, start: int, _size: int) -> Promise:
    """WAV, and its 64-bit forms RF64 and BW64."""
    outer = int.from_bytes(read_at(file, start + 4, 4), "little")
    long_size, format_ = 0, b""
    for chunk in _chunks(file, "<4sI", start + 12, even=True):
        if chunk.name == b"ds64":  # the sizes that 32 bits cannot hold
            outer, long_size = struct.unpack("<QQ", read_at(file, chunk.start, 16).ljust(16, b"\0"))
        elif chunk.name == b"fmt ":
            format_ = read_at(file, chunk.start, min(chunk.size, 40))
        elif chunk.name == b"data":
            known = long_size if chunk.size == _LONG and long_size else chunk.size
            unknown = not known or (_says_nothing(known) and known != long_size)
            data = None if unknown else known
            return _wave(format_, chunk.start, data, None if _says_nothing(outer) else start + 8 + outer)
    return _wave(format_, 0, None, None)


def w64(file: BinaryIO, start: int, _size: int) -> Promise:
    """Sony Wave64: chunks named by GUIDs, whose 64-bit sizes count their own headers."""
    format_ = b""
    for chunk in _chunks(file, "<16sQ", start + 40, even=False, step=lambda size: max(0, size - 24 + 7) // 8 * 8):
        if chunk.name[4:] != _W64_TAIL:
            continue
        if chunk.name[:4] == b"fmt ":
            format_ = read_at(file, chunk.start, 40)
        elif chunk.name[:4] == b"data":
            if not 24 <= chunk.size < _W64_LONGEST:
                return Promise(unfilled=True)
            return _wave(format_, chunk.start, chunk.size - 24, None)
    return _wave(format_, 0, None, None)


def _wave(format_: bytes, start: int, data: int | None, outer_end: int | None) -> Promise:
    """The promise of a WAVE format with `data` bytes of samples."""
    if len(format_) < 16:
        return SAYS_NOTHING if data is None else Promise(end=start + data, outer_end=outer_end)
    tag, channels, rate, _, block = struct.unpack("<HHIIH", format_[:14])
    if tag == _EXTENSIBLE and len(format_) >= 26:
        tag = int.from_bytes(format_[24:26], "little")
    return Promise(
        end=None if data is None else start + data,
        outer_end=outer_end,
        samples=data // block if data and block and tag in _LINEAR else None,
        sample_rate_hz=rate,
        channels=channels,
    )


def aiff(file: BinaryIO, start: int, _size: int) -> Promise:
    """AIFF and AIFC."""
    outer = int.from_bytes(read_at(file, start + 4, 4), "big")
    end, sound, at = None, None, 0
    common = b""
    for chunk in _chunks(file, ">4sI", start + 12, even=True):
        if chunk.name == b"COMM":
            common = read_at(file, chunk.start, min(chunk.size, 22))
        elif chunk.name == b"SSND":
            sound, at = chunk.size, chunk.start
            end = None if _says_nothing(sound) else at + sound
        if common and end:
            break
    outer_end = None if _says_nothing(outer) else start + 8 + outer
    if len(common) < 18:
        return Promise(end=end, outer_end=outer_end)
    channels, frames, _, exponent, mantissa = struct.unpack(">HIHHQ", common[:18])
    if sound == 0 and not frames and read_at(file, at, 1):
        return Promise(unfilled=True)
    plain = len(common) < 22 or common[18:22] in _AIFF_PLAIN
    return Promise(
        end=end,
        outer_end=outer_end,
        samples=frames if frames and end and plain else None,
        sample_rate_hz=_extended(exponent, mantissa),
        channels=channels,
    )


def _extended(exponent: int, mantissa: int) -> float:
    """An 80-bit float. What no music has (negative, beyond 2^32) is just that: 0 or a large number."""
    power = (exponent & 0x7FFF) - 16383 - 63
    return 0.0 if exponent & 0x8000 else float(mantissa) * 2.0 ** max(-200, min(200, power))


def caf(file: BinaryIO, start: int, _size: int) -> Promise:
    """Core Audio Format: 64-bit sizes, no padding; a size of -1 runs to the end. `pakt` says where packets begin."""
    chunks: dict[bytes, _Chunk] = {}
    for chunk in _chunks(file, ">4sq", start + 8, even=False):
        chunks.setdefault(chunk.name, chunk)
        if chunk.size < 0:
            break
    needed = [chunks[name] for name in (b"data", b"pakt") if name in chunks]
    end = max((chunk.start + chunk.size for chunk in needed if chunk.size > 0), default=None)
    described = read_at(file, chunks[b"desc"].start, 32) if b"desc" in chunks else b""
    if len(described) < 32:
        return Promise(end=end)
    rate, kind, _, packet_bytes, _, channels, _ = struct.unpack(">d4sIIIII", described)
    data_bytes = chunks[b"data"].size if b"data" in chunks else 0
    counted = kind == b"lpcm" and packet_bytes and data_bytes > 4  # 4 bytes count edits
    samples = (data_bytes - 4) // packet_bytes if counted else None
    return Promise(end=end, samples=samples, sample_rate_hz=rate, channels=channels)


def _chunks(
    file: BinaryIO, layout: str, at: int, *, even: bool, step: Callable[[int], int] | None = None
) -> Iterator[_Chunk]:
    """The chunks from a position on; `step` tells how far a size carries. Raises Endless after CHUNKS_MAX."""
    header_size = struct.calcsize(layout)
    for _ in range(CHUNKS_MAX):
        header = read_at(file, at, header_size)
        if len(header) < header_size:
            return
        name, size = struct.unpack(layout, header)
        yield _Chunk(name, at + header_size, size)
        at += header_size + (step(size) if step else max(0, size) + (size % 2 if even else 0))
    raise Endless
