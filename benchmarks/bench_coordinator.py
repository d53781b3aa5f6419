"""What a batch on a Dask cluster costs its coordinator, and what a second worker is worth.

    python -m benchmarks.bench_coordinator [--steps N] [--seconds S] [--simulated N] [--file FILE] > coordinator.json

A scheduler and workers, each a process as an operator starts it, on loopback. `steps`: steps that do nothing, through
the engine and its window, as many as fit the seconds: CPU of the coordinator, which is this process, and its memory
from time to time, for it must not grow with their number; CPU of the scheduler beside it. `simulated`: a batch of so
many sources by the code that a batch has, but for the work on their sound: objects of a bucket that the ledger has the
outlines of (laid out beforehand, and not counted) are planned, put together as albums of ten and taken in the order of
the work; for each a step, which is a turn of the loop, and a row of the ledger.

`two workers`: steps that take a fifth of a second each, by one worker and by two, each worker of one slot and held to a
core of its own. An efficiency of 1 by the clock is twice as fast. Where other programs use the cores the clock tells of
them, so there are two figures that do not: how much of the time the slots of the workers had a step (`busy`), and how
much of their CPU went into steps (`useful`); the efficiency of two by work is that of both, against one.

What was found so far is written to the file after each part, and of the simulated batch now and then.
"""

import argparse
import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.coordinator_steps import compute, nothing, turn, wait
from benchmarks.findings import Findings
from catalog.ledger import SourceRow
from ingest.objects import source_of
from ingest.release import group_of
from ingest.scan import Source, SourceObject
from ingest.work import remember, stamp_of
from model.events import Unobserved
from model.track import TrackTags
from segue.batch import Drawn
from segue.config import load
from segue.engine import dask_module
from segue.plan import Plan
from segue.wiring import workshop

STEPS = 5_000
SIMULATED = 100_000
TIMED = 40
STEP_S = 0.2
WINDOW = 64
ALBUM, SONG_S = 10, 240.0
BUCKET = "s3://masters?endpoint=http://127.0.0.1:9000"
PARTS = 100  # after each the clock and the memory are looked at
READY_S = 60

psutil: Any = import_module("psutil")  # comes with Dask, and has no types


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A scheduler and its workers."""

    address: str
    scheduler: Any
    workers: list[Any]

    def cpu_s(self) -> float:
        """CPU of all workers so far, with the processes that do their steps."""
        return sum(
            sum(process.cpu_times()[:2])
            for worker in self.workers
            for process in (worker, *worker.children(recursive=True))
        )


@contextmanager
def cluster(folder: Path, workers: int) -> Iterator[Running]:
    """A scheduler with so many workers of one slot, each held to one core; all ended afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    cores = sorted(os.sched_getaffinity(0))
    commands = [["scheduler"], *[["worker", "--jobs", "1"]] * workers]
    with (folder / "log.txt").open("ab") as log:
        running = [
            subprocess.Popen(
                [sys.executable, "-m", "segue.main", *words, "--scheduler", address], stdout=log, stderr=log
            )
            for words in commands
        ]
        for number, process in enumerate(running[1:]):
            os.sched_setaffinity(process.pid, {cores[number % len(cores)]})
        try:
            scheduler, *workers_of = [psutil.Process(process.pid) for process in running]
            yield Running(address=address, scheduler=scheduler, workers=workers_of)
        finally:
            for process in reversed(running):
                process.terminate()
            for process in running:
                process.wait(READY_S)


async def through(engine: Any, step: Any, values: Iterable[Any]) -> float:
    """All steps, as many at a time as a batch has under way; the sum of what they gave."""
    waiting = iter(values)
    total = 0.0

    async def some() -> None:
        nonlocal total
        for value in waiting:
            given = await engine.submit(step, value)
            total += given

    async with asyncio.TaskGroup() as group:
        for _ in range(WINDOW):
            group.create_task(some())
    return total


async def coordinated(module: Any, folder: Path, running: Running, steps: int, seconds: float) -> dict[str, Any]:
    """Cost of steps that do nothing."""
    async with connected(module, folder, running.address, workers=1) as engine:
        await through(engine, nothing, range(WINDOW))
        before_s = sum(running.scheduler.cpu_times()[:2])
        cost = await costs(engine, nothing, steps, seconds)
        scheduler_s = sum(running.scheduler.cpu_times()[:2]) - before_s
        return {**cost, "scheduler's cpu_ms per step": round(scheduler_s / cost["steps"] * 1e3, 3)}


async def costs(engine: Any, step: Any, steps: int, seconds: float) -> dict[str, Any]:
    """CPU and memory of this process for so many steps, or as many as fit."""
    me, done, mib = psutil.Process(), 0, {}
    began_s, began_cpu_s = time.monotonic(), time.process_time()
    while done < steps and time.monotonic() - began_s < seconds:
        some = min(steps - done, max(steps // PARTS, 1))
        await through(engine, step, range(some))
        done += some
        mib[done] = round(me.memory_info().rss / (1 << 20), 1)
    return {
        "steps": done,
        "cpu_ms per step": round((time.process_time() - began_cpu_s) / done * 1e3, 4),
        "wall_ms per step": round((time.monotonic() - began_s) / done * 1e3, 3),
        "mib after so many steps": _thinned(mib),
    }


async def batch(folder: Path, sources: int, findings: Findings) -> None:
    """Cost of a batch whose steps are nothing."""
    observer = Unobserved()
    flags = {"store": f"file:{folder / 'store'}", "catalog": str(folder / "ledger.sqlite")}
    async with workshop(load(flags), observer) as shop:
        findings.say(f"laying out {sources:,} simulated sources")
        with shop.ingest.ledger.database.writing() as db:  # at once: a transaction for each would take minutes
            db.executemany("INSERT INTO outlines VALUES (?, ?, ?, ?)", map(outline, range(sources)))
        run = Simulated(sources, findings)
        with Plan() as plan:
            findings.say("planning them")
            plan.add(map(source, range(sources)), wanted=True)
            await plan.survey(shop, observer, remembered=True)
            if (await plan.total())[0] != sources:
                raise RuntimeError("not all sources were planned")
            run.planned()
            groups = Drawn(plan.groups(WINDOW))

            async def some() -> None:
                async for group in groups:
                    for each in group.members:
                        await shop.ingest.engine.submit(turn, run.done)
                        stamp = stamp_of(each.source)
                        row = SourceRow(
                            stamp=stamp.text, sha256=stamp.version, recording_id="r", track_id=stamp.version
                        )
                        await remember(shop.ingest, stamp, row)
                        run.one_more()

            async with asyncio.TaskGroup() as tasks:
                for _ in range(WINDOW):
                    tasks.create_task(some())
        if run.done != sources:
            raise RuntimeError(f"{run.done} of {sources} were done")
        run.tell(ledger=folder / "ledger.sqlite")


class Simulated:
    """What a batch of so many sources has cost so far."""

    def __init__(self, sources: int, findings: Findings) -> None:
        self._sources, self._findings = sources, findings
        self._process = psutil.Process()
        self._before_mib = self._planned_mib = self._rss_mib()
        self._mib: dict[int, float] = {}
        self._began_s, self._began_cpu_s = time.monotonic(), time.process_time()
        self._to_plan_s = 0.0
        self.done = 0

    def planned(self) -> None:
        """All are found and looked up."""
        self._to_plan_s = time.process_time() - self._began_cpu_s
        self._planned_mib = self._rss_mib()

    def one_more(self) -> None:
        """One has ended."""
        self.done += 1
        if self.done % max(self._sources // PARTS, 1) == 0:
            self._mib[self.done] = self._rss_mib()
            self.tell()

    def tell(self, *, ledger: Path | None = None) -> None:
        """What is known by now; the size of the `ledger` at the end."""
        cpu_ms = (time.process_time() - self._began_cpu_s - self._to_plan_s) / self.done * 1e3
        plan_ms = self._to_plan_s / self._sources * 1e3
        told: dict[str, Any] = {
            "sources": self._sources,
            "done": self.done,
            "cpu_ms per source": round(cpu_ms + plan_ms, 4),
            "of that, to plan": round(plan_ms, 4),
            "wall_ms per source": round((time.monotonic() - self._began_s) / self.done * 1e3, 4),
            "mib before": self._before_mib,
            "mib when planned": self._planned_mib,
            "mib after so many sources": _thinned(self._mib),
        }
        if ledger is not None:
            told["ledger, bytes per source"] = round(ledger.stat().st_size / self._sources)
        self._findings.add("simulated", told)
        self._findings.say(f"{self.done:,} of {self._sources:,}: {cpu_ms + plan_ms:.3f} ms each, {self._rss_mib()} MiB")

    def _rss_mib(self) -> float:
        rss_mib: float = self._process.memory_info().rss / (1 << 20)
        return round(rss_mib, 1)


def outline(number: int) -> tuple[bytes, str, float, str]:
    """What the ledger has of a source, as `Ledger.remember_outline` writes it."""
    stamp = stamp_of(source(number))
    tags = TrackTags(title="song", album=f"album {number // ALBUM}", album_artist="band", album_named=True)
    return stamp.path, stamp.text, SONG_S, group_of(tags, ())


def source(number: int) -> Source:
    """An object that nobody looks for."""
    key = f"music/album {number // ALBUM:08}/{number:08}.flac"
    return source_of(SourceObject(bucket=BUCKET, key=key, size_bytes=30_000_000, etag=f"{number:032x}"))


def _thinned(mib: dict[int, float]) -> dict[int, float]:
    """About ten of them, the last among them."""
    every = max(len(mib) // 10, 1)
    return dict(list(reversed(mib.items()))[::every][::-1])


async def timed(module: Any, folder: Path, running: Running) -> dict[str, dict[str, float]]:
    """What steps of each kind take: seconds, and which part of the slots' time and of the workers' CPU."""
    workers = len(running.workers)
    async with connected(module, folder, running.address, workers=workers) as engine:
        taken = {}
        for step in (wait, compute):
            await through(engine, step, [0.0] * WINDOW)
            began_s, began_cpu_s = time.monotonic(), running.cpu_s()
            lasted_s = await through(engine, step, [STEP_S] * TIMED)
            wall_s, cpu_s = time.monotonic() - began_s, running.cpu_s() - began_cpu_s
            useful = STEP_S * TIMED / cpu_s if step is compute else 1.0
            taken[step.__name__] = {"s": wall_s, "busy": lasted_s / wall_s / workers, "useful": useful}
        return taken


@asynccontextmanager
async def connected(module: Any, folder: Path, address: str, *, workers: int) -> AsyncIterator[Any]:
    """The engine of a batch on this cluster, once so many workers are there."""
    client = import_module("distributed").Client
    async with client(address, asynchronous=True, set_as_default=False, timeout=READY_S) as looking:
        await looking.wait_for_workers(workers, timeout=READY_S)
    flags = {"store": f"file:{folder / 'store'}", "engine": "dask", "scheduler": address, "jobs": WINDOW}
    async with module.connected(load(flags), Unobserved(), again=False, jobs=WINDOW) as engine:
        yield engine


def compared(one: dict[str, float], two: dict[str, float]) -> dict[str, float]:
    """Two workers against one."""
    told = {f"{name}, {key}": value for name, each in (("one", one), ("two", two)) for key, value in each.items()}
    told["efficiency by the clock"] = one["s"] / two["s"] / 2
    told["efficiency by work"] = two["busy"] * two["useful"] / (one["busy"] * one["useful"])
    return {name: round(value, 3) for name, value in told.items()}


def main() -> None:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="for the steps that do nothing")
    parser.add_argument("--simulated", type=int, default=SIMULATED)
    parser.add_argument("--file", type=Path, help="where what was found so far is written, beside stdout at the end")
    asked = parser.parse_args()
    with Findings(asked.file) as findings:
        measure(asked, findings)


def measure(asked: argparse.Namespace, findings: Findings) -> None:
    """All that it is, part by part."""
    module = dask_module("engine_dask")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with cluster(folder, 1) as running:
            findings.say("one worker: steps that do nothing")
            findings.add("steps", asyncio.run(coordinated(module, folder, running, asked.steps, asked.seconds)))
            findings.say("one worker: steps that take time")
            one = asyncio.run(timed(module, folder, running))
        with cluster(folder, 2) as running:
            findings.say("two workers")
            two = asyncio.run(timed(module, folder, running))
        findings.add("two workers", {kind: compared(one[kind], two[kind]) for kind in one})
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(batch(Path(name), asked.simulated, findings))


if __name__ == "__main__":
    main()
