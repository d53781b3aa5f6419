"""Operations over HTTP: who asks, how often, with what; and what is answered, for whom.

The order is: the key, the rate, the query, the body, the operation. Keys come in `Authorization`, which browsers send
only where a page that knows the key says so: there is no cookie, so no other site can make them act for a listener.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import quote

import msgspec
from aiohttp import hdrs, web

from catalog.listeners import Listeners
from discovery.operations import JSON, Call, Operation, Sent, Served, Tagged, Who
from discovery.parameters import read_all
from discovery.rates import KEY_FAILURES, Rates
from model.errors import BodyInvalid, BodyMalformed, ListenerUnknown, MediaTypeRefused

BODY_TIMEOUT_S = 20.0  # for all of a body to come
_PRIVATE = {"Cache-Control": "private, no-store", "CDN-Cache-Control": "no-store"}
_NOT_KEPT = {"Cache-Control": "no-store", "CDN-Cache-Control": "no-store"}
_BEARER = "bearer "
_REPEATS = re.compile(r"(Object contains unknown field|Invalid enum value|Invalid value) .*", re.DOTALL)


class Frame:
    """What surrounds every operation."""

    def __init__(
        self, listeners: Listeners, rates: Rates, *, proxies: int = 0, body_timeout_s: float = BODY_TIMEOUT_S
    ) -> None:
        """Behind so many `proxies` the address of a client is what the first of them wrote into X-Forwarded-For."""
        self._listeners = listeners
        self._rates = rates
        self._proxies = proxies
        self._body_timeout_s = body_timeout_s

    def add(self, app: web.Application, served: Iterable[Served]) -> None:
        """Add operations to an application; those of one path together, so that a 405 names all methods."""
        for each in sorted(served, key=lambda one: one.operation.path):
            operation = each.operation
            path = operation.path
            for name in operation.names:
                path = path.replace(f"{{{name}}}", f"{{{name}:{operation.form(name)}}}")
            if operation.method == hdrs.METH_GET:
                app.router.add_get(path, self._handler(each))  # and HEAD
            else:
                app.router.add_route(operation.method, path, self._handler(each))

    def _handler(self, served: Served) -> Callable[[web.Request], Awaitable[web.Response]]:
        operation = served.operation

        async def handle(request: web.Request) -> web.Response:
            place = self._rates.place_of(address_of(request, self._proxies))
            listener_id = await self._listener(request, operation.who, place)
            self._rates.take(operation.group, listener_id or place)
            query = read_all(operation.parameters, request.query)
            body, body_type = await _body(request, operation, self._body_timeout_s)
            call = Call(
                listener_id=listener_id,
                path=request.match_info,
                query=query,
                body=body,
                body_type=body_type,
                if_match=request.headers.get(hdrs.IF_MATCH, ""),
            )
            return _answered(operation, call, await served.handle(call))

        return handle

    async def listener(self, request: web.Request) -> str:
        """The id of the listener whose key came with a request of anything else. Raises as operations for listeners do:
        ListenerUnknown, and RateLimited for who tries keys, here or there."""
        return await self._listener(request, Who.LISTENER, self._rates.place_of(address_of(request, self._proxies)))

    async def _listener(self, request: web.Request, who: Who, place: str) -> str:
        """Who asks; empty where nobody has to. Raises ListenerUnknown, and RateLimited for who tries keys."""
        if who is Who.EVERYONE:
            return ""
        sent = request.headers.get(hdrs.AUTHORIZATION)
        if sent is None:
            if who is Who.EITHER:
                return ""
            raise ListenerUnknown("send a listener's key: Authorization: Bearer sk_…")
        self._rates.check(KEY_FAILURES, place)
        found = None
        if sent[: len(_BEARER)].lower() == _BEARER:
            found = await asyncio.to_thread(self._listeners.of_key, sent[len(_BEARER) :].strip())
        if found is None:
            self._rates.take(KEY_FAILURES, place)
            raise ListenerUnknown("this is no listener's key")
        return found


def address_of(request: web.BaseRequest, proxies: int) -> str:
    """Where a request comes from: the other end of the connection, or what the first of our proxies says."""
    if proxies:
        told = [each.strip() for line in request.headers.getall("X-Forwarded-For", []) for each in line.split(",")]
        if len(told) >= proxies:
            return told[-proxies]
    return request.remote or ""


async def _body(request: web.Request, operation: Operation, timeout_s: float) -> tuple[object, str]:
    """The body, read, and its type. Raises BodyMalformed, BodyInvalid, MediaTypeRefused, and aiohttp's 408 and 413."""
    if operation.body is None:
        if request.body_exists:
            raise web.HTTPRequestEntityTooLarge(max_size=0, actual_size=request.content_length or 1)
        return None, ""
    kind, charset = request.content_type, request.charset or "utf-8"
    named = hdrs.CONTENT_TYPE in request.headers and kind in operation.body_types
    if not named or charset.lower() not in ("utf-8", "utf8"):
        raise MediaTypeRefused(f"must be {' or '.join(operation.body_types)}", subject=hdrs.CONTENT_TYPE)
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
        raise MediaTypeRefused("must not be compressed", subject=hdrs.CONTENT_ENCODING)
    body = await read_body(request, operation.body_bytes_max, timeout_s)
    if operation.body is bytes:
        return body, kind
    try:
        return msgspec.json.decode(body, type=operation.body), kind
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at ")
        raise BodyInvalid(_REPEATS.sub(r"\1", message), subject=where.strip("`")) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BodyMalformed("not JSON in UTF-8") from error


async def read_body(request: web.Request, bytes_max: int, timeout_s: float) -> bytes:
    """All of a body. Raises aiohttp's 408 if it takes longer than that, and 413 if it has more bytes."""
    read = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            if (request.content_length or 0) <= bytes_max:
                async for piece in request.content.iter_any():
                    read += piece
                    if len(read) > bytes_max:
                        break
                else:
                    return bytes(read)
    except TimeoutError as error:
        raise web.HTTPRequestTimeout from error
    raise web.HTTPRequestEntityTooLarge(max_size=bytes_max, actual_size=request.content_length or len(read))


def _answered(operation: Operation, call: Call, answer: object) -> web.Response:
    version, answer = (answer.version, answer.answer) if isinstance(answer, Tagged) else ("", answer)
    if answer is None:
        response = web.Response(status=operation.status)
    elif isinstance(answer, Sent):
        response = web.Response(status=operation.status, body=answer.body, headers={"Content-Type": answer.media_type})
        if answer.file_name:
            response.headers["Content-Disposition"] = _saved_as(answer.file_name)
    else:
        body = msgspec.json.encode(answer)
        response = web.Response(status=operation.status, body=body, headers={"Content-Type": f"{JSON}; charset=utf-8"})
    if operation.who is Who.EITHER:
        response.headers["Vary"] = hdrs.AUTHORIZATION
    if call.listener_id:
        response.headers.update(_PRIVATE)
        if version:
            response.headers["ETag"] = f'"{version}"'
    elif operation.method != hdrs.METH_GET or not operation.kept:
        response.headers.update(_NOT_KEPT)
    return response


def _saved_as(name: str) -> str:
    """RFC 6266: the name for those who read UTF-8, and one that nothing can go wrong with."""
    plain = re.sub(r"[^A-Za-z0-9 ._-]", "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='', errors='replace')}"
