"""Rolling restarts under load, one after the other, and what they cost: nothing, or it says so and exits with 1.

    python -m benchmarks.origin_soak [--restarts 10] [--clients 24] [--minutes 10]

`segue serve --workers 2` over a folder; SIGHUP as soon as both workers are others. Clients ask for a hot segment and a
media playlist, a third over kept connections busily, a third over kept ones now and then, a third over new ones.
Nothing is asked twice: an answer that is not 200, not whole, or does not come within ten seconds has failed. JSON to
stdout.

A restart starts two workers one after the other and has each old one drain: a quarter of a minute on a quiet machine,
forty seconds where fourteen others compute. None is waited for longer than two minutes, and none is begun after
`--minutes`; then it says how many there were, and exits with 1 if they are fewer than were wanted.
"""

import argparse
import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from itertools import cycle
from pathlib import Path

from benchmarks.bench_origin import base_of, publish
from storage.open import open_store

PACKAGE_ID = "b" * 16
RENEWAL_S = 120.0
ENDING_S = 60.0  # for the workers to drain at the end; then they are killed
PATIENCE_S = 10.0
KINDS = ((True, 0.01), (True, 0.8), (False, 0.01))  # whether connections are kept, and the pause between requests


class Client:
    """Asks one thing at a time, over one connection as long as it is kept."""

    def __init__(self, port: int, counts: Counter[str]) -> None:
        self._port = port
        self._counts = counts
        self._pair: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, path: str) -> None:
        """One request, counted as `answered` or `failed`."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._ask(path)
            self._counts["answered"] += 1
        except (OSError, EOFError, TimeoutError, ValueError) as error:
            self._counts["failed"] += 1
            self._counts[f"failed: {type(error).__name__}"] += 1
            self.close()

    def close(self) -> None:
        """End the connection, if there is one."""
        if self._pair is not None:
            self._pair[1].close()
        self._pair = None

    async def _ask(self, path: str) -> None:
        if self._pair is not None and self._pair[0].at_eof():
            self.close()  # the server said good-bye between two requests
        if self._pair is None:
            self._pair = await asyncio.open_connection("127.0.0.1", self._port)
            self._counts["connections"] += 1
        reader, writer = self._pair
        writer.write(f"GET {path} HTTP/1.1\r\nHost: soak\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"\r\nContent-Length: (\d+)\r\n", head)
        if not head.startswith(b"HTTP/1.1 200 ") or length is None:
            raise ValueError(head[:100])
        await reader.readexactly(int(length[1]))
        if b"\r\nConnection: close\r\n" in head:
            self.close()


async def asking(port: int, counts: Counter[str], kind: tuple[bool, float], stop: asyncio.Event) -> None:
    """Ask until told to stop."""
    client, paths = Client(port, counts), cycle((f"{base_of(PACKAGE_ID)}/0.mp4", f"{base_of(PACKAGE_ID)}.m3u8"))
    kept, pause_s = kind
    while not stop.is_set():
        await client.ask(next(paths))
        if not kept:
            client.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause_s)
    client.close()


def workers_of(pid: int) -> set[int]:
    """The worker processes of a parent that are alive; the tracker of Python's multiprocessing is none."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    found = set()
    for child in children:
        with suppress(OSError):
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.add(int(child))
    return found


async def renewed(pid: int) -> float:
    """Ask for new workers, wait until there are two and none of them is old; how long that took."""
    before, began_s = workers_of(pid), time.monotonic()
    os.kill(pid, signal.SIGHUP)
    async with asyncio.timeout(RENEWAL_S):
        while len(now := workers_of(pid)) != 2 or now & before:  # noqa: ASYNC110 - processes are no events
            await asyncio.sleep(0.05)
    return time.monotonic() - began_s


async def soak(
    process: "subprocess.Popen[bytes]", port: int, *, restarts: int, clients: int, most_s: float
) -> dict[str, object]:
    """Restart so often under the load of so many clients, as far as there is time."""
    took_s: list[float] = []
    counts: Counter[str] = Counter()
    stop, began_s = asyncio.Event(), time.monotonic()
    async with asyncio.TaskGroup() as group:
        for kind, _ in zip(cycle(KINDS), range(clients), strict=False):
            group.create_task(asking(port, counts, kind, stop))
        with suppress(TimeoutError):
            while len(took_s) < restarts and time.monotonic() - began_s < most_s:
                took_s.append(await renewed(process.pid))
        stop.set()
    return {
        "restarts_wanted": restarts,
        "restarts": len(took_s),
        "seconds": round(time.monotonic() - began_s, 1),
        "longest_restart_s": round(max(took_s, default=0.0), 1),
        **{name: counts[name] for name in ("answered", "connections", "failed")},
        "failures": {name: number for name, number in counts.items() if name.startswith("failed:")},
        "load_average_1min": os.getloadavg()[0],
    }


async def published(url: str) -> None:
    """Put a package into a store."""
    store = open_store(url)
    try:
        await publish(store, PACKAGE_ID)
    finally:
        await store.close()


def end(process: "subprocess.Popen[bytes]") -> None:
    """Let it drain, for a bounded time."""
    process.terminate()
    try:
        process.wait(ENDING_S)
    except subprocess.TimeoutExpired:
        for worker in workers_of(process.pid):
            os.kill(worker, signal.SIGKILL)
        process.kill()


def main() -> int:
    """Soak, and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--restarts", type=int, default=10)
    parser.add_argument("--clients", type=int, default=24)
    parser.add_argument("--minutes", type=float, default=10.0)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = f"file:{folder}/store"
        asyncio.run(published(url))
        command = [sys.executable, "-m", "segue.main", "serve", "--json", "--port", "0", "--workers", "2"]
        with subprocess.Popen([*command, "--store", url], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            assert process.stdout is not None
            port = int(json.loads(process.stdout.readline())["url"].rstrip("/").rpartition(":")[2])
            try:
                most_s = 60 * wanted.minutes
                work = soak(process, port, restarts=wanted.restarts, clients=wanted.clients, most_s=most_s)
                made = asyncio.run(work)
            finally:
                end(process)
    print(json.dumps({"benchmark": "origin_soak", **made}, indent=2))
    return 1 if made["failed"] or made["restarts"] != wanted.restarts else 0


if __name__ == "__main__":
    sys.exit(main())
