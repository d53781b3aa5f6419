"""The library as OpenSubsonic's endpoints show it: the same for every listener, but for their stars and plays.

Each method is an endpoint of its name: from parameters to the body of an answer. All block for a moment.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import Protocol

from catalog.schema import TrackRow, album_artist_of
from catalog.search_postings import Found, Group
from catalog.shelves import AlbumOrder, AlbumShelf, ArtistShelf, Shelves
from catalog.store import Catalog
from discovery.search import LIMIT_MAX, Results, SearchIndex
from discovery.search_text import QUERY_CHARS_MAX
from discovery.subsonic.answer import Element
from discovery.subsonic.asked import Asked, Code, Refused, not_found
from discovery.subsonic.items import NOTHING, Mine, album, artist, indexed, song
from discovery.subsonic.similar import Similar
from model.album import album_id_of, artist_id_of
from model.track import DERIVED_ID_LENGTH, is_id

SONGS_MAX = 500
_OFFSET_MAX = 10_000_000
_TOP = 50
_UNRANKED = 1 << 62
IGNORED_ARTICLES = ""
_ORDERS = {
    "random": AlbumOrder.RANDOM,
    "newest": AlbumOrder.NEWEST,
    "alphabeticalByName": AlbumOrder.NAME,
    "alphabeticalByArtist": AlbumOrder.ARTIST,
}
_WHOLE_LIBRARY = ("", '""')  # what clients ask for to copy it all


class Marks(Protocol):
    """What a listener has to do with songs and albums."""

    def of(self, ids: Sequence[str]) -> Mapping[str, Mine]:
        """Of those of some songs, albums or artists that there is something of."""
        ...

    def starred(self) -> Sequence[str]:
        """The ids of all that has a star, the latest first."""
        ...

    def rated(self) -> Sequence[str]:
        """The ids of all that is rated, the best first."""
        ...

    def albums_played(self, *, most: bool) -> Sequence[str]:
        """Ids of albums that were played: the most played first, or those that were played last."""
        ...


class Browse:
    """The library, for one listener."""

    def __init__(
        self, catalog: Catalog, index: Callable[[], SearchIndex | None], marks: Marks, similar: Similar
    ) -> None:
        self._catalog = catalog
        self.shelves = Shelves(catalog)
        self._index = index
        self._marks = marks
        self._similar = similar

    def get_artists(self, asked: Asked) -> Element:
        """Every artist, by letter."""
        return {"artists": {"ignoredArticles": IGNORED_ARTICLES, "index": indexed(self.shelves.artists())}}

    def get_artist(self, asked: Asked) -> Element:
        """One artist with albums."""
        shelf = self.artist_shelf(asked.text("id"))
        albums = self.albums(self.shelves.albums_by(shelf.artist_id))
        return {"artist": {**self._artists([shelf])[0], "album": albums}}

    def get_album(self, asked: Asked) -> Element:
        """One album with songs."""
        shelves = self.shelves.albums_of([asked.text("id")]) or not_found("album")
        songs = self.songs(self.shelves.tracks_on(shelves[0].album_id))
        return {"album": {**self.albums(shelves)[0], "song": songs}}

    def get_song(self, asked: Asked) -> Element:
        """One song."""
        return {"song": self.songs([self._track(asked.text("id"))])[0]}

    def get_album_list2(self, asked: Asked) -> Element:
        """Albums, a page at a time, in one of many orders."""
        return {"albumList2": {"album": self.albums(self._album_list(asked))}}

    def get_genres(self, asked: Asked) -> Element:
        """Every genre."""
        found = self.shelves.genres()
        shown = [{"value": each.genre, "songCount": each.tracks, "albumCount": each.albums} for each in found]
        return {"genres": {"genre": shown}}

    def get_random_songs(self, asked: Asked) -> Element:
        """Songs by chance."""
        size = asked.number("size", 10, most=SONGS_MAX)
        genre = asked.text("genre", "") or None
        years = _years(asked) if {"fromYear", "toYear"} & set(asked.values) else None
        return {"randomSongs": {"song": self.songs(self.shelves.random_tracks(size, genre=genre, years=years))}}

    def get_songs_by_genre(self, asked: Asked) -> Element:
        """Songs of a genre, a page at a time."""
        offset, count = asked.number("offset", 0, most=_OFFSET_MAX), asked.number("count", 10, most=SONGS_MAX)
        found = self.shelves.tracks_of_genre(asked.text("genre"), offset, count)
        return {"songsByGenre": {"song": self.songs(found)}}

    def get_starred2(self, asked: Asked) -> Element:
        """Everything with a star."""
        starred = self._marks.starred()
        rows = self._catalog.rows_of(starred)
        artists = [shelf for each in starred if each not in rows and (shelf := self.shelves.artist(each))]
        shown = {
            "artist": self._artists(artists),
            "album": self.albums(self.shelves.albums_of([each for each in starred if each not in rows])),
            "song": self.songs([rows[each] for each in starred if each in rows and rows[each].live]),
        }
        return {"starred2": shown}

    def search3(self, asked: Asked) -> Element:
        """What a listener typed, or the whole library, a page at a time."""
        text = asked.text("query", "")
        pages = {each: _page(asked, each) for each in ("artist", "album", "song")}
        if text.strip() in _WHOLE_LIBRARY:
            return {"searchResult3": self._everything(pages)}
        index = self._index()
        if index is None:
            raise Refused(Code.GENERIC, "the search index is not open yet, try again")
        found = index.search(text[:QUERY_CHARS_MAX], limit=LIMIT_MAX, groups=frozenset(Group))
        return {"searchResult3": self._found(found, pages)}

    def get_top_songs(self, asked: Asked) -> Element:
        """Songs of an artist: what the listener played most, then what everybody plays."""
        count = asked.number("count", _TOP, most=SONGS_MAX)
        return {"topSongs": {"song": self.songs(self._top(artist_id_of(asked.text("artist")))[:count])}}

    def get_similar_songs2(self, asked: Asked) -> Element:
        """Songs to play after a song or an album: like it; after an artist: its own, and others like those, in turn."""
        item_id, count = asked.text("id"), asked.number("count", _TOP, most=SONGS_MAX)
        song = self._catalog.get(item_id)
        seeds = [song] if song and song.live else self.shelves.tracks_on(item_id)
        own = [] if seeds else self._top(self.artist_shelf(item_id).artist_id)
        similar = self._similar.to([row.track_id for row in seeds or own], count)
        rows = self._catalog.rows_of(similar) | {row.track_id: row for row in own}
        turns = zip_longest((row.track_id for row in own), similar)
        found = dict.fromkeys(each for turn in turns for each in turn if each in rows)
        return {"similarSongs2": {"song": self.songs([rows[each] for each in found][:count])}}

    def get_artist_info2(self, asked: Asked) -> Element:
        """What else is known of an artist: nothing."""
        self.artist_shelf(asked.text("id"))
        return {"artistInfo2": {}}

    def get_album_info2(self, asked: Asked) -> Element:
        """What else is known of an album: nothing."""
        _ = self.shelves.albums_of([asked.text("id")]) or not_found("album")
        return {"albumInfo": {}}

    def get_scan_status(self, asked: Asked) -> Element:
        """Tracks come by themselves."""
        return {"scanStatus": {"scanning": False, "count": self._catalog.count()}}

    def track(self, track_id: str) -> TrackRow:
        """A live track. Raises Refused."""
        return self._track(track_id)

    def artist_shelf(self, artist_id: str) -> ArtistShelf:
        """An artist. Raises Refused."""
        return self.shelves.artist(artist_id) or not_found("artist")

    def has(self, item_id: str) -> bool:
        """Whether there is such a song, album or artist."""
        row = self._catalog.get(item_id)
        return bool((row and row.live) or self.shelves.albums_of([item_id]) or self.shelves.artist(item_id))

    def newest_s(self) -> int:
        """When the newest album was published, in seconds since the epoch."""
        newest = self.shelves.albums(0, 1, order=AlbumOrder.NEWEST)
        return (newest[0].published_s or 0) if newest else 0

    def named(self, artist_name: str, title: str) -> TrackRow | None:
        """A live track by its artist's name and its title, if there is one."""
        rows = self.shelves.tracks_by(artist_id_of(artist_name), SONGS_MAX)
        return next((row for row in rows if row.title.casefold() == title.casefold()), None)

    def art_of(self, item_id: str) -> str:
        """The id of the cover of a song, album or artist, or of the cover itself. Raises Refused."""
        if is_id(item_id) and len(item_id) == DERIVED_ID_LENGTH:
            return item_id
        if row := self._catalog.get(item_id):
            return row.art_id
        if albums := self.shelves.albums_of([item_id]):
            return albums[0].art_id
        return (self.shelves.artist(item_id) or not_found("cover art")).art_id

    def _top(self, artist_id: str) -> list[TrackRow]:
        """Songs of an artist, the most played first: by the listener, then by everybody."""
        rows = self.shelves.tracks_by(artist_id, SONGS_MAX)
        ids, index = [row.track_id for row in rows], self._index()
        mine = self._marks.of(ids)
        ranks = {found.track_id: found.rank for found in index.postings.tracks(ids)} if index else {}
        return sorted(
            rows,
            key=lambda row: (-(mine.get(row.track_id, NOTHING).plays or 0), ranks.get(row.track_id, _UNRANKED)),
        )

    def _artists(self, shelves: Sequence[ArtistShelf]) -> list[Element]:
        mine = self._marks.of([each.artist_id for each in shelves])
        return [artist(each, mine.get(each.artist_id, NOTHING)) for each in shelves]

    def _track(self, track_id: str) -> TrackRow:
        row = self._catalog.get(track_id)
        return row if row is not None and row.live else not_found("song")

    def songs(self, rows: Sequence[TrackRow]) -> list[Element]:
        """Songs with the listener's marks."""
        mine = self._marks.of([row.track_id for row in rows])
        return [song(row, mine.get(row.track_id, NOTHING)) for row in rows]

    def albums(self, shelves: Sequence[AlbumShelf]) -> list[Element]:
        """Albums with the listener's marks."""
        mine = self._marks.of([each.album_id for each in shelves])
        return [album(each, mine.get(each.album_id, NOTHING)) for each in shelves]

    def _album_list(self, asked: Asked) -> list[AlbumShelf]:
        size, offset = asked.number("size", 10, most=SONGS_MAX), asked.number("offset", 0, most=_OFFSET_MAX)
        page = slice(offset, offset + size)
        match asked.text("type"):
            case kind if kind in _ORDERS:
                return self.shelves.albums(offset, size, order=_ORDERS[kind])
            case "byYear":
                order = AlbumOrder.YEAR if _years(asked)[0] <= _years(asked)[1] else AlbumOrder.YEAR_DOWN
                return self.shelves.albums(offset, size, order=order, years=_years(asked))
            case "byGenre":
                return self.shelves.albums_of_genre(asked.text("genre"), offset, size)
            case "starred":
                return self.shelves.albums_of(self._marks.starred())[page]
            case "highest":
                return self.shelves.albums_of(self._marks.rated())[page]
            case "frequent":
                return self.shelves.albums_of(self._marks.albums_played(most=True)[page])
            case "recent":
                return self.shelves.albums_of(self._marks.albums_played(most=False)[page])
        raise Refused(Code.GENERIC, "type is none that there is")

    def _everything(self, pages: Mapping[str, slice]) -> Element:
        artists, albums, songs = pages["artist"], pages["album"], pages["song"]
        return {
            "artist": [artist(each) for each in self.shelves.artists(artists.start, artists.stop - artists.start)],
            "album": self.albums(self.shelves.albums(albums.start, albums.stop - albums.start)),
            "song": self.songs(self._catalog.page(songs.start, songs.stop - songs.start)),
        }

    def _found(self, found: Results, pages: Mapping[str, slice]) -> Element:
        """What of it the catalog has, too: the index of a server may be ahead of ours, or behind."""
        rows = self._catalog.rows_of({each.track_id for each in (*found.albums, *found.tracks)})

        def live(each: Found) -> TrackRow | None:
            row = rows.get(each.track_id)
            return row if row is not None and row.live else None

        artists = [shelf for each in found.artists if (shelf := self.shelves.artist(artist_id_of(each.artist)))]
        album_ids = [album_id_of(album_artist_of(row), row.album) for each in found.albums if (row := live(each))]
        songs = [row for each in found.tracks if (row := live(each))]
        return {
            "artist": [artist(each) for each in artists[pages["artist"]]],
            "album": self.albums(self.shelves.albums_of(album_ids)[pages["album"]]),
            "song": self.songs(songs[pages["song"]]),
        }


def _page(asked: Asked, kind: str) -> slice:
    offset = asked.number(f"{kind}Offset", 0, most=_OFFSET_MAX)
    return slice(offset, offset + asked.number(f"{kind}Count", 20, most=SONGS_MAX))


def _years(asked: Asked) -> tuple[int, int]:
    return asked.number("fromYear", 0, most=9999), asked.number("toYear", 9999, most=9999)
