"""OpenSubsonic over HTTP: `/rest/{endpoint}`, with or without `.view`, by GET or with a form.

Every request but one proves who asks (`credentials.py`). Answers are 200 with an error inside, as players expect;
what has bytes (songs, covers, playlists) is a redirect to where the origin keeps it, for any cache to answer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from aiohttp import web

from catalog.store import Catalog
from discovery.search import SearchIndex
from discovery.subsonic.answer import JSON_TYPE, XML_TYPE, Element, as_json, as_xml, failed, succeeded
from discovery.subsonic.asked import Asked, Code, Refused
from discovery.subsonic.browse import Browse, Marks
from discovery.subsonic.credentials import Key, Token, credentials_of
from discovery.subsonic.renditions import Renditions
from model.errors import ObjectNotFound
from model.track import ART_SIDES
from storage.base import ObjectStore

_PRIVATE = {"Cache-Control": "private, no-store", "CDN-Cache-Control": "no-store"}
_FORM = "application/x-www-form-urlencoded"
_SIDE_MAX = 10_000
_EXTENSIONS: Mapping[str, Sequence[int]] = {"apiKeyAuthentication": [1], "formPost": [1]}


class Who(Protocol):
    """A listener."""

    @property
    def listener_id(self) -> str: ...

    @property
    def name(self) -> str: ...


class Accounts(Protocol):
    """Who may ask. Both block for a moment."""

    def of_key(self, key: str) -> Who | None:
        """Whose API key this is."""
        ...

    def of_login(self, login: str) -> tuple[Who, Sequence[str]] | None:
        """The listener of this login name, and its app passwords."""
        ...


Endpoint = Callable[[Browse, Asked], Element]
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


class Subsonic:
    """The endpoints over a catalog.

    `marks` gives what a listener has to do with songs; `signed` makes a path of the origin one that this listener may
    follow.
    """

    def __init__(
        self,
        catalog: Catalog,
        store: ObjectStore,
        index: Callable[[], SearchIndex | None],
        accounts: Accounts,
        marks: Callable[[str], Marks],
        *,
        signed: Callable[[str], str],
        version: str,
    ) -> None:
        self._catalog = catalog
        self._renditions = Renditions(store)
        self._index = index
        self._accounts = accounts
        self._marks = marks
        self._signed = signed
        self._version = version
        self._redirects: Mapping[str, Callable[[Browse, Asked], Awaitable[str]]] = {
            "getCoverArt": self._cover,
            "stream": self._stream,
            "download": self._download,
            "hls.m3u8": self._hls,
            "hls": self._hls,
        }

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
            answer = failed(refused.code, str(refused), server_version=self._version)
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
        who = await asyncio.to_thread(self._admitted, asked)
        browse = Browse(self._catalog, self._index, self._marks(who.listener_id))
        if endpoint in _BROWSE:
            return self._ok(await asyncio.to_thread(_BROWSE[endpoint], browse, asked))
        if endpoint in self._redirects:
            return self._signed(await self._redirects[endpoint](browse, asked))
        match endpoint:
            case "ping":
                return self._ok({})
            case "getLicense":
                return self._ok({"license": {"valid": True}})
            case "tokenInfo":
                return self._ok({"tokenInfo": {"username": who.name}})
            case "getUser":
                return self._ok({"user": _user(who)})
            case "getNowPlaying":
                return self._ok({"nowPlaying": {"entry": []}})
        raise ObjectNotFound("no such endpoint", subject=endpoint)

    def _ok(self, body: Element) -> Element:
        return succeeded(body, server_version=self._version)

    def _admitted(self, asked: Asked) -> Who:
        match credentials_of(asked):
            case Key(text):
                if who := self._accounts.of_key(text):
                    return who
                raise Refused(Code.WRONG_KEY, "invalid API key")
            case Token(login) as token:
                found = self._accounts.of_login(login)
                if token.is_of(found[1] if found else ()) and found:
                    return found[0]
        raise Refused(Code.WRONG_LOGIN, "wrong user name or app password")

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


def _user(who: Who) -> Element:
    """May listen and make playlists, and nothing else."""
    may, may_not = ("streamRole", "downloadRole", "playlistRole"), (
        "adminRole", "settingsRole", "uploadRole", "coverArtRole", "commentRole", "podcastRole", "jukeboxRole",
        "shareRole", "videoConversionRole",
    )  # fmt: skip
    roles = dict.fromkeys(may, True) | dict.fromkeys(may_not, False)
    return {"username": who.name, "scrobblingEnabled": True, **roles, "folder": [1]}
