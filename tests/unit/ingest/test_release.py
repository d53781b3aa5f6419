"""Which sources are one track, and which are one album."""

from dataclasses import replace

from ingest.release import group_of, is_album, release_of
from model.track import MusicBrainzIds, TrackTags

TAGS = TrackTags(
    title="Idioteque",
    artists=("Radiohead",),
    album="Kid A",
    album_named=True,
    album_artist="Radiohead",
    track_number=8,
    disc_number=1,
)
FOLDERS = ("music", "Kid A")


def test_a_corrected_title_or_genre_is_the_same_track() -> None:
    """What people correct most often does not make a new catalog entry; nor do case, width and spacing."""
    for change in ({"title": "Idiotheque"}, {"genres": ("Electronic",)}, {"date": "2000"}, {"album": " KID  a"}):
        assert release_of(replace(TAGS, **change)) == release_of(TAGS), change


def test_another_album_or_place_is_another_track() -> None:
    """One recording on an album and on a compilation is two catalog entries."""
    for change in ({"album": "The Best Of"}, {"track_number": 9}, {"disc_number": 2}, {"album_artist": "Various"}):
        assert release_of(replace(TAGS, **change)) != release_of(TAGS), change


def test_without_a_number_the_title_tells() -> None:
    """A single, and an edit of the same recording under another title."""
    single = TrackTags(title="Song", artists=("A",))
    assert release_of(single) != release_of(replace(single, title="Song (Edit)"))
    assert release_of(single) == release_of(replace(single, title="SONG"))


def test_musicbrainz_knows_best() -> None:
    """The id of the release track, where there is one, stays when all texts are rewritten."""
    first = replace(TAGS, musicbrainz=MusicBrainzIds(track="AB-1"))
    assert release_of(first) == release_of(replace(first, album="Kid Ä", musicbrainz=MusicBrainzIds(track="ab-1")))
    assert release_of(first) != release_of(replace(first, musicbrainz=MusicBrainzIds(track="ab-2")))


def test_an_album_is_its_name_and_artist_wherever_its_files_lie() -> None:
    """Tracks of one album are levelled together."""
    group = group_of(TAGS, FOLDERS)
    assert is_album(group)
    assert group == group_of(replace(TAGS, title="Other", track_number=1, artists=("Guest",)), ("elsewhere",))
    assert group != group_of(replace(TAGS, album="Amnesiac"), FOLDERS)


def test_without_an_album_artist_the_folder_tells_albums_apart() -> None:
    """Two albums called "Greatest Hits" are two; discs in folders of their own are one album."""
    tags = replace(TAGS, album_artist="")
    assert group_of(tags, ("a", "Hits")) != group_of(tags, ("b", "Hits"))
    assert (
        group_of(tags, ("a", "Hits", "CD1")) == group_of(tags, ("a", "Hits", "Disc 2")) == group_of(tags, ("a", "Hits"))
    )


def test_a_track_whose_tags_name_no_album_is_on_none() -> None:
    """A folder of singles is no album, though its name is shown as one."""
    loose = replace(TAGS, album_named=False)
    assert not is_album(group_of(loose, FOLDERS))
    assert group_of(loose, FOLDERS) != group_of(replace(loose, track_number=9), FOLDERS)


def test_no_tag_can_forge_another_group() -> None:
    """Quotes and commas are text."""
    assert release_of(replace(TAGS, album='x", "y')) != release_of(replace(TAGS, album="x", album_artist='", "y'))
    assert not is_album(group_of(replace(TAGS, album_named=False, album='album"'), ('["album"',)))
