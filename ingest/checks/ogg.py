"""Ogg's own promises: the last page says that it is the last, and how many samples there were."""

from dataclasses import dataclass
from typing import BinaryIO

from ingest.checks.promise import SAYS_NOTHING, Promise, read_at

TAIL_BYTES = 1 << 17  # a page has at most 65,307 bytes, and tags of other formats may follow
PAGES_MAX = 64  # that are looked at for the first sound
_HEADER_BYTES = 27
_END_OF_STREAM = 4
_FIRST_SECONDS_MAX = 10  # of sound on the first page that has any; a stream that was joined later counts from anywhere


@dataclass(frozen=True, slots=True)
class _Page:
    end: int
    last: bool
    position: int  # in samples, after the last packet that ends here
    serial: bytes
    body: int  # where it begins


def ogg(file: BinaryIO, start: int, size: int) -> Promise:
    """Ogg with any codec in it, also several streams beside or after each other."""
    at = max(start, size - TAIL_BYTES)
    found = read_at(file, at, TAIL_BYTES).rfind(b"OggS\0")
    if found < 0:
        return SAYS_NOTHING
    first, last = _page(file, start), _page(file, at + found)
    if first is None or last is None:
        return Promise(lacks="its last page")
    if not last.last and last.end <= size:
        return Promise(lacks="the page that ends it")
    samples = _samples(file, first, last) if first.serial == last.serial else None
    return Promise(end=last.end, samples=samples)


def _samples(file: BinaryIO, first: _Page, last: _Page) -> int | None:
    """What the positions count, where they count samples from 0."""
    head = read_at(file, first.body, 20)
    if head[:8] == b"OpusHead":
        rate, skipped = 48_000, int.from_bytes(head[10:12], "little")
    elif head[:7] == b"\x01vorbis":
        rate, skipped = int.from_bytes(head[12:16], "little"), 0
    else:
        return None
    page: _Page | None = first
    for _ in range(PAGES_MAX):
        if page is None or page.position > 0:
            break
        page = _page(file, page.end)
    if page is None or not 0 < page.position <= _FIRST_SECONDS_MAX * rate or page.serial != first.serial:
        return None
    return max(0, last.position - skipped) or None


def _page(file: BinaryIO, at: int) -> _Page | None:
    """The page that begins here, None if it does not, or breaks off in its header."""
    header = read_at(file, at, _HEADER_BYTES)
    if len(header) < _HEADER_BYTES or header[:5] != b"OggS\0":
        return None
    lengths = read_at(file, at + _HEADER_BYTES, header[26])
    if len(lengths) < header[26]:
        return None
    body = at + _HEADER_BYTES + len(lengths)
    position = int.from_bytes(header[6:14], "little", signed=True)
    return _Page(body + sum(lengths), bool(header[5] & _END_OF_STREAM), position, header[14:18], body)
