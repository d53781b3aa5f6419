"""The clients of benchmarks.bench_origin: wrk for throughput, sockets of our own for what it cannot do."""

import re
import resource
import select
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

from benchmarks.bench_package import _tree
from benchmarks.origin_servers import Server, cores

TICKS_PER_S = 100  # of /proc/*/stat, on every Linux


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of wrk against one server: `cpu_s` is what the server's processes took meanwhile."""

    requests: int
    seconds: float
    cpu_s: float
    p50_ms: float
    p99_ms: float


def wrk(server: Server, path: str, *, seconds: int, connections: int) -> Run:
    """Ask for one path as fast as it is answered. Any answer but a 200 ends the benchmark."""
    before = cpu_s(server.pid)
    command = ["taskset", "-c", str(cores()[1]), "wrk", "-t1", f"-c{connections}", f"-d{seconds}", "--latency"]
    url = f"http://127.0.0.1:{server.port}{path}"
    said = subprocess.run([*command, url], capture_output=True, text=True, check=True, timeout=60).stdout
    used = cpu_s(server.pid) - before
    total = re.search(r"(\d+) requests in ([\d.]+)s", said)
    if total is None or int(total[1]) == 0 or "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(f"not every answer was good: {url}\n{said}")
    return Run(
        requests=int(total[1]),
        seconds=float(total[2]),
        cpu_s=used,
        p50_ms=_latency(said, 50),
        p99_ms=_latency(said, 99),
    )


def _latency(said: str, percent: int) -> float:
    found = re.search(rf"{percent}%\s+([\d.]+)(us|ms|s)\b", said)
    assert found, said
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]


def cpu_s(pid: int) -> float:
    """The CPU time of a process and its descendants so far."""
    total = 0
    for each in _tree(pid):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS_PER_S


def resident_mb(pid: int) -> float:
    """The memory that a process holds."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024 / 1e6


class Kept:
    """A connection that is kept, as those of a CDN are."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)

    def times_s(self, request: bytes) -> tuple[float, float]:
        """Seconds from sending a request to the first byte of the body of its answer, and to the last."""
        began = time.perf_counter()
        self._socket.sendall(request)
        got = b""
        while not got.partition(b"\r\n\r\n")[2]:
            part = self._socket.recv(1 << 16)
            assert part, got[:300]
            got += part
        took = time.perf_counter() - began
        assert re.match(rb"HTTP/1\.1 20[06] ", got), got[:300]
        length = re.search(rb"\r\ncontent-length: (\d+)\r\n", got, re.IGNORECASE)
        assert length
        left = int(length[1]) - len(got.partition(b"\r\n\r\n")[2])
        while left > 0:
            part = self._socket.recv(1 << 18)
            assert part, "the server closed a connection"
            left -= len(part)
        return took, time.perf_counter() - began

    def close(self) -> None:
        """End it."""
        self._socket.close()


def metrics_of(port: int) -> str:
    """What an origin tells of itself."""
    told: bytes = urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read()
    return told.decode()


def settle(port: int) -> None:
    """Wait until an origin reads nothing from its store."""
    while "segue_storage_reads_in_progress 0\n" not in metrics_of(port):
        time.sleep(0.02)


def crowd(port: int, paths: Iterator[str], connections: int) -> None:
    """Ask for all paths, each of so many connections asking anew when it is answered."""
    _allow_files(connections)
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(connections)]
        poll = stack.enter_context(select.epoll())
        by_fd = {each.fileno(): each for each in sockets}
        got: dict[int, bytearray] = {}
        for number, each in by_fd.items():
            poll.register(number, select.EPOLLIN)
            _ask(each, paths, got)
        while got:
            for number, _ in poll.poll(10):
                part = by_fd[number].recv(1 << 18)
                assert part, "the server closed a connection"
                got[number] += part
                if _whole(got[number]):
                    del got[number]
                    _ask(by_fd[number], paths, got)


def held(server: Server, wanted: Sequence[str], *, idle: int, seconds: float) -> dict[str, float]:
    """The server's memory with so many idle connections, and one for each path wanted that takes it by drops."""
    _allow_files(idle + len(wanted))
    before = resident_mb(server.pid)
    with ExitStack() as stack:
        for _ in range(idle):
            each = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            each.sendall(_get(server.playlist))
            while not _whole(bytearray(each.recv(1 << 18, socket.MSG_PEEK))):
                pass
            each.recv(1 << 18)
        with_idle = resident_mb(server.pid)
        readers = []
        for path in wanted:
            reader = stack.enter_context(socket.socket())
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.connect(("127.0.0.1", server.port))
            reader.sendall(_get(path) * 3)
            readers.append(reader)
        end = time.monotonic() + seconds
        most = with_idle
        while time.monotonic() < end:
            taken = sum(len(reader.recv(1024)) for reader in readers)
            assert taken, "the readers were cut off"
            most = max(most, resident_mb(server.pid))
            time.sleep(0.25)
    return {"before_mb": round(before, 1), "idle_mb": round(with_idle, 1), "idle_and_slow_mb": round(most, 1)}


def _allow_files(number: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(number + 500, hard), hard))


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()


def _ask(to: socket.socket, paths: Iterator[str], got: dict[int, bytearray]) -> None:
    path = next(paths, None)
    if path is not None:
        got[to.fileno()] = bytearray()
        to.sendall(_get(path))


def _whole(answer: bytearray) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: (\d+)\r\n", head + b"\r\n", re.IGNORECASE) if end else None
    assert not end or head.startswith(b"HTTP/1.1 200 "), head
    return length is not None and len(body) >= int(length[1])
