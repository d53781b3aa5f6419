"""Which process this is, and whether another one of this machine still runs."""

import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process anywhere. `space` is where its number means something: a boot of a machine and, on that, a container;
    empty where that cannot be told."""

    host: str
    space: str
    number: int
    started: str

    @property
    def ended(self) -> bool:
        """Whether it is known to run no more: never of one that is elsewhere."""
        if not self.space or self.space != _space():
            return False
        try:
            os.kill(self.number, 0)
        except (ProcessLookupError, OverflowError):
            return True
        except PermissionError:
            return False
        return _started(self.number) not in (self.started, "")


def this_process() -> Process:
    """The one that asks."""
    number = os.getpid()
    return Process(host=socket.gethostname(), space=_space(), number=number, started=_started(number))


def _space() -> str:
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115 - it leads to no file
    return ""


def _started(number: int) -> str:
    """When a process started, in the kernel's ticks; `ended` of one that waits to be reaped, empty if it is hidden."""
    with suppress(OSError, ValueError, IndexError):
        fields = Path(f"/proc/{number}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        return "ended" if fields[0] in "ZX" else fields[19]
    return ""
