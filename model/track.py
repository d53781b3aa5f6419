"""Recordings and tracks: what a source was, what its tags say, and how both are named.

A recording is sound: the same samples are the same recording, whatever the file is called and its tags say. A track is
a recording on a release: what the catalog lists and players ask for.
"""

import hashlib
import re
from base64 import b32encode
from dataclasses import dataclass

from model.loudness import Gain, LoudnessMode, LoudnessReport, LoudnessTarget

_ID = re.compile(r"[a-z2-7]{16,26}")
TRACK_ID_LENGTH = 20  # 100 bits: at 10^9 tracks a collision has odds of 4e-13
ART_SIDES = (160, 640, 1280)  # pixels: lists, players, full screens
DERIVED_ID_LENGTH = 16  # 80 bits, unique within one recording


def is_id(text: str) -> bool:
    """Whether `text` has the form of our ids: lower-case base32, safe in URLs, keys and file names."""
    return _ID.fullmatch(text) is not None


def _id_of(digest: bytes, length: int) -> str:
    needed = digest[: -(-length * 5 // 8)]  # of a library's ids there are many
    return b32encode(needed).decode("ascii").lower()[:length]


def recording_id_of(*sound: str) -> str:
    """The id of the recording that these words (form, hashes) tell: the same sound is the same recording, always."""
    return digest_of(*sound, length=TRACK_ID_LENGTH)


def track_id_of(recording_id: str, release: str) -> str:
    """The id of this recording on this release."""
    return digest_of(recording_id, release, length=TRACK_ID_LENGTH)


def derived_id(*parts: str) -> str:
    """An id for something made from `parts` (ids, recipes, tool versions): equal parts give an equal id."""
    return digest_of(*parts, length=DERIVED_ID_LENGTH)


def digest_of(*parts: str, length: int) -> str:
    """`length` characters of our id alphabet that these parts, in this order, always give."""
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(8, "big") + encoded)  # ("ab", "c") is not ("a", "bc")
    return _id_of(digest.digest(), length)


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
class MusicBrainzIds:
    """The ids of MusicBrainz (UUIDs as text), empty where there are none. `track` is the release track."""

    recording: str = ""
    track: str = ""
    release: str = ""
    release_group: str = ""
    artists: tuple[str, ...] = ()
    album_artists: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayGain:
    """What other tools wrote about loudness, in dB and linear peaks: kept for operators, never used by us."""

    track_gain_db: float | None = None
    track_peak: float | None = None
    album_gain_db: float | None = None
    album_peak: float | None = None
    r128_track_gain_db: float | None = None
    r128_album_gain_db: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackTags:
    """Who and what, as text for people. `title` is never empty (file name as fallback).

    `album_named` says that the tags (or a sidecar) name the album, not merely the folder.
    """

    title: str
    artists: tuple[str, ...] = ()
    album: str = ""
    album_named: bool = False
    album_artist: str = ""
    track_number: int | None = None
    track_total: int | None = None
    disc_number: int | None = None
    disc_total: int | None = None
    date: str = ""
    genres: tuple[str, ...] = ()
    isrc: str = ""
    barcode: str = ""
    composers: tuple[str, ...] = ()
    label: str = ""
    copyright: str = ""
    lyrics: str = ""
    compilation: bool = False
    title_sort: str = ""
    artist_sort: str = ""
    album_sort: str = ""
    album_artist_sort: str = ""
    composer_sort: str = ""
    musicbrainz: MusicBrainzIds = MusicBrainzIds()
    replay_gain: ReplayGain = ReplayGain()

    def __post_init__(self) -> None:
        if not self.title:
            raise ValueError("a track has a title")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mezzanine:
    """The lossless mezzanine of a recording, `recordings/<recording_id>/mezzanine/<mezzanine_id>.json`.

    The id names recording, gain, format and tool version: equal ones are equal bytes. `loudness` is measured on what
    was written; `media_samples` counts samples at 48 kHz.
    """

    recording_id: str
    mezzanine_id: str
    gain_db: float
    loudness: LoudnessReport
    media_samples: int
    size_bytes: int
    sha256: str
    tool: str
    album_loudness: LoudnessReport | None = None  # what it tells of the album

    def __post_init__(self) -> None:
        if not is_id(self.recording_id) or not is_id(self.mezzanine_id):
            raise ValueError(f"malformed id: {self.recording_id!r} {self.mezzanine_id!r}")
        if self.media_samples <= 0:
            raise ValueError("a recording has samples")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlbumLoudness:
    """The joint measurement of an album, as one programme (joint gating), and of how many tracks."""

    loudness: LoudnessReport
    tracks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A track of a run: its recording, its mezzanine, and whether its source was lossless."""

    recording_id: str
    mezzanine_id: str
    lossless: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Tracks of an album that run into each other, in their order, and which of them this one is, from 0.

    Their mezzanines are cut out of one signal, and what is encoded of them is cut out of one encoding.
    """

    pieces: tuple[Piece, ...]
    position: int

    def __post_init__(self) -> None:
        if len(self.pieces) < 2 or not 0 <= self.position < len(self.pieces):
            raise ValueError(f"a run has two or more tracks, and this is one of them: {self.position}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """A recording on a release: the ingest report, `tracks/<track_id>/track.json`. The catalog entry of a source.

    Two releases of one recording are two tracks over one recording. `release` is what tells them apart.
    `loudness_source` is measured before the gain. `run` is None for a track that stands alone. `warnings` are for
    people.
    """

    track_id: str
    release: str
    source: SourceInfo
    source_name: str
    tags: TrackTags
    art_id: str
    mode: LoudnessMode
    target: LoudnessTarget | None  # None: loudness off, the signal is left as it was
    loudness_source: LoudnessReport
    album: AlbumLoudness | None  # in album mode
    gain: Gain
    mezzanine: Mezzanine
    run: Run | None = None
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not is_id(self.track_id):
            raise ValueError(f"malformed id: {self.track_id!r}")
        if self.run and self.run.pieces[self.run.position].mezzanine_id != self.mezzanine.mezzanine_id:
            raise ValueError("a track has its own place in its run")

    @property
    def recording_id(self) -> str:
        """The recording that this track is."""
        return self.mezzanine.recording_id

    @property
    def media_samples(self) -> int:
        """Its length in samples at 48 kHz."""
        return self.mezzanine.media_samples
