"""The tables of the catalog and how its tracks are ordered.

The catalog is an index: whatever is in it can be made again from the store (tracks) or from the source files (the
ledger). So there are no migrations; another SCHEMA_VERSION means an empty catalog.
"""

import math
from dataclasses import dataclass, fields

from catalog.feature_rows import FEATURES_TABLE
from catalog.shelf_rows import GENRES_SEPARATOR, SHELF_TABLES
from model.rendition import Codec
from model.track import is_id

SCHEMA_VERSION = 10
APPLICATION_ID = 0x53656775  # "Segu": the database of another program is never emptied
_NUMBER_MAX = 999_999
_FAMILIES = frozenset(each.value for each in Codec)
_INTEGER_END = 1 << 63  # SQLite's integers have 64 bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What a database of ours is made of. One with another version, or the mark of another program, is none."""

    application_id: int
    version: int
    tables: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackRow:
    """What the catalog knows of a track. `package_id` is None, and `families` empty, while it has no live package.

    `families` are the codec families that players can have, joined by spaces; `protected`: of no use without keys.
    `year` is of the release, as its tags have it; `published_s` is when the live package became it, by the store's
    clock, in seconds since the epoch.

    The versions are those of `track.json` and `current.json` that the row was made from (as ObjectEntry.version has
    them), None where there was no such object.
    """

    track_id: str
    ingest_version: str | None
    current_version: str | None
    recording_id: str
    package_id: str | None
    art_id: str
    title: str
    artist: str
    album: str
    album_artist: str
    track_number: int | None
    disc_number: int | None
    duration_s: float
    level_lufs: float | None
    families: str
    protected: bool
    year: int | None = None
    genres: tuple[str, ...] = ()
    published_s: int | None = None

    def __post_init__(self) -> None:
        if not (self.track_id and self.title):
            raise ValueError("a track has an id and a title")
        if not (is_id(self.recording_id) and is_id(self.art_id)):
            raise ValueError(f"malformed id: {self.recording_id!r} {self.art_id!r}")
        if not (math.isfinite(self.duration_s) and self.duration_s >= 0):
            raise ValueError(f"a duration is finite and not negative: {self.duration_s}")
        if self.level_lufs is not None and not math.isfinite(self.level_lufs):
            raise ValueError(f"a level is finite or None: {self.level_lufs}")
        if not (0 <= (self.track_number or 0) < _INTEGER_END and 0 <= (self.disc_number or 0) < _INTEGER_END):
            raise ValueError("track and disc numbers are not negative and have at most 63 bits")
        if not _FAMILIES.issuperset(self.families.split()):
            raise ValueError(f"unknown codec family: {self.families!r}")
        if self.genres and any(GENRES_SEPARATOR in genre or not genre for genre in self.genres):
            raise ValueError(f"a genre is a line of text: {self.genres!r}")
        # A lone surrogate (JSON can carry one) is no text: UnicodeEncodeError, a ValueError.
        "".join((self.title, self.artist, self.album, self.album_artist, *self.genres)).encode()

    @property
    def live(self) -> bool:
        """Whether players can have the track."""
        return self.package_id is not None


def sort_key(row: TrackRow) -> bytes:
    """Bytes that order tracks by album artist (else artist), album, disc, track number, title and id.

    Case does not count; a track without a disc number is on the first disc, one without a number comes last.
    """
    disc = 1 if row.disc_number is None else min(row.disc_number, _NUMBER_MAX)
    number = _NUMBER_MAX + 1 if row.track_number is None else min(row.track_number, _NUMBER_MAX)
    parts = (album_artist_of(row), row.album, f"{disc:06}", f"{number:07}", row.title, row.track_id)
    return b"\0".join(part.casefold().replace("\0", " ").encode() for part in parts)


def album_artist_of(row: TrackRow) -> str:
    """Who the album is by: its artist, else the track's."""
    return row.album_artist or row.artist


COLUMNS = tuple(field.name for field in fields(TrackRow))

TABLES = (
    """CREATE TABLE tracks (
        track_id TEXT PRIMARY KEY,
        ingest_version TEXT, current_version TEXT, recording_id TEXT NOT NULL, package_id TEXT, art_id TEXT NOT NULL,
        title TEXT NOT NULL, artist TEXT NOT NULL, album TEXT NOT NULL, album_artist TEXT NOT NULL,
        track_number INTEGER, disc_number INTEGER,
        duration_s REAL NOT NULL, level_lufs REAL, families TEXT NOT NULL,
        protected INTEGER NOT NULL, year INTEGER, genres TEXT NOT NULL, published_s INTEGER, sort_key BLOB NOT NULL,
        album_id TEXT NOT NULL, artist_id TEXT NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX tracks_sorted ON tracks (sort_key)",
    # With the package, so that what is live is told by the index alone.
    "CREATE INDEX tracks_live_sorted ON tracks (sort_key, package_id) WHERE package_id IS NOT NULL",
    "CREATE INDEX tracks_newest ON tracks (published_s DESC, sort_key) WHERE package_id IS NOT NULL",
    "CREATE INDEX tracks_of_year ON tracks (year, package_id) WHERE package_id IS NOT NULL",
    "CREATE INDEX tracks_of_album ON tracks (album_id, sort_key) WHERE package_id IS NOT NULL",
    "CREATE INDEX tracks_of_artist ON tracks (artist_id, sort_key) WHERE package_id IS NOT NULL",
    *SHELF_TABLES,
    FEATURES_TABLE,
    "CREATE TABLE noted (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE sources (
        path BLOB PRIMARY KEY, stamp TEXT NOT NULL, sha256 TEXT NOT NULL, recording_id TEXT NOT NULL,
        track_id TEXT NOT NULL, judge TEXT NOT NULL, code TEXT NOT NULL, message TEXT NOT NULL, hint TEXT NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE covers (
        path BLOB PRIMARY KEY, made_of TEXT NOT NULL, art_id TEXT NOT NULL, warnings TEXT NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX sources_by_bytes ON sources (sha256)",
    "CREATE INDEX sources_by_track ON sources (track_id)",
    """CREATE TABLE settled (
        path BLOB PRIMARY KEY, wanted TEXT NOT NULL, track_id TEXT NOT NULL,
        ingest_version TEXT, current_version TEXT, outcome TEXT NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX settled_by_track ON settled (track_id)",
    """CREATE TABLE outlines (
        path BLOB PRIMARY KEY, stamp TEXT NOT NULL, seconds REAL, album TEXT NOT NULL
    ) WITHOUT ROWID""",
)

CATALOG = Schema(application_id=APPLICATION_ID, version=SCHEMA_VERSION, tables=TABLES)
