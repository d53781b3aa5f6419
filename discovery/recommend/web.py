"""Recommendations over HTTP: the home page, tracks for a listener, tracks and artists like one."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import msgspec
from msgspec import Raw, Struct

from catalog.listener_database import ListenerDatabase
from catalog.plays import Plays
from catalog.schema import TrackRow
from catalog.store import Catalog
from discovery.alongside import alongside
from discovery.operations import Call, Operation, Served, Who
from discovery.parameters import Number, Text
from discovery.recommend.current import CurrentModel
from discovery.recommend.service import LIMIT_MAX, Recommender, Shelf, Suggested
from discovery.recommend.together import ModelTogether
from discovery.tracks import Track, track_answer
from model.errors import CatalogError, ResourceUnknown, TrackUnknown

log = logging.getLogger(__name__)

LOOK_S = 5.0  # from one look at the folder of models to the next
ARTIST_CHARS_MAX = 500
ANSWERS_KEPT = 20_000  # 15 MB
_LIMIT = Number(name="limit", default=20, least=1, most=LIMIT_MAX, help="how many")


class Because(Struct, frozen=True, kw_only=True):
    """A track that speaks for another."""

    track_id: str
    title: str
    artist: str


class Recommended(Struct, frozen=True, kw_only=True):
    """A track, and which of those that the listener heard speak most for it, if that is known."""

    track: Track
    because: list[Because]


class Recommendations(Struct, frozen=True, kw_only=True):
    """The best first."""

    recommendations: list[Recommended]


class SimilarTracks(Struct, frozen=True, kw_only=True):
    """The most alike first."""

    tracks: list[Track]


class Artist(Struct, frozen=True, kw_only=True):
    """An artist, by its name."""

    artist: str


class SimilarArtists(Struct, frozen=True, kw_only=True):
    """The most alike first."""

    artists: list[Artist]


class HomeShelf(Struct, frozen=True, kw_only=True):
    """Tracks or artists that belong together. `kind`: `mix`, `for-you`, `because-you-played`, `similar-artists`,
    `recently-played`, `new-for-you` or `popular`. `about` has the names it is made from: of a mix the artists, of
    `because-you-played` title and artist of the track, of `similar-artists` the artist."""

    kind: str
    about: list[str]
    tracks: list[Recommended]
    artists: list[Artist]


class Home(Struct, frozen=True, kw_only=True):
    """The shelves of a home page, from above; only those that have something on them."""

    shelves: list[HomeShelf]


HOME = Operation(
    method="GET",
    path="/api/v1/home",
    summary="the home page: of a listener, or what is new and popular for everybody else",
    answer=Home,
    who=Who.EITHER,
)
FOR_LISTENER = Operation(
    method="GET",
    path="/api/v1/recommendations",
    summary="tracks for a listener, the best first",
    parameters=(_LIMIT, Number(name="heard", default=0, least=0, most=1, help="1: what it has heard, too")),
    answer=Recommendations,
    who=Who.LISTENER,
)
SIMILAR_TRACKS = Operation(
    method="GET",
    path="/api/v1/tracks/{track_id}/similar",
    summary="tracks like one, by who plays them and how they sound",
    parameters=(_LIMIT,),
    answer=SimilarTracks,
    refusals=(ResourceUnknown,),
)
SIMILAR_ARTISTS = Operation(
    method="GET",
    path="/api/v1/artists/similar",
    summary="artists that are played by those who play one",
    parameters=(
        Text(name="artist", chars_max=ARTIST_CHARS_MAX, required=True, help="its name, as tracks have it"),
        _LIMIT,
    ),
    answer=SimilarArtists,
)


class Recommending:
    """The operations, over a catalog, the plays of listeners and a folder of models."""

    def __init__(self, catalog: Catalog, listeners: ListenerDatabase, models: Path | None) -> None:
        self._current = CurrentModel(models) if models else None
        self._opened = lambda: Recommender(catalog, Plays(listeners), self._current)
        self._recommender: Recommender | None = None
        self.served = (
            Served(HOME, self.home),
            Served(FOR_LISTENER, self.for_listener),
            Served(SIMILAR_TRACKS, self.similar_tracks),
            Served(SIMILAR_ARTISTS, self.similar_artists),
        )

    def together(self) -> ModelTogether | None:
        """What the model in use says of tracks that are played together; None without one."""
        return self._current.together if self._current else None

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """While this is open, new models are taken up and what is popular is counted; once before it opens."""
        self._recommender = await asyncio.to_thread(self._opened)
        await self._in_thread(self.recommender.look)
        async with alongside(self._looking()):
            yield

    async def home(self, call: Call) -> Home:
        """The home page."""
        shelves = await asyncio.to_thread(self.recommender.home, call.listener_id)
        return Home(shelves=[_shelf(each) for each in shelves])

    async def for_listener(self, call: Call) -> Recommendations:
        """Tracks for a listener."""
        found = await asyncio.to_thread(
            self.recommender.for_listener, call.listener_id, call.query["limit"], seen=bool(call.query["heard"])
        )
        return Recommendations(recommendations=_recommended(found))

    async def similar_tracks(self, call: Call) -> SimilarTracks:
        """Tracks like one."""
        try:
            rows = await asyncio.to_thread(self.recommender.similar, call.path["track_id"], call.query["limit"])
        except TrackUnknown as error:
            raise ResourceUnknown("no such track") from error
        return SimilarTracks(tracks=[track_answer(row) for row in rows])

    async def similar_artists(self, call: Call) -> SimilarArtists:
        """Artists like one."""
        asked, limit = call.query["artist"], call.query["limit"]
        names = await asyncio.to_thread(self.recommender.similar_artists, asked, limit)
        return SimilarArtists(artists=[Artist(artist=name) for name in names])

    @property
    def recommender(self) -> Recommender:
        """What the operations ask, from the application's start on."""
        assert self._recommender is not None, "nobody asks before the application has started"
        return self._recommender

    async def _looking(self) -> None:
        while True:
            await self._in_thread(self.recommender.fill)
            await asyncio.sleep(LOOK_S)
            await self._in_thread(self.recommender.look)

    async def _in_thread(self, work: Callable[[], object]) -> None:
        try:
            await asyncio.to_thread(work)
        except CatalogError as error:
            extra = {"error_code": error.code, "error": str(error), "hint": error.hint}
            log.warning("recommendations not kept up", extra=extra)


def _recommended(found: Iterable[Suggested]) -> list[Recommended]:
    return [
        Recommended(
            track=_answer(each.track),
            because=[Because(track_id=row.track_id, title=row.title, artist=row.artist) for row in each.because],
        )
        for each in found
    ]


_answers: dict[str, tuple[TrackRow, Raw]] = {}


def _answer(row: TrackRow) -> Track:
    """`track_answer` as the JSON that it becomes, kept for as long as the recommender has the very row: lists have the
    same tracks again and again. Only the loop asks."""
    kept = _answers.get(row.track_id)
    if kept is None or kept[0] is not row:
        if len(_answers) >= ANSWERS_KEPT:
            del _answers[next(iter(_answers))]
        kept = _answers[row.track_id] = (row, Raw(msgspec.json.encode(track_answer(row))))
    return cast(Track, kept[1])  # whoever encodes it writes it as it is


def _shelf(shelf: Shelf) -> HomeShelf:
    return HomeShelf(
        kind=shelf.kind,
        about=list(shelf.about),
        tracks=_recommended(shelf.tracks),
        artists=[Artist(artist=name) for name in shelf.artists],
    )
