"""Other people's players: a client library that we did not write asks a real `segue serve` for everything."""

import time
from hashlib import md5
from typing import Any
from xml.etree import ElementTree

import aiohttp
import pytest
from libopensonic import AsyncConnection
from libopensonic.errors import AuthError, CredentialError, DataNotFoundError, SonicError

from tests.integration.api.subsonic_server import ALBUM, ARTIST, Served


async def test_a_key_and_an_app_password_let_in(served: Served, player: AsyncConnection) -> None:
    """And say who that is; nobody is told of others."""
    assert await player.ping()
    assert (await player.token_info()).username == served.listener_id
    user = await player.get_user(served.listener_id)
    assert (user.username, user.stream_role, user.admin_role) == (served.listener_id, True, False)
    with pytest.raises(AuthError):
        await player.get_user("somebody")
    assert (await player.get_license())["license"]["valid"]
    names = {each.name for each in await player.get_open_subsonic_extensions()}
    assert names == {"apiKeyAuthentication", "formPost", "songLyrics"}
    phone = served.connected(username=served.listener_id, password=served.password)
    assert await phone.ping()
    await phone.cleanup()


@pytest.mark.parametrize(
    "credentials",
    [
        {"api_key": "sk_nobody"},
        {"username": "{listener_id}", "password": "wrong"},
        {"username": "nobody", "password": "{password}"},
        {"username": "' OR 1 --", "password": "{password}"},
        {"username": "{listener_id}", "password": "{password}", "legacy_auth": True},
    ],
)
async def test_nobody_else_gets_in(served: Served, credentials: dict[str, Any]) -> None:
    """Unknown keys, wrong passwords, and right ones that are sent as they are."""
    known = {"listener_id": served.listener_id, "password": served.password}
    filled = {name: each.format(**known) if isinstance(each, str) else each for name, each in credentials.items()}
    connection = served.connected(**filled)
    with pytest.raises((CredentialError, SonicError)):
        await connection.ping()
    await connection.cleanup()


async def test_the_library_is_browsed(served: Served, player: AsyncConnection) -> None:
    """Artists, an artist, an album, a song; each names the next."""
    (index,) = (await player.get_artists()).index or []
    (artist,) = index.artist or []
    assert (index.name, artist.id, artist.name, artist.album_count) == ("S", ARTIST, "Somebody", 1)
    (album,) = (await player.get_artist(artist.id)).album or []
    assert (album.id, album.name, album.artist, album.song_count) == (ALBUM, "Album", "Somebody", 2)
    songs = (await player.get_album(album.id)).song or []
    assert {each.id for each in songs} == {each.track_id for each in served.songs}
    song = await player.get_song(songs[0].id)
    assert (song.title, song.album_id, song.artist_id) == (songs[0].title, ALBUM, ARTIST)
    assert song.duration and song.duration > 1
    with pytest.raises(DataNotFoundError):
        await player.get_song("a" * 20)
    with pytest.raises(DataNotFoundError):
        await player.get_album("a" * 20)


@pytest.mark.parametrize("kind", ["random", "newest", "alphabeticalByName", "alphabeticalByArtist"])
async def test_albums_are_listed(player: AsyncConnection, kind: str) -> None:
    """By every order that needs no plays; pages end."""
    assert [each.id for each in await player.get_album_list2(kind)] == [ALBUM]
    assert await player.get_album_list2(kind, offset=1) == []


async def test_songs_are_found(served: Served, player: AsyncConnection) -> None:
    """By what is typed; and all of them by nothing, a page at a time, as players copy a library."""
    found = await player.search3("song one")
    assert [each.title for each in found.song or []] == ["Song one"]
    found = await player.search3("album")
    assert [each.id for each in found.album or []] == [ALBUM]
    found = await player.search3("somebdy")
    assert [each.id for each in found.artist or []] == [ARTIST]
    pages = [(await player.search3("", song_count=1, song_offset=n)).song or [] for n in range(3)]
    assert {song.id for page in pages for song in page} == {each.track_id for each in served.songs}
    assert [len(page) for page in pages] == [1, 1, 0]
    assert {each.id for each in await player.get_random_songs()} == {each.track_id for each in served.songs}
    assert len(await player.get_top_songs("Somebody")) == len(await player.get_similar_songs2(ARTIST)) == 2


async def test_songs_and_covers_come_from_the_origin(served: Served, player: AsyncConnection) -> None:
    """By redirects that carry a token, so that caches answer the rest; the best, or what the line carries."""
    song = served.songs[0]
    for rate, rendition in ((0, "aac-256"), (320, "aac-256"), (96, "aac-64")):
        answer = await player.stream(song.track_id, max_bit_rate=rate)
        assert answer.headers["Content-Type"] == "audio/mp4"
        assert await answer.read() == song.media[rendition]
    assert await (await player.download(song.track_id)).read() == song.media["flac"]
    for item in (song.track_id, ALBUM, ARTIST, song.track.art_id):
        cover = await player.get_cover_art(item, size=100)
        assert await cover.read() in [each.art[160] for each in served.songs]
    with pytest.raises(DataNotFoundError):
        await player.get_cover_art("../../etc/passwd")


async def test_the_playlist_of_a_song_plays_where_it_leads(served: Served) -> None:
    """What it names, relative to where the redirect led, is there: the token rides along."""
    song = served.songs[0]
    asked = {"apiKey": served.key, "id": song.track_id}
    async with aiohttp.ClientSession() as client:
        async with client.get(f"{served.url}/rest/hls.m3u8", params=asked) as answer:
            assert answer.status == 200 and answer.headers["Content-Type"] == "application/vnd.apple.mpegurl"
            lines = (await answer.text()).splitlines()
        media = answer.url.join(type(answer.url)(next(line for line in lines if line.endswith("aac-64.m3u8"))))
        async with client.get(media) as answer:
            assert answer.status == 200
        async with client.get(f"{served.url}{song.base}/index.m3u8") as answer:
            assert answer.status == 403, "without a token there is nothing"


async def test_stars_are_the_listeners(served: Served, player: AsyncConnection) -> None:
    """On songs, albums and artists; seen wherever they are shown, and taken away again."""
    track_id = served.songs[0].track_id
    assert await player.star([track_id], [ALBUM], [ARTIST])
    starred = await player.get_starred2()
    assert [each.id for each in starred.song or []] == [track_id]
    assert [each.id for each in starred.album or []] == [ALBUM]
    assert [each.id for each in starred.artist or []] == [ARTIST]
    assert (await player.get_song(track_id)).starred
    assert [each.id for each in await player.get_album_list2("starred")] == [ALBUM]
    assert await player.unstar([track_id], [ALBUM], [ARTIST])
    assert not (await player.get_starred2()).song
    assert not (await player.get_song(track_id)).starred
    with pytest.raises(DataNotFoundError):
        await player.star(["a" * 20])


async def test_plays_are_kept_for_who_agreed(served: Served, player: AsyncConnection) -> None:
    """Nothing without consent; with it each once, however often it is told."""
    track_id = served.songs[1].track_id
    assert await player.scrobble(track_id)
    assert not served.plays.heard(served.listener_id)
    served.plays.consent(served.listener_id, at_ms=1)
    when_s = int(time.time()) - 60
    for _ in range(2):
        await player.scrobble(track_id, listen_time=when_s)
    await player.scrobble(track_id, submission=False)
    (heard,) = served.plays.heard(served.listener_id)
    assert (heard.track_id, heard.listens) == (track_id, 1)
    assert (await player.get_song(track_id)).play_count == 1
    for kind in ("frequent", "recent"):
        assert [each.id for each in await player.get_album_list2(kind)] == [ALBUM]
    served.plays.withdraw(served.listener_id)
    assert (await player.get_song(track_id)).play_count is None


async def test_playlists_are_kept(served: Served, player: AsyncConnection) -> None:
    """Made, shown, changed, deleted; as they are over our own API."""
    one, two = (each.track_id for each in served.songs)
    assert await player.create_playlist(name="Evening", song_ids=[one, two, one])
    (made,) = await player.get_playlists()
    assert (made.name, made.song_count) == ("Evening", 3)
    assert await player.update_playlist(made.id, name="Night", song_ids_to_add=[two], song_indices_to_remove=[0])
    (listed,) = await player.get_playlists()
    assert (listed.id, listed.name, listed.song_count) == (made.id, "Night", 3)
    assert [each.id for each in (await player.get_playlist(made.id)).entry or []] == [two, one, two]
    with pytest.raises(DataNotFoundError):
        await player.update_playlist(made.id, song_ids_to_add=["a" * 20])
    with pytest.raises(DataNotFoundError):
        await player.get_playlist("a" * 20)
    assert await player.delete_playlist(made.id)
    assert await player.get_playlists() == []


async def test_xml_is_what_players_get_who_ask_for_nothing_else(served: Served) -> None:
    """With a token of an app password in the query, as old players send it; nothing of it is kept by caches."""
    salt = "c19b2d"
    token = md5(f"{served.password}{salt}".encode(), usedforsecurity=False).hexdigest()
    asked = {"u": served.listener_id, "t": token, "s": salt, "v": "1.16.1", "c": "old", "id": ALBUM}
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"{served.url}/rest/getAlbum.view", params=asked) as answer,
    ):
        assert answer.headers["Cache-Control"] == "private, no-store"
        root = ElementTree.fromstring(await answer.read())
    name = "{http://subsonic.org/restapi}"
    assert root.attrib["status"] == "ok"
    assert len(root.findall(f"{name}album/{name}song")) == 2


async def test_there_is_one_folder_of_music(served: Served) -> None:
    """Asked by hand: the library looks for folders in the wrong place."""
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{served.url}/rest/getMusicFolders", data={"apiKey": served.key, "f": "json"}) as answer,
    ):
        found = (await answer.json())["subsonic-response"]
    assert found["musicFolders"] == {"musicFolder": [{"id": 1, "name": "Music"}]}


@pytest.mark.parametrize(
    ("query", "code"),
    [("", 10), ("f=jsonp&callback=x", 0), ("id=1&id=2", 0), ("id=" + "x" * 2000, 0), ("size=-1", 0), ("size=x", 0)],
)
async def test_nonsense_is_an_error_with_a_number(served: Served, query: str, code: int) -> None:
    """Inside a 200, as players expect; what is no endpoint is 404."""
    async with aiohttp.ClientSession() as client:
        for endpoint in ("getAlbum", "getAlbumList2", "getSongsByGenre", "star", "getPlaylist"):
            url = f"{served.url}/rest/{endpoint}?apiKey={served.key}&{query}"
            async with client.get(url) as answer:
                root = ElementTree.fromstring(await answer.read())
                error = root[0].attrib if root.attrib["status"] == "failed" else {"code": "10"}
                assert answer.status == 200
                assert int(error["code"]) in (code, 10, 0, 70)
        async with client.get(f"{served.url}/rest/jukeboxControl?apiKey={served.key}") as answer:
            assert answer.status == 404


async def test_no_log_has_a_key(served: Served, player: AsyncConnection) -> None:
    """Nor an app password, its token, or who asked."""
    await player.ping()
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"{served.url}/rest/ping?apiKey={served.key}&f=json") as answer,
    ):
        assert answer.status == 200
    logged = served.log.read_text()
    assert served.key not in logged and served.password not in logged and served.listener_id not in logged
