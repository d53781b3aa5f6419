"""A program that serves a folder with several workers, for the tests of the supervisor: `STORE WORKERS [broken]`."""

import asyncio
import sys
from functools import partial
from pathlib import Path

from origin.serve import base_url, serve
from origin.settings import OriginSettings
from segue.workers import Ready, WorkerPolicy, held_port, supervise
from storage.filesystem import FilesystemStore


def worker(folder: str, port: int, ready: Ready) -> None:
    """One worker process."""
    asyncio.run(_serve(folder, port, ready))


def broken_worker(ready: Ready) -> None:
    """A worker that never becomes ready."""
    raise SystemExit(7)


async def _serve(folder: str, port: int, ready: Ready) -> None:
    store = FilesystemStore(Path(folder))
    settings = OriginSettings(port=port, reuse_port=True, drain_s=5.0)
    await serve(settings, store, ready=lambda _: ready())
    await store.close()


def _announce(url: str) -> None:
    sys.stdout.write(url + "\n")
    sys.stdout.flush()


def main(folder: str, workers: str, kind: str = "good") -> int:
    """Supervise until a signal."""
    policy = WorkerPolicy(workers=int(workers), backoff_min_s=0.05, failed_starts_max=2, stop_s=10.0)
    with held_port("127.0.0.1", 0) as port:
        entry = partial(worker, folder, port) if kind == "good" else broken_worker
        return supervise(entry, policy, ready=partial(_announce, base_url("127.0.0.1", port)))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
