"""What is recommended to whom: the model, what the listener heard, and what is live, put together.

Everything blocks for some milliseconds: call it through asyncio.to_thread. Nothing needs a model: where there is none,
or it has too few tracks, lists are filled up with what everybody plays, then with what is new, then with any tracks.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from catalog.plays import Heard, Plays
from catalog.schema import TrackRow
from catalog.shelves import Shelves
from catalog.store import Catalog
from discovery.recommend.alike import ARTIST_MAX, Alike, Kind, Like
from discovery.recommend.current import CurrentModel
from discovery.recommend.mixes import tastes
from discovery.recommend.model import Model
from discovery.recommend.plays import ROW_MAX, Floats, Row
from discovery.recommend.rows import KnownRows
from model.album import artist_id_of
from model.errors import TrackUnknown

LIMIT_MAX = 100
MIXES = 3
SHELF = 20  # tracks on a shelf of the home page
BECAUSE = 2  # shelves of what is like a track played lately
REASONS = 2
LATELY = 50  # tracks by which a favourite artist is told
FILLED = 10_000  # tracks that are known before anybody asks, 15 MB
FILL_S = 0.2  # how long to work out what nobody has asked yet, now and then
FILL_AT_ONCE = 4  # answers
HALF_LIFE_DAYS = 30.0  # of what is popular
FLOOR = 500  # popular and new tracks that are known by heart
FLOOR_S = 60.0  # how long they are right, at least
PAGES = 500  # home pages that are kept, 20 MB
PAGE_S = 600.0  # for how long, at most
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


@dataclass(frozen=True, slots=True)
class Taste:
    """What a model makes of a listener: its row, how well each item suits it, and the same for each of its tastes."""

    model: Model
    row: Row
    scores: Floats
    parts: tuple[tuple[Row, Floats], ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """A home page, what it was made of, and when."""

    made_of: tuple[object, ...]
    made_s: float
    shelves: tuple[Shelf, ...]


class Recommender:
    """Recommendations from a catalog, the plays of listeners who agreed, and the current model of a folder (if any)."""

    def __init__(self, catalog: Catalog, plays: Plays, current: CurrentModel | None) -> None:
        self._catalog = catalog
        self._shelves = Shelves(catalog)
        self._plays = plays
        self._current = current
        self._rows = KnownRows(catalog)
        self._alike: Alike | None = None
        self._likely: Iterator[Like] = iter(())
        self._filling = threading.Lock()
        self._filled_of: tuple[Model, int] | None = None
        self._pages: dict[str, Page] = {}
        self._floor: tuple[str, ...] = ()
        self._floor_until = 0.0

    @property
    def model(self) -> Model | None:
        """The model in use."""
        return self._alike.model if self._alike else None

    def look(self) -> None:
        """Take up a new model, if there is one; count what is popular, if that was long ago. Raises CatalogError."""
        self._take_up()
        started = time.monotonic()
        for listener_id, page in list(self._pages.items()):
            if page.made_s < started - PAGE_S:
                self._pages.pop(listener_id, None)
        if started < self._floor_until:
            return
        popular = self._plays.popularity(now_ms=time.time_ns() // 1_000_000, half_life_days=HALF_LIFE_DAYS)
        self._floor = tuple(sorted(popular, key=lambda track: (-popular[track], track))[:FLOOR])
        now = time.monotonic()
        self._floor_until = now + max(FLOOR_S, FLOOR_REST * (now - started))

    def _take_up(self) -> None:
        """Look for a model; one that is new is of use when all is worked out that it takes to ask it."""
        if self._current:
            self._current.look()
        model = self._current.model if self._current else None
        if model is None:
            self._alike = None
        elif model is not self.model:
            model.prepare()
            self._alike = Alike(model)
            self._likely = self._alike.likely(2 * SHELF, SHELF)

    def fill(self) -> bool:
        """Work out, for a moment, what will be asked most before it is; whether some of it is left. Raises
        CatalogError."""
        with self._filling:
            alike, likely = self._alike, self._likely
            if alike is None:
                return False
            model, until = alike.model, time.monotonic() + FILL_S
            if self._filled_of != (filled_of := (model, self._rows.number)):
                self._rows.fill(model.tracks[item] for item in model.by_listeners[:FILLED].tolist())
                self._filled_of = filled_of
            while some := list(islice(likely, FILL_AT_ONCE)):
                alike.ask([], some)
                if time.monotonic() > until:
                    return True
            return False

    def for_listener(self, listener_id: str, limit: int, *, seen: bool = False) -> list[Suggested]:
        """At most `limit` tracks for a listener, the best first; what it heard only if `seen`."""
        heard = self._heard(listener_id)
        return self._suggested(heard, self._taste(heard), limit, seen=seen)

    def similar(self, track_id: str, limit: int, *, without: Iterable[str] = ()) -> list[TrackRow]:
        """At most `limit` tracks like this one, then others of its artist, then the popular. Raises TrackUnknown."""
        track = self._catalog.get(track_id)
        if track is None or not track.live:
            raise TrackUnknown("no such track", subject=track_id)
        return self._similar(track, limit, {track_id, *without})

    def _similar(self, track: TrackRow, limit: int, refused: Collection[str]) -> list[TrackRow]:
        alike = self._alike
        return self._filled(
            limit,
            refused,
            lambda: alike.tracks(track.track_id, 2 * limit) if alike else (),
            lambda: [each.track_id for each in self._shelves.tracks_by(_artist_id(track), limit)],
        )

    def similar_artists(self, artist: str, limit: int) -> list[str]:
        """At most `limit` artists that are played by those who play this one, the most alike first; those of popular
        tracks, where that is not known."""
        alike = self._alike
        found = dict.fromkeys(alike.artists(artist, limit) if alike else ())
        if len(found) < limit:
            found |= dict.fromkeys(row.artist for row in self._filled(4 * limit, ()) if row.artist)
        return [each for each in found if each != artist][:limit]

    def home(self, listener_id: str) -> Sequence[Shelf]:
        """The home page of a listener, or of nobody (""): only shelves that have something on them. Kept for a while,
        as long as what it is made of is the same."""
        heard = self._heard(listener_id) if listener_id else []
        made_of = (heard, self.model, self._rows.number, self._floor)
        kept = self._pages.get(listener_id)
        if kept is None or kept.made_of != made_of:
            shelves = tuple(shelf for shelf in self._home(heard) if shelf.tracks or shelf.artists)
            kept = Page(made_of, time.monotonic(), shelves)
            if len(self._pages) >= PAGES:
                self._pages.pop(next(iter(list(self._pages))), None)
            self._pages[listener_id] = kept
        return kept.shelves

    def _home(self, heard: Sequence[Heard]) -> Iterator[Shelf]:
        listened = [each.track_id for each in heard if each.listens]
        refused = {each.track_id for each in heard}
        recent = self._rows.first(listened, SHELF)
        because, favourite = _of_several(recent, BECAUSE), self._favourite(heard)
        like = [Like(Kind.TRACK, each.track_id, 2 * SHELF) for each in because]
        taste = self._taste(heard, mixes=MIXES, like=[*like, Like(Kind.ARTIST, favourite, SHELF)])
        if listened:
            yield from self._mixes(taste)
            yield Shelf(kind=ShelfKind.FOR_YOU, tracks=tuple(self._suggested(heard, taste, SHELF)))
            for track in because:
                alike = self._similar(track, SHELF, refused)
                yield Shelf(kind=ShelfKind.BECAUSE, about=(track.title, track.artist), tracks=_plain(alike))
            yield Shelf(kind=ShelfKind.RECENT, tracks=_plain(recent))
            if favourite:
                artists = tuple(self.similar_artists(favourite, SHELF))
                yield Shelf(kind=ShelfKind.ARTISTS, about=(favourite,), artists=artists)
        yield Shelf(kind=ShelfKind.NEW, tracks=_plain(self._new(taste, refused)))
        yield Shelf(kind=ShelfKind.POPULAR, tracks=_plain(self._filled(SHELF, ())))

    def _taste(self, heard: Sequence[Heard], *, mixes: int = 0, like: Sequence[Like] = ()) -> Taste | None:
        """What the model makes of what was heard, and of at most so many tastes in it; None without one. What else will
        be asked of it is worked out at once."""
        alike = self._alike
        if alike is None:
            return None
        model = alike.model
        row = model.row((each.track_id, each.listens) for each in heard)
        groups = tastes(model.factors.vectors[row.items], row.strengths(), mixes) if model.factors and mixes else []
        parts = [Row(row.items[group], row.listens[group]) for group in groups]
        lines = alike.ask([row, *parts] if len(row.items) else [], like)
        scores = lines[0] if len(row.items) else model.popularity
        return Taste(model, row, scores, tuple(zip(parts, lines[1:], strict=True)))

    def _mixes(self, taste: Taste | None) -> Iterator[Shelf]:
        """One for each taste of the listener: what it knows and what it does not."""
        if taste is None:
            return
        model = taste.model
        for part, scores in taste.parts:
            tracks = self._rows.first(_recommended(model, part, SHELF, scores, seen=True), SHELF)
            names = dict.fromkeys(track.artist for track in tracks if track.artist)
            yield Shelf(kind=ShelfKind.MIX, about=tuple(names)[:3], tracks=_plain(tracks))

    def _favourite(self, heard: Sequence[Heard]) -> str:
        """The artist of the last LATELY tracks that was listened to most; empty if there is none."""
        times, listens = {each.track_id: each.listens for each in heard[:LATELY]}, dict[str, int]()
        for row in self._rows.live(times):
            if row.artist:
                listens[row.artist] = listens.get(row.artist, 0) + times[row.track_id]
        return max(listens, key=lambda artist: (listens[artist], artist), default="")

    def _new(self, taste: Taste | None, refused: set[str]) -> list[TrackRow]:
        """The newest tracks that were not heard: of four times as many those that suit best, where that is known."""
        newest = self._rows.live(each for each in self._rows.newest()[: 4 * SHELF] if each not in refused)
        if taste is not None and taste.row.items.size:
            worth = {track.track_id: taste.model.items.get(track.track_id) for track in newest}
            newest.sort(key=lambda track: -_score(taste.scores, worth[track.track_id]))
        return newest[:SHELF]

    def _suggested(
        self, heard: Sequence[Heard], taste: Taste | None, limit: int, *, seen: bool = False
    ) -> list[Suggested]:
        refused = {each.track_id for each in heard if not seen or (each.skips and not each.listens)}
        if taste is None:
            return list(_plain(self._filled(limit, refused)))
        model, row = taste.model, taste.row
        rows = self._filled(limit, refused, lambda: _recommended(model, row, limit, taste.scores, seen=seen))
        known = [track.track_id for track in rows if track.track_id in model.items]
        said = model.reasons(row, [model.items[each] for each in known], REASONS)
        because = dict(zip(known, ([model.tracks[item] for item in each] for each in said), strict=True))
        spoken = {
            track.track_id: track for track in self._rows.live(each for some in because.values() for each in some)
        }
        return [
            Suggested(track, tuple(spoken[each] for each in because.get(track.track_id, ()) if each in spoken))
            for track in rows
        ]

    def _heard(self, listener_id: str) -> list[Heard]:
        return self._plays.heard(listener_id, limit=ROW_MAX)

    def _filled(self, limit: int, refused: Collection[str], *wanted: Callable[[], Iterable[str]]) -> list[TrackRow]:
        """The live ones of those that are wanted, then the popular, the newest, any; each once, none that is refused.
        What comes later is only asked for if it is needed."""
        without, found = set(refused), dict[str, TrackRow]()
        for ids in (*wanted, lambda: self._floor, self._rows.newest):
            some = (each for each in ids() if each not in without and each not in found)
            found |= {row.track_id: row for row in self._rows.first(some, limit - len(found))}
            if len(found) >= limit:
                return list(found.values())
        rows = self._catalog.page(0, limit + len(without))
        found |= {row.track_id: found.get(row.track_id, row) for row in rows if row.track_id not in without}
        return list(found.values())[:limit]


def _recommended(model: Model, row: Row, limit: int, scores: Floats, *, seen: bool) -> Iterator[str]:
    """The tracks that are recommended for a row; where these are not enough, for some are gone, those of a longer
    list."""
    for count in (limit, 2 * limit):
        for item in model.recommended(row, count, seen=seen, artist_max=ARTIST_MAX, scores=scores):
            yield model.tracks[item]


def _score(scores: Floats, item: int | None) -> float:
    return float(scores[item]) if item is not None else 0.0


def _of_several(rows: Iterable[TrackRow], limit: int) -> list[TrackRow]:
    """The first of each artist, at most `limit`."""
    of_artist: dict[str, TrackRow] = {}
    for row in rows:
        of_artist.setdefault(row.artist, row)
    return list(of_artist.values())[:limit]


def _plain(rows: Iterable[TrackRow]) -> tuple[Suggested, ...]:
    return tuple(Suggested(row) for row in rows)


def _artist_id(track: TrackRow) -> str:
    return artist_id_of(track.album_artist or track.artist)
