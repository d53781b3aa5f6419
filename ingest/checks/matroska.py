"""Matroska's and WebM's own promises: the size of the segment. One that was streamed has none, and promises nothing."""

from collections.abc import Iterator
from typing import BinaryIO

from ingest.checks.promise import Promise, read_at

ELEMENTS_MAX = 1_000
_SEGMENT, _CLUSTER, _TRACKS, _ENTRY = 0x18538067, 0x1F43B675, 0x1654AE6B, 0xAE
_TYPE, _ENCODINGS, _ENCODING, _ENCRYPTION = 0x83, 0x6D80, 0x6240, 0x5035
_AUDIO = b"\x02"


def matroska(file: BinaryIO, start: int, size: int) -> Promise:
    """Matroska and WebM."""
    for name, at, length in _elements(file, start, size):
        if name == _SEGMENT:
            inside = size if length is None else min(size, at + length)
            return Promise(end=None if length is None else at + length, encrypted=_encrypted(file, at, inside))
    return Promise()


def _encrypted(file: BinaryIO, start: int, end: int) -> bool:
    """Whether the first audio track is, as far as the tracks stand before the music."""
    for name, at, length in _elements(file, start, end):
        if name == _CLUSTER or length is None:
            return False
        if name == _TRACKS:
            return next(
                (
                    _within(file, entry, _ENCODINGS, _ENCODING, _ENCRYPTION)
                    for kind, *entry in _elements(file, at, at + length)
                    if kind == _ENTRY and _is_audio(file, entry)
                ),
                False,
            )
    return False


def _is_audio(file: BinaryIO, entry: list[int | None]) -> bool:
    return any(name == _TYPE and read_at(file, at, 1) == _AUDIO for name, at, _ in _children(file, entry))


def _within(file: BinaryIO, element: list[int | None], *path: int) -> bool:
    """Whether there is something along this path of names."""
    if not path:
        return True
    return any(_within(file, rest, *path[1:]) for name, *rest in _children(file, element) if name == path[0])


def _children(file: BinaryIO, element: list[int | None]) -> Iterator[tuple[int, int, int | None]]:
    at, length = element
    return _elements(file, at or 0, (at or 0) + (length or 0))


def _elements(file: BinaryIO, at: int, end: int) -> Iterator[tuple[int, int, int | None]]:
    """Name, position and length of each element; the length is None where it is unknown."""
    for _ in range(ELEMENTS_MAX):
        head = read_at(file, at, 12)
        name_bytes = _width(head[:1])
        length_bytes = _width(head[name_bytes : name_bytes + 1])
        if at >= end or not name_bytes or not length_bytes or len(head) < name_bytes + length_bytes:
            return
        name = int.from_bytes(head[:name_bytes], "big")
        ones = (1 << 7 * length_bytes) - 1
        length = int.from_bytes(head[name_bytes : name_bytes + length_bytes], "big") & ones
        at += name_bytes + length_bytes
        if length == ones:
            yield name, at, None
            return
        yield name, at, length
        at += length


def _width(first: bytes) -> int:
    """How many bytes a number that begins so has; 0 for none."""
    return 9 - first[0].bit_length() if first and first[0] else 0
