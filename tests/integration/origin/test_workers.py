"""Several workers on one port: they share the work, are replaced when they die, and end together."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from segue.workers import WorkerPolicy
from tests.integration.origin.crew import PROGRAM, Crew, is_worker
from tests.integration.origin.published import Published


def test_a_killed_worker_is_replaced_and_a_signal_ends_all(crew: Crew, track: Published) -> None:
    """SIGKILL one of two: no new connection fails, and soon there are two again. SIGTERM: exit 0, none is left."""
    first, second = crew.workers()
    os.kill(first, signal.SIGKILL)
    _until(lambda: first not in crew.workers())
    assert asyncio.run(_ask(crew.url, f"{track.package_base}/aac-64/0.mp4", 40)) == {200}
    _until(lambda: len(crew.workers()) == 2)
    workers = crew.workers()
    assert second in workers and first not in workers
    assert asyncio.run(_ask(crew.url, f"{track.base}/index.m3u8", 20)) == {200}
    crew.process.terminate()
    assert crew.process.wait(60) == 0
    assert not [pid for pid in workers if is_worker(pid)]


def test_workers_do_not_outlive_their_parent(crew: Crew) -> None:
    """SIGKILL the parent: the workers notice and stop by themselves."""
    workers = crew.workers()
    assert len(workers) == 2
    crew.process.kill()
    crew.process.wait(60)
    _until(lambda: not [pid for pid in workers if is_worker(pid)])


def test_workers_that_never_start_are_given_up(tmp_path: Path) -> None:
    """Exit 1 after a few tries, instead of trying for ever."""
    done = subprocess.run([*PROGRAM, str(tmp_path), "1", "broken"], capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout) == (1, "")


def test_a_crew_has_members() -> None:
    """Nobody asks for zero workers."""
    with pytest.raises(ValueError, match="at least one worker"):
        WorkerPolicy(workers=0)


async def _ask(url: str, path: str, times: int) -> set[int]:
    statuses = set()
    connector = aiohttp.TCPConnector(force_close=True)  # a new connection each time
    async with aiohttp.ClientSession(url, connector=connector) as client:
        for _ in range(times):
            async with client.get(path) as response:
                await response.read()
                statuses.add(response.status)
    return statuses


def _until(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    end_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.02)
