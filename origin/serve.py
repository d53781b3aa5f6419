"""Listening, and stopping well: the process side of an origin."""

import asyncio
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial

from aiohttp import web

from origin.accept import Listener, listen
from origin.access_log import access_log_class
from origin.app import build_app
from origin.connection import Runner, Server
from origin.metrics_table import OPEN_CONNECTIONS
from origin.patience import Patience
from origin.settings import OriginSettings
from origin.state import ANSWER_LOG, HEALTH, METRICS
from protection.keys import NO_KEYS, KeyRing
from storage.base import ObjectStore

log = logging.getLogger(__name__)

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_LOOK_S = 0.05  # how often idle connections are looked for while draining
_LINGERING_S = 2.0  # for the rest of a body that was refused
_AFTER_DRAINING_S = 0.1  # for handlers to end, once draining is over


class Stopping:
    """How far the end has come: asked for, and asked for again by somebody who does not want to wait."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.hurried = asyncio.Event()

    def ask(self) -> None:
        """Stop; the second time: at once."""
        (self.hurried if self.asked.is_set() else self.asked).set()

    async def wait(self, seconds: float) -> None:
        """Let so much time pass, unless somebody hurries."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.hurried.wait(), seconds)


async def serve(
    settings: OriginSettings,
    store: ObjectStore,
    *,
    keys: KeyRing = NO_KEYS,
    ready: Callable[[str], None],
    extend: Sequence[Callable[[web.Application], None]] = (),
    listener: socket.socket | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain and return; a second signal ends it at once.

    `extend` may add routes and resources before the start; `ready` is called with the base URL once requests are taken:
    from `listener`, which other processes may share, or from a port of our own.
    Draining: /readyz says 503, after `lame_duck_s` the port closes, answers under way have `drain_s` to finish. Every
    answer asks its client to close; connections that ask nothing are closed when they were silent for `idle_grace_s`.
    """
    app = build_app(settings, store, keys)
    for extension in extend:
        extension(app)
    stopping = Stopping()
    with _stopping_on_signals(stopping):
        async with listening(app, settings, listener, stopping) as url:
            ready(url)
            await stopping.asked.wait()
            app[HEALTH].draining = True
            log.info("draining", extra={"drain_s": settings.drain_s})
            await stopping.wait(settings.lame_duck_s)


def expecting(app: web.Application, what: str) -> Callable[[], None]:
    """Keep an application from being ready until the function that this gives is called."""
    health = app[HEALTH]
    health.expect(what)
    return partial(health.arrived, what)


@asynccontextmanager
async def listening(
    app: web.Application,
    settings: OriginSettings,
    listener: socket.socket | None = None,
    stopping: Stopping | None = None,
) -> AsyncIterator[str]:
    """An application on its port, as its base URL; at the end answers under way have `drain_s` to finish."""
    runner = Runner(
        app,
        access_log_class=access_log_class(app[METRICS], app[ANSWER_LOG]),
        access_log=log,
        shutdown_timeout=_AFTER_DRAINING_S,
        handler_cancellation=True,
        keepalive_timeout=settings.keepalive_timeout_s,
        lingering_time=_LINGERING_S,
        max_line_size=settings.line_bytes_max,
        max_field_size=settings.header_bytes_max,
        max_headers=settings.headers_max,
        auto_decompress=False,  # bodies are refused unread: let nobody have them unpacked
    )
    await runner.setup()
    server = runner.server
    assert isinstance(server, Server)
    patience = Patience(server, settings, app[METRICS])
    sweeping = asyncio.create_task(patience.run())
    app[METRICS].watch(OPEN_CONNECTIONS, lambda: len(server.transports))
    try:
        shared = await asyncio.to_thread(listen, settings) if listener is None else listener
        url = base_url(*shared.getsockname()[:2])
        taking = Listener(shared, server, patience, settings, app[METRICS])
        try:
            yield url
        finally:
            app[HEALTH].draining = True
            await taking.close()
            await _drain(server, patience, settings, stopping or Stopping())
    finally:
        sweeping.cancel()
        await runner.cleanup()
        await _cut_off(server)


async def _drain(server: Server, patience: Patience, settings: OriginSettings, stopping: Stopping) -> None:
    """Wait until every connection is closed, in the time there is."""
    deadline_s = asyncio.get_running_loop().time() + settings.drain_s
    while server.transports and not stopping.hurried.is_set():
        left_s = deadline_s - asyncio.get_running_loop().time()
        if left_s <= 0:
            return
        patience.close_idle()
        with suppress(TimeoutError):
            await asyncio.wait_for(server.all_closed.wait(), min(_LOOK_S, left_s))


async def _cut_off(server: Server) -> None:
    for transport in server.transports:
        transport.abort()
    await asyncio.sleep(0)  # a transport closes its socket one turn of the loop after the call


def base_url(host: str, port: int) -> str:
    """`http://127.0.0.1:8080/`, with the brackets that an IPv6 address needs."""
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


@contextmanager
def _stopping_on_signals(stopping: Stopping) -> Iterator[None]:
    """Signals that were ignored when we began stay ignored: they are somebody else's to handle."""
    loop = asyncio.get_running_loop()
    ours = [number for number in _STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    for number in ours:
        loop.add_signal_handler(number, stopping.ask)
    try:
        yield
    finally:
        for number in ours:
            loop.remove_signal_handler(number)
