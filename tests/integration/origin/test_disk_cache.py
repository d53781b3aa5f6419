"""Media on a local disk: used before the store, bounded, kept over restarts, and never wrong."""

import asyncio
import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from origin import disk_cache
from origin.disk_cache import DiskCache, piece_name
from origin.metrics_table import DISK_CACHE_FAILURES
from origin.observe import Metrics
from origin.settings import DiskCacheSettings
from storage.base import ByteRange
from tests.integration.origin.conftest import Running, Start, until
from tests.integration.origin.published import Published
from tests.integration.origin.watched_store import WatchedStore

MIB = 1 << 20
DATA = os.urandom(20_000)
UNIT = 20_480  # what DATA takes
WRITER_PROGRAM = """
import asyncio, hashlib, sys
from pathlib import Path
from origin.disk_cache import DiskCache
from origin.observe import Metrics
from origin.settings import DiskCacheSettings

async def main():
    cache = DiskCache(DiskCacheSettings(folder=Path(sys.argv[1]), bytes_max=1 << 30), Metrics())
    cache.start()
    while not cache.usable:
        await asyncio.sleep(0.01)
    print("ready", flush=True)
    for number in range(1_000_000):
        sha256 = hashlib.sha256(str(number).encode()).hexdigest()
        cache.write(f"{sha256}-0-300000", sha256.encode() * 4687 + bytes(32))
        await asyncio.sleep(0)
        if number % 50 == 0:
            await asyncio.sleep(0.05)

asyncio.run(main())
"""


def _name(number: int) -> str:
    return piece_name(f"{number:064x}", ByteRange(0, len(DATA)))


def _settings(folder: Path, bytes_max: int = 10 * MIB, processes: int = 1) -> DiskCacheSettings:
    return DiskCacheSettings(folder=folder, bytes_max=bytes_max, processes=processes)


@asynccontextmanager
async def _opened(settings: DiskCacheSettings, metrics: Metrics | None = None) -> AsyncIterator[DiskCache]:
    cache = DiskCache(settings, metrics or Metrics())
    cache.start()
    await until(lambda: cache.usable)
    try:
        yield cache
    finally:
        await cache.close()


async def _written(cache: DiskCache, number: int, data: bytes = DATA) -> None:
    cache.write(_name(number), data)
    await until(lambda: cache.holds(_name(number)))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*-*") if path.is_file())


async def test_what_is_written_is_read_also_after_a_restart(tmp_path: Path) -> None:
    """The next process takes over what lies there."""
    async with _opened(_settings(tmp_path)) as cache:
        await _written(cache, 1)
        assert await cache.read(_name(1), len(DATA)) == DATA
        assert not cache.holds(_name(2))
    async with _opened(_settings(tmp_path)) as cache:
        assert cache.holds(_name(1))
        assert await cache.read(_name(1), len(DATA)) == DATA


def _torn(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _zeroed(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def _flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[10_000] ^= 1
    path.write_bytes(data)


def _of_another(path: Path) -> None:
    shutil.copy(next(other for other in _files(path.parents[1]) if other != path), path)


def _emptied(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [_torn, _zeroed, _flipped, _of_another, _emptied, Path.unlink])
async def test_damage_is_a_miss(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """A file that is not what was written is not used, not tried again, and makes room."""
    async with _opened(_settings(tmp_path)) as cache:
        await _written(cache, 1)
        await _written(cache, 2, DATA[::-1])
    await asyncio.to_thread(damage, next(path for path in _files(tmp_path) if path.name == _name(1)))
    async with _opened(_settings(tmp_path)) as cache:
        assert await cache.read(_name(1), len(DATA)) is None
        assert not cache.holds(_name(1))
        assert await cache.read(_name(2), len(DATA)) == DATA[::-1]
        await _written(cache, 1)
        assert await cache.read(_name(1), len(DATA)) == DATA


async def test_it_takes_no_more_than_it_may(tmp_path: Path) -> None:
    """Counted in whole units of 4 KiB: what the files take is what it says, and within the bound after every write."""
    async with _opened(_settings(tmp_path, 10 * UNIT)) as cache:
        for number in range(40):
            await _written(cache, number)
            assert cache.weight <= 10 * UNIT
        await until(lambda: len(_files(tmp_path)) == 10)
        assert sum(path.stat().st_blocks * 512 for path in _files(tmp_path)) <= 10 * UNIT
    async with _opened(_settings(tmp_path, 3 * UNIT)) as cache:  # less than lies there
        assert cache.weight == 3 * UNIT
        await until(lambda: len(_files(tmp_path)) == 3)


async def test_processes_share_nothing_and_inherit(tmp_path: Path) -> None:
    """Each has a folder of its own; one more than there are folders waits for one; fewer clear away what is left."""
    async with _opened(_settings(tmp_path, processes=2)) as one, _opened(_settings(tmp_path, processes=2)) as two:
        await _written(one, 1)
        assert not two.holds(_name(1))
        await _written(two, 1)
        late = DiskCache(_settings(tmp_path, processes=2), Metrics())
        late.start()
        await asyncio.sleep(0.1)
        assert not late.usable
        await late.close()
    assert len(_files(tmp_path)) == 2
    async with _opened(_settings(tmp_path)) as alone:
        assert alone.holds(_name(1))
        await until(lambda: len(_files(tmp_path)) == 1)


async def test_a_folder_that_cannot_be_made_is_told_and_harms_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file is in the way: a warning, a metric, and no cache."""
    (tmp_path / "file").write_text("")
    metrics = Metrics()
    cache = DiskCache(_settings(tmp_path / "file"), metrics)
    cache.start()
    await until(lambda: metrics.value(DISK_CACHE_FAILURES) == 1)
    cache.write(_name(1), DATA)
    assert not cache.usable and not cache.holds(_name(1))
    assert [record.message for record in caplog.records] == ["disk cache out of use for a while"]
    await cache.close()


@contextmanager
def _full_disk() -> Iterator[None]:
    """The kernel refuses to write more than so much into a file, as it would if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


async def test_a_full_disk_only_pauses_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One warning, a metric, nothing half written left, and after the pause it is used again."""
    monkeypatch.setattr(disk_cache, "PAUSE_S", 2.0)
    metrics = Metrics()
    async with _opened(_settings(tmp_path), metrics) as cache:
        await _written(cache, 1)
        with _full_disk():
            cache.write(_name(2), DATA)
            cache.write(_name(3), DATA)
            await until(lambda: metrics.value(DISK_CACHE_FAILURES) == 2)
        assert not cache.usable and not cache.holds(_name(1))
        assert len(_files(tmp_path)) == 1 and cache.weight == UNIT
        assert [record.__dict__["error"] for record in caplog.records] == [os.strerror(errno.EFBIG)]
        await until(lambda: cache.usable)
        assert await cache.read(_name(1), len(DATA)) == DATA
        await _written(cache, 2)


def test_kill_9_amid_writes_leaves_nothing_wrong(tmp_path: Path) -> None:
    """Whatever is read afterwards is whole, and temporary files are gone."""
    for _ in range(3):
        command = [sys.executable, "-c", WRITER_PROGRAM, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None and writer.stdout.readline() == b"ready\n"
            while len(_files(tmp_path)) < 10:
                time.sleep(0.01)
            writer.send_signal(signal.SIGKILL)
        asyncio.run(_all_whole(tmp_path))
        assert not [path for path in _files(tmp_path) if path.name.endswith(".writing")]


async def _all_whole(folder: Path) -> None:
    async with _opened(_settings(folder, 1 << 30)) as cache:
        for path in await asyncio.to_thread(_files, folder):
            sha256 = path.name[:64]
            assert await cache.read(path.name, 300_000) in (None, sha256.encode() * 4687 + bytes(32))


async def test_memory_then_disk_then_store(start: Start, track: Published, store: WatchedStore, tmp_path: Path) -> None:
    """A restarted origin serves what it had from its disk, says so, and asks the store for the record alone."""
    settings = _settings(tmp_path)
    async with start(disk_cache=settings) as origin:
        await _usable(origin)
        first, *others = await _played(origin, track)
        assert first == "segue; fwd=uri-miss; stored"
        assert set(others) <= {"segue; hit; detail=memory", "segue; fwd=uri-miss; stored; collapsed"}  # read ahead
        await until(lambda: len(_files(tmp_path)) == 9 + 1)  # and the index
    store.reads.clear()
    async with start(disk_cache=settings) as origin:
        await _usable(origin)
        async with origin.client.head(f"{track.package_base}/aac-64.m3u8"):
            pass
        assert await _played(origin, track) == ["segue; hit; detail=disk"] * 9
        assert await _played(origin, track) == ["segue; hit; detail=memory"] * 9
        assert [key.rpartition("/")[2] for key in store.reads] == ["package.json"]
        async with origin.client.get("/metrics") as response:
            samples = await response.text()
        assert 'segue_cache_requests_total{tier="disk",cache="media",result="hit"} 9' in samples


async def test_a_damaged_file_is_read_from_the_store(
    start: Start, track: Published, store: WatchedStore, tmp_path: Path
) -> None:
    """The listener gets the right bytes, and the answer says where they came from."""
    settings = _settings(tmp_path)
    async with start(disk_cache=settings) as origin:
        await _usable(origin)
        await _played(origin, track)
        await until(lambda: len(_files(tmp_path)) == 10)
    for path in await asyncio.to_thread(_files, tmp_path):
        await asyncio.to_thread(_torn, path)
    async with start(disk_cache=settings) as origin:
        await _usable(origin)
        assert set(await _played(origin, track)) == {"segue; fwd=uri-miss; stored"}


async def _usable(origin: Running) -> None:
    """The folder is claimed in the background."""
    for _ in range(200):
        async with origin.client.get("/metrics") as response:
            if "segue_disk_caches_usable 1" in await response.text():
                return
        await asyncio.sleep(0.02)
    raise AssertionError("the disk cache never became usable")


async def _played(origin: Running, track: Published) -> list[str]:
    """Init section and segments, checked; the Cache-Status of each."""
    told = []
    for name in ("init", *range(8)):
        async with origin.client.get(f"{track.package_base}/aac-64/{name}.mp4") as response:
            body = await response.read()
            assert body == (track.media["aac-64"][:800] if name == "init" else track.segment_of("aac-64", int(name)))
            told.append(response.headers["Cache-Status"])
            assert "Age" not in response.headers
    return told
