"""Taking connections: as many as this process may hold, from a socket that others may share, whatever goes wrong.

Our own loop around accept(2), because asyncio's takes a whole queue before anybody else gets a turn, complains once for
each connection that it cannot take, and knows no limit.
"""

import asyncio
import errno
import logging
import resource
import socket
from collections.abc import Callable
from typing import cast

from model.errors import Overloaded
from origin.connection import Server
from origin.errors import code_of, refusal, status_of
from origin.observe import Metrics
from origin.patience import Patience
from origin.settings import OriginSettings

log = logging.getLogger(__name__)

_AT_A_TIME = 8  # then other workers get their turn
_PAUSE_S = 0.2  # after accept(2) failed, or found no room
_FILES_FOR_US = 256  # file descriptors that are not for clients: the store's, logs, pipes
_REFUSALS_MAX = 64  # being told so at a time; more are closed without a word
_REFUSAL_S = 1.0  # for a refused client to send its request and take the answer
_EVICTED_SHARE = 16  # at the limit, a sixteenth of it is freed at once: looking for the most silent costs time


class Listener:
    """Takes connections from a listening socket until it is closed.

    At the limit, those that have been idle for longest are closed, as a client must expect of any idle connection; if
    none is, new ones get a 503 and are closed: a client that is refused at once can go elsewhere, one that is left in
    the kernel's queue waits for its own timeout.
    """

    def __init__(
        self,
        listening: socket.socket,
        server: Server,
        patience: Patience,
        settings: OriginSettings,
        metrics: Metrics,
    ) -> None:
        listening.setblocking(False)
        self._socket = listening
        self._server = server
        self._patience = patience
        self._settings = settings
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._most = connections_max(settings)
        self._opening: set[asyncio.Task[None]] = set()
        self._refused: set[asyncio.Transport] = set()
        self._refusal = _refusal_bytes(settings)
        self._no_room_until_s = 0.0
        self._resume: asyncio.TimerHandle | None = None
        self._listen()

    async def close(self) -> None:
        """Take what is queued, and no more: whoever shares the socket goes on, else the port is closed."""
        self._take(most=self._settings.backlog)
        self._pause()
        self._socket.close()
        await asyncio.gather(*self._opening)

    def _take(self, *, most: int = _AT_A_TIME) -> None:
        for _ in range(most):
            try:
                accepted, _ = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._cannot(error)
                return
            task = self._loop.create_task(self._open(accepted))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _open(self, accepted: socket.socket) -> None:
        accepted.setblocking(False)
        factory: Callable[[], asyncio.Protocol] = self._server
        if not self._has_room():
            self._metrics.shed("connections")
            if len(self._refused) >= _REFUSALS_MAX:
                accepted.close()
                return
            factory = self._refuse
        try:
            await self._loop.connect_accepted_socket(factory, accepted)
        except OSError:  # gone already
            accepted.close()

    def _has_room(self) -> bool:
        # Those that are being opened, this one among them, are not known yet.
        if len(self._server.transports) + len(self._opening) <= self._most:
            return True
        now_s = self._loop.time()
        if now_s < self._no_room_until_s:
            return False
        freed = self._patience.evict(max(1, self._most // _EVICTED_SHARE))
        if freed == 0:
            self._no_room_until_s = now_s + _PAUSE_S
            log.warning("no room for connections", extra={"connections": len(self._server.transports)})
        return freed > 0

    def _refuse(self) -> asyncio.Protocol:
        return _Refusal(self._refusal, self._refused)

    def _cannot(self, error: OSError) -> None:
        """Out of descriptors or memory: make room, and look again later. The queue keeps who waits."""
        freed = self._patience.evict(max(1, self._most // _EVICTED_SHARE))
        extra = {"error": errno.errorcode.get(error.errno or 0, str(error)), "connections_closed": freed}
        log.warning("cannot take connections", extra=extra)
        self._pause()
        self._resume = self._loop.call_later(_PAUSE_S, self._listen)

    def _listen(self) -> None:
        self._loop.add_reader(self._socket, self._take)

    def _pause(self) -> None:
        if self._resume is not None:
            self._resume.cancel()
            self._resume = None
        self._loop.remove_reader(self._socket)


def listen(settings: OriginSettings) -> socket.socket:
    """A listening socket for these settings, to be shared by all that inherit it. Raises OSError if the port is taken.

    What an answer may leave in the kernel for a client that does not take it is bounded here: connections inherit it.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, settings.send_buffer_bytes)
        listening.bind(address)
        listening.listen(settings.backlog)
    except BaseException:
        listening.close()
        raise
    return listening


def connections_max(settings: OriginSettings) -> int:
    """How many connections this process holds: as set, or as many as it may have files for."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(1, min(settings.connections_max, files - _FILES_FOR_US))


def allow_files(settings: OriginSettings) -> None:
    """Raise this process's limit of open files so that the connections fit, as far as the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.connections_max + _FILES_FOR_US
    if soft < wanted:
        wanted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


class _Refusal(asyncio.Protocol):
    """Answers the first bytes of a client with a 503, and hears no more. It keeps the connection open for a moment:
    closed with unread bytes, TCP would take the answer back."""

    def __init__(self, answer: bytes, open_ones: set[asyncio.Transport]) -> None:
        self._answer = answer
        self._open_ones = open_ones

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one without saying so
        self._open_ones.add(self._transport)
        self._deadline = asyncio.get_running_loop().call_later(_REFUSAL_S, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        if self._answer:
            self._transport.write(self._answer)
            self._transport.write_eof()
            self._answer = b""

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.cancel()
        self._open_ones.discard(self._transport)


def _refusal_bytes(settings: OriginSettings) -> bytes:
    error = Overloaded("no room for another connection")
    response = refusal(status_of(error), code_of(error), retry_after_s=settings.retry_after_s)
    assert isinstance(response.body, bytes)
    headers = {**response.headers, "Content-Length": str(len(response.body)), "Connection": "close", "Server": "segue"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 503 Service Unavailable\r\n{lines}\r\n".encode() + response.body
