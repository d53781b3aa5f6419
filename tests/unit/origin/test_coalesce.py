"""Callers who want the same thing share one fetch."""

import asyncio

import pytest

from model.errors import StorageUnavailable
from origin.coalesce import Coalescer


class _Gate:
    """A fetch that counts its calls and answers when it is let."""

    def __init__(self) -> None:
        self.calls = 0
        self.opened = asyncio.Event()
        self.error: Exception | None = None

    async def fetch(self) -> int:
        self.calls += 1
        await self.opened.wait()
        if self.error:
            raise self.error
        return self.calls


async def _started(*waiting: asyncio.Task[int]) -> None:
    for _ in range(3):
        await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)


async def test_equal_wishes_are_one_fetch() -> None:
    """A thousand callers, one call, one result; and the next caller asks anew."""
    shared = 0

    def count() -> None:
        nonlocal shared
        shared += 1

    gate, coalescer = _Gate(), Coalescer(deadline_s=5, on_shared=count)
    callers = [asyncio.create_task(coalescer.run("k", gate.fetch)) for _ in range(1000)]
    await _started(*callers)
    gate.opened.set()
    assert await asyncio.gather(*callers) == [1] * 1000
    assert (gate.calls, shared) == (1, 999)
    assert await coalescer.run("k", gate.fetch) == 2


async def test_other_wishes_are_other_fetches() -> None:
    """Only equal keys share."""
    gate, coalescer = _Gate(), Coalescer(deadline_s=5)
    gate.opened.set()
    await asyncio.gather(coalescer.run("a", gate.fetch), coalescer.run("b", gate.fetch))
    assert gate.calls == 2


async def test_the_fetch_outlives_its_first_caller() -> None:
    """The first caller's client disconnects; the others are answered by the same fetch."""
    gate, coalescer = _Gate(), Coalescer(deadline_s=5)
    first = asyncio.create_task(coalescer.run("k", gate.fetch))
    await _started(first)
    others = [asyncio.create_task(coalescer.run("k", gate.fetch)) for _ in range(5)]
    await _started(*others)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    gate.opened.set()
    assert await asyncio.gather(*others) == [1] * 5
    assert gate.calls == 1


async def test_a_failure_goes_to_all_and_is_kept_for_nobody() -> None:
    """Everyone who waited learns of it; the next caller gets a new fetch."""
    gate, coalescer = _Gate(), Coalescer(deadline_s=5)
    gate.error = StorageUnavailable("down")
    callers = [asyncio.create_task(coalescer.run("k", gate.fetch)) for _ in range(5)]
    await _started(*callers)
    gate.opened.set()
    results = await asyncio.gather(*callers, return_exceptions=True)
    assert all(isinstance(result, StorageUnavailable) for result in results)
    gate.error = None
    assert await coalescer.run("k", gate.fetch) == 2


async def test_a_fetch_has_its_own_deadline() -> None:
    """A store that hangs ends in TimeoutError for all who wait, however many come."""
    gate, coalescer = _Gate(), Coalescer(deadline_s=0.02)
    callers = [coalescer.run("k", gate.fetch) for _ in range(3)]
    results = await asyncio.gather(*callers, return_exceptions=True)
    assert [type(result) for result in results] == [TimeoutError] * 3


async def test_a_failure_that_nobody_waits_for_is_no_noise() -> None:
    """All callers gone, then the fetch fails: asyncio must not complain of an error never looked at."""
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
    gate, coalescer = _Gate(), Coalescer(deadline_s=5)
    gate.error = StorageUnavailable("down")
    only = asyncio.create_task(coalescer.run("k", gate.fetch))
    await _started(only)
    only.cancel()
    gate.opened.set()
    await asyncio.gather(only, return_exceptions=True)
    await asyncio.sleep(0.01)
    assert complaints == []


async def test_closing_ends_what_runs() -> None:
    """No task is left behind, and those who wait are told."""
    gate, coalescer = _Gate(), Coalescer(deadline_s=5)
    caller = asyncio.create_task(coalescer.run("k", gate.fetch))
    await _started(caller)
    await coalescer.close()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert len(asyncio.all_tasks()) == 1


async def test_an_expected_caller_shares_with_nobody() -> None:
    """Who a fetch was begun for is no second caller of it; who comes after him is."""
    shared = 0

    def count() -> None:
        nonlocal shared
        shared += 1

    gate, coalescer = _Gate(), Coalescer(deadline_s=5, on_shared=count)
    assert coalescer.expect("k", gate.fetch) is not None
    assert coalescer.expect("k", gate.fetch) is None
    assert "k" not in coalescer
    first = asyncio.create_task(coalescer.run("k", gate.fetch))
    await _started(first)
    assert ("k" in coalescer, shared) == (True, 0)
    second = asyncio.create_task(coalescer.run("k", gate.fetch))
    await _started(second)
    gate.opened.set()
    assert [await first, await second] == [1, 1]
    assert (gate.calls, shared) == (1, 1)


async def test_an_expected_caller_may_stay_away() -> None:
    """The fetch ends by itself, an error of it troubles nobody, and the next caller asks anew."""
    gate, coalescer = _Gate(), Coalescer(deadline_s=5)
    gate.error = StorageUnavailable("down")
    gate.opened.set()
    coalescer.expect("k", gate.fetch)
    while gate.calls < 1 or "k" in coalescer._running:  # noqa: ASYNC110 - a fetch that nobody waits for
        await asyncio.sleep(0)
    gate.error = None
    assert await coalescer.run("k", gate.fetch) == 2
