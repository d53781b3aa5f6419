"""Objects that may be replaced: fresh, renewed in the background, old when the store fails."""

import asyncio
from dataclasses import replace

import pytest

from model.errors import ObjectNotFound, PipelineError, StorageDenied, StorageUnavailable
from origin.cache_status import Trace
from origin.coalesce import Coalescer
from origin.metrics_table import CACHE_REQUESTS, Cache, Tier
from origin.mutable import MutableObjects
from origin.observe import Metrics
from origin.settings import OriginSettings

SETTINGS = OriginSettings(
    pointer_ttl_s=4.0, stale_if_error_s=100.0, stale_wait_s=0.05, stale_retry_s=2.0, store_deadline_s=1.0
)


class _Store:
    """One object, by a clock that stands until it is moved."""

    def __init__(self, settings: OriginSettings = SETTINGS) -> None:
        self.now_s = 1000.0
        self.value = "one"
        self.reads = 0
        self.error: Exception | None = None
        self.answers = asyncio.Event()
        self.answers.set()
        self.metrics = Metrics()
        fetches = Coalescer(deadline_s=settings.store_deadline_s)
        self.objects: MutableObjects[str] = MutableObjects(settings, fetches, self.metrics, clock=lambda: self.now_s)

    async def make(self) -> str:
        self.reads += 1
        await self.answers.wait()
        if self.error is not None:
            raise self.error
        return self.value

    async def get(self) -> tuple[str, str, str | None]:
        """The value, its Cache-Status and its Age."""
        trace = Trace()
        value = await self.objects.get("key", self.make, trace)
        headers = trace.headers(200)
        return value, headers["Cache-Status"].removeprefix("segue; "), headers.get("Age")


async def _settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_it_is_asked_for_once_in_its_time() -> None:
    """A miss, then hits whose age grows, without a read."""
    store = _Store()
    assert await store.get() == ("one", "fwd=uri-miss; stored", None)
    store.now_s += 1.9
    assert await store.get() == ("one", "hit; detail=memory", "1")
    assert store.reads == 1


async def test_who_asks_often_never_waits() -> None:
    """In the second half of its time the old one is given while one read in the background brings the new one."""
    store = _Store()
    await store.get()
    store.value, store.now_s = "two", store.now_s + 2.5
    store.answers.clear()
    assert [await store.get() for _ in range(3)] == [("one", "hit; detail=memory", "2")] * 3
    store.answers.set()
    await _settled()
    assert await store.get() == ("two", "hit; detail=memory", "0")
    assert store.reads == 2


async def test_what_is_past_its_time_is_read_again() -> None:
    """A publish is seen after `pointer_ttl_s`, however rarely the track is asked for."""
    store = _Store()
    await store.get()
    store.value, store.now_s = "two", store.now_s + 4.0
    assert await store.get() == ("two", "fwd=stale; stored", None)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (StorageUnavailable("down"), "fwd-status=503; ttl=-56; detail=storage-unavailable"),
        (StorageDenied("no"), "fwd-status=502; ttl=-56; detail=storage-denied"),
        (TimeoutError(), "fwd-status=504; ttl=-56; detail=deadline"),
    ],
)
async def test_old_serves_while_the_store_fails(error: Exception, told: str) -> None:
    """200 with its true age; not asked again for `stale_retry_s`; and the new one once it answers."""
    store = _Store()
    await store.get()
    store.error, store.value, store.now_s = error, "two", store.now_s + 60.0
    assert await store.get() == ("one", f"fwd=stale; {told}", "60")
    store.now_s += 1.0
    assert await store.get() == ("one", "hit; ttl=-57; detail=memory", "61")
    assert (store.reads, store.metrics.value(CACHE_REQUESTS, Tier.STALE, Cache.POINTER, "hit")) == (2, 2)
    store.error, store.now_s = None, store.now_s + 1.0
    assert await store.get() == ("two", "fwd=stale; stored", None)


async def test_a_store_that_hangs_holds_nobody_for_long() -> None:
    """The first waits `stale_wait_s`, the others not at all while that read hangs; its answer counts when it comes."""
    store = _Store()
    await store.get()
    store.value, store.now_s = "two", store.now_s + 10.0
    store.answers.clear()
    assert await store.get() == ("one", "fwd=stale; fwd-status=504; ttl=-6; detail=deadline", "10")
    store.now_s += 0.1
    assert await store.get() == ("one", "hit; ttl=-7; detail=memory", "10")
    store.answers.set()
    await _settled()
    assert (await store.get())[0] == "two"
    assert store.reads == 2


async def test_a_crowd_on_what_is_old_is_one_read() -> None:
    """All wait for the same one, and say so."""
    store = _Store(replace(SETTINGS, stale_wait_s=30.0, store_deadline_s=60.0))
    await store.get()
    store.value, store.now_s = "two", store.now_s + 10.0
    answers = await asyncio.gather(*(store.get() for _ in range(50)))
    assert answers == [("two", "fwd=stale; stored", None)] + [("two", "fwd=stale; stored; collapsed", None)] * 49
    assert store.reads == 2


async def test_what_is_too_old_is_not_served() -> None:
    """After `stale_if_error_s` the store's failure is the answer; and so it is if nothing was ever known."""
    for settings in (SETTINGS, replace(SETTINGS, stale_if_error_s=0.0, pointer_ttl_s=0.0)):
        store = _Store(settings)
        await store.get()
        store.error, store.now_s = StorageUnavailable("down"), store.now_s + 101.0
        with pytest.raises(StorageUnavailable):
            await store.get()


async def test_what_the_store_says_is_gone_is_gone() -> None:
    """An answer, not a failure: a withdrawn track is not served from memory, even if the store fails afterwards."""
    store = _Store()
    await store.get()
    store.error, store.now_s = ObjectNotFound("gone"), store.now_s + 10.0
    with pytest.raises(ObjectNotFound):
        await store.get()
    store.error = StorageUnavailable("down")
    with pytest.raises(PipelineError, match="down"):
        await store.get()


async def test_a_renewal_that_fails_unseen_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Once, with the code and the age; nobody was waiting for it."""
    store = _Store()
    await store.get()
    store.error, store.now_s = StorageUnavailable("down"), store.now_s + 3.0
    assert (await store.get())[0] == "one"
    await _settled()
    assert [record.__dict__["error_code"] for record in caplog.records] == ["storage-unavailable"]
    assert (await store.get())[0] == "one"
    await _settled()
    assert store.reads == 2
