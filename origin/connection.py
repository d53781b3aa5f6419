"""The connections of an origin: aiohttp's own, known while they are open, with our answer to what is not HTTP, and with
a short cut for plain requests whose answer is ready (`hot_path.py`)."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any, cast

from aiohttp import EMPTY_PAYLOAD, web
from aiohttp.http_writer import MIN_PAYLOAD_FOR_WRITELINES, StreamWriter
from aiohttp.web_request import BaseRequest

from origin.access import RequestFactory, token_aside
from origin.errors import refusal
from origin.hot_path import HOT, Asked, HotPath

log = logging.getLogger(__name__)


class Connection(web.RequestHandler):
    """aiohttp's connection, known while it is open, and with our answer to what aiohttp cannot parse: its own would
    repeat the request to the sender."""

    __slots__ = ("_asked", "_between_requests", "_hot", "_known_as", "_server", "_unfinished")

    def __init__(self, server: "Server", **settings: Any) -> None:
        super().__init__(server, **settings)
        self._server = server
        self._unfinished = False  # whether the last bytes that came completed no request
        self._hot = server.hot
        self._asked: Asked | None = None  # the plain request that the application answers now
        self._between_requests = True  # whether aiohttp's parser has seen the whole of each request that it began

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        self._known_as = cast(asyncio.Transport, transport)  # uvloop's is one without saying so
        self._server.transports.add(self._known_as)
        self._server.all_closed.clear()
        super().connection_made(transport)

    def _waits(self) -> bool:
        """Whether aiohttp waits for a request: all before are answered, and the connection is not about to be closed.
        Its task may not even have begun."""
        waiter = self._waiter
        return not (self._request_count or self._close) if waiter is None else not waiter.done()

    @property
    def head_open(self) -> bool:
        """Whether a request has begun to come, and is not whole."""
        return self._unfinished and self._waiter is not None

    @property
    def idle(self) -> bool:
        """Whether the connection is between two requests, or before the first."""
        waits = self._waiter is not None and not self._waiter.done() and not self._messages
        return waits and not self._unfinished

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client has gone, or all is said."""
        self._server.transports.discard(self._known_as)
        if not self._server.transports:
            self._server.all_closed.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of requests: a plain one whose answer is ready is answered at once, all else is aiohttp's."""
        transport = self.transport
        if self._between_requests and transport is not None and not self._messages:
            waits, asked = self._waits(), self._hot.asked(data)
            # With a slow reader, whose last answer has not all gone out, aiohttp waits.
            if (
                asked is not None
                and waits
                and not transport.get_write_buffer_size()
                and self._hot.answer(asked, transport)
            ):
                self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
                return
            if asked is not None:
                self._hot.expect(asked)
            if waits:
                self._asked = asked
        before = len(self._messages)
        super().data_received(data)
        if data:
            self._unfinished = len(self._messages) == before
        # The last bytes ended a head, and no body follows it: the next bytes begin a request.
        self._between_requests = (
            len(self._messages) > before
            and data.endswith(b"\r\n\r\n")
            and self._messages[-1][1] is EMPTY_PAYLOAD
            and not self._upgraded
            and not self._buffer_paused
        )

    async def finish_response(
        self, request: BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send what the application answers, and have it ready for the next one who asks."""
        asked, self._asked = self._asked, None
        sent, gone = await super().finish_response(request, resp, start_time)
        if request.body_exists and request.content.is_eof():
            self._unfinished = False  # the last bytes that came were the body's, not a head's
        if asked is not None and not gone:
            self._hot.keep(asked, sent)
        return sent, gone

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


class Writer(StreamWriter):
    """aiohttp's writer of an answer, but it hands the transport head and body as they are. Before Python 3.12.9 aiohttp
    joins them, and a slow reader holds a copy of a segment that all others share with the cache."""

    def _writelines(self, chunks: Iterable[Any]) -> None:
        parts = list(chunks)
        transport, size = self.transport, sum(map(len, parts))
        if size < MIN_PAYLOAD_FOR_WRITELINES or transport is None or transport.is_closing():
            super()._writelines(parts)
            return
        self.buffer_size += size
        self.output_size += size
        transport.writelines(parts)


def _written_by_us(make: RequestFactory) -> RequestFactory:
    """A factory of requests whose answers our writer writes."""

    def making(message: Any, payload: Any, protocol: Connection, writer: StreamWriter, task: Any) -> BaseRequest:
        return make(message, payload, protocol, Writer(protocol, writer.loop), task)

    return making


class Server(web.Server):
    """aiohttp's server, making our connections."""

    def __init__(self, *arguments: Any, hot: HotPath, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.hot = hot
        self.transports: set[asyncio.Transport] = set()
        self.all_closed = asyncio.Event()
        self.all_closed.set()

    def __call__(self) -> web.RequestHandler:
        return Connection(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """aiohttp's runner, making our server."""

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return Server(
            made.request_handler,
            hot=self.app[HOT],
            request_factory=_written_by_us(token_aside(made.request_factory)),
            handler_cancellation=made.handler_cancellation,
            loop=asyncio.get_running_loop(),
            **made._kwargs,
        )
