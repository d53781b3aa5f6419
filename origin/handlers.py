"""The handlers: from a URL to a representation. What to answer, and how, is decided elsewhere."""

import json
from collections.abc import AsyncGenerator
from functools import partial

from aiohttp import web

from manifests.codecs import JPEG_TYPE, MEDIA_TYPE, MULTIVARIANT_NAMES
from model.errors import ObjectNotFound
from model.segment import SegmentedRendition
from origin.blocks import INIT_PART, part_range
from origin.conditional import Validators
from origin.encoding import etag_of
from origin.library import StoredPackage
from origin.observe import Health
from origin.respond import Representation, send, send_document, send_stream
from origin.state import HEALTH, LIBRARY, METRICS, PLAYER, SETTINGS

_FAMILIES = {name: codec for codec, name in MULTIVARIANT_NAMES.items()}
_ID = "[a-z2-7]{16,26}"
_TRACK = f"/tracks/{{track_id:{_ID}}}"
_RENDITION = f"{_TRACK}/{{package_id:{_ID}}}/{{rendition_id:[a-z0-9-]{{1,40}}}}"
_PART = "{part:init|0|[1-9][0-9]{0,5}}"
_FAMILY = f"{{family:{'|'.join(name.replace('.', '[.]') for name in _FAMILIES)}}}"
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
    app.router.add_get(f"{_TRACK}/art.jpg", get_art)
    app.router.add_get(f"{_TRACK}/package.json", get_package)
    app.router.add_get(f"{_RENDITION}.mp4", get_track_file)
    app.router.add_get("/healthz", get_health)
    app.router.add_get("/metrics", get_metrics)


async def get_part(request: web.Request) -> web.Response:
    """The init section or one segment: a byte range of the track file, as a resource of its own."""
    stored, rendition = await _rendition(request)
    name = request.match_info["part"]
    number = INIT_PART if name == "init" else int(name) + 1
    part = part_range(rendition, number)
    if part is None:
        raise ObjectNotFound("no such segment", subject=request.path)
    etag = f'{etag_of(rendition.sha256)[:-1]}-{part.start}-{part.end}"'
    shown = _media(stored, rendition, etag=etag, size_bytes=part.size_bytes)
    return await send(request, shown, partial(request.app[LIBRARY].part, stored, rendition, number))


async def get_track_file(request: web.Request) -> web.StreamResponse:
    """A whole track file, or any range of it."""
    stored, rendition = await _rendition(request)
    shown = _media(stored, rendition, etag=etag_of(rendition.sha256), size_bytes=rendition.size_bytes)

    def read(start: int, end: int) -> AsyncGenerator[bytes, None]:
        return request.app[LIBRARY].stream(stored, rendition, start, end)

    return await send_stream(request, shown, read)


async def get_media_playlist(request: web.Request) -> web.Response:
    """The media playlist of a rendition, in the segment-URL form."""
    stored, rendition = await _rendition(request)
    playlist = request.app[LIBRARY].media_playlist(stored, rendition)
    return await send_document(request, playlist, immutable=True, purge_keys=_purge_keys(stored, rendition))


async def get_multivariant(request: web.Request) -> web.Response:
    """The multivariant playlist of one codec family of the live package."""
    stored, modified_s = await _live(request)
    codec = _FAMILIES[request.match_info["family"]]
    playlist = request.app[LIBRARY].multivariant(stored, codec, modified_s=modified_s)
    return await send_document(request, playlist, purge_keys=_purge_keys(stored))


async def get_package(request: web.Request) -> web.Response:
    """The record of the live package."""
    stored, modified_s = await _live(request)
    record = request.app[LIBRARY].record(stored, modified_s=modified_s)
    return await send_document(request, record, purge_keys=_purge_keys(stored))


async def get_art(request: web.Request) -> web.Response:
    """The cover art of the live package."""
    stored, modified_s = await _live(request)
    picture = await request.app[LIBRARY].picture(stored)
    etag, size_bytes = etag_of(picture.info.sha256), len(picture.data)
    shown = Representation(
        validators=Validators(size_bytes=size_bytes, etag=etag, modified_s=modified_s),
        media_type=JPEG_TYPE,
        purge_keys=_purge_keys(stored),
    )

    async def load() -> bytes:
        return picture.data

    return await send(request, shown, load)


async def get_page(request: web.Request) -> web.Response:
    """A file of the player, under a policy that lets it load and run only what this origin serves."""
    response = await send_document(request, request.app[PLAYER][request.path])
    response.headers["Content-Security-Policy"] = PAGE_POLICY
    return response


async def get_health(request: web.Request) -> web.Response:
    """200 while requests should come here, else 503 with the reason."""
    health = request.app[HEALTH].state()
    headers = {"Cache-Control": "no-store", "CDN-Cache-Control": "no-store"}
    if health is not Health.OK:
        headers["Retry-After"] = str(request.app[SETTINGS].retry_after_s)
    body = json.dumps({"status": health}).encode() + b"\n"
    headers["Content-Type"] = "application/json"
    return web.Response(status=200 if health is Health.OK else 503, body=body, headers=headers)


async def get_metrics(request: web.Request) -> web.Response:
    """The counters of this process, for Prometheus."""
    gauges = {
        "segue_cached_bytes": float(request.app[LIBRARY].cached_bytes),
        "segue_healthy": float(request.app[HEALTH].state() is Health.OK),
    }
    headers = {
        "Cache-Control": "no-store",
        "CDN-Cache-Control": "no-store",
        "Content-Type": "text/plain; version=0.0.4; charset=utf-8",
    }
    return web.Response(body=request.app[METRICS].render(gauges), headers=headers)


async def _live(request: web.Request) -> tuple[StoredPackage, int]:
    library, track_id = request.app[LIBRARY], request.match_info["track_id"]
    live = await library.live(track_id)
    return await library.package(track_id, live.package_id), live.modified_s


async def _rendition(request: web.Request) -> tuple[StoredPackage, SegmentedRendition]:
    named = request.match_info
    stored = await request.app[LIBRARY].package(named["track_id"], named["package_id"])
    rendition = stored.package.rendition(named["rendition_id"])
    if rendition is None:
        raise ObjectNotFound("no such rendition", subject=request.path)
    return stored, rendition


def _media(stored: StoredPackage, rendition: SegmentedRendition, *, etag: str, size_bytes: int) -> Representation:
    return Representation(
        validators=Validators(size_bytes=size_bytes, etag=etag, modified_s=stored.modified_s, immutable=True),
        media_type=MEDIA_TYPE,
        purge_keys=_purge_keys(stored, rendition),
    )


def _purge_keys(stored: StoredPackage, rendition: SegmentedRendition | None = None) -> tuple[str, ...]:
    keys = (f"track-{stored.package.track_id}", f"package-{stored.package.package_id}")
    return (*keys, f"rendition-{rendition.rendition.rendition_id}") if rendition else keys
