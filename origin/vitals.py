"""The pulse of a worker: how late its event loop is, and what its process takes."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from origin.metrics_table import CPU_SECONDS, LOOP_LAG_SECONDS, OPEN_FDS, RESIDENT_BYTES, START_TIME_SECONDS
from origin.observe import Metrics

_BEAT_S = 0.5
_BEATS_PER_LOOK = 10  # a look at the process costs a thread some milliseconds where it has thousands of connections
_PROCESS = Path("/proc/self")  # where there is none, memory and descriptors are not told


class Vitals:
    """What the process takes, as it was last looked at."""

    def __init__(self, metrics: Metrics) -> None:
        self._resident_bytes = 0
        self._open_fds = 0
        started_s = time.time()
        metrics.watch(START_TIME_SECONDS, lambda: started_s)
        metrics.watch(CPU_SECONDS, time.process_time)
        metrics.watch(RESIDENT_BYTES, lambda: self._resident_bytes)
        metrics.watch(OPEN_FDS, lambda: self._open_fds)

    def look(self) -> None:
        """Look at the process. Reads files: call it in a thread."""
        try:
            self._resident_bytes = int((_PROCESS / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            self._open_fds = sum(1 for _ in (_PROCESS / "fd").iterdir()) - 1  # without the one that looks
        except OSError:
            return


@asynccontextmanager
async def beating(metrics: Metrics) -> AsyncIterator[Vitals]:
    """Keep the figures of this worker up to date for all others."""
    vitals = Vitals(metrics)
    task = asyncio.create_task(_beat(metrics, vitals))
    try:
        yield vitals
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        metrics.close()


async def _beat(metrics: Metrics, vitals: Vitals) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.to_thread(vitals.look)
        for _ in range(_BEATS_PER_LOOK):
            metrics.sample()
            due_s = loop.time() + _BEAT_S
            await asyncio.sleep(_BEAT_S)
            metrics.note(LOOP_LAG_SECONDS, max(0.0, loop.time() - due_s))
