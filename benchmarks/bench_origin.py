"""How fast one origin process is on 96 kB segments, hot and cold, beside nginx with the same bytes in the same minute.

    python -m benchmarks.bench_origin > origin.json

JSON on stdout, in under 30 seconds. Origin and nginx (one worker each) take turns, so a busy machine slows both; ratios
are ours over nginx's. The client is this process, one thread, a few keep-alive connections: at nginx's speed the client
itself costs a good part of each request, so a ratio close to 1 is flattered by it. Without nginx the origin is measured
alone, and the report says so.
"""

import asyncio
import hashlib
import json
import multiprocessing
import os
import platform
import re
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median, quantiles
from urllib.request import urlopen

from model.loudness import LoudnessReport
from model.package import Package
from model.records import to_json
from model.rendition import Codec, Rendition
from model.segment import Segment, SegmentedRendition
from origin.serve import serve
from origin.settings import OriginSettings
from storage.filesystem import FilesystemStore
from storage.keys import package_key

SEGMENT_BYTES = 96_000
SEGMENTS = 240  # 24 minutes at 128 kbit/s
INIT_BYTES = 800
ROUNDS = 5
ROUND_S = 1.0
CONNECTIONS = 8
CROWD = 1000
RECORDING_ID, PACKAGE_ID = "a" * 20, "b" * 16
BASE = f"/recordings/{RECORDING_ID}/{PACKAGE_ID}/aac-128"
NGINX_PATH = "/0.mp4"
NGINX_CONF = """
daemon off; pid nginx.pid; error_log stderr crit; worker_processes 1;
events {{ worker_connections 2048; }}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; types {{ audio/mp4 mp4; }}
    client_body_temp_path t; proxy_temp_path t; fastcgi_temp_path t; uwsgi_temp_path t; scgi_temp_path t;
    server {{ listen 127.0.0.1:{port}; root www; }}
}}
"""


class Client:
    """Keep-alive connections that each ask again as soon as they are answered; counts and times every answer."""

    def __init__(self, port: int, connections: int) -> None:
        self._port = port
        self._sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(connections)]
        self._buffer = bytearray(1 << 18)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._sockets:
            each.close()

    def run(self, paths: Iterator[str], seconds: float) -> tuple[float, list[float]]:
        """Requests per second and the seconds that each took, until the time or the paths are over."""
        epoll, by_fd = select.epoll(), {each.fileno(): each for each in self._sockets}
        began: dict[int, float] = {}
        left: dict[int, int] = {}
        took: list[float] = []
        start = time.perf_counter()
        for number, each in by_fd.items():
            epoll.register(number, select.EPOLLIN)
            self._ask(each, paths, began, left)
        while began:
            for number, _ in epoll.poll(5):
                if self._take(by_fd[number], left):
                    took.append(time.perf_counter() - began.pop(number))
                    if time.perf_counter() - start < seconds:
                        self._ask(by_fd[number], paths, began, left)
        epoll.close()
        return len(took) / (time.perf_counter() - start), took

    def _ask(self, to: socket.socket, paths: Iterator[str], began: dict[int, float], left: dict[int, int]) -> None:
        path = next(paths, None)
        if path is None:
            return
        began[to.fileno()] = time.perf_counter()
        left[to.fileno()] = -1
        to.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n\r\n".encode())

    def _take(self, of: socket.socket, left: dict[int, int]) -> bool:
        number = of.fileno()
        size = of.recv_into(self._buffer)
        if size == 0:
            raise ConnectionError("the server closed a connection")
        if left[number] < 0:
            left[number] = self._length_of(bytes(self._buffer[:2048]))
        left[number] -= size
        return left[number] == 0

    @staticmethod
    def _length_of(head: bytes) -> int:
        assert head.startswith(b"HTTP/1.1 200 "), head[:100]
        length = re.search(rb"\r\ncontent-length: (\d+)\r\n", head, re.IGNORECASE)
        assert length, head
        return head.index(b"\r\n\r\n") + 4 + int(length[1])


async def publish(folder: Path) -> bytes:
    """Put a package whose segments all have 96,000 bytes into a store; give the bytes of its first segment."""
    first = INIT_BYTES + 200
    segments = tuple(
        Segment(duration_ticks=291_840, offset_bytes=first + index * SEGMENT_BYTES, size_bytes=SEGMENT_BYTES)
        for index in range(SEGMENTS)
    )
    media = os.urandom(first + SEGMENTS * SEGMENT_BYTES)
    rendition = SegmentedRendition(
        rendition=Rendition(rendition_id="aac-128", codec=Codec.AAC, bitrate_bps=128_000),
        timescale=48_000,
        priming_ticks=1_024,
        init_size_bytes=INIT_BYTES,
        index_size_bytes=200,
        segments=segments,
        sha256=hashlib.sha256(media).hexdigest(),
        loudness=LoudnessReport(integrated_lufs=-14.0),
    )
    package = Package(
        recording_id=RECORDING_ID,
        package_id=PACKAGE_ID,
        mezzanine_id="c" * 16,
        media_samples=rendition.media_ticks,
        target_duration_s=6,
        true_peak_dbtp=None,
        level_lufs=-14.0,
        renditions=(rendition,),
        attempts=(),
        tool="bench",
    )
    objects = {
        package_key(RECORDING_ID, PACKAGE_ID, "aac-128.mp4"): media,
        package_key(RECORDING_ID, PACKAGE_ID, "package.json"): to_json(package),
    }
    store = FilesystemStore(folder)
    for key, data in objects.items():
        await store.put(key, data, media_type="application/octet-stream", cache_control="no-cache")
    await store.close()
    return media[first : first + SEGMENT_BYTES]


def run_origin(folder: Path, changes: dict[str, int], outbox: Connection) -> None:
    """The other process: one origin, until SIGTERM."""

    async def main() -> None:
        store = FilesystemStore(folder)
        await serve(OriginSettings(port=0, **changes), store, ready=outbox.send)  # type: ignore[arg-type]
        await store.close()

    asyncio.run(main())


@contextmanager
def origin(folder: Path, **changes: int) -> Iterator[int]:
    """The port of a fresh origin in a process of its own."""
    context = multiprocessing.get_context("spawn")
    inbox, outbox = context.Pipe(duplex=False)
    process = context.Process(target=run_origin, args=(folder, changes, outbox))
    process.start()
    try:
        yield int(inbox.recv().rstrip("/").rpartition(":")[2])
    finally:
        process.terminate()
        process.join(10)


@contextmanager
def nginx(folder: Path, segment: bytes) -> Iterator[int]:
    """The port of an nginx with one worker that has the segment as a file."""
    (folder / "www").mkdir(parents=True)
    (folder / "www" / NGINX_PATH.strip("/")).write_bytes(segment)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    (folder / "nginx.conf").write_text(NGINX_CONF.format(port=port))
    for path in (folder, folder / "www", folder / "www" / NGINX_PATH.strip("/")):
        path.chmod(0o755)  # its worker may run as another user
    process = subprocess.Popen(["nginx", "-p", str(folder), "-c", "nginx.conf"], stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: socket.create_connection(("127.0.0.1", port)).close())
        yield port
    finally:
        process.terminate()
        process.wait(10)


def wait_for(attempt: Callable[[], None]) -> None:
    """Repeat until it works, for at most five seconds."""
    end = time.monotonic() + 5
    while True:
        try:
            return attempt()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


def always(path: str) -> Iterator[str]:
    """One path, for ever."""
    while True:
        yield path


def figures(rounds: list[tuple[float, list[float]]]) -> dict[str, float]:
    """The median of the rounds' requests per second, and percentiles over all answers."""
    took = [each for _, latencies in rounds for each in latencies]
    percentiles = quantiles(took, n=100)
    per_s = median(rate for rate, _ in rounds)
    return {
        "requests": len(took),
        "requests_per_s": round(per_s, 1),
        "megabytes_per_s": round(per_s * SEGMENT_BYTES / 1e6, 1),
        "p50_ms": round(percentiles[49] * 1000, 3),
        "p99_ms": round(percentiles[98] * 1000, 3),
    }


def hot(ports: dict[str, tuple[int, str]]) -> dict[str, dict[str, float]]:
    """Throughput and latency of each server, in turns, over the same segment again and again."""
    rounds: dict[str, list[tuple[float, list[float]]]] = {name: [] for name in ports}
    for number in range(ROUNDS + 1):
        for name, (port, path) in ports.items():
            with Client(port, CONNECTIONS) as client:
                result = client.run(always(path), ROUND_S)
            if number:  # the first round only warms up
                rounds[name].append(result)
    return {name: figures(found) for name, found in rounds.items()}


def cold(folder: Path) -> dict[str, float]:
    """Every segment once, one at a time, from an origin that reads no further than it must."""
    with origin(folder, read_ahead_bytes=1) as port, Client(port, 1) as client:
        client.run(iter([f"{BASE}.m3u8"]), ROUND_S)
        return figures([client.run((f"{BASE}/{index}.mp4" for index in range(SEGMENTS)), 10)])


def store_reads(folder: Path) -> dict[str, int]:
    """How often the store is read for a crowd on one cold segment, and for a cold play of a whole rendition."""
    with origin(folder) as port:
        with Client(port, 1) as client:
            client.run(iter([f"{BASE}.m3u8"]), ROUND_S)
        before = reads_of(port)
        with Client(port, CROWD) as crowd:
            crowd.run(iter([f"{BASE}/7.mp4"] * CROWD), 10)
        after_crowd = reads_of(port)
        with Client(port, 1) as client:
            client.run((f"{BASE}/{index}.mp4" for index in range(SEGMENTS)), 10)
        return {
            "crowd": CROWD,
            "reads_for_the_crowd": after_crowd - before,
            "cold_play_segments": SEGMENTS,
            "cold_play_megabytes": round(SEGMENTS * SEGMENT_BYTES / 1e6),
            "reads_for_the_cold_play": reads_of(port) - before,
        }


def reads_of(port: int) -> int:
    """The store reads that an origin has counted so far."""
    text = urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
    return sum(int(value) for value in re.findall(r"^segue_storage_reads_total\{.*\} (\d+)$", text, re.MULTILINE))


def nginx_version() -> str | None:
    """The version of the nginx on PATH."""
    if shutil.which("nginx") is None:
        return None
    said = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True, timeout=5).stderr
    return said.strip().rpartition("/")[2]


def report() -> dict[str, object]:
    """The figures with the machine and the versions that made them."""
    found = nginx_version()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        folder.chmod(0o755)
        segment = asyncio.run(publish(folder / "store"))
        with origin(folder / "store") as port:
            ours = {"origin": (port, f"{BASE}/0.mp4")}
            if found:
                with nginx(folder / "nginx", segment) as other_port:
                    results = hot({**ours, "nginx": (other_port, NGINX_PATH)})
            else:
                results = hot(ours)
        others = {"cold": cold(folder / "store"), "store_reads": store_reads(folder / "store")}
    ratios: dict[str, float | str] = {"nginx": "not on PATH: install nginx-light to compare"}
    if found:
        ours_hot, theirs = results["origin"], results["nginx"]
        ratios = {name: round(ours_hot[name] / theirs[name], 3) for name in ("requests_per_s", "p50_ms", "p99_ms")}
    return {
        "benchmark": "origin",
        "command": "python -m benchmarks.bench_origin",
        "machine": {"cpus": os.cpu_count(), "system": platform.system(), "architecture": platform.machine()},
        "versions": {"python": platform.python_version(), "aiohttp": version("aiohttp"), "nginx": found},
        "load_average_1min": os.getloadavg()[0],
        "segment_bytes": SEGMENT_BYTES,
        "connections": CONNECTIONS,
        "hot": results,
        "hot_ratio_to_nginx": ratios,
        **others,
    }


if __name__ == "__main__":
    json.dump(report(), sys.stdout, indent=2)
    print()
