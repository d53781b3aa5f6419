"""The library over HTTP: live tracks and albums, a page at a time or one."""

import asyncio

from msgspec import Struct, structs

from catalog.shelves import AlbumShelf, Shelves
from catalog.store import Catalog
from discovery.operations import Call, Operation, Served
from discovery.parameters import Number, Text
from discovery.tracks import Track, art_of, art_sizes_of, track_answer
from model.album import artist_id_of
from model.errors import ResourceUnknown

_LIMIT_MAX = 500
_ARTIST_CHARS_MAX = 500
_PAGE = (
    Number(name="offset", default=0, least=0, most=10_000_000, help="how many to leave out"),
    Number(name="limit", default=100, least=1, most=_LIMIT_MAX, help="how many"),
)


class Tracks(Struct, frozen=True, kw_only=True):
    """A page of live tracks, and how many there are in all."""

    tracks: list[Track]
    total: int


class Album(Struct, frozen=True, kw_only=True):
    """An album: what its artist and its name are, and how much of it there is. `year` is null where no tag says it."""

    album_id: str
    album: str
    artist: str
    year: int | None
    tracks_total: int
    duration_s: float
    art: str
    art_sizes: dict[str, str]


class Albums(Struct, frozen=True, kw_only=True):
    """A page of albums, and how many there are in all."""

    albums: list[Album]
    total: int


class WholeAlbum(Album, frozen=True, kw_only=True):
    """An album with its live tracks, in their order."""

    tracks: list[Track]


class WholeArtist(Struct, frozen=True, kw_only=True):
    """An artist of albums or of single tracks: its albums, the oldest first, and its first 500 live tracks."""

    artist_id: str
    artist: str
    albums: list[Album]
    tracks: list[Track]


class Genre(Struct, frozen=True, kw_only=True):
    """A genre, as it is written first, and how many live tracks and albums have it."""

    genre: str
    tracks_total: int
    albums_total: int


class Genres(Struct, frozen=True, kw_only=True):
    """A page of genres, and how many there are in all."""

    genres: list[Genre]
    total: int


TRACKS = Operation(
    method="GET",
    path="/api/v1/tracks",
    summary="live tracks, by album artist, album, disc and number",
    parameters=_PAGE,
    answer=Tracks,
)
TRACK = Operation(method="GET", path="/api/v1/tracks/{track_id}", summary="a live track", answer=Track)
ALBUMS = Operation(
    method="GET",
    path="/api/v1/albums",
    summary="albums with live tracks, by artist and name",
    parameters=_PAGE,
    answer=Albums,
)
ALBUM = Operation(method="GET", path="/api/v1/albums/{album_id}", summary="an album with its tracks", answer=WholeAlbum)
GENRES = Operation(
    method="GET",
    path="/api/v1/genres",
    summary="genres, that with most tracks first",
    parameters=_PAGE,
    answer=Genres,
)
ARTIST = Operation(
    method="GET",
    path="/api/v1/artists/named",
    summary="an artist with its albums and tracks",
    parameters=(Text(name="artist", chars_max=_ARTIST_CHARS_MAX, required=True, help="its name; case does not count"),),
    answer=WholeArtist,
    refusals=(ResourceUnknown,),
)


class Library:
    """The operations, over a catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._shelves = Shelves(catalog)
        self.served = (
            Served(TRACKS, self.tracks),
            Served(TRACK, self.track),
            Served(ALBUMS, self.albums),
            Served(ALBUM, self.album),
            Served(ARTIST, self.artist),
            Served(GENRES, self.genres),
        )

    async def tracks(self, call: Call) -> Tracks:
        """A page of live tracks."""
        offset, limit = call.query["offset"], call.query["limit"]
        rows, total = await asyncio.to_thread(lambda: (self._catalog.page(offset, limit), self._catalog.count()))
        return Tracks(tracks=[track_answer(row) for row in rows], total=total)

    async def track(self, call: Call) -> Track:
        """A live track. Raises ResourceUnknown."""
        row = await asyncio.to_thread(self._catalog.get, call.path["track_id"])
        if row is None or not row.live:
            raise ResourceUnknown("no such track")
        return track_answer(row)

    async def albums(self, call: Call) -> Albums:
        """A page of albums."""
        offset, limit = call.query["offset"], call.query["limit"]
        found, total = await asyncio.to_thread(
            lambda: (self._shelves.albums(offset, limit), self._shelves.albums_total())
        )
        return Albums(albums=[_album(each) for each in found], total=total)

    async def album(self, call: Call) -> WholeAlbum:
        """An album with its tracks. Raises ResourceUnknown."""
        album_id = call.path["album_id"]
        found, rows = await asyncio.to_thread(
            lambda: (self._shelves.albums_of([album_id]), self._shelves.tracks_on(album_id))
        )
        if not found:
            raise ResourceUnknown("no such album")
        return WholeAlbum(tracks=[track_answer(row) for row in rows], **structs.asdict(_album(found[0])))

    async def genres(self, call: Call) -> Genres:
        """A page of genres."""
        offset, limit = call.query["offset"], call.query["limit"]
        found = await asyncio.to_thread(self._shelves.genres)
        shown = found[offset : offset + limit]
        return Genres(
            genres=[Genre(genre=each.genre, tracks_total=each.tracks, albums_total=each.albums) for each in shown],
            total=len(found),
        )

    async def artist(self, call: Call) -> WholeArtist:
        """An artist with its albums and tracks. Raises ResourceUnknown."""
        artist_id = artist_id_of(call.query["artist"])
        found, albums, rows = await asyncio.to_thread(
            lambda: (
                self._shelves.artist(artist_id),
                self._shelves.albums_by(artist_id),
                self._shelves.tracks_by(artist_id, _LIMIT_MAX),
            )
        )
        if found is None:
            raise ResourceUnknown("no such artist")
        return WholeArtist(
            artist_id=artist_id,
            artist=found.artist,
            albums=[_album(each) for each in albums],
            tracks=[track_answer(row) for row in rows],
        )


def _album(shelf: AlbumShelf) -> Album:
    return Album(
        album_id=shelf.album_id,
        album=shelf.album,
        artist=shelf.artist,
        year=shelf.year,
        tracks_total=shelf.tracks,
        duration_s=shelf.duration_s,
        art=art_of(shelf.art_id),
        art_sizes=art_sizes_of(shelf.art_id),
    )
