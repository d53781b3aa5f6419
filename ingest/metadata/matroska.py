"""Tags, pictures and length of Matroska and WebM (RFC 9559), of which mutagen knows nothing; any bytes will do.

Tags stand before or after the sound. Clusters are stepped over by their sizes; a cluster of unknown size ends the look.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from struct import unpack
from typing import BinaryIO

from ingest.metadata.tag_names import Found, add, normal

ELEMENTS_MAX = 100_000  # of one file: an hour has some thousand clusters
PART_BYTES_MAX = 40 << 20  # attachments hold pictures
_SEGMENT, _CLUSTER = 0x18538067, 0x1F43B675
_INFO, _TITLE, _DURATION, _TIMESTAMP_SCALE = 0x1549A966, 0x7BA9, 0x4489, 0x2AD7B1
_TAGS, _TAG, _TARGETS, _TARGET_LEVEL, _SIMPLE_TAG = 0x1254C367, 0x7373, 0x63C0, 0x68CA, 0x67C8
_TAG_NAME, _TAG_STRING = 0x45A3, 0x4487
_ATTACHMENTS, _ATTACHED_FILE, _FILE_NAME, _MEDIA_TYPE, _FILE_DATA = 0x1941A469, 0x61A7, 0x466E, 0x4660, 0x465C
_PARTS = frozenset([_INFO, _TAGS, _ATTACHMENTS])
_ALBUM_LEVEL = 50
# Tags that are said to be the album's, in a file that also has some of its track's.
_OF_ALBUM = {"title": "album", "artist": "albumartist", "totalparts": "tracktotal", "titlesort": "albumsort",
             "artistsort": "albumartistsort"}  # fmt: skip


@dataclass(slots=True)
class Matroska:
    """What a file says; `pictures` are (is it the front cover, bytes)."""

    found: Found = field(default_factory=dict)
    pictures: list[tuple[bool, bytes]] = field(default_factory=list)
    seconds: float | None = None


def read_matroska(file: BinaryIO) -> Matroska:
    """Tags of the track before tags of the album, and the title of the whole file as the last resort."""
    said = Matroska()
    title: list[str] = []
    for kind, body in _parts(file):
        if kind == _INFO:
            title += [_text(each) for name, each in _elements(body) if name == _TITLE]
            said.seconds = _seconds(dict(_elements(body)))
        elif kind == _TAGS:
            _add_tags(said.found, body)
        else:
            said.pictures += filter(None, map(_picture, _all(body, _ATTACHED_FILE)))
    add(said.found, "title", title)
    return said


def _parts(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The parts of the (first) segment that are not sound."""
    for _ in range(ELEMENTS_MAX):
        head = file.read(12)
        kind, size, head_bytes = _head(head)
        if not kind:
            return
        start = file.tell() - len(head) + head_bytes
        if kind == _SEGMENT:
            size = 0  # go inside
        elif size is None:
            return
        if kind in _PARTS and size <= PART_BYTES_MAX:
            file.seek(start)
            yield kind, file.read(size)
        file.seek(start + size)


def _head(data: bytes, at: int = 0) -> tuple[int, int | None, int]:
    """Id (0 if there is none), size of the body (None if unknown), and bytes of the head. RFC 8794, 4 to 6."""
    id_bytes = 9 - data[at].bit_length() if at < len(data) else 9
    size_at = at + id_bytes
    if id_bytes > 4 or size_at >= len(data):
        return 0, None, 0
    size_bytes = 9 - data[size_at].bit_length()
    end = size_at + size_bytes
    if size_bytes > 8 or end > len(data):
        return 0, None, 0
    size = int.from_bytes(data[size_at:end], "big") & ((1 << 7 * size_bytes) - 1)
    unknown = size == (1 << 7 * size_bytes) - 1
    return int.from_bytes(data[at:size_at], "big"), None if unknown else size, end - at


def _elements(body: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    for _ in range(ELEMENTS_MAX):
        kind, size, head_bytes = _head(body, at)
        if not kind or size is None:
            return
        start = at + head_bytes
        at = start + size
        yield kind, body[start:at]


def _all(body: bytes, wanted: int) -> Iterator[bytes]:
    return (each for kind, each in _elements(body) if kind == wanted)


def _text(data: bytes) -> str:
    return data.split(b"\0", 1)[0].decode("utf-8", "replace")


def _number(data: bytes) -> float:
    """An unsigned integer or a float, by what it is used for: floats have 4 or 8 bytes here."""
    return float(unpack(">f" if len(data) == 4 else ">d", data)[0]) if len(data) in (4, 8) else 0.0


def _seconds(info: dict[int, bytes]) -> float | None:
    scale_ns = int.from_bytes(info.get(_TIMESTAMP_SCALE, b"")[:8], "big") or 1_000_000
    return _number(info[_DURATION]) * scale_ns / 1e9 if _DURATION in info else None


def _add_tags(found: Found, body: bytes) -> None:
    tags = [(_level(tag), list(_simple(tag))) for tag in _all(body, _TAG)]
    of_track = [pairs for level, pairs in tags if level is not None and level < _ALBUM_LEVEL]
    of_file = [pairs for level, pairs in tags if level is None]
    of_album = [pairs for level, pairs in tags if level is not None and level >= _ALBUM_LEVEL]
    for pairs in of_track + of_file:
        _add_pairs(found, pairs)
    for pairs in of_album:
        names = _OF_ALBUM if of_track else {}
        _add_pairs(
            found, [(names.get(name, name), value) for name, value in pairs if not of_track or name != "partnumber"]
        )


def _add_pairs(found: Found, pairs: list[tuple[str, str]]) -> None:
    for name in dict.fromkeys(name for name, _ in pairs):
        add(found, name, [value for other, value in pairs if other == name])


def _level(tag: bytes) -> int | None:
    levels = [
        int.from_bytes(level[:8], "big") for targets in _all(tag, _TARGETS) for level in _all(targets, _TARGET_LEVEL)
    ]
    return levels[0] if levels else None


def _simple(tag: bytes) -> Iterator[tuple[str, str]]:
    for simple in _all(tag, _SIMPLE_TAG):
        parts = dict(_elements(simple))
        if _TAG_NAME in parts and _TAG_STRING in parts:
            yield normal(_text(parts[_TAG_NAME])), _text(parts[_TAG_STRING])


def _picture(attached: bytes) -> tuple[bool, bytes] | None:
    """RFC 9559 21: the cover is called cover.jpg or cover.png, small_cover.* and cover_land.* are its variants."""
    parts = dict(_elements(attached))
    if not _text(parts.get(_MEDIA_TYPE, b"")).startswith("image/") or _FILE_DATA not in parts:
        return None
    return _text(parts.get(_FILE_NAME, b"")).lower().startswith("cover."), parts[_FILE_DATA]
