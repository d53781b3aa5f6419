"""Songs, albums and artists as OpenSubsonic shows them. Pure.

Songs are our tracks, under their ids. What players ask for by the id of a cover is a cover, or a song, album or artist
that has one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from catalog.schema import TrackRow
from catalog.shelves import AlbumShelf, ArtistShelf
from discovery.subsonic.answer import Element
from model.album import album_id_of, artist_id_of

_MEDIA_TYPE = "audio/mp4"
_SUFFIX = "mp4"
_SAMPLE_RATE_HZ = 48_000
_CHANNELS = 2
_IN_NO_PATH = str.maketrans({"/": "_", "\\": "_", "\0": "_"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Mine:
    """What one listener has to do with one song, album or artist. Times are seconds since the epoch."""

    starred_s: float | None = None
    plays: int | None = None
    played_s: float | None = None
    rating: int | None = None


NOTHING = Mine()


def song(row: TrackRow, mine: Mine = NOTHING) -> Element:
    """A live track: a `Child` of OpenSubsonic."""
    album_artist = row.album_artist or row.artist
    album_id, by = album_id_of(album_artist, row.album), _named(album_artist)
    return {
        "id": row.track_id,
        "parent": album_id,
        "isDir": False,
        "title": row.title,
        "album": row.album,
        "artist": row.artist,
        "track": row.track_number,
        "discNumber": row.disc_number,
        "year": row.year,
        "genre": row.genres[0] if row.genres else None,
        "genres": [{"name": each} for each in row.genres],
        "coverArt": row.art_id,
        "contentType": _MEDIA_TYPE,
        "suffix": _SUFFIX,
        "duration": round(row.duration_s),
        "samplingRate": _SAMPLE_RATE_HZ,
        "channelCount": _CHANNELS,
        "path": _path(row, album_artist),
        "isVideo": False,
        "created": moment(row.published_s or 0),
        "starred": optional_moment(mine.starred_s),
        "userRating": mine.rating,
        "playCount": mine.plays,
        "played": optional_moment(mine.played_s),
        "albumId": album_id,
        "artistId": by["id"],
        "artists": [by if row.artist == album_artist else _named(row.artist)],
        "displayArtist": row.artist,
        "albumArtists": [by],
        "displayAlbumArtist": album_artist,
        "type": "music",
        "mediaType": "song",
    }


def album(shelf: AlbumShelf, mine: Mine = NOTHING) -> Element:
    """An album without its songs: an `AlbumID3`."""
    return {
        "id": shelf.album_id,
        "name": shelf.album,
        "artist": shelf.artist,
        "artistId": shelf.artist_id,
        "artists": [{"id": shelf.artist_id, "name": shelf.artist}],
        "displayArtist": shelf.artist,
        "coverArt": shelf.art_id,
        "songCount": shelf.tracks,
        "duration": round(shelf.duration_s),
        "created": moment(shelf.published_s or 0),
        "year": shelf.year,
        "starred": optional_moment(mine.starred_s),
        "userRating": mine.rating,
        "playCount": mine.plays,
        "played": optional_moment(mine.played_s),
    }


def artist(shelf: ArtistShelf, mine: Mine = NOTHING) -> Element:
    """An artist without albums: an `ArtistID3`."""
    return {
        "id": shelf.artist_id,
        "name": shelf.artist,
        "coverArt": shelf.art_id,
        "albumCount": shelf.albums,
        "starred": optional_moment(mine.starred_s),
        "userRating": mine.rating,
        "roles": ["albumartist"],
    }


def indexed(artists: Iterable[ArtistShelf]) -> list[Element]:
    """Artists under the letters that they begin with, as an index of `getArtists`; what is no letter is under `#`."""
    letters: dict[str, list[Element]] = {}
    for each in artists:
        first = each.artist[:1].upper()
        letters.setdefault(first if first.isalpha() else "#", []).append(artist(each))
    return [{"name": letter, "artist": found} for letter, found in letters.items()]


def total(albums: Iterable[Mapping[str, int]], name: str) -> int:
    """The sum of one figure over elements."""
    return sum(each[name] for each in albums)


def moment(seconds: float) -> str:
    """A time as ISO 8601, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def optional_moment(seconds: float | None) -> str | None:
    """The same, of a time that may not be known."""
    return None if seconds is None else moment(seconds)


def _named(name: str) -> Element:
    return {"id": artist_id_of(name), "name": name}


def _path(row: TrackRow, album_artist: str) -> str:
    """Where a player that keeps files puts this one."""
    number = f"{row.track_number:02} " if row.track_number else ""
    parts = (album_artist, row.album, f"{number}{row.title}.{_SUFFIX}")
    return "/".join(part.translate(_IN_NO_PATH) or "_" for part in parts)
