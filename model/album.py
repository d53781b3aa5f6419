"""Albums: what is one, and how it is named."""

from model.track import TRACK_ID_LENGTH, digest_of


def album_id_of(album_artist_or_artist: str, album: str) -> str:
    """The id of the album of this name by this artist; case does not count, as it does not where tracks are sorted.

    It lasts as long as both names do.
    """
    return digest_of("album", album_artist_or_artist.casefold(), album.casefold(), length=TRACK_ID_LENGTH)


def artist_id_of(artist: str) -> str:
    """The id of the artist of this name; case does not count."""
    return digest_of("artist", artist.casefold(), length=TRACK_ID_LENGTH)
