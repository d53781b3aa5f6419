"""`serve --workers N`: a parent that keeps N worker processes on one port alive, and ends them well."""

import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

log = logging.getLogger(__name__)

Ready = Callable[[], None]
WorkerMain = Callable[[Ready], None]  # picklable; serves until SIGTERM, calls its argument once the port is open

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_READY = b"ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPolicy:
    """How many workers, how soon a dead one is replaced, how long a stopped one may take."""

    workers: int
    backoff_min_s: float = 0.25
    backoff_max_s: float = 10.0  # the wait doubles with every death in a row, up to this
    steady_after_s: float = 10.0  # a worker that lived this long starts the wait over
    failed_starts_max: int = 5  # in a row, of workers that never became ready: then it is hopeless
    stop_s: float = 30.0  # from SIGTERM to SIGKILL

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ValueError(f"there must be at least one worker, got {self.workers}")


@contextmanager
def held_port(host: str, port: int) -> Iterator[int]:
    """Hold a port for workers that share it by SO_REUSEPORT; 0 picks a free one. Gives the port's number.

    The socket never listens, so no connection is ever queued on it. Raises OSError if the port is taken.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(address)
        yield int(held.getsockname()[1])


def supervise(main: WorkerMain, policy: WorkerPolicy, *, ready: Callable[[], None]) -> int:
    """Run `main` in `policy.workers` processes until SIGTERM or SIGINT; give the exit status for the command.

    `ready` is called once, when every worker has its port open. A worker that dies is replaced after a bounded wait.
    On a signal all are told to stop, waited for, killed if they are late, and reaped. If the parent itself dies, the
    workers stop by themselves. Call it from the main thread.
    """
    crew = [_Worker(main, policy, number) for number in range(policy.workers)]
    with _wakeup_on_signals() as wakeup:
        try:
            return _watch(crew, policy, wakeup, ready)
        finally:
            _stop(crew, policy)


class _Worker:
    """One place in the crew: the process that fills it now, or when the next one may."""

    def __init__(self, main: WorkerMain, policy: WorkerPolicy, number: int) -> None:
        self._main = main
        self._policy = policy
        self._number = number
        self._backoff_s = policy.backoff_min_s
        self._started_s = 0.0
        self._inbox: Connection | None = None
        self.process: SpawnProcess | None = None
        self.restart_s = 0.0
        self.ready = False
        self.failed_starts = 0

    def start(self) -> None:
        """Start a process in this place."""
        context = multiprocessing.get_context("spawn")  # a fork would inherit threads' locks and open stores
        self._inbox, outbox = context.Pipe(duplex=False)
        name = f"segue-worker-{self._number}"
        self.process = context.Process(target=_run_worker, args=(self._main, outbox), name=name)
        self.process.start()
        outbox.close()
        self._started_s = time.monotonic()
        log.info("worker started", extra={"worker": self._number, "worker_pid": self.process.pid})

    @property
    def signs(self) -> list[Connection | int]:
        """What to wait for: its word that it is ready, its death."""
        signs: list[Connection | int] = [self.process.sentinel] if self.process else []
        return [*signs, self._inbox] if self._inbox else signs

    def look(self) -> None:
        """Take note of what happened to the process."""
        if self._inbox is not None and self._inbox.poll():
            self._listen(self._inbox)
        if self.process is not None and not self.process.is_alive():
            self._bury(self.process)

    def _listen(self, inbox: Connection) -> None:
        with suppress(EOFError):  # it died before it was ready
            self.ready = inbox.recv_bytes() == _READY
        self._hang_up()

    def _bury(self, process: SpawnProcess) -> None:
        lived_s = time.monotonic() - self._started_s
        self.failed_starts = 0 if self.ready else self.failed_starts + 1
        if lived_s >= self._policy.steady_after_s:
            self._backoff_s = self._policy.backoff_min_s
        extra = {"worker": self._number, "exit_status": process.exitcode, "restart_in_s": self._backoff_s}
        log.error("worker died", extra=extra)
        self.restart_s = time.monotonic() + self._backoff_s
        self._backoff_s = min(2 * self._backoff_s, self._policy.backoff_max_s)
        self.close()

    def close(self) -> None:
        """Reap the process, which has ended, and give back what it took."""
        self._hang_up()
        if self.process is not None:
            self.process.join()
            self.process.close()
        self.process = None
        self.ready = False

    def _hang_up(self) -> None:
        if self._inbox is not None:
            self._inbox.close()
        self._inbox = None


def _watch(crew: list[_Worker], policy: WorkerPolicy, wakeup: socket.socket, ready: Callable[[], None]) -> int:
    announced = False
    while True:
        now_s = time.monotonic()
        for worker in crew:
            if worker.process is None and worker.restart_s <= now_s:
                worker.start()
        signs = [sign for worker in crew for sign in worker.signs]
        due_s = [worker.restart_s - now_s for worker in crew if worker.process is None]
        if wakeup in wait([wakeup, *signs], timeout=min(due_s, default=None)):
            return 0
        for worker in crew:
            worker.look()
        if not announced and all(worker.ready for worker in crew):
            announced = True
            ready()
        if max(worker.failed_starts for worker in crew) >= policy.failed_starts_max:
            log.error("workers do not start", extra={"attempts": policy.failed_starts_max})
            return 1


def _stop(crew: list[_Worker], policy: WorkerPolicy) -> None:
    deadline_s = time.monotonic() + policy.stop_s
    running = [worker.process for worker in crew if worker.process is not None]
    for process in running:
        process.terminate()
    for process in running:
        process.join(max(0.0, deadline_s - time.monotonic()))
        if process.is_alive():
            log.error("worker did not stop in time, killing it", extra={"worker_pid": process.pid})
            process.kill()
    for worker in crew:
        worker.close()


@contextmanager
def _wakeup_on_signals() -> Iterator[socket.socket]:
    """A socket that becomes readable on a stop signal; the signals' former handlers are put back at the end."""
    reader, writer = socket.socketpair()
    with reader, writer:
        former = {number: signal.signal(number, lambda *_: _ring(writer)) for number in _STOP_SIGNALS}
        try:
            yield reader
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)


def _ring(writer: socket.socket) -> None:
    writer.send(b"!")


def _run_worker(main: WorkerMain, outbox: Connection) -> None:
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
