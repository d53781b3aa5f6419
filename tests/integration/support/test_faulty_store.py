"""The store that fails on purpose fails exactly where it was told to, and is a store otherwise."""

import asyncio
import time
from pathlib import Path

import pytest

from model.errors import StorageDenied, StorageUnavailable
from storage.base import ObjectStore
from storage.filesystem import FilesystemStore
from tests.support.faulty_store import FaultyStore


async def _put(store: ObjectStore, key: str) -> None:
    await store.put(key, b"0123456789", media_type="x/y", cache_control="no-cache")


async def test_without_orders_it_is_the_store_inside(tmp_path: Path) -> None:
    """Everything passes and is counted."""
    store = FaultyStore(FilesystemStore(tmp_path / "store"))
    await _put(store, "a")
    assert (await store.read("a")).data == b"0123456789"
    assert (await store.head("a")) == await store.fetch("a", tmp_path / "a")
    assert [entry.key async for entry in store.walk("")] == ["a"]
    await store.delete("a")
    assert dict(store.counts) == {"put": 1, "read": 1, "head": 1, "fetch": 1, "walk": 1, "delete": 1}
    assert store.calls[0] == ("put", "a")
    await store.close()


async def test_the_chosen_call_fails_and_writes_nothing(tmp_path: Path) -> None:
    """Only the n-th of its kind; calls of other kinds do not count."""
    store = FaultyStore(FilesystemStore(tmp_path), kind="put", fail_at=2)
    await _put(store, "a")
    await store.head("a")
    with pytest.raises(StorageUnavailable):
        await _put(store, "b")
    await _put(store, "c")
    assert [entry.key async for entry in store.walk("")] == ["a", "c"]
    await store.close()


async def test_an_answer_can_be_lost_after_the_work(tmp_path: Path) -> None:
    """The object is there, though the caller was told otherwise."""
    store = FaultyStore(FilesystemStore(tmp_path), fail_at=1, after=True, error=lambda: StorageDenied("no"))
    with pytest.raises(StorageDenied):
        await _put(store, "a")
    assert (await store.head("a")).size_bytes == 10
    await store.close()


async def test_it_can_stay_dead(tmp_path: Path) -> None:
    """As after the death of the process: nothing works any more, whatever is tried."""
    store = FaultyStore(FilesystemStore(tmp_path), fail_at=2, from_then_on=True)
    await _put(store, "a")
    for call in (_put(store, "b"), store.head("a"), store.delete("a"), store.read("a")):
        with pytest.raises(StorageUnavailable):
            await call
    with pytest.raises(StorageUnavailable):
        _ = [entry async for entry in store.walk("")]
    await store.close()


async def test_a_read_can_be_cut_and_a_call_delayed(tmp_path: Path) -> None:
    """Half of the bytes under the info of all; and a wait that can be cancelled."""
    store = FaultyStore(FilesystemStore(tmp_path), truncate_at=2, delay_at=3, delay_s=0.05)
    await _put(store, "a")
    body = await store.read("a")
    assert (body.data, body.info.size_bytes) == (b"01234", 10)
    began = time.monotonic()
    await store.head("a")
    assert time.monotonic() - began >= 0.05
    waiting = FaultyStore(store, delay_at=1, delay_s=60)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(waiting.head("a"), 0.05)
    await store.close()


async def test_a_stream_can_be_refused_or_cut(tmp_path: Path) -> None:
    """The first fails when it is opened, the second after half of its bytes, the third is whole."""
    store = FaultyStore(FilesystemStore(tmp_path), kind="open", fail_at=1, truncate_at=2)
    await _put(store, "a")
    with pytest.raises(StorageUnavailable):
        async with store.open("a"):
            raise AssertionError("opened")
    got = b""
    async with store.open("a") as stream:
        with pytest.raises(StorageUnavailable):
            async for chunk in stream.chunks:
                got += chunk
    async with store.open("a") as stream:
        assert [chunk async for chunk in stream.chunks] == [b"0123456789"]
    assert (got, store.counts["open"]) == (b"01234", 3)
    await store.close()
