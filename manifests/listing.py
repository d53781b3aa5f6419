"""Playlists of anybody as values: all that HLS has, and what is wrong with the text beside it.

`manifests.playlist` holds what we write; a listing holds what we were given. `plain()` gives the part of a listing that
both can say, so that the same rules judge both. Lines count from 1.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from manifests.playlist import (
    FORBIDDEN,
    AudioGroup,
    InitMap,
    MediaPlaylist,
    MediaSegment,
    MultivariantPlaylist,
    PlaylistByteRange,
    PlaylistType,
    SessionData,
    VariantStream,
)

_SCORE = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,20})?")
_NOT_PLAIN = re.compile(f'[\\s"]|{FORBIDDEN.pattern}')


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Text that is not as RFC 8216 says: the rule, the line, what is wrong."""

    rule: str
    line: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A tag or attribute that needs a protocol version (RFC 8216 §7)."""

    version: int
    what: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedKey:
    """EXT-X-KEY as it stands there."""

    method: str
    uri: str
    iv: str | None
    line: int

    @property
    def hides_boxes(self) -> bool:
        """Whether whole segments are encrypted; SAMPLE-AES and its kin leave the boxes in the clear."""
        return self.method == "AES-128"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedMap:
    """EXT-X-MAP, and the key that was in force where it stands."""

    uri: str
    byte_range: PlaylistByteRange | None
    key: ListedKey | None
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSegment:
    """A media segment with what is in force for it; `period` counts the discontinuities before it."""

    uri: str
    duration_us: int
    byte_range: PlaylistByteRange | None
    init_map: ListedMap | None
    key: ListedKey | None
    period: int
    gap: bool
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedTag:
    """A tag with an attribute list, as it stands there."""

    attributes: Mapping[str, str]
    line: int

    def __getitem__(self, name: str) -> str:
        """An attribute's text, empty where it is not said."""
        return self.attributes.get(name, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaListing:
    """A media playlist. `target_duration_s` is 0 where it is not said; `dated`: it has EXT-X-PROGRAM-DATE-TIME."""

    version: int
    target_duration_s: int
    media_sequence: int
    playlist_type: str
    independent_segments: bool
    ended: bool
    i_frames_only: bool
    dated: bool
    date_ranges: tuple[ListedTag, ...]
    segments: tuple[ListedSegment, ...]
    needs: tuple[Need, ...]
    troubles: tuple[Trouble, ...]

    def plain(self) -> MediaPlaylist | None:
        """The part that `manifests.media_rules` judge, segment by segment; None where there is nothing to judge."""
        if not self.segments or not self.target_duration_s:
            return None
        first = self.segments[0].init_map
        known = self.playlist_type in PlaylistType.__members__
        return MediaPlaylist(
            version=max(1, self.version),
            target_duration_s=self.target_duration_s,
            media_sequence=self.media_sequence,
            playlist_type=PlaylistType(self.playlist_type) if known else None,
            independent_segments=self.independent_segments,
            ended=self.ended,
            init_map=InitMap(uri=plain_uri(first.uri), byte_range=first.byte_range, line=first.line) if first else None,
            segments=tuple(
                MediaSegment(
                    uri=plain_uri(each.uri),
                    duration_us=max(1, each.duration_us),
                    byte_range=each.byte_range,
                    line=each.line,
                )
                for each in self.segments
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedVariant:
    """EXT-X-STREAM-INF with its URI. `bandwidth_bps` is 0 where it is not said."""

    uri: str
    attributes: Mapping[str, str]
    bandwidth_bps: int
    average_bandwidth_bps: int | None
    codecs: tuple[str, ...]
    line: int

    def __getitem__(self, name: str) -> str:
        """An attribute's text, empty where it is not said."""
        return self.attributes.get(name, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class MultivariantListing:
    """A multivariant playlist."""

    version: int
    independent_segments: bool
    variants: tuple[ListedVariant, ...]
    renditions: tuple[ListedTag, ...]
    session_data: tuple[SessionData, ...]
    steering: tuple[ListedTag, ...]
    variables: Mapping[str, str]
    needs: tuple[Need, ...]
    troubles: tuple[Trouble, ...]

    def audio_of(self, variant: ListedVariant) -> tuple[ListedTag, ...]:
        """The members of a variant's audio group that have media of their own."""
        group = variant["AUDIO"]
        return tuple(
            each
            for each in self.renditions
            if group and each["TYPE"] == "AUDIO" and each["GROUP-ID"] == group and each["URI"]
        )

    def plain(self) -> MultivariantPlaylist | None:
        """The part that `manifests.presentation_rules` judge; None where there is nothing to judge."""
        variants = tuple(
            VariantStream(
                uri=plain_uri(each.uri),
                bandwidth_bps=each.bandwidth_bps,
                average_bandwidth_bps=each.average_bandwidth_bps or None,
                codecs=tuple(codec for codec in each.codecs if codec and not _NOT_PLAIN.search(codec)),
                score=Decimal(each["SCORE"]) if _SCORE.fullmatch(each["SCORE"]) else None,
                audio=_NOT_PLAIN.sub("_", each["AUDIO"]),
                stable_variant_id=re.sub(r"[^A-Za-z0-9+/=.\-_]", "_", each["STABLE-VARIANT-ID"]),
                line=each.line,
            )
            for each in self.variants
            if each.bandwidth_bps
        )
        if not variants:
            return None
        return MultivariantPlaylist(
            version=max(1, self.version),
            variants=variants,
            independent_segments=self.independent_segments,
            session_data=self.session_data,
            audio_groups=self._audio_groups(),
        )

    def _audio_groups(self) -> tuple[AudioGroup, ...]:
        """Each audio group that a variant may name, by its first member."""
        first = {each["GROUP-ID"]: each for each in reversed(self.renditions) if each["TYPE"] == "AUDIO"}
        return tuple(
            AudioGroup(group_id=_NOT_PLAIN.sub("_", group_id), name="_", line=each.line)
            for group_id, each in first.items()
            if group_id
        )


Listing = MediaListing | MultivariantListing


def plain_uri(uri: str) -> str:
    """A URI that our own playlists could hold: what it may not have is percent-encoded, as browsers do."""
    text = _NOT_PLAIN.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode(errors="replace")), uri)
    return text if text and not text.startswith("#") else f"./{text}"
