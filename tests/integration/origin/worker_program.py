"""A program that serves a folder with several workers, for the tests of the supervisor: `STORE WORKERS [KIND [FILES]]`.

Kinds: `good`; `broken`, whose workers never start; `once`, whose workers start the first time and not when renewed.
FILES limits the open files of each process.
"""

import itertools
import resource
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from origin.accept import listen
from origin.serve import base_url, serve
from origin.settings import OriginSettings
from segue.loop import run_server
from segue.worker_process import Ready, WorkerMain
from segue.workers import WorkerPolicy, supervise
from storage.filesystem import FilesystemStore

SETTINGS = OriginSettings(port=0, drain_s=15.0, idle_grace_s=0.5, read_ahead_bytes=20_000)


def worker(folder: str, listener: socket.socket, ready: Ready) -> None:
    """One worker process."""
    run_server(_serve(folder, listener, ready))


def broken_worker(ready: Ready) -> None:
    """A worker that never becomes ready."""
    raise SystemExit(7)


async def _serve(folder: str, listener: socket.socket, ready: Ready) -> None:
    store = FilesystemStore(Path(folder))
    await serve(SETTINGS, store, ready=lambda _: ready(), listener=listener)
    await store.close()


def _announce(url: str) -> None:
    sys.stdout.write(url + "\n")
    sys.stdout.flush()


def _mains(kind: str, good: WorkerMain) -> Callable[[], WorkerMain]:
    mains = {"good": itertools.repeat(good), "broken": itertools.repeat(broken_worker)}
    mains["once"] = itertools.chain([good], itertools.repeat(broken_worker))
    return partial(next, mains[kind])


def main(folder: str, workers: str, kind: str = "good", files: str = "") -> int:
    """Supervise until a signal."""
    if files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (int(files), int(files)))
    policy = WorkerPolicy(workers=int(workers), backoff_min_s=0.05, failed_starts_max=2, stop_s=20.0)
    with listen(SETTINGS) as listener:
        ready = partial(_announce, base_url(*listener.getsockname()[:2]))
        good = partial(worker, folder, listener)
        return supervise(_mains(kind, good), policy, ready=ready, stopping=listener.close)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
