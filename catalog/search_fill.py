"""The rows of a search index that is filled from nothing: numbers for artists and albums, and the spellings. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from catalog.search_postings import SearchRow, TextRules

_BITS = 32  # of a number of a word
BATCH_ROWS = 10_000  # tracks held at a time; artists, albums and words are all held

Key = TypeVar("Key")
TrackValues = tuple[int, str, str, int, int, int, str]  # rank, id, title, artist, album, state, terms


@dataclass(slots=True)
class _Entry:
    """An artist or album: its number, one of its tracks, the terms of its name, and how many tracks it has."""

    number: int
    track_id: str
    terms: tuple[str, ...]
    tracks: int = 0


_NONE = _Entry(0, "", ())  # of tracks without an artist, or without an album


class Filling:
    """What goes into the tables. First `batches`, to their end; then the others, which are counted meanwhile."""

    def __init__(self, rules: TextRules) -> None:
        self._rules = rules
        self._artists: dict[str, _Entry] = {}
        self._albums: dict[tuple[str, str], _Entry] = {}
        self._uses = Counter[str]()
        self.count = 0

    def batches(self, rows: Iterable[SearchRow]) -> Iterator[list[TrackValues]]:
        """The tracks, numbered as they come."""
        rest = iter(rows)
        while batch := [self._track(row) for row in islice(rest, BATCH_ROWS)]:
            self._uses.update(" ".join([values[-1] for values in batch]).split())
            yield batch

    def _track(self, row: SearchRow) -> TrackValues:
        self.count += 1
        artist = self._entry(self._artists, row.artist, row.artist, row.track_id) if row.artist else _NONE
        album = self._entry(self._albums, (row.album, row.of_album), row.album, row.track_id) if row.album else _NONE
        terms = " ".join(dict.fromkeys((*self._rules.terms_of(row.title), *artist.terms, *album.terms)))
        return self.count, row.track_id, row.title, artist.number, album.number, row.state, terms

    def _entry(self, known: dict[Key, _Entry], key: Key, name: str, track_id: str) -> _Entry:
        """What a track belongs to. Numbers are given as they come, so what has a popular track comes first."""
        entry = known.get(key)
        if entry is None:
            entry = known[key] = _Entry(len(known) + 1, track_id, tuple(self._rules.terms_of(name)))
        entry.tracks += 1
        return entry

    def artists(self) -> Iterator[tuple[int, str, str, int, str]]:
        """Number, name, one of its tracks, how many it has, terms."""
        for name, entry in self._artists.items():
            yield entry.number, name, entry.track_id, entry.tracks, " ".join(dict.fromkeys(entry.terms))

    def albums(self) -> Iterator[tuple[int, str, str, str, int, str]]:
        """Number, name, artist, one of its tracks, how many it has, terms."""
        for names, entry in self._albums.items():
            terms = " ".join(self._rules.indexed_as(names))
            yield entry.number, *names, entry.track_id, entry.tracks, terms

    def words(self) -> Iterator[tuple[int, str, int]]:
        """Number, term, and how many tracks use it, of each that can be misspelt."""
        for number, term in enumerate(filter(self._rules.is_spelled, self._uses), 1):
            yield number, term, self._uses[term]

    def spellings(self) -> Iterator[tuple[int, int]]:
        """Key and number of the word, in order."""
        keys = self._rules.spelling_keys
        both = [(key << _BITS) + number for number, term, _ in self.words() for key in keys(term)]
        both.sort()  # single numbers, in a third of the time that pairs take
        return ((each >> _BITS, each & ((1 << _BITS) - 1)) for each in both)
