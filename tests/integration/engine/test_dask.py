"""The engine itself: a bounded window, errors that come back whole, and machines that are refused."""

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import dask
import imageio_ffmpeg
import pytest

from model.errors import EngineMismatch, EngineUnavailable, StorageUnavailable
from model.events import Unobserved
from segue.config import load
from segue.engine_dask import DaskEngine
from segue.wiring import Workshop, workshop
from tests.support.cluster import Cluster, cluster, free_port
from tests.support.steps import endless, failing, nothing

WINDOW = 16
FEW, MANY, ROUNDS = 200, 600, 2
KILOBYTES_MAX = 500  # it was 3.2 kB a step, until messages that were sent were no longer kept


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A scheduler and a worker that does four steps at once."""
    with cluster(tmp_path_factory.mktemp("machines")) as found:
        found.scheduler()
        found.worker(slots=4)
        yield found


@asynccontextmanager
async def shop_at(machines: Cluster, folder: Path) -> AsyncIterator[Workshop]:
    """A workshop whose steps are done there."""
    flags: dict[str, Any] = {
        "store": f"file:{folder / 'store'}", "catalog": str(folder / "catalog.sqlite3"), "engine": "dask",
        "scheduler": machines.address, "jobs": WINDOW,
    }  # fmt: skip
    async with workshop(load(flags, {}), Unobserved()) as shop:
        yield shop


async def test_the_coordinators_memory_does_not_grow_with_the_batch(machines: Cluster, tmp_path: Path) -> None:
    """Never more futures than the window, however much is asked for, and what is done is forgotten."""
    async with shop_at(machines, tmp_path) as shop:
        engine = shop.ingest.engine
        assert isinstance(engine, DaskEngine)
        most = 0

        async def run(count: int) -> None:
            numbers = iter(range(count))

            async def one_after_the_other() -> None:
                nonlocal most
                for number in numbers:
                    assert await engine.submit(nothing, shop.ingest, number) == number
                    most = max(most, len(engine._client.futures))

            await asyncio.gather(*[one_after_the_other() for _ in range(2 * WINDOW)])

        tracemalloc.start()
        await run(FEW)
        grown = [await _grown(run(MANY)) for _ in range(ROUNDS)]
        tracemalloc.stop()
        assert 1 < most <= WINDOW
        # In one round something else may have been imported; what grows with the batch grows in every one.
        assert min(grown) / 1000 < KILOBYTES_MAX


async def test_an_error_comes_back_as_it_was_raised(machines: Cluster, tmp_path: Path) -> None:
    """Its type, its message, its subject and its hint."""
    async with shop_at(machines, tmp_path) as shop:
        with pytest.raises(StorageUnavailable) as raised:
            await shop.ingest.engine.submit(failing, shop.ingest, "a name")
    error = raised.value
    assert (error.message, error.subject, error.hint) == ("made to fail", "a name", "this is a test")
    assert str(error) == "made to fail: a name"


async def test_a_step_that_is_not_wanted_any_more_gives_its_place_back(machines: Cluster, tmp_path: Path) -> None:
    """More steps than the worker can do are cancelled; the next one is done all the same."""
    async with shop_at(machines, tmp_path) as shop:
        engine = shop.ingest.engine
        waiting = [asyncio.ensure_future(engine.submit(endless, shop.ingest)) for _ in range(WINDOW)]
        await asyncio.sleep(1)
        for each in waiting:
            each.cancel()
        await asyncio.wait(waiting)
        async with asyncio.timeout(90):
            assert await engine.submit(nothing, shop.ingest, 7) == 7


async def test_a_machine_with_other_versions_does_not_join(machines: Cluster, tmp_path: Path) -> None:
    """Exit status 3, what differs, and a hint; a batch with another ffmpeg is refused likewise."""
    other = tmp_path / "ffmpeg"
    other.write_text(ANOTHER_FFMPEG.format(ffmpeg=_ffmpeg()))
    other.chmod(0o755)
    worker = machines.start("worker", "--scheduler", machines.address, "--ffmpeg", str(other))
    assert await asyncio.to_thread(worker.process.wait, 60) == 3
    (error,) = [line for line in worker.lines if line["event"] == "error"]
    assert error["code"] == "engine-mismatch" and "ffmpeg 0.1-other" in str(error["message"]) and error["hint"]
    flags = {"store": f"file:{tmp_path}", "catalog": str(tmp_path / "c"), "ffmpeg": str(other), "engine": "dask"}
    with pytest.raises(EngineMismatch):
        async with workshop(load({**flags, "scheduler": machines.address}, {}), Unobserved()):
            pass


async def test_no_scheduler_is_an_error_of_the_environment(tmp_path: Path) -> None:
    """Not a failure of each track."""
    flags = {"store": f"file:{tmp_path}", "catalog": str(tmp_path / "c"), "engine": "dask"}
    with dask.config.set({"distributed.comm.timeouts.connect": "1s"}), pytest.raises(EngineUnavailable):
        async with workshop(load({**flags, "scheduler": f"tcp://127.0.0.1:{free_port()}"}, {}), Unobserved()):
            pass


async def _grown(work: Awaitable[None]) -> int:
    """How many bytes are left of it."""
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()
    await work
    gc.collect()
    return tracemalloc.get_traced_memory()[0] - before


ANOTHER_FFMPEG = """\
#!/bin/sh
"{ffmpeg}" "$@" | sed 's/^ffmpeg version [^ ]*/ffmpeg version 0.1-other/'
"""


def _ffmpeg() -> str:
    return str(imageio_ffmpeg.get_ffmpeg_exe())
