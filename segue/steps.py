"""How far a job over a whole store is: a line now and then, JSON lines with --json."""

import sys
import time
from collections.abc import Callable

from segue.output import Output

TELL_JSON_S = 1.0
TELL_TERMINAL_S = 1.0
TELL_LINE_S = 30.0


class Steps:
    """An `upkeep.reporting.Report` to whoever started the job, on stderr or as `progress` lines."""

    def __init__(self, output: Output, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._output = output
        self._clock = clock
        self._every_s = TELL_JSON_S if output.as_json else TELL_TERMINAL_S if sys.stderr.isatty() else TELL_LINE_S
        self._told_s = clock()
        self._name, self._objects, self._bytes = "", 0, 0

    def step(self, name: str) -> None:
        """Something else begins, counted from 0."""
        self._name, self._objects, self._bytes = name, 0, 0

    def add(self, objects: int, size_bytes: int = 0) -> None:
        """So many objects more; told if it is time."""
        self._objects += objects
        self._bytes += size_bytes
        if (now := self._clock()) - self._told_s < self._every_s:
            return
        self._told_s = now
        line = {"event": "progress", "step": self._name, "objects": self._objects, "bytes": self._bytes}
        self._output.data(line)
        if not self._output.as_json:
            self._output.say(f"{self._name}: {self._objects} objects, {size_text(self._bytes)}")


def size_text(size_bytes: int) -> str:
    """A number of bytes as people read it: 1.5 GB."""
    size = float(size_bytes)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} bytes" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
