"""What a server asks of the kernel's scheduler, as the kernel tells it."""

import ctypes
import os
import platform
import struct
import subprocess
import sys

from segue.time_slice import SLICE_NS
from tests.support.command import CHECKOUT

_SCHED_GETATTR = {"x86_64": 315, "aarch64": 275, "riscv64": 275}
_ATTRIBUTES = struct.Struct("=IIQiIQQQ")
_KNOWN_SINCE = (6, 12)


def _told_here() -> tuple[int, int, int]:
    """The policy, the nice value and the slice in ns of this thread: 0 where the kernel, or we, know of none."""
    return os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0), _slice_ns()


def _slice_ns() -> int:
    number = _SCHED_GETATTR.get(platform.machine())
    if number is None:
        return 0
    buffer = ctypes.create_string_buffer(_ATTRIBUTES.size)
    assert ctypes.CDLL(None).syscall(number, 0, buffer, _ATTRIBUTES.size, 0) == 0
    slice_ns: int = _ATTRIBUTES.unpack(buffer.raw)[5]
    return slice_ns


def _told_after(before: str) -> tuple[int, int, int]:
    """The same of a thread that a server started, in a process that did this before."""
    code = f"""
import asyncio, os
from segue.loop import run_server
from tests.integration.segue.test_time_slice import _told_here
{before}
async def server():
    print(await asyncio.to_thread(_told_here))
run_server(server())
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True, timeout=60
    )
    policy, nice, slice_ns = map(int, done.stdout.strip(" ()\n").split(","))
    return policy, nice, slice_ns


def test_a_server_asks_to_run_sooner_and_takes_no_more() -> None:
    """Short slices, in all its threads, and no other priority."""
    kernel = tuple(map(int, platform.release().split("-")[0].split(".")[:2]))
    expected = SLICE_NS if kernel >= _KNOWN_SINCE and platform.machine() in _SCHED_GETATTR else 0
    assert _told_after("os.nice(3)") == (os.SCHED_OTHER, os.getpriority(os.PRIO_PROCESS, 0) + 3, expected)


def test_a_scheduling_that_an_operator_chose_is_kept() -> None:
    assert _told_after("os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))")[0] == os.SCHED_BATCH
