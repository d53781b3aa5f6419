"""Tags and cover art of a source, through mutagen. Tags are untrusted: whatever they hold, a track gets a title.

Mutagen holds in memory what it reads, so what it may read, and what it may inflate, is bounded here.
"""

import base64
import io
import logging
import os
import re
import struct
import unicodedata
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import mutagen
import mutagen.id3._frames as id3_frames
from mutagen.flac import Picture
from mutagen.id3 import ID3
from mutagen.mp4 import MP4Tags

from ingest.scan import Source, plain_file, printable
from model.track import TrackTags

log = logging.getLogger(__name__)

TEXT_CHARACTERS_MAX = 500
_LOOKED_AT_MAX = 8 * TEXT_CHARACTERS_MAX  # of a text that may have megabytes
VALUES_MAX = 20
ART_BYTES_MAX = 32 << 20
READ_BYTES_MAX = 128 << 20  # of one file
INFLATED_BYTES_MAX = ART_BYTES_MAX
REASON_CHARACTERS_MAX = 200
_FRONT_COVER = 3
_NUMBERED = re.compile(r"(?:(\d)-)?(\d{1,3})[ ._-]+(?=\S)")
# Damaged tags make mutagen raise nearly anything; its own errors are only some of it.
_READ_ERRORS = (
    mutagen.MutagenError,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    EOFError,
    AssertionError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
)
# What we keep, and what it is called in Vorbis comments, ID3v2 and MP4.
_NAMES = {
    "title": ("title", "TIT2", "\xa9nam"),
    "artists": ("artist", "TPE1", "\xa9ART"),
    "album": ("album", "TALB", "\xa9alb"),
    "album_artist": ("albumartist", "TPE2", "aART"),
    "track": ("tracknumber", "TRCK", "trkn"),
    "track_total": ("tracktotal", "", ""),
    "disc": ("discnumber", "TPOS", "disk"),
    "disc_total": ("disctotal", "", ""),
    "date": ("date", "TDRC", "\xa9day"),
    "genres": ("genre", "TCON", "\xa9gen"),
    "isrc": ("isrc", "TSRC", "----:com.apple.iTunes:ISRC"),
    "compilation": ("compilation", "TCMP", "cpil"),
}


class _Family(Enum):
    """The ways of tagging; the value is the column of `_NAMES`."""

    VORBIS = 0
    ID3 = 1
    MP4 = 2


@dataclass(frozen=True, slots=True)
class SourceTags:
    """What the file says of itself: tags, and the bytes of its front cover, None if it has none."""

    tags: TrackTags
    art: bytes | None


class _Inflate:
    """What mutagen's ID3 frames need of zlib, with a limit: a megabyte of them could inflate to a gigabyte."""

    error = zlib.error

    @staticmethod
    def decompress(data: bytes) -> bytes:
        """The inflated bytes; what goes on beyond the limit is refused like other damage."""
        inflating = zlib.decompressobj()
        whole = inflating.decompress(data, INFLATED_BYTES_MAX)
        if not inflating.eof:
            raise zlib.error("cut off, or more than we take")
        return whole


vars(id3_frames)["zlib"] = _Inflate  # mutagen offers no other way


class _Bounded(io.FileIO):
    """A file that gives away READ_BYTES_MAX and no more, however often it is asked."""

    _left = READ_BYTES_MAX

    def read(self, size: int | None = -1, /) -> bytes:
        """As of any file, until there was enough."""
        wanted = self._left + 1 if size is None or size < 0 else min(size, self._left + 1)
        there = max(0, os.fstat(self.fileno()).st_size - self.tell())
        piece = super().read(min(wanted, there)) or b""  # memory is taken for what is asked, not for what comes
        self._left -= len(piece)
        if self._left < 0:
            raise OSError(f"tags of more than {READ_BYTES_MAX >> 20} MiB")
        return piece


def read_tags(source: Source) -> SourceTags:
    """Tags and art of a source; file and folder names where tags are missing. Blocking; never raises."""
    raw: Any = None
    values: dict[str, list[str]] = {}
    art: bytes | None = None
    try:
        with _Bounded(os.fspath(source.path), opener=plain_file) as bounded:
            file = mutagen.File(bounded)
        raw = file.tags if file is not None else None
        if raw is not None:
            values = dict(_values(raw))
        art = _front_cover(raw, getattr(file, "pictures", []))
    except _READ_ERRORS as error:
        reason = f"{type(error).__name__}: {error}"[:REASON_CHARACTERS_MAX]
        log.warning("tags unreadable", extra={"source": source.name, "reason": reason})
    return SourceTags(_tags(values, source), art)


def _values(raw: Any) -> Iterator[tuple[str, list[str]]]:
    """Each field that is there, as cleaned texts."""
    family = _family(raw)
    for field, names in _NAMES.items():
        name = names[family.value]
        found = raw.get(name) if name else None
        if found is None:
            continue
        items = _items(found) if family is _Family.ID3 else found if isinstance(found, list | tuple) else [found]
        texts = [cleaned(_text(item)) for item in items[:VALUES_MAX]]
        yield field, [text for text in texts if text]


def _items(frame: Any) -> list[Any]:
    """The values of an ID3 text frame; genres by name also where they are numbers."""
    return list(frame.genres if hasattr(frame, "genres") else frame.text)


def _family(raw: object) -> _Family:
    return _Family.ID3 if isinstance(raw, ID3) else _Family.MP4 if isinstance(raw, MP4Tags) else _Family.VORBIS


def _text(item: object) -> str:
    if isinstance(item, tuple):  # MP4: (number, total)
        return "/".join(str(part) for part in item)
    if isinstance(item, bytes):
        return item[: 4 * _LOOKED_AT_MAX].decode("utf-8", "replace")
    return str(item)


def cleaned(text: str) -> str:
    """Text for people: composed (NFC), one line, no control characters, of bounded length."""
    start = text[:_LOOKED_AT_MAX]
    spaced = "".join(" " if unicodedata.category(each) in ("Cc", "Zl", "Zp") else each for each in start)
    whole = spaced.encode("utf-8", "replace").decode("utf-8")  # lone surrogates cannot be written
    return unicodedata.normalize("NFC", " ".join(whole.split()))[:TEXT_CHARACTERS_MAX].rstrip()


def _tags(values: dict[str, list[str]], source: Source) -> TrackTags:
    name = _Named.of(source)
    first = {field: texts[0] for field, texts in values.items() if texts}
    track, track_total = _number_pair(first.get("track", ""))
    disc, disc_total = _number_pair(first.get("disc", ""))
    return TrackTags(
        title=first.get("title") or name.title,
        artists=tuple(values.get("artists", ())),
        album=first.get("album") or name.album,
        album_artist=first.get("album_artist", ""),
        track_number=track or name.track_number,
        track_total=track_total or _number_pair(first.get("track_total", ""))[0],
        disc_number=disc or name.disc_number,
        disc_total=disc_total or _number_pair(first.get("disc_total", ""))[0],
        date=first.get("date", ""),
        genres=tuple(values.get("genres", ())),
        isrc=first.get("isrc", ""),
        compilation=first.get("compilation", "").lower() in ("1", "true", "yes"),
    )


def _number_pair(text: str) -> tuple[int | None, int | None]:
    """`7`, `07/12` -> number and total, where they are 1 to 9999."""
    parts = [int(part) if part.strip().isdecimal() and len(part) < 6 else 0 for part in text.split("/")[:2]]
    numbers = [part if 0 < part < 10_000 else None for part in parts] + [None, None]
    return numbers[0], numbers[1]


@dataclass(frozen=True, slots=True)
class _Named:
    """What the names of a file and its folder tell: `1-03 Some Title.flac`."""

    title: str
    album: str
    track_number: int | None
    disc_number: int | None

    @classmethod
    def of(cls, source: Source) -> "_Named":
        stem = cleaned(printable(Path(source.path.stem))) or "untitled"
        found = _NUMBERED.match(stem)
        album = cleaned(printable(Path(source.folder.absolute().name))) if source.folder else ""
        if found is None:
            return cls(stem, album, None, None)
        return cls(stem[found.end() :], album, int(found[2]) or None, int(found[1]) if found[1] else None)


def _front_cover(raw: Any, pictures: list[Any]) -> bytes | None:
    """The front cover among the embedded pictures, else the first of them."""
    family = _family(raw)
    if family is _Family.MP4:
        covers = [bytes(cover) for cover in raw.get("covr", [])]
    else:
        found = list(pictures)
        if family is _Family.ID3:
            found = raw.getall("APIC")
        elif not found and hasattr(raw, "get"):
            found = [_picture(block) for block in raw.get("metadata_block_picture", [])[:VALUES_MAX]]
        found.sort(key=lambda picture: picture.type != _FRONT_COVER)
        covers = [bytes(picture.data) for picture in found]
    return next((cover for cover in covers if 0 < len(cover) <= ART_BYTES_MAX), None)


def _picture(block: str) -> Any:
    """A FLAC picture block, base64 as Vorbis comments have it."""
    read: Any = Picture
    return read(base64.b64decode(block))
