"""The application: what it holds, and what surrounds every request."""

import asyncio
import hashlib
import itertools
import logging
import math
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from functools import partial

from aiohttp import web
from aiohttp.typedefs import Handler

from model.errors import ObjectNotFound, Overloaded, RateLimited, StorageUnavailable
from origin import handlers
from origin.access import Gate, path_of
from origin.admission import Admission
from origin.answers import Answers
from origin.cache_policy import ResourceClass, caching, resource_class
from origin.cache_status import Trace
from origin.encoding import Document, document
from origin.errors import code_of, refusal, status_of, told_of
from origin.form import check_form, is_last
from origin.health import Health, HealthState, Probe
from origin.hot_cache import HotCache
from origin.hot_path import HOT, HotPath
from origin.library import Library
from origin.metrics_table import CACHED_BYTES, WORKERS_READY, WORKERS_STORE_FAILING, Tier
from origin.observe import Metrics
from origin.plain_request import REQUEST_ID_FORM
from origin.player import load_player
from origin.respond import send_document
from origin.settings import OriginSettings
from origin.state import (
    ADMISSION,
    ANSWER_LOG,
    ANSWERS,
    BEGAN_S,
    FIRST_BYTE_S,
    GATE,
    HEALTH,
    KEYS,
    KIND,
    LIBRARY,
    METRICS,
    PLAYER,
    PROBE,
    REQUEST_ID,
    REQUEST_IDS,
    SETTINGS,
    TRACE,
    VITALS,
)
from origin.vitals import beating
from protection.keys import NO_KEYS, KeyRing
from storage.base import ObjectStore
from storage.keys import current_key

log = logging.getLogger(__name__)

_ALLOWED = "GET, HEAD, OPTIONS"
_ALLOWED_OF_THE_API = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
_ASKED_KEY = current_key("a" * 20)  # no track has this id; whether the store answers is all that is asked
_OF_LISTS = (ResourceClass.MULTIVARIANT, ResourceClass.PLAYLIST, ResourceClass.LIVE, ResourceClass.PERSONAL)
_CMCD = "CMCD-Object, CMCD-Request, CMCD-Session, CMCD-Status"
_EVERYWHERE = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": (
        "Accept-Ranges, Age, Cache-Status, CMSD-Static, Content-Encoding, Content-Length, Content-Range, Date, ETag, "
        "Last-Modified, Retry-After, X-Request-Id"
    ),
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Timing-Allow-Origin": "*",
    "X-Content-Type-Options": "nosniff",
    "Server": "segue",
}
_ASKED_WITH = f"Range, If-Range, If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since, {_CMCD}, X-Request-Id"
_PREFLIGHT = {
    "Access-Control-Allow-Methods": _ALLOWED,
    "Access-Control-Allow-Headers": _ASKED_WITH,
    "Access-Control-Max-Age": "86400",
    "Cache-Control": "no-store",
}
# Any site may ask: a listener's key is a header, sent by pages that know it; no cookie goes with what others ask.
_PREFLIGHT_OF_THE_API = _PREFLIGHT | {
    "Access-Control-Allow-Methods": _ALLOWED_OF_THE_API,
    "Access-Control-Allow-Headers": f"Authorization, Content-Type, Segue-Tracks, {_ASKED_WITH}",
}


def build_app(settings: OriginSettings, store: ObjectStore, keys: KeyRing = NO_KEYS) -> web.Application:
    """An origin over a store. The store stays the caller's: open it before, close it after. `keys` open what is
    protected, for those with a token."""
    metrics = Metrics(settings.metrics_folder)
    health = HealthState(failure_memory_s=settings.store_failure_memory_s)
    library = Library(store, settings, metrics=metrics, health=health)
    app = web.Application(middlewares=[_boundary], client_max_size=settings.body_bytes_max)
    app[SETTINGS] = settings
    app[METRICS] = metrics
    app[HEALTH] = health
    app[ADMISSION] = Admission(settings, metrics)
    app[KEYS] = keys
    app[GATE] = Gate(settings)
    app[REQUEST_IDS] = _request_ids()
    app[ANSWER_LOG] = answers = Answers(metrics, settings)
    app[HOT] = hot = HotPath(
        settings,
        metrics=metrics,
        answers=answers,
        request_ids=app[REQUEST_IDS],
        admit=app[GATE].admit_line,
        health=health,
        expect=partial(handlers.expect, library),
    )
    app[ANSWERS] = HotCache(settings.answer_cache_bytes)
    app[LIBRARY] = library
    app[PROBE] = Probe(
        health,
        partial(_ask, store),
        every_s=settings.probe_every_s,
        wait_s=settings.probe_wait_s,
        deadline_s=settings.store_deadline_s,
    )
    metrics.settle_by(hot.settle)
    metrics.watch(CACHED_BYTES, lambda: library.cached_bytes + hot.weight, Tier.MEMORY)
    metrics.watch(WORKERS_READY, lambda: health.state(holds_something=library.holds_something) is Health.READY)
    metrics.watch(WORKERS_STORE_FAILING, lambda: health.store_failing)
    app.on_response_prepare.append(_sign)
    app.cleanup_ctx.append(_figures)
    app.cleanup_ctx.append(_library)
    app.cleanup_ctx.append(_player)
    handlers.add_routes(app)
    return app


async def _ask(store: ObjectStore) -> None:
    with suppress(ObjectNotFound):  # which is an answer
        await store.head(_ASKED_KEY)


async def _figures(app: web.Application) -> AsyncIterator[None]:
    async with beating(app[METRICS]) as vitals:
        app[VITALS] = vitals
        yield


async def _library(app: web.Application) -> AsyncIterator[None]:
    app[LIBRARY].start()
    yield
    await app[PROBE].close()
    await app[LIBRARY].close()


async def _player(app: web.Application) -> AsyncIterator[None]:
    root = app[SETTINGS].player_root
    if root is not None:
        app[PLAYER] = await asyncio.to_thread(load_player, root, bytes_max=app[SETTINGS].player_bytes_max)
        for path in app[PLAYER]:
            app.router.add_get(path, handlers.get_page)
    yield


@web.middleware
async def _boundary(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every request passes here: it gets an id, is counted, and leaves with an answer, whatever happens inside."""
    metrics = request.app[METRICS]
    request[BEGAN_S] = time.monotonic()
    request[KIND] = resource_class(path_of(request))
    request[TRACE] = Trace()
    offered, ids = request.headers.get("X-Request-Id", ""), request.app[REQUEST_IDS]
    request[REQUEST_ID] = offered if REQUEST_ID_FORM.fullmatch(offered) else next(ids)
    metrics.requests_in_progress += 1
    try:
        request.app[ADMISSION].check(request, request[KIND])
        check_form(request, head_bytes_max=request.app[SETTINGS].head_bytes_max)
        request.app[GATE].check(request)
        response = await _finished(request, await handler(request))
    except asyncio.CancelledError:
        metrics.disconnected()
        raise
    except Exception as error:  # noqa: BLE001 - the request boundary
        response = _failed(request, error)
    finally:
        metrics.requests_in_progress -= 1
    if is_last(request, response):
        response.force_close()
    return response


async def _finished(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """Give the plain answers of the API what documents have: entity tags, conditions, codings, caching. A handler that
    sets Cache-Control itself is left alone."""
    if request[KIND] is not ResourceClass.API or request.method not in ("GET", "HEAD"):
        return response
    if response.status != 200 or "Cache-Control" in response.headers or not isinstance(response, web.Response):
        return response
    assert isinstance(response.body, bytes)
    coded = await _document_of(request.app, response.headers["Content-Type"], response.body)
    sent = await send_document(request, coded)
    varies = [each.headers["Vary"] for each in (response, sent) if "Vary" in each.headers]
    if varies:
        sent.headers["Vary"] = ", ".join(varies)
    if "Content-Disposition" in response.headers:
        sent.headers["Content-Disposition"] = response.headers["Content-Disposition"]
    if _is_too_early(request):
        sent.headers.update(caching(ResourceClass.OPERATIONS))
    return sent


def _is_too_early(request: web.Request) -> bool:
    """Whether the answer may lack what this origin has not heard of yet, so that nobody shall keep it."""
    return request[KIND] is ResourceClass.API and request.app[HEALTH].starting


async def _document_of(app: web.Application, media_type: str, body: bytes) -> Document:
    """Equal answers are coded once."""
    answers, key = app[ANSWERS], (media_type, hashlib.sha256(body).digest())
    kept = answers.get(key)
    if kept is None:
        kept = await asyncio.to_thread(document, body, media_type=media_type, modified_s=None)
        answers.put(key, kept, weight=kept.size_bytes)
    return kept


def _failed(request: web.Request, error: Exception) -> web.Response:
    allowed = _ALLOWED
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted({*error.allowed_methods, "OPTIONS"}))
    if request.method == "OPTIONS" and isinstance(error, web.HTTPMethodNotAllowed | web.HTTPNotFound):
        keyed = request[KIND] in (ResourceClass.API, ResourceClass.PERSONAL)
        preflight = _PREFLIGHT_OF_THE_API if keyed else _PREFLIGHT
        return web.Response(status=204, headers={"Allow": allowed, **preflight})
    if isinstance(error, ObjectNotFound) and request[KIND] in _OF_LISTS and request.app[HEALTH].starting:
        error = StorageUnavailable("the store's tracks were not listed yet", subject=request.path)
    status = status_of(error)
    if isinstance(error, Overloaded):
        request.app[ADMISSION].refused(error)
    elif status >= 500:
        _log_failure(request, error, status)
    response = refusal(
        status,
        code_of(error),
        retry_after_s=max(request.app[SETTINGS].retry_after_s, _wait_s(error)),
        told=told_of(error),
        shared=_is_for_all(request),
    )
    response.headers.update(request[TRACE].headers(status))
    if status == 405:
        response.headers["Allow"] = allowed
    if status == 401:
        response.headers["WWW-Authenticate"] = _challenge(request)
    return response


def _is_for_all(request: web.Request) -> bool:
    """Whether an error may be told to others who ask the same."""
    personal = "Authorization" in request.headers or request[KIND] is ResourceClass.PERSONAL
    return not personal and not _is_too_early(request)


def _wait_s(error: Exception) -> int:
    return math.ceil(error.retry_after_s) if isinstance(error, RateLimited) else 0


def _challenge(request: web.Request) -> str:
    """RFC 6750 §3: whether a key was sent that is none."""
    wrong = ', error="invalid_token"' if "Authorization" in request.headers else ""
    return f'Bearer realm="segue"{wrong}'


def _log_failure(request: web.Request, error: Exception, status: int) -> None:
    extra = {
        "error_code": code_of(error),
        "error": str(error),
        "hint": getattr(error, "hint", ""),
        "status": status,
        "request_id": request[REQUEST_ID],
    }
    unforeseen = error if code_of(error) == "internal" else None
    log.error("request failed", extra=extra, exc_info=unforeseen)


async def _sign(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_EVERYWHERE)
    if request.app[HEALTH].draining:  # ask the client to come again on another connection
        response.headers["Connection"] = "close"
        response.force_close()
    response.headers.setdefault("Cache-Control", "no-store")  # nothing is kept by a cache's own guess
    if BEGAN_S in request:
        request[FIRST_BYTE_S] = time.monotonic() - request[BEGAN_S]
    if REQUEST_ID in request:  # aiohttp answers an unknown expectation before our boundary
        response.headers["X-Request-Id"] = request[REQUEST_ID]


def _request_ids() -> Iterator[str]:
    prefix = secrets.token_hex(4)  # tells processes apart
    return (f"{prefix}{number:08x}" for number in itertools.count())
