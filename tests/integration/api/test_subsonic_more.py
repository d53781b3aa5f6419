"""What older players ask for, and what a listener takes from one device to another: by a client library of others."""

from collections.abc import AsyncIterator

import pytest
from libopensonic import AsyncConnection
from libopensonic.errors import DataNotFoundError, SonicError

from tests.integration.api.subsonic_server import ALBUM, ARTIST, Served

DIGITS = str.maketrans("0189", "abcd")  # ids have none of these


async def test_the_library_is_browsed_by_folders(served: Served, player: AsyncConnection) -> None:
    """Artists are folders of albums, and those of songs; each names the next, and the one above."""
    (index,) = (await player.get_indexes()).index or []
    assert [(each.id, each.name) for each in index.artist or []] == [(ARTIST, "Somebody")]
    (root,) = (await player.get_music_directory("1")).child or []
    assert (root.id, root.is_dir, root.title) == (ARTIST, True, "Somebody")
    artist = await player.get_music_directory(ARTIST)
    (album,) = artist.child or []
    assert (artist.name, album.id, album.parent, album.is_dir, album.title) == (
        "Somebody",
        ALBUM,
        ARTIST,
        True,
        "Album",
    )
    songs = await player.get_music_directory(ALBUM)
    assert (songs.parent, songs.name) == (ARTIST, "Album")
    assert {each.id for each in songs.child or []} == {each.track_id for each in served.songs}
    assert not any(each.is_dir for each in songs.child or [])
    with pytest.raises(DataNotFoundError):
        await player.get_music_directory("a" * 20)


async def test_a_request_changes_at_most_a_hundred_stars(served: Served, player: AsyncConnection) -> None:
    """With one more none is set."""
    ids = [served.songs[0].track_id, *("a" * 17 + f"{number:03}".translate(DIGITS) for number in range(100))]
    with pytest.raises(SonicError, match="at most 100 at once"):
        await player.star(ids)
    assert not (await player.get_starred()).song


async def test_what_older_players_call_otherwise(served: Served, player: AsyncConnection) -> None:
    """Lists, search and stars, with albums as folders."""
    (album,) = await player.get_album_list("alphabeticalByName")
    assert (album.id, album.name) == (ALBUM, "Album")
    found = await player.search2("album")
    assert [each.id for each in found.album or []] == [ALBUM]
    assert await player.star([served.songs[0].track_id], [ALBUM])
    starred = await player.get_starred()
    assert [each.id for each in starred.song or []] == [served.songs[0].track_id]
    assert [each.id for each in starred.album or []] == [ALBUM]
    assert await player.unstar([served.songs[0].track_id], [ALBUM])
    assert await player.get_artist_info(ARTIST)


async def test_similar_songs_are_others(served: Served, player: AsyncConnection) -> None:
    """After a song the other one, after an album what is left, after an artist its own, too."""
    one, two = (each.track_id for each in served.songs)
    for asked in (player.get_similar_songs, player.get_similar_songs2):
        assert [each.id for each in await asked(one)] == [two]
        assert {each.id for each in await asked(ARTIST)} == {one, two}
        assert await asked(ALBUM) == []
        with pytest.raises(DataNotFoundError):
            await asked("a" * 20)
    assert {each.id for each in await player.get_top_songs("Somebody")} == {one, two}
    assert len(await player.get_top_songs("Somebody", 1)) == 1


@pytest.fixture
async def phone(served: Served) -> AsyncIterator[AsyncConnection]:
    """Another player of the same listener, with an app password."""
    connection = served.connected(username=served.listener_id, password=served.password)
    yield connection
    await connection.cleanup()


async def test_a_queue_goes_from_one_device_to_another(
    served: Served, player: AsyncConnection, phone: AsyncConnection
) -> None:
    """With its place; another one replaces it, and none leaves none. Songs that are none are refused."""
    one, two = (each.track_id for each in served.songs)
    assert await player.save_play_queue([two, one, two], current=one, position=12_345)
    queue = await phone.get_play_queue()
    assert [each.id for each in queue.entry or []] == [two, one, two]
    assert (queue.current, queue.position, queue.username) == (one, 12_345, served.listener_id)
    with pytest.raises(DataNotFoundError):
        await phone.save_play_queue(["a" * 20])
    with pytest.raises(SonicError):
        await phone.save_play_queue([one], current=two)
    assert (await phone.get_play_queue()).current == one
    assert await phone.save_play_queue([])
    assert not (await player.get_play_queue()).entry


async def test_ratings_are_the_listeners(served: Served, player: AsyncConnection) -> None:
    """Of songs, albums and artists; shown with them, first in the list of the highest, and taken back."""
    track_id = served.songs[0].track_id
    assert await player.set_rating(track_id, 3) and await player.set_rating(ARTIST, 1)
    assert await player.set_rating(ALBUM, 4) and await player.set_rating(ALBUM, 5)
    assert (await player.get_song(track_id)).user_rating == 3
    assert (await player.get_album(ALBUM)).user_rating == 5
    assert [each.id for each in await player.get_album_list2("highest")] == [ALBUM]
    assert await player.set_rating(ALBUM, 0)
    assert (await player.get_album(ALBUM)).user_rating is None
    assert await player.get_album_list2("highest") == []
    with pytest.raises(DataNotFoundError):
        await player.set_rating("a" * 20, 3)


async def test_lyrics_come_from_tags(served: Served, player: AsyncConnection) -> None:
    """With the time of each line where the tag has it; none for a song without."""
    one, two = (each.track_id for each in served.songs)
    (lyrics,) = await player.get_lyrics_by_song_id(one)
    shown = [(each.start, each.value) for each in lyrics.line or []]
    assert lyrics.synced and shown == [(1500, "First line"), (3000, "Again & again"), (60_000, "Again & again")]
    assert (await player.get_lyrics("Somebody", "song ONE")).value == "First line\nAgain & again"
    assert await player.get_lyrics_by_song_id(two) == []
    assert not (await player.get_lyrics("Somebody", "Song two")).value
    assert not (await player.get_lyrics("Nobody", "Nothing")).value
