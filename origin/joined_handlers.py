"""The handlers of joined tracks: albums, playlists and stations as one stream each."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from cmaf.joined import joined_init
from manifests.codecs import GAPLESS_NAMES, MEDIA_TYPE, MULTIVARIANT_NAMES
from manifests.joined import GAPLESS_PREFIX
from model.errors import ListenerUnknown, ObjectNotFound
from model.rendition import Codec
from origin import cmsd
from origin.conditional import Validators
from origin.encoding import document
from origin.hot_path import Replay
from origin.joined import Gatherer, ListKind, TrackLists
from origin.joined_lists import JoinedLists, Listed
from origin.joined_media import JoinedMedia
from origin.joined_paths import parts_of, priming_is_possible
from origin.metrics_table import CACHED_BYTES, Tier
from origin.respond import Representation, send, send_document
from origin.state import KEYS, LIBRARY, METRICS, SETTINGS, TRACE
from origin.stations import CODECS_ON_AIR, Stations

_FAMILIES = {name: codec for names in (MULTIVARIANT_NAMES, GAPLESS_NAMES) for codec, name in names.items()}
_FAMILY = f"{{family:{'|'.join(name.replace('.', '[.]') for name in _FAMILIES)}}}"
_FAMILY_ON_AIR = f"{{family:{'|'.join(MULTIVARIANT_NAMES[codec].replace('.', '[.]') for codec in CODECS_ON_AIR)}}}"
_ID = "[a-z2-7]{16,26}"
TRACKS_HEADER = "Segue-Tracks"  # ids of tracks with hyphens between, as in the path of a mix
_KIND = f"{{kind:{'|'.join(kind for kind in ListKind if kind is not ListKind.MIX)}}}"
_LIST = f"/{_KIND}/{{name:{_ID}}}"
_MIX_TRACKS_MAX = 60
_IDS = f"{_ID}(-{_ID}){{0,{_MIX_TRACKS_MAX - 1}}}"
_MIX = f"/{{kind:{ListKind.MIX}}}/{{name:{_IDS}}}"
_RENDITION = "{rendition_id:[a-z0-9-]{1,40}}"
_STATION = "/stations/{station_id:[a-z][a-z0-9-]{0,63}}"
_NUMBER = "0|[1-9][0-9]{0,14}"
_INIT = f"/joined/init/{{codec:{'|'.join(Codec)}}}-{{priming:{_NUMBER}}}.mp4"
_SEGMENT = f"/joined/{{start:{_NUMBER}}}{{skip:(-(0|[1-9][0-9]{{0,3}}))?}}/{{parts:[a-z0-9/-]{{1,1000}}}}.mp4"


ListenerOf = Callable[[web.Request], Awaitable[str]]


async def nobody(_: web.Request) -> str:
    """Where there are no listeners."""
    raise ListenerUnknown("nobody has a key here")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Joining:
    """All that the handlers work with."""

    lists: JoinedLists
    media: JoinedMedia
    stations: Stations
    listener: ListenerOf


_JOINING = web.AppKey("joining", _Joining)


def add_joined_routes(app: web.Application, lists: TrackLists, listener: ListenerOf = nobody) -> None:
    """Let an origin serve these lists as streams. `listener` gives the id of the listener whose key came with a
    request; it raises ListenerUnknown, and RateLimited for who tries keys."""
    settings, metrics, library = app[SETTINGS], app[METRICS], app[LIBRARY]
    gatherer = Gatherer(library, settings, metrics, app[KEYS])
    app[_JOINING] = joining = _Joining(
        lists=JoinedLists(lists, gatherer, settings, metrics),
        media=JoinedMedia(library, settings, metrics, app[KEYS]),
        stations=Stations(lists, gatherer, settings, metrics),
        listener=listener,
    )
    metrics.watch(CACHED_BYTES, lambda: joining.media.weight + joining.lists.weight, Tier.MEMORY)

    async def closing(_: web.Application) -> AsyncIterator[None]:
        yield
        await asyncio.gather(gatherer.close(), joining.lists.close(), joining.media.close(), joining.stations.close())

    app.cleanup_ctx.append(closing)
    app.router.add_get(_INIT, get_init)
    app.router.add_get(_SEGMENT, get_segment)
    for some in (_LIST, _MIX):
        app.router.add_get(f"{some}/{_FAMILY}", get_multivariant)
        app.router.add_get(f"{some}/{{list_id:{_ID}}}/{_RENDITION}.m3u8", get_media_playlist)
    app.router.add_get(f"{_STATION}/{_FAMILY_ON_AIR}", get_station)
    app.router.add_get(f"{_STATION}/{_RENDITION}.m3u8", get_station_window)


async def get_multivariant(request: web.Request) -> web.Response:
    """The multivariant playlist of a list as it is now, in one codec family."""
    joining, trace = request.app[_JOINING], request[TRACE]
    lists, kind, name = joining.lists, ListKind(request.match_info["kind"]), request.match_info["name"]
    personal = await _personal(request)
    listed = personal or await lists.current(kind, name, trace)
    family = request.match_info["family"]
    joined = await lists.joined(listed, _FAMILIES[family], trace, close=family in GAPLESS_NAMES.values())
    if personal:
        return await send_document(request, joined.multivariant)
    return await send_document(request, joined.multivariant, purge_keys=_purge_keys(kind, name), replay=Replay())


async def get_media_playlist(request: web.Request) -> web.Response:
    """The media playlist of a rung, of the list as it was. Where that is not known any more it is the one of now, for
    the asking player alone: it may be the wrong one, and is better than none."""
    joining, trace, named = request.app[_JOINING], request[TRACE], request.match_info
    lists, kind, name, rendition_id = joining.lists, ListKind(named["kind"]), named["name"], named["rendition_id"]
    codec = next((each for each in Codec if each == rendition_id.removeprefix(GAPLESS_PREFIX).partition("-")[0]), None)
    personal = await _personal(request)
    listed = personal or await lists.as_it_was(kind, name, named["list_id"], trace)
    close = rendition_id.startswith(GAPLESS_PREFIX)
    joined = await lists.joined(listed, codec, trace, close=close) if codec else None
    playlist = joined.media.get(rendition_id) if joined else None
    if playlist is None:
        raise ObjectNotFound("no such rendition", subject=request.path)
    if personal:
        return await send_document(request, playlist)
    if listed.list_id == named["list_id"]:
        return await send_document(
            request, playlist, immutable=True, purge_keys=_purge_keys(kind, name), replay=Replay()
        )
    response = await send_document(request, playlist)
    response.headers["Cache-Control"] = response.headers["CDN-Cache-Control"] = "no-store"
    return response


async def _personal(request: web.Request) -> Listed | None:
    """The list that is for the asking player alone, in the state that the path names if it does; None for those of
    everybody."""
    joining, named = request.app[_JOINING], request.match_info
    match ListKind(named["kind"]):
        case ListKind.MY_MIX:
            told = request.headers.get(TRACKS_HEADER, "")
            if not re.fullmatch(_IDS, told):
                raise ObjectNotFound(f"{TRACKS_HEADER} does not name tracks", subject=request.path)
            return await joining.lists.of_tracks(told.split("-"))
        case ListKind.MINE:
            listener_id = await joining.listener(request)
            if list_id := named.get("list_id"):
                return await joining.lists.personal_as_it_was(named["name"], list_id, listener_id)
            return await joining.lists.personal(named["name"], listener_id)
        case _:
            return None


async def get_station(request: web.Request) -> web.Response:
    """The multivariant playlist of a station."""
    station_id = request.match_info["station_id"]
    codec = _FAMILIES[request.match_info["family"]]
    playlist = await request.app[_JOINING].stations.multivariant(station_id, codec, request[TRACE])
    return await send_document(request, playlist, purge_keys=(f"station-{station_id}",), replay=Replay())


async def get_station_window(request: web.Request) -> web.Response:
    """The latest segments of a station."""
    station_id, rendition_id = request.match_info["station_id"], request.match_info["rendition_id"]
    playlist, lasts_s = await request.app[_JOINING].stations.media(station_id, rendition_id, request[TRACE])
    replay = Replay(until_s=time.monotonic() + lasts_s)
    return await send_document(request, playlist, purge_keys=(f"station-{station_id}",), replay=replay)


async def get_init(request: web.Request) -> web.Response:
    """The init section of all joined streams that begin so."""
    codec, priming_ticks = Codec(request.match_info["codec"]), int(request.match_info["priming"])
    if not priming_is_possible(codec, priming_ticks):
        raise ObjectNotFound("no track begins so", subject=request.path)
    body = document(joined_init(codec, priming_ticks), media_type=MEDIA_TYPE, modified_s=None).plain
    told = cmsd.of_init(request.app[SETTINGS].node_name)
    return await _send(request, body.body, body.etag, modified_s=None, cmsd_static=told, replay=Replay())


async def get_segment(request: web.Request) -> web.Response:
    """Frames of one track or several, at their place on a timeline."""
    media, start_ticks = request.app[_JOINING].media, int(request.match_info["start"])
    parts = parts_of(request.match_info["parts"])
    if parts is None:
        raise ObjectNotFound("no such segment", subject=request.path)
    skip = request.match_info["skip"]
    skip_ticks = int(skip[1:]) if skip else None
    made = await media.segment(start_ticks, parts, skip_ticks, request[TRACE])
    replay = Replay(held=partial(media.held, start_ticks, parts, skip_ticks))
    return await _send(
        request,
        made.data,
        made.etag,
        modified_s=made.modified_s,
        cmsd_static=made.cmsd_static,
        purge_keys=made.purge_keys,
        replay=replay,
    )


async def _send(
    request: web.Request,
    body: bytes,
    etag: str,
    *,
    modified_s: int | None,
    cmsd_static: str,
    replay: Replay,
    purge_keys: tuple[str, ...] = (),
) -> web.Response:
    shown = Representation(
        validators=Validators(size_bytes=len(body), etag=etag, modified_s=modified_s, immutable=True),
        media_type=MEDIA_TYPE,
        purge_keys=purge_keys,
        cmsd_static=cmsd_static,
    )

    async def load() -> bytes:
        return body

    return await send(request, shown, load, replay=replay)


def _purge_keys(kind: ListKind, name: str) -> tuple[str, ...]:
    """A mix has as many names as there are mixes: it is forgotten by itself."""
    return () if kind is ListKind.MIX else (f"{kind.removesuffix('s')}-{name}",)
