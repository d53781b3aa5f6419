"""From a representation to bytes on the wire: conditions, ranges, caching headers, bounded writes."""

import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace

from aiohttp import web

from model.errors import PipelineError
from origin.cache_policy import caching, surrogate_keys
from origin.cmsd import HEADER as CMSD_STATIC
from origin.conditional import CONDITION_HEADERS, Decision, Validators, decide
from origin.encoding import Document
from origin.errors import code_of, refusal
from origin.hot_path import REPLAY, Replay
from origin.state import BEGAN_S, FIRST_BYTE_S, GATE, KIND, REQUEST_ID, SETTINGS, TRACE

log = logging.getLogger(__name__)

_FIRST_BYTES = 4 << 10
_REFUSALS = {412: "precondition-failed", 416: "range-not-satisfiable"}


class _Streamed(web.StreamResponse):
    """An answer whose head goes out with the first bytes of its body, in one packet, not in one of its own before."""

    _send_headers_immediately = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Representation:
    """What a URL shows to this client: how it compares, what it is, and under which keys a CDN may purge it."""

    validators: Validators
    media_type: str
    purge_keys: tuple[str, ...] = ()
    cmsd_static: str = ""
    coding: str = ""
    varies: bool = False  # whether other clients get another coding


async def send(
    request: web.Request,
    shown: Representation,
    load: Callable[[], Awaitable[bytes]],
    *,
    replay: Replay | None = None,
) -> web.Response:
    """Answer with a body that is held in memory. `load` gives all of it, and is called only if it is needed. With
    `replay` the answer, unless it is a part, may be sent again to those who ask the same."""
    decision = _decide(request, shown)
    if decision.status in _REFUSALS:
        return _refused(request, decision)
    headers = _headers(request, shown, decision)
    if decision.status == 304 or request.method == "HEAD":
        response = web.Response(status=decision.status, headers=headers)
    else:
        body = await load()
        if decision.end - decision.start != len(body):
            body = body[decision.start : decision.end]
        response = web.Response(status=decision.status, body=body, headers=headers)
    return _replayable(request, response, replay)


async def send_stream(
    request: web.Request,
    shown: Representation,
    held: Callable[[int, int], bytes | None],
    read: Callable[[int, int], AsyncGenerator[bytes, None]],
    *,
    replay: Replay | None = None,
) -> web.StreamResponse:
    """Answer with a body of any size: from memory if `held` has it, else as `read` gives it. The next chunk is asked
    for when the client has taken the one before, but for `write_bytes_max` and the socket's own buffer. `replay` is as
    in `send`."""
    decision = _decide(request, shown)
    if decision.status in _REFUSALS:
        return _refused(request, decision)
    if decision.status == 304 or request.method == "HEAD":
        empty = web.Response(status=decision.status, headers=_headers(request, shown, decision))
        return _replayable(request, empty, replay)
    body = held(decision.start, decision.end)
    if body is not None:
        whole = web.Response(status=decision.status, body=body, headers=_headers(request, shown, decision))
        return _replayable(request, whole, replay)
    async with aclosing(read(decision.start, decision.end)) as blocks:
        # The head is made while the store looks, and goes out with the first bytes: a store that fails still gets its
        # status, with another head in place of this one.
        told = request[TRACE].headers(decision.status)
        response = await _prepared(request, shown, decision)
        first = await anext(blocks)
        if request[TRACE].headers(decision.status) != told:  # what the disk had was damaged
            response = await _prepared(request, shown, decision)
        request[FIRST_BYTE_S] = time.monotonic() - request[BEGAN_S]
        await _write_all(request, response, first, blocks)
    return response


async def send_document(
    request: web.Request,
    document: Document,
    *,
    immutable: bool = False,
    purge_keys: tuple[str, ...] = (),
    replay: Replay | None = None,
) -> web.Response:
    """Answer with a document, in the coding that the client wants. `replay` is as in `send`."""
    coded = document.coded_for(", ".join(request.headers.getall("Accept-Encoding", ())))
    shown = Representation(
        validators=Validators(
            size_bytes=len(coded.body), etag=coded.etag, modified_s=document.modified_s, immutable=immutable
        ),
        media_type=document.media_type,
        purge_keys=purge_keys,
        coding=coded.coding,
        varies=bool(document.coded),
    )

    async def load() -> bytes:
        return coded.body

    return await send(request, shown, load, replay=replay)


async def _prepared(request: web.Request, shown: Representation, decision: Decision) -> web.StreamResponse:
    response = _Streamed(status=decision.status, headers=_headers(request, shown, decision))
    await response.prepare(request)
    return response


def _replayable(request: web.Request, response: web.Response, replay: Replay | None) -> web.Response:
    """Let an answer be sent again, unless it is a part, for as long as all of its head stays true."""
    lasts_s = request[TRACE].lasts_s
    if replay is not None and response.status != 206 and lasts_s > 0:
        response[REPLAY] = replace(replay, until_s=min(replay.until_s, time.monotonic() + lasts_s))
    return response


def _decide(request: web.Request, shown: Representation) -> Decision:
    asked = request.headers
    conditions = {name: ", ".join(asked.getall(name)) for name in CONDITION_HEADERS if name in asked}
    return decide(request.method, conditions, shown.validators)


def _refused(request: web.Request, decision: Decision) -> web.Response:
    retry_after_s = request.app[SETTINGS].retry_after_s
    response = refusal(decision.status, _REFUSALS[decision.status], retry_after_s=retry_after_s)
    response.headers.update(decision.headers)
    return response


def _headers(request: web.Request, shown: Representation, decision: Decision) -> dict[str, str]:
    kept = caching(request[KIND], shared=request.app[GATE].shared(request[KIND]))
    headers = {**decision.headers, **kept, **surrogate_keys(shown.purge_keys)}
    headers |= request[TRACE].headers(decision.status)
    if shown.cmsd_static:
        headers[CMSD_STATIC] = shown.cmsd_static
    if shown.varies:
        headers["Vary"] = "Accept-Encoding"
    if decision.status != 304:
        headers["Content-Type"] = shown.media_type
        if shown.coding:
            headers["Content-Encoding"] = shown.coding
    return headers


async def _write_all(
    request: web.Request, response: web.StreamResponse, first: bytes, rest: AsyncGenerator[bytes, None]
) -> None:
    step = request.app[SETTINGS].write_bytes_max
    try:
        await response.write(first[:_FIRST_BYTES])  # alone: the kernel sends nothing before it has copied all
        await _write(response, first[_FIRST_BYTES:], step)
        async for block in rest:
            await _write(response, block, step)
        await response.write_eof()
    except ConnectionError:
        pass  # the client has gone; the access log says how far it got
    except (PipelineError, TimeoutError) as error:
        # The head promised a length. Only a broken connection tells the client (and a CDN) that this is not all.
        extra = {
            "error_code": code_of(error),
            "request_id": request[REQUEST_ID],
            "sent_bytes": request.writer.output_size,
        }
        log.error("response broken off", extra=extra)
        if request.transport is not None:
            request.transport.abort()


async def _write(response: web.StreamResponse, block: bytes, step: int) -> None:
    view = memoryview(block)
    for at in range(0, len(view), step):
        await response.write(view[at : at + step])
