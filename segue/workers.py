"""`serve --workers N`: a parent that keeps N workers on one listening socket alive, renews them, and ends them well.

The socket is the parent's: what the kernel has queued on it survives every worker ([decision 22]
(docs/decisions/0022-one-listening-socket.md)).
"""

import logging
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import wait

from model.errors import PipelineError
from segue.worker_process import WorkerMain, WorkerProcess

log = logging.getLogger(__name__)

_STOP, _RENEW = b"s", b"r"
_SIGNALS = {signal.SIGTERM: _STOP, signal.SIGINT: _STOP, signal.SIGHUP: _RENEW}
_LOOK_S = 0.25  # how often deadlines are looked at while a renewal runs


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPolicy:
    """How many workers, how soon a dead one is replaced, how long a stopped one may take."""

    workers: int
    backoff_min_s: float = 0.25
    backoff_max_s: float = 10.0  # the wait doubles with every death in a row, up to this
    steady_after_s: float = 10.0  # a worker that lived this long starts the wait over
    failed_starts_max: int = 5  # in a row, of workers that never became ready: then it is hopeless
    start_s: float = 60.0  # how long a successor may take to become ready
    stop_s: float = 30.0  # from SIGTERM to SIGKILL
    hurried_stop_s: float = 2.0  # the same, once asked twice

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ValueError(f"there must be at least one worker, got {self.workers}")


def supervise(
    main: Callable[[], WorkerMain],
    policy: WorkerPolicy,
    *,
    ready: Callable[[], None],
    stopping: Callable[[], None] = lambda: None,
) -> int:
    """Run workers in `policy.workers` processes until SIGTERM or SIGINT; give the exit status for the command.

    `main` gives what a worker runs; it is asked at the start and at each SIGHUP, which replaces the workers one by one,
    each only when its successor is ready. `ready` is called once, when every worker is; `stopping` when the end begins.
    A worker that dies is replaced after a bounded wait. At the end all are told to stop, waited for, killed if they are
    late, and reaped; a second signal makes it quick. If the parent itself dies, the workers stop by themselves. Call it
    from the main thread.
    """
    crew = _Crew(main, policy)
    with _signals() as inbox:
        try:
            return crew.run(inbox, ready)
        finally:
            stopping()
            crew.stop(inbox)


class _Place:
    """One place in the crew: who fills it, who shall fill it next, who is leaving it, when it may be filled again."""

    def __init__(self, policy: WorkerPolicy, number: int) -> None:
        self._policy = policy
        self.number = number
        self.worker: WorkerProcess | None = None
        self.successor: WorkerProcess | None = None
        self.leaving: WorkerProcess | None = None
        self.restart_s = 0.0
        self.failed_starts = 0
        self._backoff_s = policy.backoff_min_s

    @property
    def processes(self) -> list[WorkerProcess]:
        """All that run, or have ended and are not reaped."""
        return [each for each in (self.worker, self.successor, self.leaving) if each is not None]

    @property
    def vacant(self) -> bool:
        """Whether somebody has to be started here."""
        return self.worker is None and self.successor is None

    @property
    def ready(self) -> bool:
        """Whether who fills it takes requests."""
        return self.worker is not None and self.worker.ready

    def look(self) -> None:
        """Take note of what happened to its processes; bury a worker that died."""
        for process in self.processes:
            process.look()
        if self.worker is not None and self.worker.ended:
            self._bury(self.worker)

    def _bury(self, worker: WorkerProcess) -> None:
        self.failed_starts = 0 if worker.ready else self.failed_starts + 1
        if time.monotonic() - worker.started_s >= self._policy.steady_after_s:
            self._backoff_s = self._policy.backoff_min_s
        extra = {"worker": self.number, "exit_status": worker.exit_status, "restart_in_s": self._backoff_s}
        log.error("worker died", extra=extra)
        self.restart_s = time.monotonic() + self._backoff_s
        self._backoff_s = min(2 * self._backoff_s, self._policy.backoff_max_s)
        worker.reap()
        self.worker = None


class _Crew:
    """All places, and the renewal that may be under way."""

    def __init__(self, main: Callable[[], WorkerMain], policy: WorkerPolicy) -> None:
        self._make_main = main
        self._main = main()
        self._policy = policy
        self._places = [_Place(policy, number) for number in range(policy.workers)]
        self._renewal: Iterator[None] | None = None
        self._renewal_asked = False

    def run(self, inbox: socket.socket, ready: Callable[[], None]) -> int:
        """Keep all places filled until a signal to stop, or until it is hopeless."""
        announced = False
        while True:
            self._fill()
            heard = self._wait(inbox)
            if _STOP in heard:
                return 0
            self._renewal_asked |= _RENEW in heard
            for place in self._places:
                place.look()
            if not announced and all(place.ready for place in self._places):
                announced = True
                ready()
            if max(place.failed_starts for place in self._places) >= self._policy.failed_starts_max:
                log.error("workers do not start", extra={"attempts": self._policy.failed_starts_max})
                return 1
            if announced:
                self._renew()

    def stop(self, inbox: socket.socket) -> None:
        """End all, in the time that the policy gives."""
        processes = [process for place in self._places for process in place.processes]
        for process in processes:
            process.stop()
        deadline_s = time.monotonic() + self._policy.stop_s
        while (left := [each for each in processes if not each.ended]) and time.monotonic() < deadline_s:
            signs = [each.signs[0] for each in left]
            timeout_s = max(0.0, deadline_s - time.monotonic())
            if inbox in wait([inbox, *signs], timeout=timeout_s) and _STOP in inbox.recv(64):
                log.warning("asked twice to stop: not waiting for answers under way")
                for process in processes:
                    process.stop()
                deadline_s = min(deadline_s, time.monotonic() + self._policy.hurried_stop_s)
        for process in processes:
            if not process.ended:
                process.kill()
            process.reap()

    def _fill(self) -> None:
        now_s = time.monotonic()
        for place in self._places:
            if place.vacant and place.restart_s <= now_s:
                place.worker = WorkerProcess(self._main, place.number)

    def _wait(self, inbox: socket.socket) -> bytes:
        """Until something happens or is due; the signals that came."""
        signs = [sign for place in self._places for process in place.processes for sign in process.signs]
        now_s = time.monotonic()
        due_s = [max(0.0, place.restart_s - now_s) for place in self._places if place.vacant]
        if self._renewal is not None or self._renewal_asked:  # which came while one was under way
            due_s.append(_LOOK_S)
        return inbox.recv(64) if inbox in wait([inbox, *signs], timeout=min(due_s, default=None)) else b""

    def _renew(self) -> None:
        """Begin a renewal that was asked for, or go on with it."""
        if self._renewal is None and self._renewal_asked:
            self._renewal_asked = False
            try:
                self._main = self._make_main()
            except PipelineError as error:
                log.error("not renewed: the workers go on as they are", extra={"error": str(error), "hint": error.hint})
                return
            self._renewal = self._renewing()
        if self._renewal is not None and next(self._renewal, "over") == "over":
            self._renewal = None

    def _renewing(self) -> Iterator[None]:
        """One place after the other: start the successor, wait until it is ready, let the worker drain and end. Yields
        whenever it waits. A successor that does not start ends the renewal; the workers that are there stay."""
        for place in self._places:
            place.successor = successor = WorkerProcess(self._main, place.number)
            while not successor.ready:
                if successor.ended or time.monotonic() - successor.started_s > self._policy.start_s:
                    log.error("not renewed: the successor does not start", extra={"worker": place.number})
                    if not successor.ended:
                        successor.kill()
                    successor.reap()
                    place.successor = None
                    return
                yield
            place.leaving, place.worker, place.successor = place.worker, successor, None
            if place.leaving is not None:
                yield from self._drained(place.leaving)
                place.leaving = None
        log.info("all workers renewed")

    def _drained(self, leaving: WorkerProcess) -> Iterator[None]:
        leaving.stop()
        deadline_s = time.monotonic() + self._policy.stop_s
        while not leaving.ended:
            if time.monotonic() > deadline_s:
                leaving.kill()
                break
            yield
        leaving.reap()


@contextmanager
def _signals() -> Iterator[socket.socket]:
    """A socket that tells which signals came, as bytes; their former handlers are put back at the end."""
    reader, writer = socket.socketpair()
    with reader, writer:
        writer.setblocking(False)
        former = {number: signal.signal(number, lambda which, _: _tell(writer, which)) for number in _SIGNALS}
        try:
            yield reader
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)


def _tell(writer: socket.socket, number: int) -> None:
    with suppress(BlockingIOError):  # thousands of signals that nobody has read yet: one more tells nothing
        writer.send(_SIGNALS[signal.Signals(number)])
