"""What is recommended to whom: the model, what the listener heard, and what is live, put together.

Everything blocks for some milliseconds: call it through asyncio.to_thread. Nothing needs a model: where there is none,
or it has too few tracks, lists are filled up with what everybody plays, then with what is new, then with any tracks.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from catalog.plays import Heard, Plays
from catalog.schema import TrackRow
from catalog.shelves import Shelves
from catalog.store import Catalog
from discovery.recommend.current import CurrentModel
from discovery.recommend.mixes import tastes
from discovery.recommend.model import Model
from discovery.recommend.plays import ROW_MAX, Floats, Row
from model.album import artist_id_of
from model.errors import TrackUnknown

LIMIT_MAX = 100
ARTIST_MAX = 3  # tracks of one artist in a list
MIXES = 3
SHELF = 20  # tracks on a shelf of the home page
BECAUSE = 2  # shelves of what is like a track played lately
REASONS = 2
HALF_LIFE_DAYS = 30.0  # of what is popular
FLOOR = 500  # popular and new tracks that are known by heart
FLOOR_S = 60.0  # how long they are right, at least
FLOOR_REST = 50  # to count plays takes at most one part in so many of the time


@dataclass(frozen=True, slots=True)
class Suggested:
    """A track and, if it is known, because of which others."""

    track: TrackRow
    because: tuple[TrackRow, ...] = ()


class ShelfKind(StrEnum):
    """What is on a shelf of the home page."""

    MIX = "mix"
    FOR_YOU = "for-you"
    BECAUSE = "because-you-played"
    ARTISTS = "similar-artists"
    RECENT = "recently-played"
    NEW = "new-for-you"
    POPULAR = "popular"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """A shelf of the home page; `about` is the track, the artist or the artists that it is made from, if any."""

    kind: ShelfKind
    about: tuple[str, ...] = ()
    tracks: tuple[Suggested, ...] = ()
    artists: tuple[str, ...] = ()


class Recommender:
    """Recommendations from a catalog, the plays of listeners who agreed, and the current model of a folder (if any)."""

    def __init__(self, catalog: Catalog, plays: Plays, current: CurrentModel | None) -> None:
        self._catalog = catalog
        self._shelves = Shelves(catalog)
        self._plays = plays
        self._current = current
        self._floor: tuple[str, ...] = ()
        self._floor_until = 0.0

    @property
    def model(self) -> Model | None:
        """The model in use."""
        return self._current.model if self._current else None

    def look(self) -> None:
        """Take up a new model, if there is one; count what is popular, if that was long ago. Raises CatalogError."""
        if self._current:
            self._current.look()
        started = time.monotonic()
        if started < self._floor_until:
            return
        popular = self._plays.popularity(now_ms=time.time_ns() // 1_000_000, half_life_days=HALF_LIFE_DAYS)
        self._floor = tuple(sorted(popular, key=lambda track: (-popular[track], track))[:FLOOR])
        now = time.monotonic()
        self._floor_until = now + max(FLOOR_S, FLOOR_REST * (now - started))

    def for_listener(self, listener_id: str, limit: int, *, seen: bool = False) -> list[Suggested]:
        """At most `limit` tracks for a listener, the best first; what it heard only if `seen`."""
        heard = self._heard(listener_id)
        return self._suggested(heard, limit, seen=seen)

    def similar(self, track_id: str, limit: int, *, without: Iterable[str] = ()) -> list[TrackRow]:
        """At most `limit` tracks like this one, then others of its artist, then the popular. Raises TrackUnknown."""
        track = self._catalog.get(track_id)
        if track is None or not track.live:
            raise TrackUnknown("no such track", subject=track_id)
        refused = {track_id, *without}
        model, alike = self.model, list[str]()
        if model is not None and track_id in model.items:
            row = model.row([(track_id, 1)])
            alike = [model.tracks[each] for each in model.recommended(row, 2 * limit, artist_max=ARTIST_MAX)]
        own = [each.track_id for each in self._shelves.tracks_by(_artist_id(track), limit)]
        return self._filled([*alike, *own], limit, refused)

    def similar_artists(self, artist: str, limit: int) -> list[str]:
        """At most `limit` artists that are played by those who play this one, the most alike first; those of popular
        tracks, where that is not known."""
        found: dict[str, None] = {}
        model = self.model
        items = model.artist_items.get(artist) if model else None
        if model is not None and items is not None and len(items):
            row = model.row([(model.tracks[item], 1) for item in items.tolist()])
            for item in model.recommended(row, 10 * limit, artist_max=1):
                if model.artists[item] >= 0:
                    found[model.artist_names[model.artists[item]]] = None
        rows = self._filled([], limit * 4, ())
        found |= dict.fromkeys(row.artist for row in rows if row.artist)
        return [each for each in found if each != artist][:limit]

    def home(self, listener_id: str) -> list[Shelf]:
        """The home page of a listener, or of nobody (""): only shelves that have something on them."""
        heard = self._heard(listener_id) if listener_id else []
        return [shelf for shelf in self._home(heard) if shelf.tracks or shelf.artists]

    def _home(self, heard: Sequence[Heard]) -> Iterator[Shelf]:
        listened = [each.track_id for each in heard if each.listens]
        refused = {each.track_id for each in heard}
        if listened:
            yield from self._mixes(heard)
            yield Shelf(kind=ShelfKind.FOR_YOU, tracks=tuple(self._suggested(heard, SHELF)))
            yield from self._because(listened, refused)
            yield Shelf(kind=ShelfKind.RECENT, tracks=_plain(self._live(listened)[:SHELF]))
            if favourite := self._favourite(heard):
                artists = tuple(self.similar_artists(favourite, SHELF))
                yield Shelf(kind=ShelfKind.ARTISTS, about=(favourite,), artists=artists)
        yield Shelf(kind=ShelfKind.NEW, tracks=_plain(self._new(heard, refused)))
        yield Shelf(kind=ShelfKind.POPULAR, tracks=_plain(self._filled([], SHELF, ())))

    def _mixes(self, heard: Sequence[Heard]) -> Iterator[Shelf]:
        """One for each taste of the listener: what it knows and what it does not."""
        model = self.model
        if model is None or model.factors is None:
            return
        row = _row(model, heard)
        for group in tastes(model.factors.vectors[row.items], row.strengths(), MIXES):
            part = Row(row.items[group], row.listens[group])
            items = model.recommended(part, 2 * SHELF, seen=True, artist_max=ARTIST_MAX)
            tracks = self._live([model.tracks[item] for item in items])[:SHELF]
            names = dict.fromkeys(track.artist for track in tracks if track.artist)
            yield Shelf(kind=ShelfKind.MIX, about=tuple(names)[:3], tracks=_plain(tracks))

    def _because(self, listened: Sequence[str], refused: set[str]) -> Iterator[Shelf]:
        artists: set[str] = set()
        for track in self._live(listened[:SHELF]):
            if track.artist not in artists and len(artists) < BECAUSE:
                artists.add(track.artist)
                alike = self.similar(track.track_id, SHELF, without=refused)
                yield Shelf(kind=ShelfKind.BECAUSE, about=(track.title, track.artist), tracks=_plain(alike))

    def _favourite(self, heard: Sequence[Heard]) -> str:
        """The artist that was listened to most; empty if there is none."""
        rows, listens = self._catalog.rows_of({each.track_id for each in heard}), dict[str, int]()
        for each in heard:
            if (row := rows.get(each.track_id)) and row.artist:
                listens[row.artist] = listens.get(row.artist, 0) + each.listens
        return max(listens, key=lambda artist: (listens[artist], artist), default="")

    def _new(self, heard: Sequence[Heard], refused: set[str]) -> list[TrackRow]:
        """The newest tracks that were not heard: of four times as many those that suit best, where that is known."""
        newest = [row for row in self._shelves.newest_tracks(4 * SHELF) if row.track_id not in refused]
        model = self.model
        if model is not None and (row := _row(model, heard)).items.size:
            scores = model.scores(row)
            worth = {track.track_id: model.items.get(track.track_id) for track in newest}
            newest.sort(key=lambda track: -_score(scores, worth[track.track_id]))
        return newest[:SHELF]

    def _suggested(self, heard: Sequence[Heard], limit: int, *, seen: bool = False) -> list[Suggested]:
        refused = {each.track_id for each in heard if not seen or (each.skips and not each.listens)}
        model = self.model
        if model is None:
            return list(_plain(self._filled([], limit, refused)))
        row = _row(model, heard)
        items = model.recommended(row, 2 * limit, seen=seen, artist_max=ARTIST_MAX)
        rows = self._filled([model.tracks[item] for item in items], limit, refused)
        reasons = {track.track_id: self._reasons(model, row, track.track_id) for track in rows}
        known = self._catalog.rows_of({each for because in reasons.values() for each in because})
        return [
            Suggested(track, tuple(known[each] for each in reasons[track.track_id] if each in known)) for track in rows
        ]

    def _reasons(self, model: Model, row: Row, track_id: str) -> list[str]:
        item = model.items.get(track_id)
        return [] if item is None else [model.tracks[each] for each in model.reasons(row, item, REASONS)]

    def _heard(self, listener_id: str) -> list[Heard]:
        return self._plays.heard(listener_id, limit=ROW_MAX)

    def _filled(self, track_ids: Sequence[str], limit: int, refused: Iterable[str]) -> list[TrackRow]:
        """The live ones of these, then the popular, the newest, any; each once, none that is refused."""
        without, found = set(refused), dict[str, TrackRow]()
        many = limit + len(without)
        sources: tuple[Callable[[], list[TrackRow]], ...] = (
            lambda: self._live(track_ids),
            lambda: self._live(self._floor[:many]),
            lambda: self._shelves.newest_tracks(many),
            lambda: self._catalog.page(0, many),
        )
        for rows in sources:
            found |= {row.track_id: found.get(row.track_id, row) for row in rows() if row.track_id not in without}
            if len(found) >= limit:
                break
        return list(found.values())[:limit]

    def _live(self, track_ids: Sequence[str]) -> list[TrackRow]:
        """The live ones of these, in their order."""
        rows = self._catalog.rows_of(set(track_ids))
        return [row for each in dict.fromkeys(track_ids) if (row := rows.get(each)) is not None and row.live]


def _row(model: Model, heard: Sequence[Heard]) -> Row:
    return model.row((each.track_id, each.listens) for each in heard)


def _score(scores: Floats, item: int | None) -> float:
    return float(scores[item]) if item is not None else 0.0


def _plain(rows: Iterable[TrackRow]) -> tuple[Suggested, ...]:
    return tuple(Suggested(row) for row in rows)


def _artist_id(track: TrackRow) -> str:
    return artist_id_of(track.album_artist or track.artist)
