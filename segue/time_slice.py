"""How soon the kernel lets this process run once something has come for it, beside others that run already.

Linux gives the processor to whoever's slice would end first (EEVDF, sched(7)). All have slices of some milliseconds
unless they ask for others; since Linux 6.12 they may. A shorter one means: run me sooner, and not for long. It is no
priority: over time each has the same share as before.
"""

import ctypes
import os
import platform
import struct

SLICE_NS = 100_000  # the least that the kernel takes

_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274, "riscv64": 274}  # the C library of Debian 12 has no name for it
_ATTRIBUTES = struct.Struct("=IIQiIQQQ")  # struct sched_attr: size, policy, flags, nice, priority, runtime, -, -


def ask_for_short_slices() -> None:
    """Ask it for this thread and those that it starts. An older kernel takes no notice, and another policy than the
    usual one is an operator's choice: then nothing changes."""
    number = _SCHED_SETATTR.get(platform.machine())
    if number is None or platform.system() != "Linux" or os.sched_getscheduler(0) != os.SCHED_OTHER:
        return
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    attributes = _ATTRIBUTES.pack(_ATTRIBUTES.size, os.SCHED_OTHER, 0, nice, 0, SLICE_NS, 0, 0)
    ctypes.CDLL(None).syscall(number, 0, attributes, 0)
