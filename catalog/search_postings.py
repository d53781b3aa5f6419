"""What a search index keeps and how it is asked: the promise that SQLite and PostgreSQL both make.

A place in the index has a number, its rank: the most popular track has the lowest. Everything is answered in the order
of ranks, so whoever asks for a hundred gets the hundred most popular, and stops there.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Group(StrEnum):
    """What can be found: each has an index of its own."""

    ARTIST = "artist"
    ALBUM = "album"
    TRACK = "track"


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRow:
    """A track as it is indexed: its names. An album is told from another by its artist, else the track's."""

    track_id: str
    title: str
    artist: str
    album: str
    album_artist: str = ""

    @property
    def of_album(self) -> str:
        """Whose album it is."""
        return self.album_artist or self.artist

    @property
    def state(self) -> int:
        """A number that changes with any of the names; of 63 bits, so that two states are told apart."""
        names = "\0".join((self.title, self.artist, self.album, self.album_artist))
        return int.from_bytes(hashlib.blake2b(names.encode(), digest_size=8).digest(), "big") >> 1


@dataclass(frozen=True, slots=True)
class Found:
    """Something in the index, by its rank. Of an artist the title is empty, and so is the album; of an album the title.
    `track_id` is the track, or one that belongs to it; `tracks` is how many do."""

    rank: int
    track_id: str
    title: str
    artist: str
    album: str
    tracks: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Only what is of this artist, on this album: the names as they are found, empty for any."""

    artist: str = ""
    album: str = ""


NO_FILTERS = Filters()


class Lookup(Protocol):
    """A term to look up: as it is, or as the beginning of others."""

    @property
    def text(self) -> str: ...
    @property
    def prefix(self) -> bool: ...


# All of the outer ones have to match, and of each any of the inner ones.
Lookups = Sequence[Sequence[Lookup]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRules:
    """How names become terms, and terms become the keys by which mistyped ones are found.

    An index keeps the terms, so one that was made by another version of the rules is emptied when it is opened.
    """

    version: str
    terms_of: Callable[[str], Sequence[str]]
    is_spelled: Callable[[str], bool]
    spelling_keys: Callable[[str], Collection[int]]

    def indexed_as(self, names: Iterable[str]) -> list[str]:
        """The terms of several names, each once."""
        return list(dict.fromkeys(term for name in names for term in self.terms_of(name)))


class Postings(Protocol):
    """Where a search index is kept.

    Every call blocks for a moment: call it through asyncio.to_thread. Safe to use from several threads at once.
    Raises CatalogError.
    """

    def fill(self, rows: Iterable[SearchRow]) -> int:
        """Replace all by these, the most popular first; how many there were. Until all is done the old ones are found,
        then the new ones, by everybody. What this process applies meanwhile is in both; it may
        have to wait."""

    def apply(self, rows: Iterable[SearchRow], removed: Iterable[str]) -> None:
        """Take up tracks, anew or again, and drop others, all in one transaction. What was there keeps its rank, what
        is new comes last until the next `fill`."""

    def states_between(self, after: str, through: str | None) -> dict[str, int]:
        """The state of every track whose id is greater than `after` and at most `through` (None: no end)."""

    def count(self) -> int:
        """How many tracks there are."""

    def find(self, group: Group, lookups: Lookups, *, limit: int, filters: Filters = NO_FILTERS) -> list[Found]:
        """The first `limit` of a group that match, by rank."""

    def tracks(self, track_ids: Collection[str]) -> list[Found]:
        """Those of these tracks that are indexed."""

    def terms_by_keys(self, keys: Collection[int]) -> Mapping[str, int]:
        """The terms that have one of these spelling keys, and how many tracks use each, about."""

    def close(self) -> None:
        """Give back what it holds. Idempotent."""
