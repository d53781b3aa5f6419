"""One worker process of `serve`: started, heard when it is ready, told to stop, reaped."""

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection

log = logging.getLogger(__name__)

Ready = Callable[[], None]
WorkerMain = Callable[[Ready], None]  # picklable; serves until SIGTERM, calls its argument once it takes requests

_READY = b"ready"


class WorkerProcess:
    """A process that runs `main`, from now until `reap`. If the parent dies, it stops by itself.

    Signals from a terminal go to the parent alone, which knows what to do with them.
    """

    def __init__(self, main: WorkerMain, number: int) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would inherit threads' locks and open stores
        self._inbox, outbox = context.Pipe(duplex=False)
        self._process = context.Process(target=_run, args=(main, outbox), name=f"segue-worker-{number}")
        self._process.start()
        outbox.close()
        self._number = number
        self.started_s = time.monotonic()
        self.ready = False
        log.info("worker started", extra={"worker": number, "worker_pid": self.pid})

    @property
    def pid(self) -> int | None:
        """The process id."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether the process has ended."""
        return not self._process.is_alive()

    @property
    def exit_status(self) -> int | None:
        """How it ended; negative is the signal that ended it."""
        return self._process.exitcode

    @property
    def signs(self) -> list[Connection | int]:
        """What to wait for: its death, and until it came its word that it is ready."""
        return [self._process.sentinel] if self._inbox.closed else [self._process.sentinel, self._inbox]

    def look(self) -> None:
        """Take note of what it said."""
        if not self._inbox.closed and self._inbox.poll():
            with suppress(EOFError):  # it died before it was ready
                self.ready = self._inbox.recv_bytes() == _READY
            self._inbox.close()

    def stop(self) -> None:
        """Ask it to drain and end; asked again, it ends at once."""
        self._process.terminate()

    def kill(self) -> None:
        """End it now."""
        log.error("worker did not stop in time, killing it", extra={"worker": self._number, "worker_pid": self.pid})
        self._process.kill()

    def reap(self) -> None:
        """Wait for its end, which has come or is near, and give back what it took."""
        self._inbox.close()
        self._process.join()
        self._process.close()


def _run(main: WorkerMain, outbox: Connection) -> None:
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="parent-watch", daemon=True).start()

    def ready() -> None:
        outbox.send_bytes(_READY)
        outbox.close()

    main(ready)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
