"""Bytes to playlists. Junk gives a PlaylistSyntaxError with its line and a hint, nothing else.

Unknown tags, attributes and comments are ignored (RFC 8216 §6.3.1). Tags that change what the segments mean and that
our playlist values cannot say are refused: half an understanding would be a wrong one.
"""

from abc import ABC, abstractmethod

from manifests.playlist import (
    FORBIDDEN,
    IV_BYTES,
    AudioGroup,
    DateRange,
    InitMap,
    Key,
    KeyMethod,
    MediaPlaylist,
    MediaSegment,
    MultivariantPlaylist,
    Playlist,
    PlaylistByteRange,
    PlaylistType,
    SessionData,
    VariantStream,
)
from manifests.syntax import REWRITE, AttributeList, Junk, byte_range_of, date_ms_of, integer_of, microseconds_of
from model.errors import PlaylistSyntaxError

BYTES_MAX = 8 * 1024 * 1024
LINES_MAX = 50_000  # a whole day in 6 s segments, byte-range form, takes 43,200

_STREAM_INF = "EXT-X-STREAM-INF"
_MULTIVARIANT_TAGS = frozenset(
    {_STREAM_INF, "EXT-X-MEDIA", "EXT-X-SESSION-DATA", "EXT-X-I-FRAME-STREAM-INF", "EXT-X-SESSION-KEY"}
)
_LIST_TAGS = frozenset(
    {"EXT-X-TARGETDURATION", "EXT-X-MEDIA-SEQUENCE", "EXT-X-PLAYLIST-TYPE", "EXT-X-MAP", "EXT-X-ENDLIST"}
)
_MEDIA_TAGS = _LIST_TAGS | {
    "EXTINF", "EXT-X-BYTERANGE", "EXT-X-KEY", "EXT-X-PROGRAM-DATE-TIME", "EXT-X-DATERANGE",
}  # fmt: skip
_SINGLE_TAGS = _LIST_TAGS | {"EXT-X-VERSION", "EXT-X-INDEPENDENT-SEGMENTS"}
_REFUSED_TAGS = frozenset({"EXT-X-DEFINE", "EXT-X-DISCONTINUITY", "EXT-X-GAP", "EXT-X-I-FRAMES-ONLY"})


def parse(data: bytes, *, subject: str = "") -> Playlist:
    """The playlist that these bytes are. Raises PlaylistSyntaxError, naming `subject` and the line, for anything else.

    Takes at most `BYTES_MAX` bytes and `LINES_MAX` lines. Every element of the result knows its line.
    """
    number = 1
    try:
        lines = _lines_of(data)
        reader = _reader_for(lines)
        for number, line in enumerate(lines, start=1):
            reader.take(line, number)
        return reader.playlist()
    except Junk as junk:
        raise PlaylistSyntaxError(str(junk), line=junk.line or number, subject=subject, hint=junk.hint) from junk
    except ValueError as refused:  # a playlist value that cannot exist
        raise PlaylistSyntaxError(str(refused), line=number, subject=subject, hint=REWRITE) from refused


def parse_media(data: bytes, *, subject: str = "") -> MediaPlaylist:
    """Like `parse`, and raises PlaylistSyntaxError for a multivariant playlist too."""
    playlist = parse(data, subject=subject)
    if not isinstance(playlist, MediaPlaylist):
        hint = "follow the URI of one of its variant streams"
        raise PlaylistSyntaxError("a multivariant, not a media playlist", line=1, subject=subject, hint=hint)
    return playlist


def parse_multivariant(data: bytes, *, subject: str = "") -> MultivariantPlaylist:
    """Like `parse`, and raises PlaylistSyntaxError for a media playlist too."""
    playlist = parse(data, subject=subject)
    if not isinstance(playlist, MultivariantPlaylist):
        hint = "give the multivariant playlist that names this one"
        raise PlaylistSyntaxError("a media, not a multivariant playlist", line=1, subject=subject, hint=hint)
    return playlist


def _lines_of(data: bytes) -> list[str]:
    if len(data) > BYTES_MAX or data.count(b"\n") >= LINES_MAX:
        raise Junk(f"larger than {BYTES_MAX} bytes or {LINES_MAX} lines", "a playlist for music is never this long")
    if data.startswith(b"\xef\xbb\xbf"):
        raise Junk("starts with a byte order mark", "save the playlist as UTF-8 without one (RFC 8216 §4.1)")
    try:
        lines = [line.removesuffix("\r") for line in data.decode().split("\n")]
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Junk("not UTF-8", "save the playlist as UTF-8 (RFC 8216 §4.1)", line=line) from error
    if lines[0] != "#EXTM3U":
        raise Junk("does not start with #EXTM3U", "this is no playlist: an error page, perhaps, or a media file")
    return lines


def _reader_for(lines: list[str]) -> "_MediaReader | _MultivariantReader":
    multivariant = any(line.startswith(f"#{_STREAM_INF}:") for line in lines)
    return _MultivariantReader() if multivariant else _MediaReader()


class _Reader(ABC):
    """What both kinds of playlist share: lines into tags and URIs, and the tags that may stand in either."""

    foreign_tags: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.version = 1
        self.independent_segments = False
        self._seen: set[str] = set()

    def take(self, line: str, number: int) -> None:
        """Reads one line."""
        if FORBIDDEN.search(line):
            raise Junk("a control character or byte order mark", "remove it (RFC 8216 §4.1)")
        if line.startswith("#EXT"):
            name, _, value = line[1:].partition(":")
            self._check_tag(name)
            self.tag(name, value, number)
        elif line and not line.startswith("#"):
            self.uri(line, number)

    def tag(self, name: str, value: str, number: int) -> None:
        """Reads a tag of either kind of playlist; ignores unknown ones."""
        if name == "EXT-X-VERSION":
            self.version = integer_of(name, value, least=1)
        elif name == "EXT-X-INDEPENDENT-SEGMENTS":
            self.independent_segments = True

    @abstractmethod
    def uri(self, line: str, number: int) -> None:
        """Reads a URI line."""

    def _check_tag(self, name: str) -> None:
        if name in _REFUSED_TAGS:
            raise Junk(f"unsupported tag {name}", "segue neither writes nor reads it; this is another's playlist")
        if name in self.foreign_tags:
            raise Junk(f"{name} is out of place", "a playlist is either multivariant or media (RFC 8216 §4.1)")
        if name in _SINGLE_TAGS and name in self._seen:
            raise Junk(f"{name} a second time", "leave one of them (RFC 8216 §4.3.3)")
        self._seen.add(name)


class _MediaReader(_Reader):
    foreign_tags = _MULTIVARIANT_TAGS

    def __init__(self) -> None:
        super().__init__()
        self._target_duration_s: int | None = None
        self._media_sequence = 0
        self._playlist_type: PlaylistType | None = None
        self._init_map: InitMap | None = None
        self._ended = False
        self._segments: list[MediaSegment] = []
        self._duration_us: int | None = None
        self._range: tuple[int, int | None] | None = None
        self._key: Key | None = None
        self._date_ms: int | None = None
        self._date_ranges: list[DateRange] = []
        self._line = 0

    def tag(self, name: str, value: str, number: int) -> None:
        match name:
            case "EXTINF":
                self._refuse_pending()
                self._duration_us, self._line = microseconds_of(value), number
            case "EXT-X-BYTERANGE":
                self._range = byte_range_of(value)
            case "EXT-X-KEY":
                self._key = _key(AttributeList(name, value, line=number))
            case "EXT-X-MAP":
                self._init_map = self._read_map(value, number)
            case "EXT-X-PROGRAM-DATE-TIME":
                self._read_date(value)
            case "EXT-X-DATERANGE":
                self._date_ranges.append(_date_range(AttributeList(name, value, line=number)))
            case "EXT-X-TARGETDURATION":
                self._target_duration_s = integer_of(name, value, least=1)
            case "EXT-X-MEDIA-SEQUENCE":
                self._media_sequence = integer_of(name, value)
            case "EXT-X-PLAYLIST-TYPE":
                self._playlist_type = _playlist_type(value)
            case "EXT-X-ENDLIST":
                self._ended = True
            case _:
                super().tag(name, value, number)

    def uri(self, line: str, number: int) -> None:
        if self._duration_us is None:
            raise Junk("a segment without EXTINF", "write #EXTINF:<seconds>, before its URI (RFC 8216 §4.3.2.1)")
        byte_range = self._resolved_range(*self._range, line) if self._range else None
        segment = MediaSegment(
            uri=line, duration_us=self._duration_us, byte_range=byte_range, key=self._key, line=self._line
        )
        self._segments.append(segment)
        self._duration_us = self._range = None

    def playlist(self) -> MediaPlaylist:
        """The playlist, after the last line."""
        self._refuse_pending()
        if self._target_duration_s is None:
            raise Junk("no EXT-X-TARGETDURATION", "a media playlist must have one (RFC 8216 §4.3.3.1)")
        return MediaPlaylist(
            version=self.version,
            target_duration_s=self._target_duration_s,
            segments=tuple(self._segments),
            init_map=self._init_map,
            media_sequence=self._media_sequence,
            playlist_type=self._playlist_type,
            independent_segments=self.independent_segments,
            ended=self._ended,
            date_ms=self._date_ms,
            date_ranges=tuple(self._date_ranges),
        )

    def _refuse_pending(self) -> None:
        if self._duration_us is not None:
            raise Junk("EXTINF without a URI after it", "write the segment's URI on the next line", line=self._line)

    def _read_date(self, value: str) -> None:
        if self._segments:
            raise Junk("EXT-X-PROGRAM-DATE-TIME after the first segment", "put the only date before all segments")
        self._date_ms = date_ms_of("EXT-X-PROGRAM-DATE-TIME", value)

    def _read_map(self, value: str, number: int) -> InitMap:
        if self._segments:
            raise Junk("EXT-X-MAP after the first segment", "put the only map before all segments")
        if self._key:
            raise Junk("EXT-X-MAP after EXT-X-KEY: an encrypted map", "put the map, in the clear, before the first key")
        attributes = AttributeList("EXT-X-MAP", value, line=number)
        uri, text = attributes.required_quoted("URI"), attributes.quoted("BYTERANGE")
        if text is None:
            return InitMap(uri=uri, line=number)
        length_bytes, offset_bytes = byte_range_of(text)
        byte_range = PlaylistByteRange(length_bytes=length_bytes, offset_bytes=offset_bytes or 0)
        return InitMap(uri=uri, byte_range=byte_range, line=number)

    def _resolved_range(self, length_bytes: int, offset_bytes: int | None, uri: str) -> PlaylistByteRange:
        before = self._segments[-1] if self._segments else None
        if offset_bytes is None and before and before.uri == uri and before.byte_range:
            offset_bytes = before.byte_range.end_bytes
        if offset_bytes is None:
            raise Junk("a byte range that starts nowhere", "write <length>@<offset>: no range of this file precedes it")
        return PlaylistByteRange(length_bytes=length_bytes, offset_bytes=offset_bytes)


class _MultivariantReader(_Reader):
    foreign_tags = _MEDIA_TAGS

    def __init__(self) -> None:
        super().__init__()
        self._session_data: list[SessionData] = []
        self._audio_groups: list[AudioGroup] = []
        self._variants: list[VariantStream] = []
        self._pending: AttributeList | None = None

    def tag(self, name: str, value: str, number: int) -> None:
        match name:
            case "EXT-X-STREAM-INF":
                self._refuse_pending()
                self._pending = AttributeList(name, value, line=number)
            case "EXT-X-MEDIA":
                self._audio_groups.append(_audio_group(AttributeList(name, value, line=number)))
            case "EXT-X-SESSION-DATA":
                data = _session_data(AttributeList(name, value, line=number))
                self._session_data += [data] if data else []
            case _:
                super().tag(name, value, number)

    def uri(self, line: str, number: int) -> None:
        if self._pending is None:
            raise Junk("a URI without EXT-X-STREAM-INF", "write #EXT-X-STREAM-INF before it (RFC 8216 §4.3.4.2)")
        self._variants.append(_variant(self._pending, line))
        self._pending = None

    def playlist(self) -> MultivariantPlaylist:
        """The playlist, after the last line."""
        self._refuse_pending()
        return MultivariantPlaylist(
            version=self.version,
            variants=tuple(self._variants),
            independent_segments=self.independent_segments,
            session_data=tuple(self._session_data),
            audio_groups=tuple(self._audio_groups),
        )

    def _refuse_pending(self) -> None:
        if self._pending is not None:
            hint = "write the media playlist's URI on the next line (RFC 8216 §4.3.4.2)"
            raise Junk(f"{_STREAM_INF} without a URI after it", hint, line=self._pending.line)


def _variant(attributes: AttributeList, uri: str) -> VariantStream:
    bandwidth_bps = attributes.integer("BANDWIDTH")
    if bandwidth_bps is None:
        raise Junk(
            f"{_STREAM_INF} without BANDWIDTH", "BANDWIDTH is required (RFC 8216 §4.3.4.2)", line=attributes.line
        )
    codecs = attributes.quoted("CODECS")
    return VariantStream(
        uri=uri,
        bandwidth_bps=bandwidth_bps,
        average_bandwidth_bps=attributes.integer("AVERAGE-BANDWIDTH"),
        codecs=tuple(entry.strip() for entry in codecs.split(",")) if codecs else (),
        stable_variant_id=attributes.quoted("STABLE-VARIANT-ID") or "",
        score=attributes.decimal("SCORE"),
        audio=attributes.quoted("AUDIO") or "",
        line=attributes.line,
    )


def _audio_group(attributes: AttributeList) -> AudioGroup:
    """Refuses what leads to a playlist of its own: which audio is heard then is more than a variant can say."""
    if attributes.word("TYPE") != "AUDIO" or attributes.quoted("URI") is not None:
        hint = "segue writes EXT-X-MEDIA only to describe the audio of its variants; this is another's playlist"
        raise Junk("EXT-X-MEDIA with a URI, or of another TYPE than AUDIO", hint, line=attributes.line)
    channels = attributes.quoted("CHANNELS")
    return AudioGroup(
        group_id=attributes.required_quoted("GROUP-ID"),
        name=attributes.required_quoted("NAME"),
        language=attributes.quoted("LANGUAGE") or "",
        channels=integer_of("CHANNELS", channels.partition("/")[0], line=attributes.line) if channels else None,
        sample_rate_hz=attributes.integer("SAMPLE-RATE"),
        bit_depth=attributes.integer("BIT-DEPTH"),
        line=attributes.line,
    )


def _session_data(attributes: AttributeList) -> SessionData | None:
    """None for data that lies behind a URI: nothing to read here."""
    value, uri = attributes.quoted("VALUE"), attributes.quoted("URI")
    if (value is None) == (uri is None):
        raise Junk("EXT-X-SESSION-DATA needs VALUE or URI", "write exactly one of them (RFC 8216 §4.3.4.4)")
    data_id, language = attributes.required_quoted("DATA-ID"), attributes.quoted("LANGUAGE") or ""
    return None if value is None else SessionData(data_id=data_id, value=value, language=language, line=attributes.line)


def _date_range(attributes: AttributeList) -> DateRange:
    """Of the attributes of the client the texts: others, numbers for one, are ignored."""
    duration = attributes.word("DURATION")
    return DateRange(
        range_id=attributes.required_quoted("ID"),
        class_name=attributes.quoted("CLASS") or "",
        start_ms=date_ms_of("START-DATE", attributes.required_quoted("START-DATE")),
        duration_us=None if duration is None else microseconds_of(f"{duration},"),
        texts=attributes.texts("X-"),
        line=attributes.line,
    )


def _key(attributes: AttributeList) -> Key | None:
    """None for METHOD=NONE, which nothing else may stand beside."""
    method, uri = attributes.required_word("METHOD"), attributes.quoted("URI")
    iv, form = attributes.octets("IV", IV_BYTES), attributes.quoted("KEYFORMAT")
    if method == "NONE":
        if (uri, iv, form) != (None, None, None):
            raise Junk("EXT-X-KEY: METHOD=NONE with a key", "leave METHOD=NONE alone (RFC 8216 §4.3.2.4)")
        return None
    if method != KeyMethod.AES_128 or (form or "identity") != "identity":
        raise Junk("EXT-X-KEY of another kind than AES-128", "segue neither writes nor reads it; this is another's")
    return Key(method=KeyMethod.AES_128, uri=attributes.required_quoted("URI"), iv=iv, line=attributes.line)


def _playlist_type(value: str) -> PlaylistType:
    if value not in PlaylistType.__members__:
        raise Junk(f"EXT-X-PLAYLIST-TYPE is neither VOD nor EVENT: {value[:40]!a}", "write VOD")
    return PlaylistType(value)
