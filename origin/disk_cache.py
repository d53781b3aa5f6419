"""Pieces of media on a local disk, between the memory and the store: kept over restarts, checked before use.

Each process has a folder of its own below the one that is given, `0`, `1`, …, held by a lock; so workers share nothing,
and a new worker takes over what an ended one left. Everything that touches the disk runs in threads, in order.
"""

import asyncio
import fcntl
import hashlib
import logging
import os
import re
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from origin.hot_cache import HotCache
from origin.observe import Metrics
from origin.settings import DiskCacheSettings
from storage.base import ByteRange

log = logging.getLogger(__name__)

UNIT_BYTES = 4096  # what a file takes is a multiple of this
PENDING_BYTES_MAX = 32 << 20  # waiting to be written; what comes beyond is not kept
PAUSE_S = 60.0  # without the disk after it failed
CLAIM_S = 5.0  # until the next try to get a folder
_DIGEST_BYTES = 16
_NAME = re.compile(r"[0-9a-f]{64}-\d{1,12}-\d{1,12}")
_TEMPORARY = ".writing"

Result = TypeVar("Result")


def piece_name(sha256: str, piece: ByteRange) -> str:
    """The name of a piece: by what its track file holds, so that it can never be another one's."""
    return f"{sha256}-{piece.start}-{piece.end}"


class DiskCache:
    """Bytes under names, at most `bytes_max` of disk (whole units of 4 KiB). What is read is what was written, or
    nothing: a file carries a hash of its name and bytes, so that one half written or damaged is a miss.

    A disk that fails (full, not writable) is left alone for a minute, with a warning and a metric. Never raises.
    """

    def __init__(self, settings: DiskCacheSettings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._index: HotCache[int] = HotCache(settings.bytes_max, on_drop=self._remove)
        self._writing: dict[str, int] = {}
        self._folder: Path | None = None
        self._lock: int | None = None
        self._paused_until_s = 0.0
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="disk-cache-writer")
        self._readers = ThreadPoolExecutor(4, thread_name_prefix="disk-cache-reader")
        self._jobs: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()

    def start(self) -> None:
        """Get a folder and take in what is there, in the background: nothing is held before."""
        self._begin(self._claim())

    @property
    def weight(self) -> int:
        """The bytes of disk in use."""
        return self._index.weight

    @property
    def usable(self) -> bool:
        """Whether it keeps anything now."""
        return self._folder is not None and time.monotonic() >= self._paused_until_s

    def holds(self, name: str) -> bool:
        """Whether these bytes are on disk, as far as one knows without looking."""
        return name in self._index and name not in self._writing and self.usable

    async def read(self, name: str, size_bytes: int) -> bytes | None:
        """The bytes under a name; None if they are not there, not so many, or damaged."""
        self._index.get(name)  # a use
        if self._folder is None:
            return None
        try:
            data = await self._run(self._readers, partial(_read, self._folder / name[:2] / name, name))
        except FileNotFoundError:
            self._index.discard(name)
            return None
        except OSError as error:
            self._pause(error)
            return None
        if data is not None and len(data) == size_bytes:
            return data
        log.warning("damaged file in the disk cache", extra={"piece": name})
        self._index.discard(name)
        self._remove(name)
        return None

    def write(self, name: str, data: bytes) -> None:
        """Keep bytes, soon; or not, if the disk does not keep up."""
        if not self.usable or name in self._index or sum(self._writing.values()) + len(data) > PENDING_BYTES_MAX:
            return
        self._index.put(name, 0, weight=_weight(len(data)))
        if name in self._index:
            assert self._folder is not None
            self._writing[name] = len(data)
            # In order with removals: this one's may follow at once.
            self._begin(self._written(name, self._writer.submit(_write, self._folder, name, data)))

    async def close(self) -> None:
        """Finish what is being written and give the folder back."""
        self._closing.set()
        await asyncio.gather(*self._jobs)
        for pool in (self._readers, self._writer):
            await asyncio.to_thread(pool.shutdown)
        if self._lock is not None:
            os.close(self._lock)

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        job = asyncio.create_task(work)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)

    async def _claim(self) -> None:
        while not self._closing.is_set():
            try:
                found = await self._run(self._writer, partial(_claim, self._settings))
            except OSError as error:
                self._pause(error)
                found = None
            if found is not None:
                self._lock, self._folder, names = found
                for name, size_bytes in names:
                    self._index.put(name, 0, weight=_weight(size_bytes))
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(CLAIM_S):
                    await self._closing.wait()

    async def _written(self, name: str, job: Future[None]) -> None:
        try:
            await asyncio.wrap_future(job)
        except OSError as error:
            self._index.discard(name)
            self._pause(error)
        finally:
            del self._writing[name]

    def _remove(self, name: object) -> None:
        assert isinstance(name, str)
        if self._folder is not None:
            self._writer.submit(_unlink, self._folder / name[:2] / name)

    def _pause(self, error: OSError) -> None:
        self._metrics.disk_failed()
        now_s = time.monotonic()
        if now_s >= self._paused_until_s:
            extra = {"error": error.strerror, "pause_s": PAUSE_S}
            log.warning("disk cache out of use for a while", extra=extra)
        self._paused_until_s = now_s + PAUSE_S

    async def _run(self, pool: ThreadPoolExecutor, call: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(pool, call)


def _weight(size_bytes: int) -> int:
    return -(-(size_bytes + _DIGEST_BYTES) // UNIT_BYTES) * UNIT_BYTES


def _digest(name: str, data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST_BYTES, person=hashlib.sha256(name.encode()).digest()[:16]).digest()


def _read(path: Path, name: str) -> bytes | None:
    with path.open("rb", buffering=0) as file:
        content = file.readall()
    data = content[_DIGEST_BYTES:]
    return data if content[:_DIGEST_BYTES] == _digest(name, data) else None


def _write(folder: Path, name: str, data: bytes) -> None:
    place = folder / name[:2]
    place.mkdir(exist_ok=True)
    temporary = place / f"{name}{_TEMPORARY}"
    try:
        # Not synced: what a crash of the machine tears fails its check.
        with temporary.open("wb", buffering=0) as file:
            for part in (_digest(name, data), data):
                view = memoryview(part)
                while view:
                    view = view[file.write(view) :]
        temporary.replace(place / name)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _unlink(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _claim(settings: DiskCacheSettings) -> tuple[int, Path, list[tuple[str, int]]] | None:
    """A folder of one's own, locked, and what lies in it, the oldest first; None if others have all of them."""
    settings.folder.mkdir(parents=True, exist_ok=True)
    for number in range(settings.processes):
        folder = settings.folder / str(number)
        folder.mkdir(mode=0o700, exist_ok=True)
        lock = _locked(folder)
        if lock is not None:
            if number == 0:
                _clear_others(settings)
            return lock, folder, _adopted(folder)
    return None


def _locked(folder: Path) -> int | None:
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _adopted(folder: Path) -> list[tuple[str, int]]:
    found: list[tuple[float, str, int]] = []
    for place in folder.iterdir():
        for path in place.iterdir() if place.is_dir() else ():
            if path.name.endswith(_TEMPORARY):
                _unlink(path)
            elif _NAME.fullmatch(path.name) and path.name[:2] == place.name:
                about = path.stat()
                found.append((about.st_mtime, path.name, max(0, about.st_size - _DIGEST_BYTES)))
    return [(name, size_bytes) for _, name, size_bytes in sorted(found)]


def _clear_others(settings: DiskCacheSettings) -> None:
    """Remove what processes left that are no more: their number was reduced, and nobody else counts their bytes."""
    for folder in settings.folder.iterdir():
        if not folder.name.isdecimal() or int(folder.name) < settings.processes:
            continue
        lock = _locked(folder)
        if lock is not None:
            for name, _ in _adopted(folder):
                _unlink(folder / name[:2] / name)
            os.close(lock)
