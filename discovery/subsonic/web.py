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
from catalog.plays import Plays
from catalog.store import Catalog
from discovery.operations import Group
from discovery.playlists.library import Library
from discovery.rates import Rates
from discovery.search import SearchIndex
from discovery.subsonic.answer import JSON_TYPE, XML_TYPE, Element, as_json, as_xml, failed, succeeded
from discovery.subsonic.asked import Asked, Code, Refused
from discovery.subsonic.browse import Browse
from discovery.subsonic.credentials import credentials_of
from discovery.subsonic.door import Door
from discovery.subsonic.own import Own
from discovery.subsonic.renditions import Renditions
from model.errors import ObjectNotFound, PlaylistChanged, PlaylistRefused, PlaylistUnknown
from model.track import ART_SIDES
from storage.base import ObjectStore

_PRIVATE = {"Cache-Control": "private, no-store", "CDN-Cache-Control": "no-store"}
_FORM = "application/x-www-form-urlencoded"
_SIDE_MAX = 10_000
_VERSION = version("segue")
_EXTENSIONS: Mapping[str, Sequence[int]] = {"apiKeyAuthentication": [1], "formPost": [1]}


Endpoint = Callable[[Browse, Asked], Element]
OwnEndpoint = Callable[[Own, Browse, Asked], Element]
_BROWSE: Mapping[str, Endpoint] = {
    "getMusicFolders": Browse.get_music_folders,
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
    "scrobble": Own.scrobble,
    "getPlaylists": Own.get_playlists,
    "getPlaylist": Own.get_playlist,
    "createPlaylist": Own.create_playlist,
    "updatePlaylist": Own.update_playlist,
    "deletePlaylist": Own.delete_playlist,
}
_REDIRECTS = ("getCoverArt", "stream", "download", "hls.m3u8", "hls")
_SAID = ("ping", "getLicense", "tokenInfo", "getUser", "getNowPlaying", "getOpenSubsonicExtensions")
ENDPOINTS = (*_BROWSE, *_OWN, *_REDIRECTS, *_SAID)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the endpoints work on. `index` is None until there is one; `signed` makes a path of the origin one that
    this listener may follow for a while."""

    catalog: Catalog
    store: ObjectStore
    index: Callable[[], SearchIndex | None]
    door: Door
    favourites: Favourites
    plays: Plays
    library: Library
    rates: Rates
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
        asked = await _asked(request)
        written, media_type = (as_json, JSON_TYPE) if asked.values.get("f") == ["json"] else (as_xml, XML_TYPE)
        try:
            answer = await self._answer(request.match_info["endpoint"].removesuffix(".view"), asked)
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

    async def _answer(self, endpoint: str, asked: Asked) -> Element | str:
        """The whole answer, or where to go for it."""
        if asked.values.get("f", ["xml"]) not in (["xml"], ["json"]):
            raise Refused(Code.GENERIC, "f is xml or json")
        if endpoint == "getOpenSubsonicExtensions":
            return self._ok({"openSubsonicExtensions": [{"name": n, "versions": v} for n, v in _EXTENSIONS.items()]})
        listener_id = await asyncio.to_thread(self._parts.door.admit, credentials_of(asked))
        self._parts.rates.take(Group.READ, listener_id)
        own = self._own(listener_id)
        browse = Browse(self._parts.catalog, self._parts.index, own)
        if endpoint in _BROWSE:
            return self._ok(await asyncio.to_thread(_BROWSE[endpoint], browse, asked))
        if endpoint in _OWN:
            return self._ok(await asyncio.to_thread(_OWN[endpoint], own, browse, asked))
        if endpoint in self._redirects:
            return self._parts.signed(await self._redirects[endpoint](browse, asked))
        return self._ok(_said(endpoint, listener_id))

    def _own(self, listener_id: str) -> Own:
        parts = self._parts
        return Own(
            listener_id, catalog=parts.catalog, favourites=parts.favourites, plays=parts.plays, library=parts.library
        )

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


async def _asked(request: web.Request) -> Asked:
    values: dict[str, list[str]] = {}
    found = list(request.query.items())
    if request.method == "POST" and request.content_type == _FORM:
        found += [(name, value) for name, value in (await request.post()).items() if isinstance(value, str)]
    for name, value in found:
        values.setdefault(name, []).append(value)
    return Asked(values)


def _said(endpoint: str, listener_id: str) -> Element:
    """What needs no looking up. Raises ObjectNotFound for what is no endpoint of ours."""
    match endpoint:
        case "ping":
            return {}
        case "getLicense":
            return {"license": {"valid": True}}
        case "tokenInfo":
            return {"tokenInfo": {"username": listener_id}}
        case "getUser":
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
