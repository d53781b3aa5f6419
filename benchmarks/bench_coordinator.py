"""What a batch on a Dask cluster costs its coordinator, and what a second worker is worth.

    python -m benchmarks.bench_coordinator [--steps N] > coordinator.json

A scheduler and workers, each a process as an operator starts it, on loopback. `steps`: steps that do nothing, through
the engine and its window: CPU and memory of the coordinator, which is this process; memory at a tenth of the steps and
at the end, for it must not grow with their number. `two workers`: steps that take a fifth of a second each, by one
worker and by two; an efficiency of 1 is twice as fast. Steps that wait tell what the engine costs; steps that compute
mean little while others use the machine, so its load is told.
"""

import argparse
import asyncio
import json
import os
import platform
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from model.events import Unobserved
from segue.config import load

STEPS = 5_000
TIMED = 40
STEP_S = 0.2
WINDOW = 64
READY_S = 60


async def nothing(number: int) -> int:
    """The least step."""
    return number


async def wait(seconds: float) -> float:
    """Use so many seconds of time, and no CPU."""
    await asyncio.sleep(seconds)
    return seconds


async def compute(seconds: float) -> float:
    """Use so many seconds of CPU."""
    began_s = time.thread_time()
    while time.thread_time() - began_s < seconds:
        pass
    return seconds


@contextmanager
def cluster(folder: Path, workers: int) -> Iterator[str]:
    """The address of a scheduler with so many workers of one slot; all ended afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    commands = [["scheduler"], *[["worker", "--jobs", "1"]] * workers]
    with (folder / "log.txt").open("ab") as log:
        running = [
            subprocess.Popen(
                [sys.executable, "-m", "segue.main", *words, "--scheduler", address], stdout=log, stderr=log
            )
            for words in commands
        ]
        try:
            yield address
        finally:
            for process in reversed(running):
                process.terminate()
            for process in running:
                process.wait(30)


async def through(engine: Any, step: Any, values: list[Any]) -> None:
    """All steps, as many at a time as a batch has under way."""
    waiting = iter(values)

    async def some() -> None:
        for value in waiting:
            await engine.submit(step, value)

    async with asyncio.TaskGroup() as group:
        for _ in range(WINDOW):
            group.create_task(some())


async def coordinated(module: Any, folder: Path, address: str, steps: int) -> dict[str, float]:
    """Cost of steps that do nothing."""
    async with connected(module, folder, address, workers=1) as engine:
        await through(engine, nothing, list(range(WINDOW)))
        began_s, began_cpu_s = time.monotonic(), time.process_time()
        await through(engine, nothing, list(range(steps // 10)))
        early_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        await through(engine, nothing, list(range(steps - steps // 10)))
        late_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {
            "steps": steps,
            "cpu_ms per step": round((time.process_time() - began_cpu_s) / steps * 1e3, 3),
            "wall_ms per step": round((time.monotonic() - began_s) / steps * 1e3, 3),
            "peak_mib at a tenth": round(early_kib / 1024, 1),
            "peak_mib": round(late_kib / 1024, 1),
        }


async def timed(module: Any, folder: Path, address: str, workers: int) -> dict[str, float]:
    """Seconds that the steps of each kind take."""
    async with connected(module, folder, address, workers=workers) as engine:
        taken = {}
        for step in (wait, compute):
            await through(engine, step, [0.0] * WINDOW)
            began_s = time.monotonic()
            await through(engine, step, [STEP_S] * TIMED)
            taken[step.__name__] = time.monotonic() - began_s
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


def main() -> None:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=STEPS)
    asked = parser.parse_args()
    module = import_module("segue.engine_dask")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with cluster(folder, 1) as address:
            steps = asyncio.run(coordinated(module, folder, address, asked.steps))
            one_s = asyncio.run(timed(module, folder, address, 1))
        with cluster(folder, 2) as address:
            two_s = asyncio.run(timed(module, folder, address, 2))
    report = {
        "machine": {"python": platform.python_version(), "cores": os.cpu_count(), "load": os.getloadavg()[0]},
        "steps": steps,
        "two workers": {
            kind: {
                "one_s": round(one, 2),
                "two_s": round(two_s[kind], 2),
                "efficiency": round(one / two_s[kind] / 2, 2),
            }
            for kind, one in one_s.items()
        },
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
