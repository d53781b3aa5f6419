"""Connections to an S3 service that are kept, and what one GET on one of them gets.

aiohttp's protocol and its parser, without its session: of what that does for a request most is not for us, and it takes
0.3 ms, which a listener's first byte waits for (docs/decisions/0035-a-short-first-read.md).
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from functools import partial

from aiohttp import ClientOSError, ClientPayloadError, ServerDisconnectedError, StreamReader
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage
from aiohttp.http_exceptions import HttpProcessingError

from model.errors import StorageError
from storage.s3_limits import S3Limits

_BUFFER_BYTES = 128 << 10
_FIRST_RECEIVED_BYTES, _RECEIVED_BYTES = 16 << 10, 256 << 10  # at once
_KEPT_S = 15.0  # idle for longer, a connection may be one that something on its way has forgotten
_GONE = (ServerDisconnectedError, ClientOSError, ConnectionError)


class _Connection(ResponseHandler):
    """aiohttp's protocol, whose answers can be made to wait. Of each only a little is received at first."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._body: StreamReader | None = None
        self._held = False
        self.begins = True

    def begin(self) -> None:
        """An answer is to come."""
        self._body, self._held, self.begins = None, False, True

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        """The head of an answer has come."""
        self._body = data[1]
        super().feed_data(data, size)

    def received(self, data: bytes, *, more: bool) -> None:
        """Bytes have come; `more` says that there are others already."""
        self.data_received(data)
        if self.begins and more and self._body is not None and self._body.total_bytes:
            self.hold()
        self.begins = False

    def hold(self) -> None:
        """Let the rest of the body wait until `go_on`."""
        if self.is_connected():
            self._held = True
            self.pause_reading()

    def go_on(self) -> None:
        """Take the rest in, if it was held."""
        if self._held:
            self._held = False
            self.resume_reading()


class _Receiver(asyncio.BufferedProtocol):
    """Hands on what a connection receives: of each answer a little first, and then the rest once that was taken. For to
    take 200 kB in costs 0.2 ms, and what is in front of them is what somebody waits for.

    `room` is where it is received; all connections of a loop can share it, for it is empty again at once.
    """

    def __init__(self, connection: _Connection, room: memoryview) -> None:
        self._connection = connection
        self._room = room
        self.connection_made = connection.connection_made  # type: ignore[method-assign]
        self.connection_lost = connection.connection_lost  # type: ignore[method-assign]
        self.eof_received = connection.eof_received  # type: ignore[method-assign]
        self.pause_writing = connection.pause_writing  # type: ignore[method-assign]
        self.resume_writing = connection.resume_writing  # type: ignore[method-assign]

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go."""
        return self._room[:_FIRST_RECEIVED_BYTES] if self._connection.begins else self._room

    def buffer_updated(self, nbytes: int) -> None:
        """So many bytes have come."""
        self._connection.received(bytes(self._room[:nbytes]), more=nbytes == _FIRST_RECEIVED_BYTES)


class Response:
    """The head of an answer, and its body on its way. Close it, read to the end or not."""

    def __init__(
        self, connections: "Connections", connection: _Connection, head: tuple[int, Mapping[str, str]],
        body: StreamReader,
    ) -> None:  # fmt: skip
        self._connections = connections
        self._connection: _Connection | None = connection
        self.status, self.headers = head
        self.body = body

    @property
    def content_length(self) -> int | None:
        """What the head says of the body."""
        length = self.headers.get("Content-Length", "")
        return int(length) if length.isdecimal() else None

    def hold(self) -> None:
        """Let the rest of the body wait until `go_on`: to take a large chunk in costs 0.1 ms."""
        if self._connection is not None:
            self._connection.hold()

    def go_on(self) -> None:
        """Take the rest in, if it was held: by `hold`, or because it has only begun to come."""
        if self._connection is not None:
            self._connection.go_on()

    def close(self) -> None:
        """Give the connection back, or close it if bytes are still to come. Idempotent."""
        self.go_on()
        connection, self._connection = self._connection, None
        if connection is not None:
            self._connections.give_back(connection)


class Connections:
    """At most `limits.connections` of them to one service, each for one request at a time; who finds none free waits.

    Raises what aiohttp raises, and OSError. Use it in one event loop.
    """

    def __init__(self, host: str, port: int, *, tls: bool, limits: S3Limits) -> None:
        self._address = host, port
        self._tls = ssl.create_default_context() if tls else None
        self._limits = limits
        self._turns = asyncio.Semaphore(limits.connections)
        self._free: list[tuple[_Connection, float]] = []  # and since when
        self._sent: dict[bytes, _Connection] = {}  # requests that were hastened, until `get` comes for the answer
        self._open: set[_Connection] = set()  # in use, free, or with a hastened request
        self._room = memoryview(bytearray(_RECEIVED_BYTES))
        self._closed = False

    async def get(self, request: bytes) -> Response:
        """The answer to a request, once its head is here. If a kept connection turns out to be gone it is sent again,
        on another one."""
        await self._turns.acquire()
        try:
            connection = self._sent.pop(request, None)
            while connection is not None or (connection := self._sent_on_a_kept_one(request)) is not None:
                try:
                    return await self._answer(connection)
                except _GONE:
                    connection = None
            connection = await self._made()
            self._send(connection, request)
            return await self._answer(connection)
        except BaseException:
            self._turns.release()
            raise

    def hasten(self, request: bytes) -> Callable[[], None] | None:
        """Send a request that `get` is about to be called for, if a kept connection is free, else give None. Call what
        this gives once `get` was called, or will not be: an answer that nobody came for is given up."""
        busy = self._closed or self._turns.locked() or request in self._sent
        connection = None if busy else self._sent_on_a_kept_one(request)
        if connection is None:
            return None
        self._sent[request] = connection
        return partial(self._give_up, request, connection)

    def give_back(self, connection: _Connection) -> None:
        """Whoever took it with a response needs it no more."""
        self._turns.release()
        if self._closed or connection.should_close or not connection.is_connected():
            self._drop(connection)
        else:
            self._free.append((connection, asyncio.get_running_loop().time()))

    async def close(self) -> None:
        """Close all, those in use too: who reads from one gets an error. Idempotent."""
        self._closed = True
        ends = [end for connection in self._open if (end := connection.closed) is not None]
        for connection in list(self._open):
            self._drop(connection)
        self._free.clear()
        self._sent.clear()
        await asyncio.gather(*ends, return_exceptions=True)

    def _give_up(self, request: bytes, connection: _Connection) -> None:
        if self._sent.get(request) is connection:
            del self._sent[request]
            self._drop(connection)

    def _sent_on_a_kept_one(self, request: bytes) -> _Connection | None:
        connection = self._kept()
        if connection is not None:
            self._send(connection, request)
        return connection

    def _kept(self) -> _Connection | None:
        """The one that was used last, if it is still good."""
        now_s = asyncio.get_running_loop().time()
        while self._free:
            connection, since_s = self._free.pop()
            if connection.is_connected() and now_s - since_s < _KEPT_S:
                return connection
            self._drop(connection)
        return None

    async def _made(self) -> _Connection:
        if self._closed:
            raise StorageError("the store is closed", subject="s3-store")
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._limits.connect_timeout_s):
            connection = _Connection(loop)
            receiver = _Receiver(connection, self._room)
            await loop.create_connection(lambda: receiver, *self._address, ssl=self._tls)
        self._open.add(connection)
        return connection

    def _send(self, connection: _Connection, request: bytes) -> None:
        assert connection.transport is not None
        connection.begin()
        connection.transport.write(request)
        connection.set_response_params(  # in time, for nothing is read before the loop's next turn
            read_until_eof=True,
            auto_decompress=False,  # the bytes are what was stored, whatever is said about them
            read_timeout=self._limits.read_timeout_s,
            read_bufsize=_BUFFER_BYTES,
        )
        connection.start_timeout()

    async def _answer(self, connection: _Connection) -> Response:
        try:
            message, body = await connection.read()
            while message.code < 200 and message.code != 101:  # RFC 9110 §15.2: more is to come
                message, body = await connection.read()
        except HttpProcessingError as error:
            self._drop(connection)
            raise ClientPayloadError("what came is not HTTP") from error
        except BaseException:
            self._drop(connection)
            raise
        return Response(self, connection, (message.code, message.headers), body)

    def _drop(self, connection: _Connection) -> None:
        """Close it at once. By its transport: closed by itself, it would tell nobody who still reads."""
        self._open.discard(connection)
        if connection.transport is not None:
            connection.transport.abort()
