"""Workers are replaced under load: by a signal without a lost request, by a crash with those that it held."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from tests.integration.origin.asking import Client, Tally, asking
from tests.integration.origin.conftest import until
from tests.integration.origin.crew import Crew
from tests.integration.origin.published import Published

CLIENTS = 6
CRASHES = 3
RENEWAL_S = 60.0  # two processes start, one after the other; on a busy machine each takes seconds


@asynccontextmanager
async def _load(crew: Crew, path: str) -> AsyncIterator[Tally]:
    """Clients that ask over kept connections, busily and now and then, and over new ones."""
    tally, stop = Tally(), asyncio.Event()
    kinds = [(True, 0.03), (True, 0.8), (False, 0.03)]
    async with asyncio.TaskGroup() as clients:
        for kept, pause_s in kinds * CLIENTS:
            clients.create_task(asking(crew.port, path, tally, kept=kept, pause_s=pause_s, stop=stop))
        try:
            yield tally
        finally:
            stop.set()


async def test_a_rolling_restart_loses_nothing(crew: Crew, track: Published) -> None:
    """SIGHUP: all workers are others, and every request, over new and kept connections, got its answer."""
    async with _load(crew, f"{track.package_base}/aac-64/0.mp4") as tally:
        before = set(crew.workers())
        await until(lambda: len(tally.processes) == 2)
        os.kill(crew.process.pid, signal.SIGHUP)
        await until(_renewed(crew, before), timeout_s=RENEWAL_S)
        await until(lambda: len(tally.processes) >= 4)
    assert (tally.lost, set(tally.statuses)) == (0, {200})
    assert tally.closed > CLIENTS  # who kept a connection was asked to leave it


async def test_a_restart_that_is_asked_for_amid_one_follows_it(crew: Crew) -> None:
    """Nothing else has to happen for it: the second SIGHUP may be for settings that the first came too early for."""
    seen = set(crew.workers())

    def grown_to(number: int) -> Callable[[], bool]:
        def grown() -> bool:
            seen.update(crew.workers())
            return len(seen) >= number

        return grown

    os.kill(crew.process.pid, signal.SIGHUP)
    await until(grown_to(3), timeout_s=RENEWAL_S)
    os.kill(crew.process.pid, signal.SIGHUP)
    await until(grown_to(6), timeout_s=100.0)


async def test_a_crash_costs_what_was_under_way(crew: Crew, track: Published) -> None:
    """SIGKILL a worker under load, thrice: no client loses more than the one request that it was waiting for."""
    async with _load(crew, f"{track.package_base}/aac-64/0.mp4") as tally:
        for _ in range(CRASHES):
            victim = crew.workers()[0]
            lost = tally.lost
            os.kill(victim, signal.SIGKILL)
            await until(_renewed(crew, {victim}), timeout_s=RENEWAL_S)
            await asyncio.sleep(0.5)  # for the clients to see what they have lost
            assert tally.lost - lost <= 3 * CLIENTS
        lost, answered = tally.lost, tally.statuses.total()
        await until(lambda: tally.statuses.total() > answered + 200)
        assert tally.lost == lost
    assert set(tally.statuses) == {200}


async def test_a_streaming_answer_outlives_its_worker_s_service(crew: Crew, track: Published) -> None:
    """A client that is slowly taking a track file gets all of it from the worker that is being replaced."""
    reader, writer = await asyncio.open_connection("127.0.0.1", crew.port, limit=4096)
    writer.write(f"GET {track.package_base}/flac.mp4 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    before = set(crew.workers())
    os.kill(crew.process.pid, signal.SIGHUP)
    await until(lambda: bool(set(crew.workers()) - before), timeout_s=RENEWAL_S)
    taken = b""
    while len(taken) < len(track.media["flac"]):
        taken += await reader.readexactly(min(200_000, len(track.media["flac"]) - len(taken)))
        await asyncio.sleep(0.02)
    assert taken == track.media["flac"]
    writer.close()
    await until(_renewed(crew, before), timeout_s=RENEWAL_S)


async def test_connections_are_shared_out(crew: Crew) -> None:
    """Many at once, held open: no worker is left without."""
    tally = Tally()
    clients = [Client(crew.port, tally) for _ in range(200)]
    await asyncio.gather(*(client.ask("/healthz") for client in clients))
    for client in clients:
        client.close()
    assert tally.lost == 0
    assert len(tally.processes) == 2 and min(tally.processes.values()) >= 10


@pytest.mark.parametrize("crew", [("2", "once")], indirect=True)
async def test_a_renewal_that_fails_leaves_the_old_ones_at_work(crew: Crew, track: Published) -> None:
    """If the new code or settings do not start, the workers that are there go on."""
    before = crew.workers()
    os.kill(crew.process.pid, signal.SIGHUP)
    await until(lambda: len(crew.workers()) == 3)
    await until(lambda: crew.workers() == before, timeout_s=RENEWAL_S)
    tally = Tally()
    client = Client(crew.port, tally)
    assert await client.ask(f"{track.package_base}/aac-64/0.mp4") == track.segment_of("aac-64", 0)
    client.close()
    assert crew.process.poll() is None


def test_a_crew_that_is_asked_twice_ends_at_once(crew: Crew, track: Published) -> None:
    """SIGTERM waits for a client that takes nothing; the second SIGTERM does not."""
    asyncio.run(_with_a_stuck_client(crew, track))


async def _with_a_stuck_client(crew: Crew, track: Published) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", crew.port, limit=4096)
    writer.write(f"GET {track.package_base}/flac.mp4 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    loop = asyncio.get_running_loop()
    crew.process.terminate()
    with pytest.raises(subprocess.TimeoutExpired):
        await asyncio.to_thread(crew.process.wait, 1.5)
    asked_s = loop.time()
    crew.process.terminate()
    assert await asyncio.to_thread(crew.process.wait, 14) == 0
    assert loop.time() - asked_s < 14  # before the 15 s that draining may take
    writer.close()


def _renewed(crew: Crew, before: set[int]) -> Callable[[], bool]:
    """Whether there are two workers, and none of those."""

    def renewed() -> bool:
        now = set(crew.workers())
        return len(now) == 2 and not now & before

    return renewed
