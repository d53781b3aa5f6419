"""Slow clients on real sockets: heads that do not end, answers that nobody takes, connections that only sit there."""

import asyncio
import time

import pytest

from origin.metrics_table import CONNECTIONS_CUT, Cut
from origin.state import METRICS
from tests.integration.origin.conftest import Running, Start, until
from tests.integration.origin.published import Published, publish
from tests.integration.origin.slow import get, slow_connection
from tests.integration.origin.watched_store import WatchedStore

HASTY = {"head_timeout_s": 0.5, "sweep_s": 0.1, "reader_window_s": 1.0, "reader_bytes_per_s_min": 20_000}
LONG_SEGMENTS = 42  # four minutes


@pytest.mark.parametrize("before", [0, 2])
async def test_a_trickled_head_is_cut_off(start: Start, track: Published, before: int) -> None:
    """A byte now and then keeps no connection, be it new or one that asked well before."""
    async with start(**HASTY) as origin:
        reader, writer = await asyncio.open_connection("127.0.0.1", origin.port)
        for _ in range(before):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
            await reader.readuntil(b"\n")
        began_s = time.monotonic()
        ended = asyncio.create_task(_end(reader))
        writer.write(b"GET / HTTP/1.1\r\nHost: ")
        while not ended.done():
            assert time.monotonic() - began_s < 50
            writer.write(b"x")
            await asyncio.sleep(0.05)
        assert await ended == b""
        assert origin.app[METRICS].counted(CONNECTIONS_CUT) == {(Cut.SLOW_HEAD,): 1}
        assert await _asks(origin, track)
        writer.close()


async def test_a_silent_connection_ends_with_the_keep_alive(start: Start) -> None:
    """Who says nothing at all is closed like any idle connection."""
    async with start(keepalive_timeout_s=0.5) as origin:
        reader, writer = await asyncio.open_connection("127.0.0.1", origin.port)
        assert await asyncio.wait_for(_end(reader), 50) == b""
        writer.close()


async def test_a_reader_that_takes_nothing_is_cut_off(start: Start, store: WatchedStore) -> None:
    """Its answer is given up, what it held is free, and it is counted."""
    track = await publish(store, "long", segments=LONG_SEGMENTS)
    async with start(**HASTY) as origin:
        reader, writer = await slow_connection(origin.port)
        writer.write(get(f"{track.package_base}/aac-256.mp4"))
        await reader.readuntil(b"\r\n\r\n")
        await until(lambda: origin.app[METRICS].value(CONNECTIONS_CUT, Cut.SLOW_READER) == 1)
        await until(lambda: origin.app[METRICS].requests_in_progress == 0)
        assert await _asks(origin, track)
        writer.close()


async def test_a_reader_that_takes_too_little_is_cut_off(start: Start, store: WatchedStore) -> None:
    """Slower than the least rate; one that is as slow, but fast enough, gets everything."""
    track = await publish(store, "long", segments=LONG_SEGMENTS)
    whole = track.media["aac-64"]
    async with start(**HASTY | {"reader_window_s": 2.0, "reader_bytes_per_s_min": 100_000}) as origin:
        slow, steady = await asyncio.gather(
            _taken(origin.port, f"{track.package_base}/aac-64.mp4", 5_000),
            _taken(origin.port, f"{track.package_base}/aac-64.mp4", 60_000),
        )
        assert (len(slow) < len(whole), steady) == (True, whole)
        assert origin.app[METRICS].counted(CONNECTIONS_CUT) == {(Cut.SLOW_READER,): 1}


async def test_a_slow_store_is_not_the_client_s_fault(start: Start, store: WatchedStore) -> None:
    """Longer than the window with nothing to take: the client waits, and gets its answer."""
    track = await publish(store, "long", segments=LONG_SEGMENTS)
    async with start(**HASTY) as origin:
        async with origin.client.get(f"{track.package_base}/aac-64.mp4") as response:
            await response.content.readexactly(1000)
            store.gate.clear()
            await asyncio.sleep(2 * HASTY["reader_window_s"])
            store.gate.set()
            await response.read()
        assert not origin.app[METRICS].counted(CONNECTIONS_CUT)


async def test_a_body_is_refused(origin: Running, track: Published) -> None:
    """413 at once, whatever is promised, and the connection ends though the body never does."""
    reader, writer = await asyncio.open_connection("127.0.0.1", origin.port)
    head = f"GET {track.base}/index.m3u8 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\nbegun"
    writer.write(head.encode())
    answer = await asyncio.wait_for(_end(reader), 50)
    assert answer.startswith(b"HTTP/1.1 413 ") and b'{"error": "body-too-large"}' in answer
    assert b"Connection: close\r\n" in answer
    assert origin.store.reads.total() == 0
    writer.close()


async def _asks(origin: Running, track: Published) -> bool:
    async with origin.client.get(f"{track.package_base}/aac-64/0.mp4") as response:
        return await response.read() == track.segment_of("aac-64", 0)


async def _end(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""


async def _taken(port: int, path: str, step_bytes: int) -> bytes:
    """The body, as far as it comes, taken in steps, ten times a second."""
    reader, writer = await slow_connection(port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    taken = b""
    try:
        while piece := await reader.read(step_bytes):
            taken += piece
            await asyncio.sleep(0.1 * len(piece) / step_bytes)
    except ConnectionResetError:
        pass
    writer.close()
    return taken
