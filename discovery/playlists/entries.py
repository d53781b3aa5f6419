"""What a playlist file says: a name, and entries in an order. The same for every format, with the limits of all. Pure.

A file comes from strangers: texts lose control characters and what is too long, and a file that has more than a
playlist may have is refused, not cut.
"""

import math
import re
import unicodedata
from dataclasses import dataclass

from model.errors import RequestError

BYTES_MAX = 8 << 20  # of a file
ENTRIES_MAX = 10_000
NAME_CHARS_MAX = 200
COMMENT_CHARS_MAX = 2_000
TEXT_CHARS_MAX = 500  # of a title, an artist, an album
URI_CHARS_MAX = 2_000
URIS_MAX = 10  # of one entry
SECONDS_MAX = 1e6
NUMBER_MAX = 999_999
_BROKEN = frozenset(["Cc", "Cs", "Zl", "Zp"])  # control characters, halves of characters, separators of lines
_NOT_IN_XML = re.compile("[\ufffe\uffff]")


class PlaylistFileInvalid(RequestError):
    """A file is no playlist of the format that it should be in, or larger than a playlist may be."""

    code = "playlist-file-invalid"
    http_status = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a file. What it does not say is empty or None; the URIs name where the music is, or what it is."""

    title: str = ""
    artist: str = ""
    album: str = ""
    track_number: int | None = None
    duration_s: float | None = None
    uris: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryList:
    """A playlist as a file has it."""

    name: str = ""
    comment: str = ""
    entries: tuple[Entry, ...] = ()


def clean(text: str, chars_max: int = TEXT_CHARS_MAX) -> str:
    """One line of text: without control characters and broken ones, at most `chars_max` long."""
    text = text[: 4 * chars_max]
    if not text.isprintable():
        text = "".join(" " if unicodedata.category(char) in _BROKEN else char for char in text)
    return _NOT_IN_XML.sub(" ", text).strip()[:chars_max].strip()


def clean_lines(text: str, chars_max: int = COMMENT_CHARS_MAX) -> str:
    """Lines of text, each clean, without empty ones at the ends."""
    return "\n".join(clean(line, chars_max) for line in text[: 4 * chars_max].splitlines()).strip()[:chars_max].strip()


def clean_uri(text: str) -> str:
    """The URI, or empty if it is too long to be kept, no single line, or what begins a comment in M3U."""
    text = text.strip()
    fits = len(text) <= URI_CHARS_MAX and not text.startswith("#")
    return text if fits and clean(text, URI_CHARS_MAX) == text else ""


def seconds_of(number: float | None) -> float | None:
    """A duration in milliseconds' steps; None for what is none."""
    if number is None or not math.isfinite(number) or not 0 < number <= SECONDS_MAX:
        return None
    return round(number, 3) or None


def number_of(number: int | None) -> int | None:
    """The number of a track; None for what is none."""
    return number if number is not None and 0 < number <= NUMBER_MAX else None


def check_size(data: bytes) -> None:
    """Raises PlaylistFileInvalid for a file that is too large."""
    if len(data) > BYTES_MAX:
        raise PlaylistFileInvalid(f"a playlist file has at most {BYTES_MAX} bytes")


def check_count(entries: int) -> None:
    """Raises PlaylistFileInvalid for more entries than a playlist may have."""
    if entries > ENTRIES_MAX:
        raise PlaylistFileInvalid(f"a playlist has at most {ENTRIES_MAX} entries", hint="cut it into several")
