"""What goes to a client, before it is on its way."""

import asyncio
from collections.abc import Iterable
from typing import Any

from aiohttp.base_protocol import BaseProtocol
from multidict import CIMultiDict

from origin.connection import Writer


class _Takes(asyncio.Transport):
    """A transport that keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[Any] = []

    def is_closing(self) -> bool:
        return False

    def write(self, data: Any) -> None:
        self.taken.append(data)

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        self.taken += list_of_data


async def test_an_answer_holds_no_copy_of_its_body() -> None:
    """Many slow readers of one segment hold it once: what waits to be sent is what the cache has."""
    transport, body = _Takes(), bytes(96_000)
    protocol = BaseProtocol(asyncio.get_running_loop())
    protocol.connection_made(transport)
    writer = Writer(protocol, asyncio.get_running_loop())
    await writer.write_headers("HTTP/1.1 200 OK", CIMultiDict({"Content-Length": "96000"}))
    await writer.write_eof(body)
    assert transport.taken[-1] is body
    assert writer.output_size == sum(map(len, transport.taken))
