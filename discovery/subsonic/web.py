"""OpenSubsonic over HTTP: `/rest/{endpoint}`, with or without `.view`, by GET or with a form.

Every request but one proves who asks (`credentials.py`). Answers are 200 with an error inside, as players expect;
what has bytes (songs, covers, playlists) is a redirect to where the origin keeps it, for any cache to answer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from aiohttp import web

from catalog.favourites import Favourites
from catalog.play_queues import PlayQueues
from catalog.plays import Plays
from catalog.ratings import Ratings
from catalog.schema import TrackRow
from catalog.store import Catalog
from discovery.frame import address_of
from discovery.operations import Group
from discovery.playlists.library import Library
from discovery.rates import KEY_FAILURES, Rates
from discovery.search import SearchIndex
from discovery.subsonic import folders
from discovery.subsonic.answer import JSON_TYPE, XML_TYPE, Element, as_json, as_xml, failed, succeeded
from discovery.subsonic.asked import Asked, Code, Refused
from discovery.subsonic.browse import Browse
from discovery.subsonic.credentials import Key, Token, credentials_of
from discovery.subsonic.door import Door
from discovery.subsonic.form import asked_of
from discovery.subsonic.lyrics import plain, structured
from discovery.subsonic.own import Own
from discovery.subsonic.renditions import Renditions
from discovery.subsonic.similar import Similar
from model.errors import ObjectNotFound, PlaylistChanged, PlaylistRefused, PlaylistUnknown
from model.records import from_json
from model.track import ART_SIDES, Track
from storage.base import ObjectStore
from storage.keys import track_key

_PRIVATE = {"Cache-Control": "private, no-store", "CDN-Cache-Control": "no-store"}
_SIDE_MAX = 10_000
_VERSION = version("segue")
_EXTENSIONS: Mapping[str, Sequence[int]] = {"apiKeyAuthentication": [1], "formPost": [1], "songLyrics": [1]}


Endpoint = Callable[[Browse, Asked], Element]
OwnEndpoint = Callable[[Own, Browse, Asked], Element]
_BROWSE: Mapping[str, Endpoint] = {
    "getMusicFolders": folders.get_music_folders,
    "getIndexes": folders.get_indexes,
    "getMusicDirectory": folders.get_music_directory,
    "getAlbumList": folders.get_album_list,
    "getStarred": folders.get_starred,
    "search2": folders.search2,
    "getSimilarSongs": folders.get_similar_songs,
    "getArtistInfo": folders.get_artist_info,
    "getAlbumInfo": Browse.get_album_info2,
    "getArtists": Browse.get_artists,
    "getArtist": Browse.get_artist,
    "getAlbum": Browse.get_album,
    "getSong": Browse.get_song,
    "getAlbumList2": Browse.get_album_list2,
    "getGenres": Browse.get_genres,
    "getRandomSongs": Browse.get_random_songs,
    "getSongsByGenre": Browse.get_songs_by_genre,
    "getStarred2": Browse.get_starred2,
    "search3": Browse.search3,
    "getTopSongs": Browse.get_top_songs,
    "getSimilarSongs2": Browse.get_similar_songs2,
    "getArtistInfo2": Browse.get_artist_info2,
    "getAlbumInfo2": Browse.get_album_info2,
    "getScanStatus": Browse.get_scan_status,
}
_OWN: Mapping[str, OwnEndpoint] = {
    "star": Own.star,
    "unstar": Own.unstar,
    "setRating": Own.set_rating,
    "savePlayQueue": Own.save_play_queue,
    "getPlayQueue": Own.get_play_queue,
    "scrobble": Own.scrobble,
    "getPlaylists": Own.get_playlists,
    "getPlaylist": Own.get_playlist,
    "createPlaylist": Own.create_playlist,
    "updatePlaylist": Own.update_playlist,
    "deletePlaylist": Own.delete_playlist,
}
_REDIRECTS = ("getCoverArt", "stream", "download", "hls.m3u8", "hls")
_SAID = ("ping", "getLicense", "tokenInfo", "getUser", "getNowPlaying", "getOpenSubsonicExtensions")
_LYRICS = ("getLyrics", "getLyricsBySongId")
_READING = ("getPlayQueue", "getPlaylists", "getPlaylist")
GROUPS: Mapping[str, Group] = {  # as what a request counts; all others read
    **dict.fromkeys(_OWN, Group.WRITE),
    **dict.fromkeys(_READING, Group.READ),
    **dict.fromkeys(("search2", "search3"), Group.SEARCH),
    "scrobble": Group.EVENTS,
}
ENDPOINTS = (*_BROWSE, *_OWN, *_REDIRECTS, *_LYRICS, *_SAID)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the endpoints work on. `index` is None until there is one; `signed` makes a path of the origin one that
    this listener may follow for a while."""

    catalog: Catalog
    store: ObjectStore
    index: Callable[[], SearchIndex | None]
    door: Door
    favourites: Favourites
    ratings: Ratings
    queues: PlayQueues
    plays: Plays
    library: Library
    similar: Similar
    rates: Rates
    proxies: int
    kept_ms: int
    signed: Callable[[str], str]


class Subsonic:
    """The endpoints."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._renditions = Renditions(parts.store)
        redirects = (self._cover, self._stream, self._download, self._hls, self._hls)
        self._redirects: Mapping[str, Callable[[Browse, Asked], Awaitable[str]]] = dict(
            zip(_REDIRECTS, redirects, strict=True)
        )

    def add_routes(self, app: web.Application) -> None:
        """Add every endpoint."""
        app.router.add_get("/rest/{endpoint}", self._handle)
        app.router.add_post("/rest/{endpoint}", self._handle)

    async def _handle(self, request: web.Request) -> web.Response:
        asked = await asked_of(request)
        written, media_type = (as_json, JSON_TYPE) if asked.values.get("f") == ["json"] else (as_xml, XML_TYPE)
        try:
            place = self._parts.rates.place_of(address_of(request, self._parts.proxies))
            answer = await self._answer(request.match_info["endpoint"].removesuffix(".view"), asked, place)
        except Refused as refused:
            answer = failed(refused.code, str(refused), server_version=_VERSION)
        except PlaylistUnknown:
            answer = failed(Code.NOT_FOUND, "no playlist of yours", server_version=_VERSION)
        except (PlaylistChanged, PlaylistRefused) as error:
            answer = failed(Code.GENERIC, error.message, server_version=_VERSION)
        if isinstance(answer, str):
            # A form must not be sent again to where the bytes are: 303 makes a GET of it.
            status = 302 if request.method == "GET" else 303
            return web.Response(status=status, headers={"Location": answer, **_PRIVATE})
        body = await asyncio.to_thread(written, answer)
        return web.Response(body=body, content_type=media_type, charset="utf-8", headers=_PRIVATE)

    async def _answer(self, endpoint: str, asked: Asked, place: str) -> Element | str:
        """The whole answer, or where to go for it."""
        if asked.values.get("f", ["xml"]) not in (["xml"], ["json"]):
            raise Refused(Code.GENERIC, "f is xml or json")
        if endpoint == "getOpenSubsonicExtensions":
            return self._ok({"openSubsonicExtensions": [{"name": n, "versions": v} for n, v in _EXTENSIONS.items()]})
        listener_id = await self._admitted(credentials_of(asked), place)
        self._parts.rates.take(GROUPS.get(endpoint, Group.READ), listener_id)
        own = self._own(listener_id)
        browse = Browse(self._parts.catalog, self._parts.index, own, self._parts.similar)
        if endpoint in _BROWSE:
            return self._ok(await asyncio.to_thread(_BROWSE[endpoint], browse, asked))
        if endpoint in _OWN:
            return self._ok(await asyncio.to_thread(_OWN[endpoint], own, browse, asked))
        if endpoint in self._redirects:
            return self._parts.signed(await self._redirects[endpoint](browse, asked))
        if endpoint in _LYRICS:
            return self._ok(await self._lyrics(endpoint, browse, asked))
        return self._ok(_said(endpoint, listener_id, asked))

    async def _admitted(self, shown: Key | Token, place: str) -> str:
        """Whose request it is. Raises Refused, and RateLimited for who tries keys and passwords: by where it comes from
        alone, or whoever knows a listener's id could keep the listener out. Both are by chance, 120 bits or more."""
        self._parts.rates.check(KEY_FAILURES, place)
        try:
            return await asyncio.to_thread(self._parts.door.admit, shown)
        except Refused:
            self._parts.rates.take(KEY_FAILURES, place)
            raise

    def _own(self, listener_id: str) -> Own:
        parts = self._parts
        return Own(
            listener_id,
            catalog=parts.catalog,
            favourites=parts.favourites,
            ratings=parts.ratings,
            queues=parts.queues,
            plays=parts.plays,
            library=parts.library,
            kept_ms=parts.kept_ms,
        )

    async def _lyrics(self, endpoint: str, browse: Browse, asked: Asked) -> Element:
        """The lyrics that a song's tags have; nothing if they have none."""
        if endpoint == "getLyricsBySongId":
            row = await asyncio.to_thread(browse.track, asked.text("id"))
            found = structured(await self._tagged(row), artist=row.artist, title=row.title)
            return {"lyricsList": {"structuredLyrics": found}}
        artist, title = asked.text("artist", ""), asked.text("title", "")
        named = await asyncio.to_thread(browse.named, artist, title)
        lyrics = plain(await self._tagged(named)) if named else ""
        if not (named and lyrics):
            return {"lyrics": {"value": ""}}
        return {"lyrics": {"artist": named.artist, "title": named.title, "value": lyrics}}

    async def _tagged(self, row: TrackRow) -> str:
        key = track_key(row.track_id)
        track = await asyncio.to_thread(from_json, Track, (await self._parts.store.read(key)).data, subject=key)
        return track.tags.lyrics

    def _ok(self, body: Element) -> Element:
        return succeeded(body, server_version=_VERSION)

    async def _cover(self, browse: Browse, asked: Asked) -> str:
        art_id = await asyncio.to_thread(browse.art_of, asked.text("id"))
        side = asked.number("size", ART_SIDES[1], most=_SIDE_MAX)
        return f"/art/{art_id}/{next((each for each in ART_SIDES if each >= side), ART_SIDES[-1])}.jpg"

    async def _stream(self, browse: Browse, asked: Asked) -> str:
        return await self._renditions.streamed(await asyncio.to_thread(browse.track, asked.text("id")), asked)

    async def _download(self, browse: Browse, asked: Asked) -> str:
        return await self._renditions.downloaded(await asyncio.to_thread(browse.track, asked.text("id")))

    async def _hls(self, browse: Browse, asked: Asked) -> str:
        """The multivariant playlist; the player chooses among all of its bit rates."""
        row = await asyncio.to_thread(browse.track, asked.text("id"))
        return f"/tracks/{row.track_id}/index.m3u8"


def _said(endpoint: str, listener_id: str, asked: Asked) -> Element:
    """What needs no looking up. Raises ObjectNotFound for what is no endpoint of ours, and Refused."""
    match endpoint:
        case "ping":
            return {}
        case "getLicense":
            return {"license": {"valid": True}}
        case "tokenInfo":
            return {"tokenInfo": {"username": listener_id}}
        case "getUser":
            if asked.text("username") != listener_id:  # for administrators, and there are none here
                raise Refused(Code.NOT_ALLOWED, "listeners may ask for themselves only")
            return {"user": _user(listener_id)}
        case "getNowPlaying":
            return {"nowPlaying": {"entry": []}}
    raise ObjectNotFound("no such endpoint", subject=endpoint)


def _user(listener_id: str) -> Element:
    """May listen and make playlists, and nothing else."""
    may, may_not = ("streamRole", "downloadRole", "playlistRole"), (
        "adminRole", "settingsRole", "uploadRole", "coverArtRole", "commentRole", "podcastRole", "jukeboxRole",
        "shareRole", "videoConversionRole",
    )  # fmt: skip
    roles = dict.fromkeys(may, True) | dict.fromkeys(may_not, False)
    return {"username": listener_id, "scrobblingEnabled": True, **roles, "folder": [1]}
