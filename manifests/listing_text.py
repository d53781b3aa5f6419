"""What the two kinds of listing share: lines, tags, attributes, variables, versions, and what is wrong with them."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping

from manifests.listing import Listing, Need, Trouble
from manifests.parse import BYTES_MAX, LINES_MAX
from manifests.playlist import DECIMAL_INTEGER_MAX, FORBIDDEN, PlaylistByteRange
from manifests.syntax import Junk, byte_range_of
from model.errors import PlaylistSyntaxError

TEXT, ATTRIBUTES = "RFC8216-4.1", "RFC8216-4.2"
SEGMENT, SEGMENT_TAGS, MEDIA_TAGS, MULTIVARIANT_TAGS = (
    "RFC8216-4.3.2.1",
    "RFC8216-4.3.2",
    "RFC8216-4.3.3",
    "RFC8216-4.3.4",
)
DATE = "RFC8216-4.3.2.6"
VARIABLES = "RFC8216BIS-4.3"
TROUBLES_MAX = 100  # of one playlist: whoever wrote more of them mends one kind at a time

_ATTRIBUTE = re.compile(r'\s*([A-Z0-9-]+)=(?:"([^"]*)"|([^",]*))\s*(?:,|\Z)')
_VARIABLE = re.compile(r"\{\$([A-Za-z0-9_-]+)\}")
_INTEGER = re.compile(r"[0-9]{1,20}")
_ONCE = frozenset(
    {
        "EXT-X-VERSION",
        "EXT-X-INDEPENDENT-SEGMENTS",
        "EXT-X-TARGETDURATION",
        "EXT-X-MEDIA-SEQUENCE",
        "EXT-X-DISCONTINUITY-SEQUENCE",
        "EXT-X-PLAYLIST-TYPE",
        "EXT-X-I-FRAMES-ONLY",
        "EXT-X-ENDLIST",
    }
)
# Attributes that are quoted-strings, and some that never are (RFC 8216 §4.2): the kind is part of the syntax.
_QUOTED = frozenset(
    {
        *("ASSOC-LANGUAGE", "AUDIO", "BYTERANGE", "CHANNELS", "CHARACTERISTICS", "CODECS", "DATA-ID", "GROUP-ID"),
        *("KEYFORMAT", "KEYFORMATVERSIONS", "LANGUAGE", "NAME", "PATHWAY-ID", "STABLE-RENDITION-ID"),
        *("STABLE-VARIANT-ID", "SUBTITLES", "URI", "VALUE", "VIDEO", "ID", "CLASS", "START-DATE", "END-DATE"),
        "SERVER-URI",
    }
)
_BARE = frozenset(
    {
        *("AUTOSELECT", "AVERAGE-BANDWIDTH", "BANDWIDTH", "DEFAULT", "FORCED", "IV", "METHOD"),
        *("RESOLUTION", "SCORE", "TYPE", "DURATION", "PLANNED-DURATION", "END-ON-NEXT"),
    }
)


def lines_of(data: bytes, subject: str) -> tuple[list[str], list[Trouble]]:
    troubles = []
    if len(data) > BYTES_MAX or data.count(b"\n") >= LINES_MAX:
        hint = "a playlist for music is never this long"
        raise PlaylistSyntaxError(
            f"larger than {BYTES_MAX} bytes or {LINES_MAX} lines", line=1, subject=subject, hint=hint
        )
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
        troubles.append(Trouble(rule=TEXT, line=1, message="starts with a byte order mark"))
    if not data.startswith(b"#EXTM3U"):
        hint = "this is no playlist: an error page, perhaps, or a media file"
        raise PlaylistSyntaxError("does not start with #EXTM3U", line=1, subject=subject, hint=hint)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        troubles.append(Trouble(rule=TEXT, line=line, message="not UTF-8"))
        text = data.decode(errors="replace")
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    if lines[0].strip() != "#EXTM3U":
        troubles.append(Trouble(rule=TEXT, line=1, message="the first line is more than #EXTM3U"))
    return lines, troubles


class Reader(ABC):
    """What both kinds of playlist share: lines into tags and URIs, attributes, variables, versions."""

    foreign_tags: frozenset[str] = frozenset()

    def __init__(self, query: Mapping[str, str], imported: Mapping[str, str]) -> None:
        self.version = 1
        self.independent_segments = False
        self.needs: list[Need] = []
        self.troubles: list[Trouble] = []
        self.variables: dict[str, str] = {}
        self._query, self._imported = query, imported
        self._seen: set[str] = set()

    def take(self, line: str, number: int) -> None:
        """Reads one line."""
        if FORBIDDEN.search(line.replace("\t", "")):
            self.trouble(TEXT, number, "a control character or byte order mark")
        if line.startswith("#EXT"):
            name, _, value = line[1:].partition(":")
            name = name.strip()
            if name in self.foreign_tags:
                self.trouble(TEXT, number, f"{name} is out of place: a playlist is either multivariant or media")
                return
            if name in _ONCE and name in self._seen:
                self.trouble(MEDIA_TAGS, number, f"{name} a second time")
            self._seen.add(name)
            self.tag(name, self._substituted(value, number), number)
        elif line.strip() and not line.startswith("#"):
            self.uri(self._substituted(line.strip(), number), number)

    def tag(self, name: str, value: str, number: int) -> None:
        """Reads a tag of either kind of playlist; ignores unknown ones."""
        match name:
            case "EXT-X-VERSION":
                self.version = self.integer(MEDIA_TAGS, name, value, number, default=1)
            case "EXT-X-INDEPENDENT-SEGMENTS":
                self.independent_segments = True
            case "EXT-X-DEFINE":
                self._define(self.attributes(name, value, number), number)

    @abstractmethod
    def uri(self, line: str, number: int) -> None:
        """Reads a URI line."""

    @abstractmethod
    def listing(self, lines: int) -> Listing:
        """The listing, after the last line."""

    def trouble(self, rule: str, line: int, message: str) -> None:
        """Notes what is wrong, as long as there is not far too much of it."""
        if len(self.troubles) < TROUBLES_MAX:
            self.troubles.append(Trouble(rule=rule, line=line, message=message))

    def need(self, version: int, what: str, line: int) -> None:
        """Notes what needs a version; the first of a kind tells for all."""
        if all(each.what != what for each in self.needs):
            self.needs.append(Need(version=version, what=what, line=line))

    def attributes(self, tag: str, text: str, line: int) -> dict[str, str]:
        """The attribute list of a tag, without quotes; what cannot be read ends it."""
        found: dict[str, str] = {}
        position = 0
        while position < len(text):
            match = _ATTRIBUTE.match(text, position)
            if not match:
                self.trouble(ATTRIBUTES, line, f"{tag}: not an attribute list from here: {text[position:][:40]!a}")
                break
            name, quoted, bare = match.groups()
            if name in found:
                self.trouble(ATTRIBUTES, line, f"{tag}: {name} a second time")
            if (quoted is None and name in _QUOTED) or (quoted is not None and name in _BARE):
                self.trouble(
                    ATTRIBUTES, line, f"{tag}: {name} {'must not be' if quoted is not None else 'is not'} quoted"
                )
            found[name] = bare.strip() if quoted is None else quoted
            position = match.end()
        return found

    def integer(self, rule: str, name: str, text: str, line: int, *, default: int = 0) -> int:
        """A decimal-integer, `default` for anything else."""
        if _INTEGER.fullmatch(text.strip()) and int(text) <= DECIMAL_INTEGER_MAX:
            return int(text)
        self.trouble(rule, line, f"{name} is not an integer: {text[:40]!a}")
        return default

    def byte_range(self, text: str, line: int, *, start: int | None = None) -> PlaylistByteRange | None:
        """A byte range; `start` is where it begins if it does not say so."""
        try:
            length_bytes, offset_bytes = byte_range_of(text.strip())
            if offset_bytes is None and start is None:
                raise Junk("a byte range that starts nowhere: no range of this resource precedes it")
            begin = start if offset_bytes is None else offset_bytes
            return PlaylistByteRange(length_bytes=length_bytes, offset_bytes=begin or 0)
        except ValueError as refused:
            self.trouble("RFC8216-4.3.2.2-syntax", line, str(refused))
            return None

    def _define(self, attributes: Mapping[str, str], line: int) -> None:
        self.need(8, "EXT-X-DEFINE", line)
        if "NAME" in attributes:
            self.variables[attributes["NAME"]] = attributes.get("VALUE", "")
        elif "IMPORT" in attributes:
            self._define_from(self._imported, attributes["IMPORT"], line)
        elif "QUERYPARAM" in attributes:
            self.need(11, "EXT-X-DEFINE:QUERYPARAM", line)
            self._define_from(self._query, attributes["QUERYPARAM"], line)

    def _define_from(self, there: Mapping[str, str], name: str, line: int) -> None:
        if name not in there:
            self.trouble(VARIABLES, line, f"EXT-X-DEFINE takes a variable that is not there: {name[:40]!a}")
        self.variables[name] = there.get(name, "")

    def _substituted(self, text: str, line: int) -> str:
        if "EXT-X-DEFINE" not in self._seen:
            return text

        def value_of(found: re.Match[str]) -> str:
            if found[1] not in self.variables:
                self.trouble(VARIABLES, line, f"nothing defines the variable: {found[1][:40]!a}")
            return self.variables.get(found[1], "")

        return _VARIABLE.sub(value_of, text)
