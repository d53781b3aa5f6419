"""The library as OpenSubsonic's endpoints show it: the same for every listener, but for their stars and plays.

Each method is an endpoint of its name: from parameters to the body of an answer. All block for a moment.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from catalog.schema import TrackRow, album_artist_of
from catalog.search_postings import Found, Group
from catalog.shelves import AlbumOrder, AlbumShelf, Shelves
from catalog.store import Catalog
from discovery.search import LIMIT_MAX, Results, SearchIndex
from discovery.search_text import QUERY_CHARS_MAX
from discovery.subsonic.answer import Element
from discovery.subsonic.asked import Asked, Code, Refused, not_found
from discovery.subsonic.items import NOTHING, Mine, album, artist, indexed, song
from model.album import album_id_of, artist_id_of
from model.track import DERIVED_ID_LENGTH, is_id

SONGS_MAX = 500
_OFFSET_MAX = 10_000_000
_TOP = 50
_IGNORED_ARTICLES = ""
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

    def albums_played(self, *, most: bool) -> Sequence[str]:
        """Ids of albums that were played: the most played first, or those that were played last."""
        ...


class Browse:
    """The library, for one listener."""

    def __init__(self, catalog: Catalog, index: Callable[[], SearchIndex | None], marks: Marks) -> None:
        self._catalog = catalog
        self._shelves = Shelves(catalog)
        self._index = index
        self._marks = marks

    def get_music_folders(self, asked: Asked) -> Element:
        """There is one."""
        return {"musicFolders": {"musicFolder": [{"id": 1, "name": "Music"}]}}

    def get_artists(self, asked: Asked) -> Element:
        """Every artist, by letter."""
        return {"artists": {"ignoredArticles": _IGNORED_ARTICLES, "index": indexed(self._shelves.artists())}}

    def get_artist(self, asked: Asked) -> Element:
        """One artist with albums."""
        shelf = self._shelves.artist(asked.text("id")) or not_found("artist")
        return {"artist": {**artist(shelf), "album": self._albums(self._shelves.albums_by(shelf.artist_id))}}

    def get_album(self, asked: Asked) -> Element:
        """One album with songs."""
        shelves = self._shelves.albums_of([asked.text("id")]) or not_found("album")
        songs = self._songs(self._shelves.tracks_on(shelves[0].album_id))
        return {"album": {**self._albums(shelves)[0], "song": songs}}

    def get_song(self, asked: Asked) -> Element:
        """One song."""
        return {"song": self._songs([self._track(asked.text("id"))])[0]}

    def get_album_list2(self, asked: Asked) -> Element:
        """Albums, a page at a time, in one of many orders."""
        return {"albumList2": {"album": self._albums(self._album_list(asked))}}

    def get_genres(self, asked: Asked) -> Element:
        """Every genre."""
        found = self._shelves.genres()
        shown = [{"value": each.genre, "songCount": each.tracks, "albumCount": each.albums} for each in found]
        return {"genres": {"genre": shown}}

    def get_random_songs(self, asked: Asked) -> Element:
        """Songs by chance."""
        size = asked.number("size", 10, most=SONGS_MAX)
        genre = asked.text("genre", "") or None
        years = _years(asked) if {"fromYear", "toYear"} & set(asked.values) else None
        return {"randomSongs": {"song": self._songs(self._shelves.random_tracks(size, genre=genre, years=years))}}

    def get_songs_by_genre(self, asked: Asked) -> Element:
        """Songs of a genre, a page at a time."""
        offset, count = asked.number("offset", 0, most=_OFFSET_MAX), asked.number("count", 10, most=SONGS_MAX)
        found = self._shelves.tracks_of_genre(asked.text("genre"), offset, count)
        return {"songsByGenre": {"song": self._songs(found)}}

    def get_starred2(self, asked: Asked) -> Element:
        """Everything with a star."""
        starred = self._marks.starred()
        rows = self._catalog.rows_of(starred)
        artists = [shelf for each in starred if each not in rows and (shelf := self._shelves.artist(each))]
        shown = {
            "artist": [artist(each) for each in artists],
            "album": self._albums(self._shelves.albums_of([each for each in starred if each not in rows])),
            "song": self._songs([rows[each] for each in starred if each in rows and rows[each].live]),
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
        """Songs of an artist, the most played by the listener first."""
        count = asked.number("count", _TOP, most=SONGS_MAX)
        rows = self._shelves.tracks_by(artist_id_of(asked.text("artist")), SONGS_MAX)
        mine = self._marks.of([row.track_id for row in rows])
        rows.sort(key=lambda row: -(mine.get(row.track_id, NOTHING).plays or 0))
        return {"topSongs": {"song": self._songs(rows[:count])}}

    def get_similar_songs2(self, asked: Asked) -> Element:
        """Songs to play after an artist: that artist's and, by genre, others'."""
        shelf = self._shelves.artist(asked.text("id")) or not_found("artist")
        count = asked.number("count", _TOP, most=SONGS_MAX)
        own = self._shelves.tracks_by(shelf.artist_id, count)
        genres = list(dict.fromkeys(genre for row in own for genre in row.genres))[:3]
        others = [row for genre in genres for row in self._shelves.random_tracks(count, genre=genre)]
        found = {row.track_id: row for row in (*others, *own)}
        return {"similarSongs2": {"song": self._songs(list(found.values())[:count])}}

    def get_artist_info2(self, asked: Asked) -> Element:
        """What else is known of an artist: nothing."""
        _ = self._shelves.artist(asked.text("id")) or not_found("artist")
        return {"artistInfo2": {}}

    def get_album_info2(self, asked: Asked) -> Element:
        """What else is known of an album: nothing."""
        _ = self._shelves.albums_of([asked.text("id")]) or not_found("album")
        return {"albumInfo": {}}

    def get_scan_status(self, asked: Asked) -> Element:
        """Tracks come by themselves."""
        return {"scanStatus": {"scanning": False, "count": self._catalog.count()}}

    def track(self, track_id: str) -> TrackRow:
        """A live track. Raises Refused."""
        return self._track(track_id)

    def art_of(self, item_id: str) -> str:
        """The id of the cover of a song, album or artist, or of the cover itself. Raises Refused."""
        if is_id(item_id) and len(item_id) == DERIVED_ID_LENGTH:
            return item_id
        if row := self._catalog.get(item_id):
            return row.art_id
        if albums := self._shelves.albums_of([item_id]):
            return albums[0].art_id
        return (self._shelves.artist(item_id) or not_found("cover art")).art_id

    def songs(self, rows: Sequence[TrackRow]) -> list[Element]:
        """Songs with the listener's marks."""
        return self._songs(rows)

    def _track(self, track_id: str) -> TrackRow:
        row = self._catalog.get(track_id)
        return row if row is not None and row.live else not_found("song")

    def _songs(self, rows: Sequence[TrackRow]) -> list[Element]:
        mine = self._marks.of([row.track_id for row in rows])
        return [song(row, mine.get(row.track_id, NOTHING)) for row in rows]

    def _albums(self, shelves: Sequence[AlbumShelf]) -> list[Element]:
        mine = self._marks.of([each.album_id for each in shelves])
        return [album(each, mine.get(each.album_id, NOTHING)) for each in shelves]

    def _album_list(self, asked: Asked) -> list[AlbumShelf]:
        size, offset = asked.number("size", 10, most=SONGS_MAX), asked.number("offset", 0, most=_OFFSET_MAX)
        page = slice(offset, offset + size)
        match asked.text("type"):
            case kind if kind in _ORDERS:
                return self._shelves.albums(offset, size, order=_ORDERS[kind])
            case "byYear":
                order = AlbumOrder.YEAR if _years(asked)[0] <= _years(asked)[1] else AlbumOrder.YEAR_DOWN
                return self._shelves.albums(offset, size, order=order, years=_years(asked))
            case "byGenre":
                return self._shelves.albums(offset, size, genre=asked.text("genre"))
            case "starred":
                return self._shelves.albums_of(self._marks.starred())[page]
            case "frequent" | "highest":
                return self._shelves.albums_of(self._marks.albums_played(most=True)[page])
            case "recent":
                return self._shelves.albums_of(self._marks.albums_played(most=False)[page])
        raise Refused(Code.GENERIC, "type is none that there is")

    def _everything(self, pages: Mapping[str, slice]) -> Element:
        albums, songs = pages["album"], pages["song"]
        return {
            "artist": [artist(each) for each in self._shelves.artists()[pages["artist"]]],
            "album": self._albums(self._shelves.albums(albums.start, albums.stop - albums.start)),
            "song": self._songs(self._catalog.page(songs.start, songs.stop - songs.start)),
        }

    def _found(self, found: Results, pages: Mapping[str, slice]) -> Element:
        """What of it the catalog has, too: the index of a server may be ahead of ours, or behind."""
        rows = self._catalog.rows_of({each.track_id for each in (*found.albums, *found.tracks)})

        def live(each: Found) -> TrackRow | None:
            row = rows.get(each.track_id)
            return row if row is not None and row.live else None

        artists = [shelf for each in found.artists if (shelf := self._shelves.artist(artist_id_of(each.artist)))]
        album_ids = [album_id_of(album_artist_of(row), row.album) for each in found.albums if (row := live(each))]
        songs = [row for each in found.tracks if (row := live(each))]
        return {
            "artist": [artist(each) for each in artists[pages["artist"]]],
            "album": self._albums(self._shelves.albums_of(album_ids)[pages["album"]]),
            "song": self._songs(songs[pages["song"]]),
        }


def _page(asked: Asked, kind: str) -> slice:
    offset = asked.number(f"{kind}Offset", 0, most=_OFFSET_MAX)
    return slice(offset, offset + asked.number(f"{kind}Count", 20, most=SONGS_MAX))


def _years(asked: Asked) -> tuple[int, int]:
    return asked.number("fromYear", 0, most=9999), asked.number("toYear", 9999, most=9999)
