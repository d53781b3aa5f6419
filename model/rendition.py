"""One encoding of a track, and the ordered list of them that a track gets."""

import re
from dataclasses import dataclass
from enum import StrEnum

_RENDITION_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


class Codec(StrEnum):
    """The codec families. A playlist holds one family, for players never leave the one they began with."""

    AAC = "aac"
    OPUS = "opus"
    FLAC = "flac"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition:
    """What to encode: `bitrate_bps` is nominal, 0 for lossless."""

    rendition_id: str
    codec: Codec
    bitrate_bps: int
    sample_rate_hz: int = 48_000
    channels: int = 2

    def __post_init__(self) -> None:
        if not _RENDITION_ID.fullmatch(self.rendition_id):
            raise ValueError(f"rendition id must be lower-case words joined by '-': {self.rendition_id!r}")
        if self.bitrate_bps < 0 or (self.bitrate_bps == 0) != (self.codec is Codec.FLAC):
            raise ValueError(f"bit rate {self.bitrate_bps} does not fit {self.codec}")
        if self.sample_rate_hz <= 0 or self.channels <= 0:
            raise ValueError("sample rate and channels must be positive")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """The ordered renditions of a track; ids are unique."""

    renditions: tuple[Rendition, ...]

    def __post_init__(self) -> None:
        ids = [rendition.rendition_id for rendition in self.renditions]
        if not ids or len(set(ids)) != len(ids):
            raise ValueError(f"a ladder needs renditions with unique ids: {ids}")
