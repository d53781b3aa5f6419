"""Ids of albums and artists."""

from hypothesis import given
from hypothesis import strategies as st

from model.album import album_id_of, artist_id_of
from model.track import TRACK_ID_LENGTH, is_id


@given(st.text(), st.text())
def test_an_album_is_named_by_its_artist_and_its_name(artist: str, album: str) -> None:
    """In the form and length of a track's id; equal names give equal ids, case aside; neither name runs into the
    other."""
    made = album_id_of(artist, album)
    assert is_id(made) and len(made) == TRACK_ID_LENGTH
    assert made == album_id_of(artist.casefold(), album.casefold())
    assert made != album_id_of(artist + "x", album)
    assert made != album_id_of(artist, album + "x")
    assert album_id_of(artist + "x", album) != album_id_of(artist, "x" + album)


def test_case_does_not_count_in_any_script() -> None:
    """As where tracks are sorted."""
    assert artist_id_of("BJÖRK") == artist_id_of("björk") != artist_id_of("bjork")
    assert album_id_of("BJÖRK", "Straße") == album_id_of("björk", "STRASSE")
