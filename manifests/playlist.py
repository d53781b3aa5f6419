"""Playlists as values: what is constructed can be rendered, and renders to text that parses to the same value; but for
init sections of single segments, which nothing has that is stored: `manifests.listing` reads those.

Only the shape is enforced here; whether a playlist is a good one is what `manifests.rules` says. `line` is where the
parser saw an element (0: not parsed); it takes no part in equality.
"""

import re
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

# RFC 8216 §4.1: no control characters anywhere, no byte order mark; surrogates have no UTF-8.
FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufeff]")
_NOT_IN_URI = re.compile('[\\s"]')
_STABLE_ID = re.compile(r"[A-Za-z0-9+/=.\-_]+")
_DECIMAL = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,20})?")
_CLIENT_ATTRIBUTE = re.compile(r"X-[A-Z0-9-]+")
DATE_MS_MAX = 253_402_300_799_999  # the last millisecond of the year 9999
DECIMAL_INTEGER_MAX = 2**64 - 1  # RFC 8216 §4.2
IV_BYTES = 16


class PlaylistType(StrEnum):
    """EXT-X-PLAYLIST-TYPE: VOD never changes, EVENT only grows."""

    VOD = "VOD"
    EVENT = "EVENT"


def _check_integer(name: str, value: int, *, least: int) -> None:
    if not least <= value <= DECIMAL_INTEGER_MAX:
        raise ValueError(f"{name} must be {least} to 2^64-1, got {value}")


def _check_uri(uri: str) -> None:
    if not uri or uri.startswith("#") or _NOT_IN_URI.search(uri) or FORBIDDEN.search(uri):
        raise ValueError(f"not a URI that a playlist can hold: {uri!a}")


def _check_quoted(name: str, text: str) -> None:
    if '"' in text or FORBIDDEN.search(text):
        raise ValueError(f"{name} does not fit a quoted-string: {text!a}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaylistByteRange:
    """A sub-range of a resource, `length@offset`; the offset is always known."""

    length_bytes: int
    offset_bytes: int

    def __post_init__(self) -> None:
        _check_integer("length of a byte range", self.length_bytes, least=1)
        _check_integer("offset of a byte range", self.offset_bytes, least=0)

    @property
    def end_bytes(self) -> int:
        """The first byte after the range."""
        return self.offset_bytes + self.length_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class InitMap:
    """EXT-X-MAP: where the init section is."""

    uri: str
    byte_range: PlaylistByteRange | None = None
    line: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        _check_uri(self.uri)


class KeyMethod(StrEnum):
    """METHOD of EXT-X-KEY, but for NONE, which is the absence of a key."""

    AES_128 = "AES-128"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """EXT-X-KEY: how segments are encrypted, and where the key is. Without `iv` it is the media sequence number."""

    method: KeyMethod
    uri: str
    iv: bytes | None = None
    line: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        _check_uri(self.uri)
        if self.iv is not None and len(self.iv) != IV_BYTES:
            raise ValueError(f"IV has {IV_BYTES} bytes, not {len(self.iv)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaSegment:
    """One EXTINF with its URI, its byte range where it is a part of a larger resource, its key where it has one, its
    init section where it is another than the playlist's."""

    uri: str
    duration_us: int
    byte_range: PlaylistByteRange | None = None
    key: Key | None = None
    init_map: InitMap | None = None
    line: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        _check_uri(self.uri)
        _check_integer("duration in microseconds", self.duration_us, least=1)


def _check_date(name: str, date_ms: int) -> None:
    if not 0 <= date_ms <= DATE_MS_MAX:
        raise ValueError(f"{name} is in the years 1970 to 9999, got {date_ms} ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class DateRange:
    """EXT-X-DATERANGE: something about a stretch of time. Dates are milliseconds since the epoch; `texts` are the
    attributes of the client, by their names, which begin with `X-`."""

    range_id: str
    start_ms: int
    duration_us: int | None = None
    class_name: str = ""
    texts: tuple[tuple[str, str], ...] = ()
    line: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        if not self.range_id:
            raise ValueError("ID of a date range is empty")
        for name, text in (("ID", self.range_id), ("CLASS", self.class_name), *self.texts):
            _check_quoted(name, text)
        names = [name for name, _ in self.texts]
        if len(set(names)) != len(names) or not all(map(_CLIENT_ATTRIBUTE.fullmatch, names)):
            raise ValueError(f"attributes of the client begin with X- and are named once: {names}")
        _check_date("START-DATE", self.start_ms)
        if self.duration_us is not None:
            _check_integer("DURATION in microseconds", self.duration_us, least=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaPlaylist:
    """The segment list of one rendition, under an init section, or several of the same form, which are in the clear.

    `date_ms` is when its first segment begins (EXT-X-PROGRAM-DATE-TIME), in milliseconds since the epoch.
    """

    version: int
    target_duration_s: int
    segments: tuple[MediaSegment, ...]
    init_map: InitMap | None = None
    media_sequence: int = 0
    playlist_type: PlaylistType | None = None
    independent_segments: bool = False
    ended: bool = False
    date_ms: int | None = None
    date_ranges: tuple[DateRange, ...] = ()

    def __post_init__(self) -> None:
        _check_integer("EXT-X-VERSION", self.version, least=1)
        _check_integer("EXT-X-TARGETDURATION", self.target_duration_s, least=1)
        if self.date_ms is not None:
            _check_date("EXT-X-PROGRAM-DATE-TIME", self.date_ms)
        if self.date_ranges and self.date_ms is None:
            raise ValueError("date ranges need EXT-X-PROGRAM-DATE-TIME (RFC 8216 §4.3.2.7)")
        _check_integer("EXT-X-MEDIA-SEQUENCE", self.media_sequence, least=0)
        if not self.segments:
            raise ValueError("a media playlist has at least one segment")

    @property
    def duration_us(self) -> int:
        """The sum of all EXTINF durations, in microseconds."""
        return sum(segment.duration_us for segment in self.segments)


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantStream:
    """One EXT-X-STREAM-INF with its URI. Empty `codecs`, `stable_variant_id` or `audio` means: not said.

    `score` says how good it is beside the others; `audio` names the AudioGroup that describes it.
    """

    uri: str
    bandwidth_bps: int
    average_bandwidth_bps: int | None = None
    codecs: tuple[str, ...] = ()
    stable_variant_id: str = ""
    score: Decimal | None = None
    audio: str = ""
    line: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        _check_uri(self.uri)
        _check_integer("BANDWIDTH", self.bandwidth_bps, least=1)
        if self.average_bandwidth_bps is not None:
            _check_integer("AVERAGE-BANDWIDTH", self.average_bandwidth_bps, least=1)
        for codec in self.codecs:
            _check_quoted("CODECS", codec)
            if not codec or "," in codec or codec != codec.strip():
                raise ValueError(f"not one entry of CODECS: {codec!a}")
        if self.stable_variant_id and not _STABLE_ID.fullmatch(self.stable_variant_id):
            raise ValueError(f"STABLE-VARIANT-ID is made of A-Z a-z 0-9 + / = . - _: {self.stable_variant_id!a}")
        if self.score is not None and not _DECIMAL.fullmatch(f"{self.score:f}"):
            raise ValueError(f"SCORE is decimal digits with at most one point: {self.score}")
        _check_quoted("AUDIO", self.audio)


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioGroup:
    """EXT-X-MEDIA of TYPE=AUDIO without a URI, the only one of its group: what the audio of its variants is like.

    The audio itself lies in the media playlists of the variants (RFC 8216 §4.3.4.2.1). None means: not said.
    """

    group_id: str
    name: str
    language: str = ""
    channels: int | None = None
    sample_rate_hz: int | None = None
    bit_depth: int | None = None
    line: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        if not self.group_id or not self.name:
            raise ValueError("GROUP-ID or NAME is empty")
        for name, text in (("GROUP-ID", self.group_id), ("NAME", self.name), ("LANGUAGE", self.language)):
            _check_quoted(name, text)
        numbers = {"CHANNELS": self.channels, "SAMPLE-RATE": self.sample_rate_hz, "BIT-DEPTH": self.bit_depth}
        for name, value in numbers.items():
            if value is not None:
                _check_integer(name, value, least=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionData:
    """EXT-X-SESSION-DATA with a VALUE: text about the presentation, for people and players."""

    data_id: str
    value: str
    language: str = ""
    line: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        if not self.data_id:
            raise ValueError("DATA-ID is empty")
        for name, text in (("DATA-ID", self.data_id), ("VALUE", self.value), ("LANGUAGE", self.language)):
            _check_quoted(name, text)


@dataclass(frozen=True, slots=True, kw_only=True)
class MultivariantPlaylist:
    """The variant streams of a presentation, in the order in which a client shall try them."""

    version: int
    variants: tuple[VariantStream, ...]
    independent_segments: bool = False
    session_data: tuple[SessionData, ...] = ()
    audio_groups: tuple[AudioGroup, ...] = ()

    def __post_init__(self) -> None:
        _check_integer("EXT-X-VERSION", self.version, least=1)
        if not self.variants:
            raise ValueError("a multivariant playlist has at least one variant stream")
        groups = [group.group_id for group in self.audio_groups]
        if len(set(groups)) != len(groups):
            raise ValueError(f"a GROUP-ID names one audio group: {groups}")


Playlist = MultivariantPlaylist | MediaPlaylist
