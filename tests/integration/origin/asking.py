"""Clients that ask without end and count what fails, over raw sockets: nothing is retried behind their back."""

import asyncio
import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

_LENGTH = re.compile(rb"Content-Length: (\d+)\r\n")
_REQUEST_ID = re.compile(rb"X-Request-Id: ([0-9a-f]{8})[0-9a-f]{8}\r\n")


class Lost(Exception):
    """The connection ended before the answer did."""


@dataclass(slots=True)
class Tally:
    """What a client saw."""

    statuses: Counter[int] = field(default_factory=Counter)
    lost: int = 0  # requests without a whole answer
    closed: int = 0  # connections that the server ended between two requests
    processes: Counter[bytes] = field(default_factory=Counter)  # answers by the process that gave them


class Client:
    """One connection at a time, opened when needed and kept while the server lets us."""

    def __init__(self, port: int, tally: Tally) -> None:
        self._port = port
        self._tally = tally
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    @property
    def is_closed(self) -> bool:
        """Whether the server has ended the connection, or there is none."""
        return self._reader is None or self._reader.at_eof()

    async def ask(self, path: str) -> bytes:
        """One request, tallied; the body, empty if it was lost."""
        try:
            async with asyncio.timeout(60):
                return await self._ask(path)
        except (OSError, asyncio.IncompleteReadError, Lost, TimeoutError):
            self._tally.lost += 1
            self.close()
            return b""

    def close(self) -> None:
        """End the connection, if there is one."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    async def _ask(self, path: str) -> bytes:
        if self._reader is not None and self.is_closed:
            self._tally.closed += 1
            self.close()
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head = await self._reader.readuntil(b"\r\n\r\n")
        length, process = _LENGTH.search(head), _REQUEST_ID.search(head)
        if length is None:
            raise Lost
        body = await self._reader.readexactly(int(length[1]))
        self._tally.statuses[int(head[9:12])] += 1
        if process is not None:
            self._tally.processes[process[1]] += 1
        if b"Connection: close\r\n" in head:
            self._tally.closed += 1
            self.close()
        return body


async def asking(port: int, path: str, tally: Tally, *, kept: bool, pause_s: float, stop: asyncio.Event) -> None:
    """Ask again and again until told to stop, over one connection or over a new one each time."""
    client = Client(port, tally)
    while not stop.is_set():
        await client.ask(path)
        if not kept:
            client.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause_s)
    client.close()
