"""Listening, and stopping well: the process side of an origin."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger
from aiohttp.web_request import BaseRequest

from origin.access import path_of
from origin.app import build_app
from origin.cache_policy import ResourceClass
from origin.errors import refusal
from origin.observe import Metrics
from origin.settings import OriginSettings
from origin.state import HEALTH, KIND, METRICS, REQUEST_ID
from protection.keys import NO_KEYS, KeyRing
from storage.base import ObjectStore

log = logging.getLogger(__name__)

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_PATH_IN_LOG_MAX = 256  # characters; clients choose it


async def serve(
    settings: OriginSettings,
    store: ObjectStore,
    *,
    keys: KeyRing = NO_KEYS,
    ready: Callable[[str], None],
    extend: Sequence[Callable[[web.Application], None]] = (),
    stop: asyncio.Event | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT (or `stop`), then drain and return.

    `extend` may add routes and resources before the start; `ready` is called with the base URL once the port is open.
    Draining: /healthz says 503, after `lame_duck_s` the port closes, answers under way have `drain_s` to finish.
    """
    stop = stop or asyncio.Event()
    app = build_app(settings, store, keys)
    for extension in extend:
        extension(app)
    with _stopping_on_signals(stop):
        async with listening(app, settings) as url:
            ready(url)
            await stop.wait()
            app[HEALTH].draining = True
            log.info("draining", extra={"drain_s": settings.drain_s})
            await asyncio.sleep(settings.lame_duck_s)


@asynccontextmanager
async def listening(app: web.Application, settings: OriginSettings) -> AsyncIterator[str]:
    """An application on its port, as its base URL; at the end answers under way have `drain_s` to finish."""
    runner = _Runner(
        app,
        access_log_class=_access_log_class(app[METRICS]),
        access_log=log,
        # aiohttp waits this long for answers under way, and once more for the connections that carry them.
        shutdown_timeout=settings.drain_s / 2,
        handler_cancellation=True,
        keepalive_timeout=settings.keepalive_timeout_s,
        max_line_size=settings.line_bytes_max,
        max_field_size=settings.header_bytes_max,
        max_headers=settings.headers_max,
    )
    await runner.setup()
    server = runner.server
    assert isinstance(server, _Server)
    try:
        site = web.TCPSite(
            runner, settings.host, settings.port, backlog=settings.backlog, reuse_port=settings.reuse_port or None
        )
        await site.start()
        yield base_url(*runner.addresses[0][:2])
    finally:
        deadline_s = asyncio.get_running_loop().time() + settings.drain_s
        await runner.cleanup()
        await _flush(server, deadline_s)


async def _flush(server: "_Server", deadline_s: float) -> None:
    """Wait until what is written has gone out, for aiohttp only waits for the writing; cut off what is late."""
    with suppress(TimeoutError):
        async with asyncio.timeout_at(deadline_s):
            await server.all_closed.wait()
    for transport in server.transports:
        transport.abort()
    await asyncio.sleep(0)  # a transport closes its socket one turn of the loop after the call


def base_url(host: str, port: int) -> str:
    """`http://127.0.0.1:8080/`, with the brackets that an IPv6 address needs."""
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


class _Connection(web.RequestHandler):
    """aiohttp's connection, known while it is open, and with our answer to what aiohttp cannot parse: its own would
    repeat the request to the sender."""

    __slots__ = ("_known_as", "_server")

    def __init__(self, server: "_Server", **settings: Any) -> None:
        super().__init__(server, **settings)
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        assert isinstance(transport, asyncio.Transport)
        self._known_as = transport
        self._server.transports.add(transport)
        self._server.all_closed.clear()
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client has gone, or all is said."""
        self._server.transports.discard(self._known_as)
        if not self._server.transports:
            self._server.all_closed.set()
        super().connection_lost(exc)

    def handle_error(
        self, request: BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Answer what never reached the application, and close."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer was begun; there is no room for another")
        if status >= 500:
            log.error("request failed", extra={"status": status}, exc_info=exc)
        response = refusal(status, "bad-request" if status < 500 else "internal", retry_after_s=1)
        response.headers["Server"] = "segue"
        response.force_close()
        return response


class _Server(web.Server):
    """aiohttp's server, making our connections."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.transports: set[asyncio.Transport] = set()
        self.all_closed = asyncio.Event()
        self.all_closed.set()

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class _Runner(web.AppRunner):
    """aiohttp's runner, making our server."""

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(
            made.request_handler,
            request_factory=made.request_factory,
            handler_cancellation=made.handler_cancellation,
            loop=asyncio.get_running_loop(),
            **made._kwargs,
        )


def _access_log_class(metrics: Metrics) -> type[AbstractAccessLogger]:
    class AccessLog(AbstractAccessLogger):
        """Counts and logs each answer once its last byte is written."""

        def log(self, request: BaseRequest, response: web.StreamResponse, time: float) -> None:
            kind = request.get(KIND, ResourceClass.OTHER)  # what the parser refused has none
            metrics.request_served(kind, response.status, sent_bytes=request.writer.output_size, duration_s=time)
            if self.logger.isEnabledFor(logging.INFO):
                self.logger.info("request served", extra=_log_fields(request, response, time))

    return AccessLog


def _log_fields(request: BaseRequest, response: web.StreamResponse, duration_s: float) -> dict[str, Any]:
    return {
        "method": request.method,
        "url_path": path_of(request)[:_PATH_IN_LOG_MAX],
        "status": response.status,
        "resource": str(request.get(KIND, ResourceClass.OTHER)),
        "sent_bytes": request.writer.output_size,
        "duration_ms": round(1000 * duration_s, 3),
        "remote": request.remote,
        "request_id": request.get(REQUEST_ID, ""),
    }


@contextmanager
def _stopping_on_signals(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in _STOP_SIGNALS:
            loop.remove_signal_handler(number)
