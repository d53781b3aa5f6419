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
from aiohttp.http_exceptions import HttpProcessingError

from model.errors import StorageError
from storage.s3_limits import S3Limits

_BUFFER_BYTES = 128 << 10
_KEPT_S = 15.0  # idle for longer, a connection may be one that something on its way has forgotten
_GONE = (ServerDisconnectedError, ClientOSError, ConnectionError)


class Response:
    """The head of an answer, and its body on its way. Close it, read to the end or not."""

    def __init__(
        self, connections: "Connections", connection: ResponseHandler, head: tuple[int, Mapping[str, str]],
        body: StreamReader,
    ) -> None:  # fmt: skip
        self._connections = connections
        self._connection: ResponseHandler | None = connection
        self._held = False
        self.status, self.headers = head
        self.body = body

    @property
    def content_length(self) -> int | None:
        """What the head says of the body."""
        length = self.headers.get("Content-Length", "")
        return int(length) if length.isdecimal() else None

    def hold(self) -> None:
        """Let the rest of the body wait until `go_on`: to take a large chunk in costs 0.1 ms."""
        if self._connection is not None and self._connection.is_connected():
            self._held = True
            self._connection.pause_reading()

    def go_on(self) -> None:
        """Take the rest in, if it was held."""
        if self._connection is not None and self._held:
            self._held = False
            self._connection.resume_reading()

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
        self._free: list[tuple[ResponseHandler, float]] = []  # and since when
        self._sent: dict[bytes, ResponseHandler] = {}  # requests that were hastened, until `get` comes for the answer
        self._open: set[ResponseHandler] = set()  # in use, free, or with a hastened request
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

    def give_back(self, connection: ResponseHandler) -> None:
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

    def _give_up(self, request: bytes, connection: ResponseHandler) -> None:
        if self._sent.get(request) is connection:
            del self._sent[request]
            self._drop(connection)

    def _sent_on_a_kept_one(self, request: bytes) -> ResponseHandler | None:
        connection = self._kept()
        if connection is not None:
            self._send(connection, request)
        return connection

    def _kept(self) -> ResponseHandler | None:
        """The one that was used last, if it is still good."""
        now_s = asyncio.get_running_loop().time()
        while self._free:
            connection, since_s = self._free.pop()
            if connection.is_connected() and now_s - since_s < _KEPT_S:
                return connection
            self._drop(connection)
        return None

    async def _made(self) -> ResponseHandler:
        if self._closed:
            raise StorageError("the store is closed", subject="s3-store")
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._limits.connect_timeout_s):
            _, connection = await loop.create_connection(lambda: ResponseHandler(loop), *self._address, ssl=self._tls)
        self._open.add(connection)
        return connection

    def _send(self, connection: ResponseHandler, request: bytes) -> None:
        assert connection.transport is not None
        connection.transport.write(request)
        connection.set_response_params(  # in time, for nothing is read before the loop's next turn
            read_until_eof=True,
            auto_decompress=False,  # the bytes are what was stored, whatever is said about them
            read_timeout=self._limits.read_timeout_s,
            read_bufsize=_BUFFER_BYTES,
        )
        connection.start_timeout()

    async def _answer(self, connection: ResponseHandler) -> Response:
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

    def _drop(self, connection: ResponseHandler) -> None:
        """Close it at once. By its transport: closed by itself, it would tell nobody who still reads."""
        self._open.discard(connection)
        if connection.transport is not None:
            connection.transport.abort()
