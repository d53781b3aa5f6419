"""Cache-Status and Age on the wire: every line of the contract's table is said, and nothing else."""

import asyncio
import re
import time
from pathlib import Path

import pytest

from model.errors import StorageUnavailable
from origin.metrics_table import COALESCED_WAITS, DISK_CACHES_USABLE
from origin.settings import DiskCacheSettings
from origin.state import METRICS
from tests.integration.origin.conftest import Running, Start, until
from tests.integration.origin.published import Published
from tests.integration.origin.watched_store import WatchedStore

DOCUMENT = Path(__file__).parents[3] / "docs/http-contract.md"
TABLE = set(re.findall(r"^\| `(segue; [^`]+)` \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE))
NOT_THERE = f"/tracks/{'a' * 20}/index.m3u8"


async def _told(origin: Running, path: str, *, status: int = 200) -> str:
    async with origin.client.get(path) as response:
        assert response.status == status
        assert "Age" not in response.headers or "/tracks/" in path
        return response.headers["Cache-Status"]


async def test_every_line_of_the_table_is_said(
    start: Start, track: Published, store: WatchedStore, tmp_path: Path
) -> None:
    """Each way that an answer can come, in one run; times left out. The table has no other."""
    segment, playlist = f"{track.package_base}/aac-64/3.mp4", f"{track.base}/index.m3u8"
    disk = DiskCacheSettings(folder=tmp_path, bytes_max=1 << 30)
    said: set[str] = set()
    async with start(disk_cache=disk) as origin:
        await until(lambda: _is_claimed(origin))
        said |= {await _told(origin, f"{track.package_base}/flac.m3u8"), await _told(origin, NOT_THERE, status=404)}
        said.add(await _told(origin, NOT_THERE, status=404))
        store.gate.clear()
        crowd = [asyncio.create_task(_told(origin, segment)) for _ in range(3)]
        await until(lambda: origin.app[METRICS].value(COALESCED_WAITS) == 2)
        store.gate.set()
        said |= set(await asyncio.gather(*crowd))
        said.add(await _told(origin, segment))
        await until(lambda: any(path.name.startswith(_file_hash(track)) for path in tmp_path.rglob("*-*-*")))
    async with start(disk_cache=disk, pointer_ttl_s=0.1, stale_retry_s=5.0) as origin:
        await _told(origin, playlist)
        await until(lambda: _is_claimed(origin))
        said.add(await _told(origin, segment))
        await asyncio.sleep(0.1)
        said.add(await _told(origin, playlist))
        store.error = StorageUnavailable("down")
        await asyncio.sleep(0.1)
        said |= {await _told(origin, playlist), await _told(origin, playlist)}
        said.add(await _told(origin, f"{track.package_base}/aac-256/0.mp4", status=503))
    assert {_timeless(each) for each in said} == {_timeless(each) for each in TABLE}


@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/no/such/thing"])
async def test_what_no_tier_has_says_nothing(origin: Running, path: str) -> None:
    """No Cache-Status where no cache was looked into."""
    async with origin.client.get(path) as response:
        assert "Cache-Status" not in response.headers and "Age" not in response.headers


async def test_a_playlist_ages_and_media_does_not(start: Start, track: Published) -> None:
    """Age counts from what the store said last, also on answers that are sent again; media is always as good as new."""
    async with start(pointer_ttl_s=200.0) as origin:
        began_s = time.monotonic()
        for path in (f"{track.base}/index.m3u8", f"{track.package_base}/aac-64/0.mp4"):
            await _told(origin, path)
        for least_s in (0, 1):
            async with origin.client.get(f"{track.base}/index.m3u8") as response:
                assert least_s <= int(response.headers["Age"]) <= time.monotonic() - began_s
            async with origin.client.get(f"{track.package_base}/aac-64/0.mp4") as response:
                assert "Age" not in response.headers
                assert response.headers["Cache-Status"] == "segue; hit; detail=memory"
            await asyncio.sleep(1.05)


def _timeless(text: str) -> str:
    return re.sub(r"ttl=-\d+", "ttl=-N", text)


def _file_hash(track: Published) -> str:
    rendition = track.package.rendition("aac-64")
    assert rendition is not None
    return rendition.sha256


def _is_claimed(origin: Running) -> bool:
    metrics = origin.app[METRICS]
    metrics.sample()
    return metrics.value(DISK_CACHES_USABLE) == 1.0
