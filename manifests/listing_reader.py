"""Bytes of anybody to a listing: reads on past what is wrong and says what that was.

Only what is no playlist at all raises; the limits are those of `manifests.parse`.
"""

from collections.abc import Mapping
from types import MappingProxyType

from manifests.listing import (
    ListedKey,
    ListedMap,
    ListedSegment,
    ListedTag,
    ListedVariant,
    Listing,
    MediaListing,
    MultivariantListing,
)
from manifests.listing_text import DATE, MEDIA_TAGS, MULTIVARIANT_TAGS, SEGMENT, SEGMENT_TAGS, Reader, lines_of
from manifests.playlist import FORBIDDEN, SessionData
from manifests.syntax import Junk, microseconds_of, moment_of

_OF_MULTIVARIANT = frozenset(
    {
        "EXT-X-STREAM-INF",
        "EXT-X-MEDIA",
        "EXT-X-I-FRAME-STREAM-INF",
        "EXT-X-SESSION-DATA",
        "EXT-X-SESSION-KEY",
        "EXT-X-CONTENT-STEERING",
    }
)
_OF_MEDIA = frozenset(
    {
        "EXTINF",
        "EXT-X-TARGETDURATION",
        "EXT-X-MEDIA-SEQUENCE",
        "EXT-X-DISCONTINUITY-SEQUENCE",
        "EXT-X-PLAYLIST-TYPE",
        "EXT-X-I-FRAMES-ONLY",
        "EXT-X-ENDLIST",
        "EXT-X-BYTERANGE",
        "EXT-X-DISCONTINUITY",
        "EXT-X-KEY",
        "EXT-X-MAP",
        "EXT-X-GAP",
        "EXT-X-DATERANGE",
        "EXT-X-PROGRAM-DATE-TIME",
    }
)
_NOTHING: Mapping[str, str] = MappingProxyType({})


def read_listing(
    data: bytes, *, subject: str = "", query: Mapping[str, str] = _NOTHING, imported: Mapping[str, str] = _NOTHING
) -> Listing:
    """The listing that these bytes are; raises PlaylistSyntaxError for what does not begin like a playlist.

    `query` has the parameters of the playlist's own URL, `imported` the variables of the multivariant playlist above
    it, for EXT-X-DEFINE (RFC 8216bis §4.4.2.3).
    """
    lines, troubles = lines_of(data, subject)
    multivariant = any(line.startswith(("#EXT-X-STREAM-INF:", "#EXT-X-MEDIA:")) for line in lines)
    reader = _MultivariantReader(query, imported) if multivariant else _MediaReader(query, imported)
    reader.troubles += troubles
    for number, line in enumerate(lines, start=1):
        reader.take(line, number)
    return reader.listing(len(lines))


class _MediaReader(Reader):
    foreign_tags = _OF_MULTIVARIANT

    def __init__(self, query: Mapping[str, str], imported: Mapping[str, str]) -> None:
        super().__init__(query, imported)
        self._target_duration_s = self._media_sequence = self._period = 0
        self._playlist_type = ""
        self._ended = self._i_frames_only = self._gap = False
        self._key: ListedKey | None = None
        self._map: ListedMap | None = None
        self._segments: list[ListedSegment] = []
        self._date_ranges: list[ListedTag] = []
        self._dated = False
        self._duration_us: int | None = None
        self._range = ""
        self._line = 0

    def tag(self, name: str, value: str, number: int) -> None:
        match name:
            case "EXTINF":
                self._extinf(value, number)
            case "EXT-X-BYTERANGE":
                self.need(4, name, number)
                self._range = value
            case "EXT-X-KEY":
                self._key = self._read_key(value, number)
            case "EXT-X-MAP":
                self._map = self._read_map(value, number)
            case "EXT-X-DISCONTINUITY":
                self._period += 1
            case "EXT-X-GAP":
                self.need(8, name, number)
                self._gap = True
            case "EXT-X-DATERANGE":
                self._date_ranges.append(ListedTag(attributes=self.attributes(name, value, number), line=number))
            case "EXT-X-PROGRAM-DATE-TIME":
                self._dated = True
                if moment_of(value) is None:
                    self.trouble(DATE, number, f"{name} is no date and time of ISO 8601: {value[:40]!a}")
            case "EXT-X-TARGETDURATION":
                self._target_duration_s = self.integer(MEDIA_TAGS, name, value, number)
            case "EXT-X-MEDIA-SEQUENCE":
                self._media_sequence = self.integer(MEDIA_TAGS, name, value, number)
            case "EXT-X-PLAYLIST-TYPE":
                self._playlist_type = value.strip()
                if self._playlist_type not in ("VOD", "EVENT"):
                    self.trouble(MEDIA_TAGS, number, f"{name} is neither VOD nor EVENT: {value[:40]!a}")
            case "EXT-X-I-FRAMES-ONLY":
                self.need(4, name, number)
                self._i_frames_only = True
            case "EXT-X-ENDLIST":
                self._ended = True
            case _:
                super().tag(name, value, number)

    def uri(self, line: str, number: int) -> None:
        if self._duration_us is None:
            self.trouble(SEGMENT, number, f"a segment without EXTINF: {line[:80]!a}")
            self._range = ""
            return
        before = self._segments[-1] if self._segments else None
        follows = before.byte_range if before and before.uri == line else None
        byte_range = None
        if self._range:
            byte_range = self.byte_range(self._range, number - 1, start=follows.end_bytes if follows else None)
        self._segments.append(
            ListedSegment(
                uri=line,
                duration_us=self._duration_us,
                byte_range=byte_range,
                init_map=self._map,
                key=self._key,
                period=self._period,
                gap=self._gap,
                line=self._line,
            )
        )
        self._duration_us, self._range, self._gap = None, "", False

    def listing(self, lines: int) -> MediaListing:
        self._pending()
        if not self._target_duration_s:
            self.trouble(MEDIA_TAGS, 0, "no EXT-X-TARGETDURATION of at least 1")
        if not self._segments:
            self.trouble(SEGMENT, 0, "no segments")
        return MediaListing(
            version=self.version,
            target_duration_s=self._target_duration_s,
            media_sequence=self._media_sequence,
            playlist_type=self._playlist_type,
            independent_segments=self.independent_segments,
            ended=self._ended,
            i_frames_only=self._i_frames_only,
            dated=self._dated,
            date_ranges=tuple(self._date_ranges),
            segments=tuple(self._segments),
            needs=tuple(self.needs),
            troubles=tuple(self.troubles),
        )

    def _pending(self) -> None:
        if self._duration_us is not None:
            self.trouble(SEGMENT, self._line, "EXTINF without a URI after it")

    def _extinf(self, value: str, number: int) -> None:
        self._pending()
        self._line, self._duration_us = number, 0
        try:
            self._duration_us = microseconds_of(value if "," in value else f"{value},")
        except Junk as junk:
            self.trouble(SEGMENT, number, str(junk))
            return
        if "," not in value:
            self.trouble(SEGMENT, number, "EXTINF without the comma after its seconds")

    def _read_key(self, value: str, number: int) -> ListedKey | None:
        attributes = self.attributes("EXT-X-KEY", value, number)
        method = attributes.get("METHOD", "")
        if "IV" in attributes:
            self.need(2, "IV of EXT-X-KEY", number)
        if "KEYFORMAT" in attributes or "KEYFORMATVERSIONS" in attributes:
            self.need(5, "KEYFORMAT of EXT-X-KEY", number)
        if method == "NONE":
            if len(attributes) > 1:
                self.trouble("RFC8216-4.3.2.4", number, "EXT-X-KEY of METHOD=NONE with other attributes")
            return None
        if method not in ("AES-128", "SAMPLE-AES", "SAMPLE-AES-CTR"):
            self.trouble("RFC8216-4.3.2.4", number, f"METHOD of EXT-X-KEY is none that HLS has: {method[:40]!a}")
        if not attributes.get("URI"):
            self.trouble("RFC8216-4.3.2.4", number, "EXT-X-KEY without URI")
        uri, iv = attributes.get("URI", ""), attributes.get("IV")
        return ListedKey(method=method, uri=uri, iv=iv, line=number)

    def _read_map(self, value: str, number: int) -> ListedMap | None:
        attributes = self.attributes("EXT-X-MAP", value, number)
        if not attributes.get("URI"):
            self.trouble(SEGMENT_TAGS, number, "EXT-X-MAP without URI")
            return None
        text = attributes.get("BYTERANGE")
        byte_range = self.byte_range(text, number, start=0) if text is not None else None
        return ListedMap(uri=attributes["URI"], byte_range=byte_range, key=self._key, line=number)


class _MultivariantReader(Reader):
    foreign_tags = _OF_MEDIA

    def __init__(self, query: Mapping[str, str], imported: Mapping[str, str]) -> None:
        super().__init__(query, imported)
        self._variants: list[ListedVariant] = []
        self._renditions: list[ListedTag] = []
        self._session_data: list[SessionData] = []
        self._steering: list[ListedTag] = []
        self._pending: tuple[dict[str, str], int] | None = None

    def tag(self, name: str, value: str, number: int) -> None:
        match name:
            case "EXT-X-STREAM-INF":
                self._unfinished()
                self._pending = self.attributes(name, value, number), number
                if any(each.startswith("REQ-") for each in self._pending[0]):
                    self.need(12, "REQ- attributes", number)
            case "EXT-X-MEDIA":
                attributes = self.attributes(name, value, number)
                self._renditions.append(ListedTag(attributes=attributes, line=number))
            case "EXT-X-CONTENT-STEERING":
                self._steering.append(ListedTag(attributes=self.attributes(name, value, number), line=number))
            case "EXT-X-SESSION-DATA":
                self._session(self.attributes(name, value, number), number)
            case _:
                super().tag(name, value, number)

    def uri(self, line: str, number: int) -> None:
        if self._pending is None:
            self.trouble(MULTIVARIANT_TAGS, number, f"a URI without EXT-X-STREAM-INF: {line[:80]!a}")
            return
        attributes, tag_line = self._pending
        self._pending = None
        if "BANDWIDTH" not in attributes:
            self.trouble(MULTIVARIANT_TAGS, tag_line, "EXT-X-STREAM-INF without BANDWIDTH")
        codecs = attributes.get("CODECS", "")
        self._variants.append(
            ListedVariant(
                uri=line,
                attributes=attributes,
                bandwidth_bps=self._rate(attributes, "BANDWIDTH", tag_line),
                average_bandwidth_bps=self._rate(attributes, "AVERAGE-BANDWIDTH", tag_line) or None,
                codecs=tuple(entry.strip() for entry in codecs.split(",")) if codecs else (),
                line=tag_line,
            )
        )

    def listing(self, lines: int) -> MultivariantListing:
        self._unfinished()
        if not self._variants:
            self.trouble(MULTIVARIANT_TAGS, 0, "no variant stream")
        return MultivariantListing(
            version=self.version,
            independent_segments=self.independent_segments,
            variants=tuple(self._variants),
            renditions=tuple(self._renditions),
            session_data=tuple(self._session_data),
            steering=tuple(self._steering),
            variables=MappingProxyType(dict(self.variables)),
            needs=tuple(self.needs),
            troubles=tuple(self.troubles),
        )

    def _session(self, attributes: Mapping[str, str], line: int) -> None:
        data_id, text = attributes.get("DATA-ID", ""), attributes.get("VALUE")
        if not data_id or (text is None) == ("URI" not in attributes):
            self.trouble(MULTIVARIANT_TAGS, line, "EXT-X-SESSION-DATA needs DATA-ID and one of VALUE and URI")
        elif text is not None and not FORBIDDEN.search(data_id + text + attributes.get("LANGUAGE", "")):
            language = attributes.get("LANGUAGE", "")
            self._session_data.append(SessionData(data_id=data_id, value=text, language=language, line=line))

    def _rate(self, attributes: Mapping[str, str], name: str, line: int) -> int:
        return self.integer(MULTIVARIANT_TAGS, name, attributes[name], line) if name in attributes else 0

    def _unfinished(self) -> None:
        if self._pending is not None:
            self.trouble(MULTIVARIANT_TAGS, self._pending[1], "EXT-X-STREAM-INF without a URI after it")
            self._pending = None
