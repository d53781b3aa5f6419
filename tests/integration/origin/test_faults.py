"""What goes wrong at the socket: resets, half-closed and vanished clients, crowds of idle ones, no descriptors left."""

import asyncio
import os
import resource
import socket
import struct
import time
from pathlib import Path

import pytest

from origin.metrics_table import DISCONNECTS
from origin.state import METRICS
from tests.integration.origin.asking import Client, Tally
from tests.integration.origin.conftest import Running, Start, until
from tests.integration.origin.crew import Crew
from tests.integration.origin.published import Published, publish
from tests.integration.origin.slow import get, slow_connection
from tests.integration.origin.watched_store import WatchedStore

LONG_SEGMENTS = 42
IDLE = 2000
BUSY_S = 5.0  # more, on a machine that is busy with other tests
IDLE_BYTES_MAX = 30_000  # of memory, for each connection


@pytest.mark.parametrize("how", ["reset", "close"])
async def test_clients_that_vanish_amid_an_answer_leave_nothing(start: Start, store: WatchedStore, how: str) -> None:
    """Fifty at once, by a reset or a plain close: no request, no connection and no read of the store stays behind."""
    track = await publish(store, "long", segments=LONG_SEGMENTS)
    async with start() as origin:
        clients = [await slow_connection(origin.port) for _ in range(50)]
        for reader, writer in clients:
            writer.write(get(f"{track.package_base}/aac-256.mp4"))
            await reader.readuntil(b"\r\n\r\n")
        assert origin.app[METRICS].requests_in_progress == 50
        for _, writer in clients:
            if how == "reset":
                _reset(writer)
            writer.transport.abort()
        await until(lambda: origin.app[METRICS].requests_in_progress == 0)
        reads = store.reads.total()
        await _is_well(origin, track)
        assert store.reads.total() <= reads + 2  # for that one


async def test_a_client_that_closes_its_side_is_taken_for_gone(
    origin: Running, track: Published, store: WatchedStore
) -> None:
    """Nothing tells a half-closed connection from one that a client has given up: its request ends, so that it does not
    wait for a store that is slow already."""
    store.gate.clear()
    reader, writer = await asyncio.open_connection("127.0.0.1", origin.port)
    writer.write(get(f"{track.base}/index.m3u8"))
    await until(lambda: origin.app[METRICS].requests_in_progress == 1)
    writer.write_eof()
    assert await asyncio.wait_for(reader.read(), 50) == b""
    await until(lambda: origin.app[METRICS].requests_in_progress == 0)
    assert origin.app[METRICS].value(DISCONNECTS) == 1
    store.gate.set()
    writer.close()
    await _is_well(origin, track)


async def test_clients_that_only_connect_do_no_harm(origin: Running, track: Published) -> None:
    """Connect and reset, connect and close, connect and say half a word: hundreds of times."""
    for number in range(300):
        _, writer = await asyncio.open_connection("127.0.0.1", origin.port)
        if number % 3 == 0:
            _reset(writer)
        elif number % 3 == 1:
            writer.write(b"GET /hea")
        writer.close()
    await _is_well(origin, track)


@pytest.mark.parametrize("crew", [("1", "good")], indirect=True)
async def test_thousands_of_idle_connections_cost_little(crew: Crew, track: Published) -> None:
    """Two thousand kept connections: a new client is answered as ever, and each costs at most 30 kB."""
    (worker,) = crew.workers()
    tally = Tally()
    first = Client(crew.port, tally)
    await first.ask(f"{track.package_base}/aac-64/0.mp4")
    before_bytes = _resident_bytes(worker)
    idle = [Client(crew.port, tally) for _ in range(IDLE)]
    for at in range(0, IDLE, 50):
        await asyncio.gather(*(client.ask("/healthz") for client in idle[at : at + 50]))
    grown_bytes = _resident_bytes(worker) - before_bytes
    began_s = time.monotonic()
    late = Client(crew.port, tally)
    assert await late.ask(f"{track.package_base}/aac-64/0.mp4") == track.segment_of("aac-64", 0)
    assert time.monotonic() - began_s < 1.0 + BUSY_S
    assert (tally.lost, tally.closed, set(tally.statuses)) == (0, 0, {200})
    assert grown_bytes < IDLE * IDLE_BYTES_MAX
    for client in (first, late, *idle):
        client.close()


@pytest.mark.parametrize("crew", [("1", "good")], indirect=True)
async def test_a_process_without_descriptors_waits_for_some(crew: Crew, track: Published) -> None:
    """EMFILE on accept: no crash, no spinning; who is connected is served, the others when there are descriptors."""
    (worker,) = crew.workers()
    tally = Tally()
    first = Client(crew.port, tally)
    path = f"{track.package_base}/aac-64/0.mp4"
    await first.ask(path)
    while b"segue_storage_reads_in_progress 0\n" not in await first.ask("/metrics"):  # noqa: ASYNC110
        await asyncio.sleep(0.01)  # the file that it was read from is closed later than its bytes are here
    soft, hard = resource.prlimit(worker, resource.RLIMIT_NOFILE)
    in_use = _descriptors(worker) + 5
    busy = [await asyncio.open_connection("127.0.0.1", crew.port) for _ in range(5)]
    for _, writer in busy:
        writer.write(b"GET /half-a-head HTTP/1.1\r\n")
    await until(lambda: _descriptors(worker) == in_use)
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (in_use, hard))
    clients = [Client(crew.port, tally) for _ in range(20)]
    late = [asyncio.create_task(client.ask(path)) for client in clients]
    before_s = _cpu_s(worker)
    for _ in range(10):
        assert await first.ask(path)
        await asyncio.sleep(0.1)
    assert _cpu_s(worker) - before_s < 0.5
    assert not any(task.done() for task in late)
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (soft, hard))
    assert await asyncio.gather(*late) == [track.segment_of("aac-64", 0)] * 20
    assert (tally.lost, crew.workers()) == (0, [worker])
    for _, writer in busy:
        writer.close()
    for client in (first, *clients):
        client.close()


async def _is_well(origin: Running, track: Published) -> None:
    async with origin.client.get(f"{track.package_base}/aac-64/0.mp4") as response:
        assert (response.status, await response.read()) == (200, track.segment_of("aac-64", 0))


def _reset(writer: asyncio.StreamWriter) -> None:
    """Make the coming end of a connection a reset."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
