"""A TCP proxy on loopback in front of a real server, whose faults can be switched while it runs.

It knows no HTTP: what it does to bytes is what networks and dying servers do. The Host header passes as it is, so
signatures that cover it are right if the client signs for the proxy's own address.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

CHUNK_BYTES = 16 << 10


class FaultyProxy:
    """Passes connections on to `host`:`port`. Faults hold for connections that are open, and for new ones.

    - `refusing`: new connections are refused, as when nobody listens (set it by `refuse`, undo it by `accept`).
    - `hanging`: what comes is taken, and nothing is passed on, either way.
    - `delay_s`: each piece of an answer (at most CHUNK_BYTES) waits so long.
    - `cut_after_bytes`: of what is answered from now on, all connections together; then each connection that wants
      to answer ends: by RST, or, with `gently`, by FIN, as if that were all.

    `connections` and `answered_bytes` count what was accepted and passed on.
    """

    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._passing: set[asyncio.Task[None]] = set()
        self._moved = asyncio.Event()
        self.port = 0
        self.hanging = False
        self.delay_s = 0.0
        self.cut_after_bytes: int | None = None
        self.gently = False
        self.connections = 0
        self.answered_bytes = 0

    @property
    def endpoint(self) -> str:
        """Host and port to connect to."""
        return f"127.0.0.1:{self.port}"

    async def accept(self) -> None:
        """Listen, from now on or again; on the same port each time."""
        if self._server is None:
            self._server = await asyncio.start_server(self._pass, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Stop listening, and reset what is open."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        self.reset()

    def reset(self) -> None:
        """Break all connections off."""
        for writer in list(self._open):
            _reset(writer)

    async def close(self) -> None:
        """End everything, and wait for it."""
        self.heal()
        await self.refuse()
        await asyncio.gather(*self._passing, return_exceptions=True)

    def heal(self) -> None:
        """No faults any more, but for refusing."""
        self.hanging, self.delay_s, self.cut_after_bytes, self.gently = False, 0.0, None, False
        self._moved.set()
        self._moved = asyncio.Event()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        task = asyncio.current_task()
        assert task is not None
        self._passing.add(task)
        task.add_done_callback(self._passing.discard)
        upstream: asyncio.StreamWriter | None = None
        try:
            with suppress(OSError):
                answers, upstream = await asyncio.open_connection(*self._upstream)
                self._open.add(upstream)
                there = asyncio.ensure_future(self._pump(reader, upstream, answering=False))
                back = asyncio.ensure_future(self._pump(answers, writer, answering=True))
                done, pending = await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
                for task in pending:
                    task.cancel()
                await asyncio.gather(*done, *pending, return_exceptions=True)
        finally:
            for each in (writer, upstream):
                if each is not None:
                    self._open.discard(each)
                    each.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answering: bool) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                while self.hanging:
                    await self._moved.wait()
                if answering:
                    await asyncio.sleep(self.delay_s)
                    data, ends = self._cut(data)
                    self.answered_bytes += len(data)
                    writer.write(data)
                    await writer.drain()
                    if ends:
                        if not self.gently:
                            _reset(writer)
                        return
                else:
                    writer.write(data)
                    await writer.drain()

    def _cut(self, data: bytes) -> tuple[bytes, bool]:
        if self.cut_after_bytes is None:
            return data, False
        data = data[: self.cut_after_bytes]
        self.cut_after_bytes -= len(data)
        return data, self.cut_after_bytes == 0


@asynccontextmanager
async def faulty_proxy(endpoint: str) -> AsyncIterator[FaultyProxy]:
    """A proxy in front of `host:port`, without faults at first."""
    host, _, port = endpoint.rpartition(":")
    proxy = FaultyProxy(host, int(port))
    await proxy.accept()
    try:
        yield proxy
    finally:
        await proxy.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST, not FIN; what was not sent yet is lost."""
    connection = writer.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
