"""Where the numbers of the workers lie: one row each, in files that all of them map and any of them can add up.

A worker takes the first row that nobody holds, and goes on counting where the one before it stopped: what a dead worker
counted stays in the sum, and no sum ever falls. The kernel gives the row back when its holder dies. A number is changed
in place, in memory, so that counting costs no more than in a variable of one's own.
"""

import fcntl
import mmap
import os
import time
from array import array
from collections.abc import Iterator
from pathlib import Path

from origin.series import Layout, Row

SILENT_S = 10.0  # a worker that did not beat for so long is taken for dead: its gauges no longer count
_ROWS_MAX = 4096  # far more than processes that share a port
_BEAT_BYTES = 8  # in front of the row: when it last beat, on the clock that all processes of a machine share


class Board:
    """The row of this process, and a way to see those of its fellows.

    Without a folder it is a row in memory, and the only one.
    """

    def __init__(self, layout: Layout, folder: Path | None = None) -> None:
        self._layout = layout
        self._folder = folder
        self._lock = -1
        size = _BEAT_BYTES + 8 * layout.size
        self.worker = 0
        if folder is None:
            memory: bytearray | mmap.mmap = bytearray(size)
        else:
            self.worker, self._lock = _taken(folder, layout.fingerprint)
            _fill(self._lock, size)
            memory = mmap.mmap(self._lock, size)
        numbers = memoryview(memory).cast("d")
        self._beat = numbers[:1]
        self.values = numbers[1:]
        self.beat()

    def beat(self) -> None:
        """Say that this worker lives."""
        self._beat[0] = time.monotonic()

    def close(self) -> None:
        """Leave what was counted to the sum, and the row to the next worker."""
        self._beat[0] = 0.0
        if self._lock >= 0:
            os.close(self._lock)
        self._lock = -1

    def rows(self) -> list[Row]:
        """The rows of all workers of this layout, this one's first. Reads files: call it in a thread."""
        own = Row(worker=self.worker, live=True, values=self.values)
        return [own, *self._others()]

    def _others(self) -> Iterator[Row]:
        if self._folder is None:
            return
        for path in sorted(self._folder.glob(f"{self._layout.fingerprint}-*")):
            worker = int(path.name.rpartition("-")[2])
            body = path.read_bytes()
            if worker == self.worker or len(body) != _BEAT_BYTES + 8 * self._layout.size:
                continue  # a file of another size is one that is just being made
            beat_s, *values = array("d", body)
            yield Row(worker=worker, live=time.monotonic() - beat_s < SILENT_S, values=values)


def _fill(opened: int, size: int) -> None:
    """Make a file as large as it has to be, with real bytes: a hole on a full disk would kill who writes to the map."""
    have = os.fstat(opened).st_size
    if have < size:
        os.pwrite(opened, bytes(size - have), have)


def _taken(folder: Path, fingerprint: str) -> tuple[int, int]:
    """The number of the first row that nobody holds, and its file, which is ours until it is closed."""
    for number in range(_ROWS_MAX):
        opened = os.open(folder / f"{fingerprint}-{number}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(opened)
            continue
        return number, opened
    raise OSError(f"more than {_ROWS_MAX} processes count in {folder}")
