"""What an inspection gathered, as values: answers, playlists, init sections, segments. The rules judge these."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from cmaf.look import InitLook, SegmentLook
from inspector.frames import SoundLook
from manifests.listing import ListedSegment, MediaListing, MultivariantListing
from model.rule import Place
from model.timebase import MICROSECONDS

FMP4, TS, PACKED, TEXT, ENCRYPTED, UNKNOWN = "fMP4", "MPEG-TS", "packed audio", "WebVTT", "encrypted", ""
RUNS_MAX = 500_000
_BOXES = frozenset(
    {b"styp", b"moof", b"sidx", b"ftyp", b"emsg", b"prft", b"free", b"skip", b"mdat", b"uuid", b"moov", b"ssix"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mishap:
    """Something that went wrong while a resource was asked for, by the id of the rule that it breaks."""

    rule: str
    place: Place
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """Something that was not looked into, and why. It is no fault."""

    resource: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How a resource came over HTTP; one of each kind for each playlist is enough to judge a server by."""

    location: str
    what: str  # playlist, init section, segment
    headers: Mapping[str, str]
    redirects: int
    size_bytes: int
    range_ignored: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A media segment as it came. `kind` is empty for what no client plays, `size_bytes` None if nothing came.

    What is inside: `look` for fMP4, `sound` for MPEG-TS and packed audio.
    """

    location: str
    kind: str = UNKNOWN
    size_bytes: int | None = None
    look: SegmentLook | None = None
    sound: SoundLook | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaTrack:
    """A media playlist, how others name it, and what it leads to; `inits` are by the line of their EXT-X-MAP."""

    location: str
    uris: tuple[str, ...]
    listing: MediaListing
    parts: tuple[Part, ...] = ()
    inits: Mapping[int, InitLook] = field(default_factory=dict)
    init_locations: Mapping[int, str] = field(default_factory=dict)
    file_sizes: Mapping[str, int] = field(default_factory=dict)
    index: tuple[tuple[int, int], ...] | None = None

    def init_of(self, segment: ListedSegment) -> InitLook | None:
        """The init section in force for a segment, if it could be looked at."""
        return self.inits.get(segment.init_map.line) if segment.init_map else None

    def first_init(self) -> InitLook | None:
        """The init section of the first segment that has one."""
        return next((init for each in self.listing.segments if (init := self.init_of(each))), None)

    def sizes(self) -> list[int] | None:
        """The size of every segment; None if not all are known, or if they are too many to look for a peak in."""
        known = [each.size_bytes for each in self.parts if each.size_bytes is not None]
        return known if len(known) == len(self.listing.segments) and self._measurable() else None

    def _measurable(self) -> bool:
        """Whether the runs of up to 1.5 target durations are so few that a stranger's playlist cannot keep us busy."""
        segments = self.listing.segments
        total_us = max(1, sum(each.duration_us for each in segments))
        in_a_run = 1 + len(segments) * 3 * self.listing.target_duration_s * MICROSECONDS // (2 * total_us)
        return len(segments) * min(len(segments), in_a_run) <= RUNS_MAX

    def runs(self) -> Iterator[tuple[int, int, InitLook]]:
        """Stretches of segments under one init section and without a discontinuity: first, end, init section."""
        segments = self.listing.segments
        first = 0
        for number in range(1, len(segments) + 1):
            here, before = segments[number] if number < len(segments) else None, segments[first]
            if here and here.period == before.period and here.init_map == before.init_map:
                continue
            init = self.init_of(before)
            if init:
                yield first, number, init
            first = number


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Everything gathered from one playlist down."""

    location: str
    remote: bool
    multivariant: MultivariantListing | None
    tracks: tuple[MediaTrack, ...]
    deliveries: tuple[Delivery, ...]
    mishaps: tuple[Mishap, ...]
    unseen: tuple[Unseen, ...]

    def by_uri(self) -> dict[str, MediaTrack]:
        """The media playlists by the URIs that the multivariant playlist has for them."""
        return {uri: track for track in self.tracks for uri in track.uris}


def kind_of(data: bytes) -> str:
    """What a media segment is, by its first bytes; empty for nothing that HLS clients play."""
    if data[4:8] in _BOXES:
        return FMP4
    if data[:1] == b"\x47" and (len(data) <= 188 or data[188:189] == b"\x47"):
        return TS
    if data[:3] == b"ID3" or data[:2] == b"\x0bw" or (data[:1] == b"\xff" and data[1:2] >= b"\xe0"):
        return PACKED
    if data[:6] == b"WEBVTT" or data[:9] == b"\xef\xbb\xbfWEBVTT":
        return TEXT
    return UNKNOWN
