"""A track: what its source was, what its tags say, and how it is named."""

import hashlib
import re
from base64 import b32encode
from dataclasses import dataclass

from model.loudness import Gain, LoudnessReport, LoudnessTarget

_ID = re.compile(r"[a-z2-7]{16,26}")
TRACK_ID_LENGTH = 20  # 100 bits: at 10^9 tracks a collision has odds of 4e-13
DERIVED_ID_LENGTH = 16  # 80 bits, unique within one track


def is_id(text: str) -> bool:
    """Whether `text` has the form of our ids: lower-case base32, safe in URLs, keys and file names."""
    return _ID.fullmatch(text) is not None


def _id_of(digest: bytes, length: int) -> str:
    return b32encode(digest).decode("ascii").lower()[:length]


def track_id_of(source_sha256: str) -> str:
    """The id of the track that these source bytes are: the same bytes are the same track, anywhere, always."""
    return _id_of(bytes.fromhex(source_sha256), TRACK_ID_LENGTH)


def derived_id(*parts: str) -> str:
    """An id for something made from `parts` (ids, recipes, tool versions): equal parts give an equal id."""
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(8, "big") + encoded)  # ("ab", "c") is not ("a", "bc")
    return _id_of(digest.digest(), DERIVED_ID_LENGTH)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceInfo:
    """What the probe saw of the operator's file. `bit_depth` is None where the codec has none."""

    container: str
    codec: str
    sample_rate_hz: int
    channels: int
    channel_layout: str
    bit_depth: int | None
    lossless: bool
    size_bytes: int
    sha256: str

    def __post_init__(self) -> None:
        if self.sample_rate_hz <= 0 or self.channels <= 0 or self.size_bytes <= 0:
            raise ValueError(f"impossible source: {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackTags:
    """Who and what, as text for people. `title` is never empty (file name as fallback)."""

    title: str
    artists: tuple[str, ...] = ()
    album: str = ""
    album_artist: str = ""
    track_number: int | None = None
    track_total: int | None = None
    disc_number: int | None = None
    disc_total: int | None = None
    date: str = ""
    genres: tuple[str, ...] = ()
    isrc: str = ""
    compilation: bool = False

    def __post_init__(self) -> None:
        if not self.title:
            raise ValueError("a track has a title")


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """The ingest report, `ingest.json`: everything the packager and an operator need to know of a track.

    `loudness_source` is measured at 48 kHz stereo before the gain, `loudness_mezzanine` on the written mezzanine.
    `media_samples` counts samples at 48 kHz. `ingest_id` names source, recipe and tool versions; the mezzanine
    lies under it.
    """

    track_id: str
    ingest_id: str
    source: SourceInfo
    source_name: str
    tags: TrackTags
    art_sha256: str
    target: LoudnessTarget | None  # None: loudness off, the signal is left as it was
    loudness_source: LoudnessReport
    gain: Gain
    loudness_mezzanine: LoudnessReport
    media_samples: int
    mezzanine_sha256: str
    tool: str

    def __post_init__(self) -> None:
        if not is_id(self.track_id) or not is_id(self.ingest_id):
            raise ValueError(f"malformed id: {self.track_id!r} {self.ingest_id!r}")
        if self.media_samples <= 0:
            raise ValueError("a track has samples")
