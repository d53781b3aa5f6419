"""XSPF 1, the XML form of a playlist (https://www.xspf.org/spec). Pure.

A document type is refused, and with it every entity that could grow or reach out; what has no meaning here is passed
over. `location` is where the music is, `identifier` what it is.
"""

from dataclasses import dataclass, field
from xml.parsers import expat
from xml.sax.saxutils import escape

from discovery.playlists.entries import (
    COMMENT_CHARS_MAX,
    URIS_MAX,
    Entry,
    EntryList,
    PlaylistFileInvalid,
    check_count,
    check_size,
    clean,
    clean_lines,
    clean_uri,
    number_of,
    seconds_of,
)

NAMESPACE = "http://xspf.org/ns/0/"
_DEPTH_MAX = 64
_TEXT_CHARS_MAX = 4 * COMMENT_CHARS_MAX  # of one element, before it is cleaned
_PLAYLIST = ("playlist",)
_TRACK = ("playlist", "trackList", "track")
_OF_PLAYLIST = frozenset(["title", "annotation"])
_OF_TRACK = frozenset(["location", "identifier", "title", "creator", "album", "trackNum", "duration"])
_LOCATED = ("http:", "https:", "file:", "/", "ftp:")


def read_xspf(data: bytes) -> EntryList:
    """The playlist that a file has. Raises PlaylistFileInvalid."""
    check_size(data)
    reading = _Reading()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = reading.begin
    parser.EndElementHandler = reading.end
    parser.CharacterDataHandler = reading.text
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # ValueError, LookupError: of a strange encoding
        raise PlaylistFileInvalid("not well-formed XML") from error
    return EntryList(
        name=clean(reading.said.get("title", "")),
        comment=clean_lines(reading.said.get("annotation", "")),
        entries=tuple(reading.entries),
    )


def write_xspf(playlist: EntryList) -> bytes:
    """The playlist as XSPF 1, in UTF-8."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f'<playlist version="1" xmlns="{NAMESPACE}">']
    lines += _elements(" ", ("title", playlist.name), ("annotation", playlist.comment))
    lines.append(" <trackList>")
    for entry in playlist.entries:
        locations, identifiers = parted_uris(entry)
        milliseconds = None if entry.duration_s is None else round(1000 * entry.duration_s)
        lines.append("  <track>")
        lines += _elements(
            "   ", *(("location", uri) for uri in locations), *(("identifier", uri) for uri in identifiers)
        )
        lines += _elements("   ", ("title", entry.title), ("creator", entry.artist), ("album", entry.album))
        lines += _elements("   ", ("trackNum", entry.track_number), ("duration", milliseconds))
        lines.append("  </track>")
    lines += [" </trackList>", "</playlist>", ""]
    return "\n".join(lines).encode()


def parted_uris(entry: Entry) -> tuple[list[str], list[str]]:
    """The URIs of an entry that say where the music is, and those that say what it is."""
    located = [uri for uri in entry.uris if uri.startswith(_LOCATED)]
    return located, [uri for uri in entry.uris if uri not in located]


def _elements(indent: str, *pairs: tuple[str, str | int | None]) -> list[str]:
    return [f"{indent}<{name}>{escape(str(value))}</{name}>" for name, value in pairs if value]


def _refuse_doctype(*_: object) -> None:
    raise PlaylistFileInvalid("it declares a document type", hint="XSPF has none: remove the DOCTYPE")


@dataclass(slots=True)
class _Reading:
    """Where in the document the parser is, and what was found so far."""

    said: dict[str, str] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    _path: tuple[str, ...] = ()
    _depth: int = 0
    _text: list[str] = field(default_factory=list)
    _room: int = 0
    _track: dict[str, list[str]] = field(default_factory=dict)

    def begin(self, name: str, _: object) -> None:
        space, _separator, local = name.rpartition(" ")
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise PlaylistFileInvalid(f"its elements are nested over {_DEPTH_MAX} deep")
        if self._depth == 1 and (local != "playlist" or space not in ("", NAMESPACE)):
            raise PlaylistFileInvalid("not an XSPF playlist", hint=f"XSPF begins with playlist, of {NAMESPACE}")
        self._path = (*self._path, local if space in ("", NAMESPACE) else "")
        self._text, self._room = [], _TEXT_CHARS_MAX
        if self._path == _TRACK:
            check_count(len(self.entries) + 1)
            self._track = {}

    def text(self, text: str) -> None:
        if self._room > 0:
            self._text.append(text[: self._room])
            self._room -= len(text)

    def end(self, _: str) -> None:
        *parent, local = self._path
        if self._path == _TRACK:
            self.entries.append(_entry(self._track))
        elif tuple(parent) == _TRACK and local in _OF_TRACK:
            found = self._track.setdefault(local, [])
            if len(found) < URIS_MAX:
                found.append("".join(self._text))
        elif tuple(parent) == _PLAYLIST and local in _OF_PLAYLIST:
            self.said.setdefault(local, "".join(self._text))
        self._path = tuple(parent)
        self._depth -= 1
        self._text, self._room = [], 0


def _entry(said: dict[str, list[str]]) -> Entry:
    def first(name: str) -> str:
        return said.get(name, [""])[0]

    uris = [uri for name in ("location", "identifier") for each in said.get(name, []) if (uri := clean_uri(each))]
    milliseconds = _number(first("duration"))
    return Entry(
        title=clean(first("title")),
        artist=clean(first("creator")),
        album=clean(first("album")),
        track_number=number_of(_number(first("trackNum"))),
        duration_s=seconds_of(milliseconds / 1000 if milliseconds is not None else None),
        uris=tuple(dict.fromkeys(uris))[:URIS_MAX],
    )


def _number(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 12 else None
