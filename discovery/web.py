"""The list of live tracks over HTTP: `GET /api/v1/tracks?offset=0&limit=100`.

Handlers answer plain JSON; entity tags, codings and caching come from the application that they are added to.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from catalog.schema import TrackRow
from catalog.store import Catalog
from discovery.sync import sync
from manifests.codecs import MPD_NAME, MULTIVARIANT_NAMES
from model.errors import PipelineError, UsageError
from model.rendition import Codec
from model.track import ART_SIDES
from storage.base import ObjectStore

log = logging.getLogger(__name__)

LIMIT_DEFAULT = 100
LIMIT_MAX = 500
OFFSET_MAX = 10_000_000
_FAMILIES = {Codec.AAC: "aac", Codec.OPUS: "opus", Codec.FLAC: "lossless"}  # as listeners know them
_ART_SIDE = 640  # pixels of "art"; "art_sizes" has all
_DIGITS_MAX = 9  # more than any limit here; keeps int() cheap


class QueryInvalid(UsageError):
    """A query parameter of a request is not what it must be."""

    code = "query-invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoverySettings:
    """How often the index follows the store, in seconds between the end of one sync and the next."""

    sync_interval_s: float = 5.0

    def __post_init__(self) -> None:
        if not self.sync_interval_s > 0:
            raise ValueError(f"sync_interval_s must be positive, got {self.sync_interval_s}")


def add_routes(
    app: web.Application,
    *,
    catalog: Catalog,
    store: ObjectStore,
    settings: DiscoverySettings,
    synced: Callable[[], None] = lambda: None,
) -> None:
    """Add the API, and a task that keeps the catalog in step with the store while the application runs.

    The first sync ends before the application is ready. A store that cannot be listed is no reason not to start:
    what the catalog knows is served, and the next round tries again. `synced` is called whenever one succeeded.
    """

    async def get_tracks(request: web.Request) -> web.Response:
        """A page of live tracks, and how many there are in all."""
        offset = _number(request, "offset", default=0, least=0, most=OFFSET_MAX)
        limit = _number(request, "limit", default=LIMIT_DEFAULT, least=1, most=LIMIT_MAX)
        rows, total = await asyncio.to_thread(lambda: (catalog.page(offset, limit), catalog.count()))
        return web.json_response({"tracks": [_track(row) for row in rows], "total": total})

    async def sync_once() -> None:
        if await _in_step(store, catalog):
            synced()

    async def following(_: web.Application) -> AsyncIterator[None]:
        await sync_once()
        task = asyncio.create_task(_follow(sync_once, settings.sync_interval_s))
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    app.cleanup_ctx.append(following)
    app.router.add_get("/api/v1/tracks", get_tracks)


async def _follow(sync_once: Callable[[], Awaitable[None]], interval_s: float) -> None:
    while True:
        await asyncio.sleep(interval_s)
        await sync_once()


async def _in_step(store: ObjectStore, catalog: Catalog) -> bool:
    try:
        await sync(store, catalog)
    except PipelineError as error:
        log.warning("catalog sync failed", extra={"error_code": error.code, "error": str(error), "hint": error.hint})
        return False
    return True


def _number(request: web.Request, name: str, *, default: int, least: int, most: int) -> int:
    texts = request.query.getall(name, [str(default)])
    text = texts[0]
    valid = len(texts) == 1 and text.isascii() and text.isdecimal() and len(text) <= _DIGITS_MAX
    if not valid or not least <= int(text) <= most:
        raise QueryInvalid(f"must be one whole number from {least} to {most}", subject=name)
    return int(text)


def _track(row: TrackRow) -> dict[str, object]:
    base = f"/tracks/{row.track_id}"
    playlists = {_FAMILIES[Codec(each)]: f"{base}/{MULTIVARIANT_NAMES[Codec(each)]}" for each in row.families.split()}
    art = {str(side): f"/art/{row.art_id}/{side}.jpg" for side in ART_SIDES}
    return {
        "track_id": row.track_id,
        "recording_id": row.recording_id,
        "package_id": row.package_id,
        "title": row.title,
        "artist": row.artist,
        "album": row.album,
        "track_number": row.track_number,
        "disc_number": row.disc_number,
        "duration_s": row.duration_s,
        "level_lufs": row.level_lufs,
        "playlists": playlists,
        "mpd": None if row.protected else f"{base}/{MPD_NAME}",  # DASH has no such protection
        "protected": bool(row.protected),  # SQLite has 0 and 1
        "art": art[str(_ART_SIDE)],
        "art_sizes": art,
    }
