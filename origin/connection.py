"""The connections of an origin: aiohttp's own, known while they are open, with our answer to what is not HTTP."""

import asyncio
import logging
from typing import Any

from aiohttp import web
from aiohttp.web_request import BaseRequest

from origin.access import token_aside
from origin.errors import refusal

log = logging.getLogger(__name__)


class Connection(web.RequestHandler):
    """aiohttp's connection, known while it is open, and with our answer to what aiohttp cannot parse: its own would
    repeat the request to the sender."""

    __slots__ = ("_known_as", "_server", "_unfinished")

    def __init__(self, server: "Server", **settings: Any) -> None:
        super().__init__(server, **settings)
        self._server = server
        self._unfinished = False  # whether the last bytes that came completed no request

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        assert isinstance(transport, asyncio.Transport)
        self._known_as = transport
        self._server.transports.add(transport)
        self._server.all_closed.clear()
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Bytes of requests have come."""
        before = self._request_count
        super().data_received(data)
        if data:
            self._unfinished = self._request_count == before

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


class Server(web.Server):
    """aiohttp's server, making our connections."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
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
            request_factory=token_aside(made.request_factory),
            handler_cancellation=made.handler_cancellation,
            loop=asyncio.get_running_loop(),
            **made._kwargs,
        )
