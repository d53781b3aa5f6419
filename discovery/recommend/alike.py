"""What is like a track or an artist, by a model: the same for everybody, so it is worked out once."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import NamedTuple

import numpy as np

from discovery.recommend.choose import POOL, best
from discovery.recommend.model import Model
from discovery.recommend.plays import Floats, Row, row_of

KEPT = 40_000  # answers, 25 MB
LIKELY = 20_000  # tracks that are asked about before somebody else does; there are not more artists than tracks
ARTIST_MAX = 3  # tracks of one artist in a list
ARTIST_ROW = 50  # tracks that tell who an artist is: those with the most listeners
FURTHER = 10  # times as many tracks are looked at, where the first are of too few artists


class Kind(Enum):
    """What something is like."""

    TRACK = "track"
    ARTIST = "artist"


class Like(NamedTuple):
    """At most `limit` tracks like a track, or artists like an artist, by its name."""

    kind: Kind
    name: str
    limit: int


class Alike:
    """Answers of one model. Safe to use from several threads."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._known: dict[Like, tuple[str, ...]] = {}
        self._lock = threading.Lock()

    def tracks(self, track_id: str, limit: int) -> tuple[str, ...]:
        """At most `limit` tracks like this one, the most alike first; none, if the model does not have it."""
        return self._of(Like(Kind.TRACK, track_id, limit))

    def artists(self, artist: str, limit: int) -> tuple[str, ...]:
        """At most `limit` artists that are played by those who play this one, the most alike first."""
        return self._of(Like(Kind.ARTIST, artist, limit))

    def likely(self, tracks: int, artists: int) -> Iterator[Like]:
        """What will be asked, the likeliest first: the tracks with the most listeners, and the artist of each, with
        these limits."""
        model, had = self.model, {-1}
        for item in model.by_listeners[:LIKELY].tolist():
            if not model.listeners[item]:
                return
            yield Like(Kind.TRACK, model.tracks[item], tracks)
            artist = int(model.artists[item])
            if artist not in had:
                had.add(artist)
                yield Like(Kind.ARTIST, model.artist_names[artist], artists)

    def ask(self, rows: Sequence[Row], wanted: Iterable[Like]) -> Sequence[Floats]:
        """How well each item suits each of some rows, none of them empty. What else is wanted and not known yet is
        worked out with them, for to ask about several rows at once takes less."""
        unknown = [(each, row) for each in wanted if each not in self._known and len((row := self._row(each)).items)]
        asked = [*rows, *(row for _, row in unknown)]
        lines = list(self.model.lines(asked)) if asked else []
        for (each, row), scores in zip(unknown, lines[len(rows) :], strict=True):
            answer = self._tracks(each, row, scores) if each.kind is Kind.TRACK else self._artists(each, row, scores)
            with self._lock:
                if len(self._known) >= KEPT:
                    del self._known[next(iter(self._known))]
                self._known[each] = answer
        return lines[: len(rows)]

    def _of(self, wanted: Like) -> tuple[str, ...]:
        self.ask([], [wanted])
        return self._known.get(wanted, ())

    def _row(self, wanted: Like) -> Row:
        model = self.model
        if wanted.kind is Kind.TRACK:
            return model.row([(wanted.name, 1)])
        items = model.artist_items.get(wanted.name, np.zeros(0, dtype=np.int32))
        return row_of(items[np.argsort(-model.listeners[items], kind="stable")[:ARTIST_ROW]].tolist())

    def _tracks(self, wanted: Like, row: Row, scores: Floats) -> tuple[str, ...]:
        model = self.model
        found = model.recommended(row, wanted.limit, artist_max=ARTIST_MAX, scores=scores)
        return tuple(model.tracks[each] for each in found)

    def _artists(self, wanted: Like, row: Row, scores: Floats) -> tuple[str, ...]:
        model = self.model
        scores[row.items] = -np.inf
        for count in (POOL * wanted.limit, FURTHER * POOL * wanted.limit):
            artists = dict.fromkeys(model.artists[best(scores, count)].tolist())
            names = [model.artist_names[each] for each in artists if each >= 0]
            found = tuple(each for each in names if each != wanted.name)[: wanted.limit]
            if len(found) == wanted.limit:
                break
        return found
