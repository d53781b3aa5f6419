"""The handlers: from a URL to a representation. What to answer, and how, is decided elsewhere."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from functools import lru_cache

from aiohttp import web

from manifests.codecs import JPEG_TYPE, MEDIA_TYPE, MPD_NAME, MULTIVARIANT_NAMES
from model.errors import ObjectNotFound
from model.segment import SegmentedRendition
from model.track import ART_SIDES
from origin import cmsd
from origin.blocks import INIT_PART, part_range
from origin.cache_policy import ResourceClass, caching
from origin.conditional import Validators
from origin.encoding import etag_of
from origin.health import Health
from origin.hot_path import Replay
from origin.library import ART_SIDE, Library, Live, StoredPackage
from origin.respond import Representation, send, send_document, send_stream
from origin.series import MEDIA_TYPE as METRICS_TYPE
from origin.state import HEALTH, KEYS, LIBRARY, METRICS, PLAYER, PROBE, SETTINGS, TRACE, VITALS
from storage.base import ObjectBody

_FAMILIES = {name: codec for codec, name in MULTIVARIANT_NAMES.items()}
_ID = "[a-z2-7]{16,26}"
_TRACK = f"/tracks/{{track_id:{_ID}}}"
_OF_RENDITION = f"{{recording_id:{_ID}}}/{{package_id:{_ID}}}/{{rendition_id:[a-z0-9-]{{1,40}}}}"
_RENDITION = f"/recordings/{_OF_RENDITION}"
_RENDITION_PATH = re.compile(f"/recordings/({_ID})/({_ID})/([a-z0-9-]{{1,40}})")
_PART_NAME = re.compile("(init|0|[1-9][0-9]{0,5})[.]mp4")
_KEY = f"/keys/{_OF_RENDITION}/{{period:0|[1-9][0-9]{{0,5}}}}"
_PART = "{part:init|0|[1-9][0-9]{0,5}}"
_FAMILY = f"{{family:{'|'.join(name.replace('.', '[.]') for name in _FAMILIES)}}}"
_SIDE = f"{{side:{'|'.join(map(str, ART_SIDES))}}}"
# hls.js plays from `blob:` URLs; nothing else is needed (player_demo/README.md).
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)


def add_routes(app: web.Application) -> None:
    """Register every resource, the most wanted first. HEAD comes with GET."""
    app.router.add_get(f"{_RENDITION}/{_PART}.mp4", get_part)
    app.router.add_get(f"{_RENDITION}.m3u8", get_media_playlist)
    app.router.add_get(f"{_TRACK}/{_FAMILY}", get_multivariant)
    app.router.add_get(f"{_TRACK}/{MPD_NAME}", get_mpd)
    app.router.add_get(f"/art/{{art_id:{_ID}}}/{_SIDE}.jpg", get_art)
    app.router.add_get(f"{_TRACK}/art.jpg", get_track_art)
    app.router.add_get(f"{_TRACK}/art-{_SIDE}.jpg", get_track_art)
    app.router.add_get(f"{_TRACK}/package.json", get_package)
    app.router.add_get(f"{_RENDITION}.mp4", get_track_file)
    app.router.add_get(_KEY, get_key)
    app.router.add_get("/healthz", get_health)
    app.router.add_get("/readyz", get_ready)
    app.router.add_get("/metrics", get_metrics)


def expect(library: Library, path: str) -> None:
    """Begin to read what a GET of this path will be answered with, where that is a part of a known package: the store
    works while the request finds its way."""
    base, _, name = path.rpartition("/")
    place, number = _place(base), _number_in(name)
    if place is not None and number is not None:
        library.expect_part(*place, number)


@lru_cache(1024)  # a listener waits, and the next one asks for another part of the same
def _place(base: str) -> tuple[str, str, str] | None:
    found = _RENDITION_PATH.fullmatch(base)
    return None if found is None else (found[1], found[2], found[3])


@lru_cache(1024)
def _number_in(name: str) -> int | None:
    found = _PART_NAME.fullmatch(name)
    return None if found is None else _part_number(found[1])


async def get_part(request: web.Request) -> web.StreamResponse:
    """The init section or one segment: a byte range of the track file, as a resource of its own."""
    stored, rendition = await _rendition(request)
    number = _part_number(request.match_info["part"])
    part = part_range(rendition, number)
    if part is None:
        raise ObjectNotFound("no such segment", subject=request.path)
    etag = f'{etag_of(rendition.sha256)[:-1]}-{part.start}-{part.end}"'
    node_name = request.app[SETTINGS].node_name
    told = (
        cmsd.of_init(node_name)
        if number == INIT_PART
        else cmsd.of_segment(rendition, rendition.segments[number - 1], node_name)
    )
    shown = _media(stored, rendition, etag=etag, size_bytes=part.size_bytes, cmsd_static=told)
    replay = Replay(held=request.app[LIBRARY].held_part(stored, rendition, part))
    return await _send_media(request, shown, stored, rendition, part.start, replay=replay)


async def get_track_file(request: web.Request) -> web.StreamResponse:
    """A whole track file, or any range of it."""
    stored, rendition = await _rendition(request)
    told = cmsd.of_track_file(rendition, request.app[SETTINGS].node_name)
    etag = etag_of(rendition.sha256)
    shown = _media(stored, rendition, etag=etag, size_bytes=rendition.size_bytes, cmsd_static=told)
    return await _send_media(request, shown, stored, rendition, 0)


async def get_media_playlist(request: web.Request) -> web.Response:
    """The media playlist of a rendition, in the segment-URL form."""
    stored, rendition = await _rendition(request)
    to_play = request.method == "GET" and "If-None-Match" not in request.headers
    playlist = await request.app[LIBRARY].media_playlist(stored, rendition, to_play=to_play)
    keys = _media_keys(stored, rendition)
    return await send_document(request, playlist, immutable=True, purge_keys=keys, replay=Replay())


async def get_key(request: web.Request) -> web.Response:
    """The content key of a period. Only those with a token that allows it get here."""
    _, rendition = await _rendition(request)
    protection, period = rendition.protection, int(request.match_info["period"])
    if protection is None or period > protection.period_of(len(rendition.segments) - 1):
        raise ObjectNotFound("no such key", subject=request.path)
    key = request.app[KEYS].master(protection.key_set).content_key(protection.key_id, period)
    headers = {**caching(ResourceClass.KEY), "Content-Type": "application/octet-stream"}
    return web.Response(body=key, headers=headers)


async def get_multivariant(request: web.Request) -> web.Response:
    """The multivariant playlist of one codec family of the live package."""
    library, track_id = request.app[LIBRARY], request.match_info["track_id"]
    live = await library.live(track_id, request[TRACE])
    stored, label = await asyncio.gather(
        library.package(live.recording_id, live.package_id, request[TRACE]), library.label(track_id, request[TRACE])
    )
    playlist = await library.multivariant(stored, _FAMILIES[request.match_info["family"]], live, label)
    return await send_document(request, playlist, purge_keys=_track_keys(live), replay=Replay())


async def get_mpd(request: web.Request) -> web.Response:
    """The live package as a DASH presentation, all codec families."""
    library, track_id = request.app[LIBRARY], request.match_info["track_id"]
    live = await library.live(track_id, request[TRACE])
    stored, label = await asyncio.gather(
        library.package(live.recording_id, live.package_id, request[TRACE]), library.label(track_id, request[TRACE])
    )
    mpd = await library.mpd(stored, live, label)
    return await send_document(request, mpd, purge_keys=_track_keys(live), replay=Replay())


async def get_package(request: web.Request) -> web.Response:
    """The record of the live package."""
    library = request.app[LIBRARY]
    live = await library.live(request.match_info["track_id"], request[TRACE])
    stored = await library.package(live.recording_id, live.package_id, request[TRACE])
    return await send_document(request, await library.record(stored, live), purge_keys=_track_keys(live))


async def get_track_art(request: web.Request) -> web.Response:
    """The cover of a live track as it is now, in one of its sizes."""
    library, track_id = request.app[LIBRARY], request.match_info["track_id"]
    live = await library.live(track_id, request[TRACE])
    label = await library.label(track_id, request[TRACE])
    picture = await library.picture(label.art_id, int(request.match_info.get("side", ART_SIDE)), request[TRACE])
    modified_s = max(live.modified_s, label.modified_s)
    validators = _validators(picture, modified_s=modified_s, immutable=False)
    return await _send_picture(request, picture, validators, (*_track_keys(live), f"art-{label.art_id}"))


async def get_art(request: web.Request) -> web.Response:
    """Cover art in one of its sizes, under a name that never stands for another picture."""
    art_id, side = request.match_info["art_id"], int(request.match_info["side"])
    picture = await request.app[LIBRARY].picture(art_id, side, request[TRACE])
    validators = _validators(picture, modified_s=picture.info.modified_s, immutable=True)
    return await _send_picture(request, picture, validators, (f"art-{art_id}",))


async def get_page(request: web.Request) -> web.Response:
    """A file of the player, under a policy that lets it load and run only what this origin serves."""
    response = await send_document(request, request.app[PLAYER][request.path])
    response.headers["Content-Security-Policy"] = PAGE_POLICY
    response.headers["Referrer-Policy"] = "no-referrer"  # the page's address may have a token
    return response


async def get_health(request: web.Request) -> web.Response:
    """200 as long as this process answers at all: one that does not should be replaced, one that drains should not."""
    return _said(request, "ok")


async def get_ready(request: web.Request) -> web.Response:
    """200 while requests should come here, else 503 with the reason."""
    health, library = request.app[HEALTH], request.app[LIBRARY]
    holds_something = library.holds_something
    if not holds_something:
        await request.app[PROBE].fresh()
    return _said(request, health.state(holds_something=holds_something), store_failing=health.store_failing)


async def get_metrics(request: web.Request) -> web.Response:
    """The figures of all workers, for Prometheus."""
    metrics, vitals = request.app[METRICS], request.app[VITALS]
    await asyncio.to_thread(vitals.look)
    metrics.sample()
    body = await asyncio.to_thread(metrics.told)
    return web.Response(body=body, headers={**caching(ResourceClass.OPERATIONS), "Content-Type": METRICS_TYPE})


def _part_number(name: str) -> int:
    return INIT_PART if name == "init" else int(name) + 1


def _said(request: web.Request, status: str, **more: bool) -> web.Response:
    good = status in ("ok", Health.READY)
    headers = {**caching(ResourceClass.OPERATIONS), "Content-Type": "application/json"}
    if not good:
        headers["Retry-After"] = str(request.app[SETTINGS].retry_after_s)
    return web.Response(
        status=200 if good else 503, body=json.dumps({"status": status, **more}).encode() + b"\n", headers=headers
    )


async def _rendition(request: web.Request) -> tuple[StoredPackage, SegmentedRendition]:
    named = request.match_info
    stored = await request.app[LIBRARY].package(named["recording_id"], named["package_id"], request[TRACE])
    rendition = stored.package.rendition(named["rendition_id"])
    if rendition is None:
        raise ObjectNotFound("no such rendition", subject=request.path)
    return stored, rendition


async def _send_media(
    request: web.Request,
    shown: Representation,
    stored: StoredPackage,
    rendition: SegmentedRendition,
    offset: int,
    *,
    replay: Replay | None = None,
) -> web.StreamResponse:
    """A resource that begins `offset` bytes into the track file."""
    library, trace = request.app[LIBRARY], request[TRACE]

    def held(start: int, end: int) -> bytes | None:
        return library.held(stored, rendition, offset + start, offset + end, trace)

    def read(start: int, end: int) -> AsyncGenerator[bytes, None]:
        return library.stream(stored, rendition, offset + start, offset + end, trace)

    return await send_stream(request, shown, held, read, replay=replay)


def _media(
    stored: StoredPackage, rendition: SegmentedRendition, *, etag: str, size_bytes: int, cmsd_static: str
) -> Representation:
    return Representation(
        validators=Validators(size_bytes=size_bytes, etag=etag, modified_s=stored.modified_s, immutable=True),
        media_type=MEDIA_TYPE,
        purge_keys=_media_keys(stored, rendition),
        cmsd_static=cmsd_static,
    )


def _validators(picture: ObjectBody, *, modified_s: int, immutable: bool) -> Validators:
    etag = etag_of(picture.info.sha256)
    return Validators(size_bytes=len(picture.data), etag=etag, modified_s=modified_s, immutable=immutable)


async def _send_picture(
    request: web.Request, picture: ObjectBody, validators: Validators, purge_keys: tuple[str, ...]
) -> web.Response:
    shown = Representation(validators=validators, media_type=JPEG_TYPE, purge_keys=purge_keys)

    async def load() -> bytes:
        return picture.data

    return await send(request, shown, load)


def _track_keys(live: Live) -> tuple[str, ...]:
    return (f"track-{live.track_id}", f"recording-{live.recording_id}", f"package-{live.package_id}")


def _media_keys(stored: StoredPackage, rendition: SegmentedRendition) -> tuple[str, ...]:
    package = stored.package
    rendition_id = rendition.rendition.rendition_id
    return (f"recording-{package.recording_id}", f"package-{package.package_id}", f"rendition-{rendition_id}")
