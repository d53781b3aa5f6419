"""Listening, and stopping well: the process side of an origin."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress

from aiohttp import web

from origin.access_log import access_log_class
from origin.app import build_app
from origin.connection import Runner, Server
from origin.settings import OriginSettings
from origin.state import HEALTH, METRICS
from protection.keys import NO_KEYS, KeyRing
from storage.base import ObjectStore

log = logging.getLogger(__name__)

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


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
    runner = Runner(
        app,
        access_log_class=access_log_class(app[METRICS]),
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
    assert isinstance(server, Server)
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


async def _flush(server: Server, deadline_s: float) -> None:
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
