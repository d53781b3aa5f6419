"""The origin as a process: a port, a URL, and a good end."""

import asyncio
import logging
import os
import signal
import time

import aiohttp
import pytest

from origin.serve import base_url, serve
from origin.settings import OriginSettings
from tests.integration.origin.asking import Client, Tally
from tests.integration.origin.conftest import Running, until
from tests.integration.origin.published import Published
from tests.integration.origin.watched_store import WatchedStore


class _Served:
    """An origin run by `serve`, as the command does."""

    def __init__(self, store: WatchedStore, settings: OriginSettings) -> None:
        self._ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.task = asyncio.create_task(serve(settings, store, ready=self._ready.set_result))

    async def url(self) -> str:
        return await self._ready


async def test_port_zero_tells_the_port_it_got(store: WatchedStore) -> None:
    """`ready` is called with a URL that answers."""
    served = _Served(store, OriginSettings(port=0))
    async with aiohttp.ClientSession(await served.url()) as client, client.get("/healthz") as response:
        assert response.status == 200
    os.kill(os.getpid(), signal.SIGINT)
    await served.task


async def test_sigterm_lets_a_download_finish(store: WatchedStore, track: Published) -> None:
    """Readiness turns 503 at once, the port closes, the answer under way gets its last byte, then `serve` returns."""
    settings = OriginSettings(port=0, drain_s=60.0, lame_duck_s=2.0, store_deadline_s=60.0, read_ahead_bytes=20_000)
    served = _Served(store, settings)
    async with aiohttp.ClientSession(await served.url()) as client:
        async with client.head(f"{track.package_base}/aac-256.mp4"):
            pass
        store.gate.clear()
        download = asyncio.create_task(_body(client, f"{track.package_base}/aac-256.mp4"))
        await until(lambda: bool(store.ranges) and store.ranges[-1] is not None)
        os.kill(os.getpid(), signal.SIGTERM)
        await _while_ready(client, 200)
        async with client.get("/readyz") as response:
            assert (response.status, (await response.json())["status"]) == (503, "draining")
            assert int(response.headers["Retry-After"]) > 0
        async with client.get("/healthz") as response:
            assert response.status == 200
        async with aiohttp.ClientSession(await served.url()) as late:
            with pytest.raises(aiohttp.ClientConnectionError):
                await _while_ready(late, 503)
            with pytest.raises(aiohttp.ClientConnectorError):
                await _while_ready(late, 503)
        assert not served.task.done()
        store.gate.set()
        assert await download == track.media["aac-256"]
    await asyncio.wait_for(served.task, 50)


async def test_draining_ends_in_its_time(store: WatchedStore, track: Published) -> None:
    """A client that never takes its answer cannot keep the process: `drain_s` and it is over."""
    served = _Served(store, OriginSettings(port=0, drain_s=0.6, store_deadline_s=60.0))
    async with aiohttp.ClientSession(await served.url()) as client:
        store.gate.clear()
        stuck = asyncio.create_task(_body(client, f"{track.base}/index.m3u8"))
        await until(lambda: store.reads.total() > 0)
        began_s = time.monotonic()
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(served.task, 50)
        assert time.monotonic() - began_s > 0.5
        with pytest.raises(aiohttp.ClientError):
            await stuck


async def test_draining_asks_busy_clients_to_leave_and_closes_idle_ones(store: WatchedStore) -> None:
    """During the lame duck new and kept connections are answered, with `Connection: close`; one that asks nothing is
    closed once it has been silent for long enough, and not before."""
    served = _Served(store, OriginSettings(port=0, lame_duck_s=1.5, idle_grace_s=1.5))
    port = int((await served.url()).rstrip("/").rpartition(":")[2])
    tally = Tally()
    busy, idle, new = (Client(port, tally) for _ in range(3))
    began_s = time.monotonic()
    await asyncio.gather(busy.ask("/healthz"), idle.ask("/healthz"))
    os.kill(os.getpid(), signal.SIGTERM)
    async with aiohttp.ClientSession(await served.url()) as probe:
        await _while_ready(probe, 200)
    await asyncio.gather(busy.ask("/metrics"), new.ask("/metrics"))
    assert (tally.lost, tally.closed, tally.statuses[200]) == (0, 2, 4)
    assert not idle.is_closed
    await until(lambda: idle.is_closed)
    assert time.monotonic() - began_s >= 1.5
    await asyncio.wait_for(served.task, 50)
    idle.close()


async def test_a_request_that_comes_while_draining_is_answered(store: WatchedStore, track: Published) -> None:
    """On a connection that was idle when the port closed: its answer comes, and then its end."""
    served = _Served(store, OriginSettings(port=0, idle_grace_s=60.0, drain_s=60.0))
    port = int((await served.url()).rstrip("/").rpartition(":")[2])
    tally = Tally()
    client = Client(port, tally)
    await client.ask("/healthz")
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(ConnectionRefusedError):
        while True:
            _, late = await asyncio.open_connection("127.0.0.1", port)
            late.close()
    assert await client.ask(f"{track.package_base}/aac-64/0.mp4") == track.segment_of("aac-64", 0)
    assert (tally.lost, tally.closed) == (0, 1)
    await asyncio.wait_for(served.task, 30)  # nobody is left to wait for


async def test_a_second_signal_ends_it_at_once(store: WatchedStore, track: Published) -> None:
    """The first SIGTERM waits for an answer that is stuck, the second does not."""
    served = _Served(store, OriginSettings(port=0, lame_duck_s=60.0, drain_s=60.0, store_deadline_s=60.0))
    async with aiohttp.ClientSession(await served.url()) as client:
        store.gate.clear()
        stuck = asyncio.create_task(_body(client, f"{track.base}/index.m3u8"))
        await until(lambda: store.reads.total() > 0)
        os.kill(os.getpid(), signal.SIGTERM)
        await _while_ready(client, 200)
        assert not served.task.done()
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(served.task, 30)
        with pytest.raises(aiohttp.ClientError):
            await stuck


async def test_a_taken_port_is_an_error(origin: Running, store: WatchedStore) -> None:
    """OSError, for the command to explain."""
    served = _Served(store, OriginSettings(port=origin.port))
    with pytest.raises(OSError, match="Address already in use"):
        await served.task


async def test_each_answer_is_one_log_event(
    origin: Running, track: Published, caplog: pytest.LogCaptureFixture
) -> None:
    """A constant event with fields: what was asked, how it ended, how long it took, under which id."""
    with caplog.at_level(logging.INFO, logger="origin.serve"):
        async with origin.client.get(f"{track.package_base}/aac-64/0.mp4", headers={"X-Request-Id": "r-1"}) as response:
            size = len(await response.read())
        await until(lambda: bool(caplog.records))
    (record,) = caplog.records
    assert record.message == "request served"
    fields = record.__dict__
    assert (fields["method"], fields["status"]) == ("GET", 200)
    assert size < fields["sent_bytes"] < size + 2000  # the head is counted too
    assert (fields["resource"], fields["request_id"]) == ("media", "r-1")
    assert fields["url_path"] == f"{track.package_base}/aac-64/0.mp4"
    assert fields["duration_ms"] > 0


def test_urls_of_addresses() -> None:
    """IPv6 addresses stand in brackets."""
    assert base_url("127.0.0.1", 80) == "http://127.0.0.1:80/"
    assert base_url("::1", 80) == "http://[::1]:80/"


async def _body(client: aiohttp.ClientSession, path: str) -> bytes:
    async with client.get(path) as response:
        return await response.read()


async def _while_ready(client: aiohttp.ClientSession, status: int) -> None:
    """Ask until the answer is another one."""
    found = status
    while found == status:
        async with client.get("/readyz") as response:
            found = response.status
        await asyncio.sleep(0.01)
