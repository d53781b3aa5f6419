"""Steps for `benchmarks.bench_coordinator`: functions of a module, for workers find them by name."""

import asyncio
import time


async def nothing(number: int) -> int:
    """The least step."""
    return number


async def turn(number: int) -> int:
    """A step that somebody else does, and no time."""
    await asyncio.sleep(0)
    return number


async def wait(seconds: float) -> float:
    """Use so many seconds of time, and no CPU. How long it took, as of all steps."""
    began_s = time.monotonic()
    await asyncio.sleep(seconds)
    return time.monotonic() - began_s


async def compute(seconds: float) -> float:
    """Use so many seconds of CPU."""
    began_s, began_cpu_s = time.monotonic(), time.thread_time()
    while time.thread_time() - began_cpu_s < seconds:
        pass
    return time.monotonic() - began_s
