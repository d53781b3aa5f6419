"""How long we wait for a client: for its request to be whole, for it to take its answer, for its next request.

One look at all open connections every `sweep_s` instead of timers for every request: nothing is added to the way of
an answer, and a limit is kept to within a sweep or two.
"""

import asyncio
import heapq
import logging
from collections.abc import Iterator
from dataclasses import dataclass

from origin.connection import Connection, Server
from origin.metrics_table import Cut
from origin.observe import Metrics
from origin.settings import OriginSettings
from origin.tcp import TcpState, reset, tcp_state

log = logging.getLogger(__name__)

_AT_A_TIME = 200  # connections looked at before others get their turn: some 2 ms


@dataclass(slots=True)
class Watch:
    """What is remembered of a connection from one look to the next."""

    head_since_s: float | None = None  # when a part of a request's head was first seen
    window_since_s: float | None = None  # when the answer that it takes now was first seen waiting
    window_from_bytes: int = 0  # what it had taken by then

    def judge(self, now_s: float, settings: OriginSettings, *, head_open: bool, state: TcpState) -> Cut | None:
        """Why the connection has to be cut off, if it has to be."""
        if not head_open:
            self.head_since_s = None
        elif self.head_since_s is None:
            self.head_since_s = now_s
        elif now_s - self.head_since_s >= settings.head_timeout_s:
            return Cut.SLOW_HEAD
        if not state.waiting:
            self.window_since_s = None
        elif self.window_since_s is None:
            self._begin_window(now_s, state)
        elif now_s - self.window_since_s >= settings.reader_window_s:
            least_bytes = settings.reader_bytes_per_s_min * (now_s - self.window_since_s)
            if state.taken_bytes - self.window_from_bytes < least_bytes:
                return Cut.SLOW_READER
            self._begin_window(now_s, state)
        return None

    def _begin_window(self, now_s: float, state: TcpState) -> None:
        self.window_since_s, self.window_from_bytes = now_s, state.taken_bytes


class Patience:
    """Looks after the open connections of a server."""

    def __init__(self, server: Server, settings: OriginSettings, metrics: Metrics) -> None:
        self._server = server
        self._settings = settings
        self._metrics = metrics
        self._watches: dict[asyncio.Transport, Watch] = {}

    async def run(self) -> None:
        """Look at all connections, for ever."""
        while True:
            await asyncio.sleep(self._settings.sweep_s)
            await self.sweep()

    async def sweep(self) -> None:
        """Look at every connection once, and cut off those that keep us waiting for too long."""
        seen: dict[asyncio.Transport, Watch] = {}
        now_s = asyncio.get_running_loop().time()
        for number, transport in enumerate(list(self._server.transports)):
            if number % _AT_A_TIME == _AT_A_TIME - 1:
                await asyncio.sleep(0)
            state = tcp_state(transport)
            if state is None or transport not in self._server.transports:
                continue
            watch = seen[transport] = self._watches.get(transport) or Watch()
            head_open = _connection(transport).head_open
            cut = watch.judge(now_s, self._settings, head_open=head_open, state=state)
            if cut is not None:
                self._cut(transport, cut)
        self._watches = seen

    def close_idle(self) -> None:
        """Close all connections that are between two requests and have been silent for `idle_grace_s`.

        A request that is on its way at that moment is lost, as with any server that closes first; what the kernel has
        received counts as heard, read by us or not.
        """
        for _, transport in self._idle():
            _connection(transport).force_close()

    def evict(self, most: int) -> int:
        """Close the idle connections that have been silent for longest, to make room. Gives how many."""
        chosen = heapq.nlargest(most, self._idle(), key=lambda each: each[0])
        for _, transport in chosen:
            self._metrics.cut(Cut.EVICTED)
            _connection(transport).force_close()
        return len(chosen)

    def _idle(self) -> Iterator[tuple[float, asyncio.Transport]]:
        """Idle connections, and how long they have been silent."""
        for transport in list(self._server.transports):
            state = tcp_state(transport) if _connection(transport).idle else None
            if state is not None and not state.waiting and state.silent_s >= self._settings.idle_grace_s:
                yield state.silent_s, transport

    def _cut(self, transport: asyncio.Transport, why: Cut) -> None:
        self._metrics.cut(why)
        log.info("connection cut off", extra={"reason": why, "remote": _remote(transport)})
        reset(transport)


def _connection(transport: asyncio.Transport) -> Connection:
    connection = transport.get_protocol()
    assert isinstance(connection, Connection)
    return connection


def _remote(transport: asyncio.Transport) -> str:
    return str((transport.get_extra_info("peername") or ("",))[0])
