"""Many inputs: each ends with an outcome, and one that fails fails alone."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

import pytest

from model.errors import Interrupted, SourceUnreadable, StorageUnavailable, ToolMissing
from model.events import BatchStarted, Event, Status, TrackOutcome
from segue.batch import run_batch

Item = TypeVar("Item")


class Watching:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def notify(self, event: Event) -> None:
        """Take one event."""
        self.events.append(event)

    @property
    def outcomes(self) -> dict[str, TrackOutcome]:
        """How each input ended."""
        return {event.source: event for event in self.events if isinstance(event, TrackOutcome)}


async def _run(items: Sequence[Item], work: Callable[[Item], Awaitable[TrackOutcome]], **more: Any) -> None:
    async def each() -> AsyncIterator[Item]:
        for item in items:
            yield item

    await run_batch(each(), work, total=len(items), **more)


async def _done(item: str) -> TrackOutcome:
    return TrackOutcome(source=item, status=Status.DONE)


async def test_every_item_has_an_outcome_in_order() -> None:
    """One job: first in, first out, after the batch was announced."""
    watching = Watching()
    await _run(["a", "b", "c"], _done, name=str, jobs=1, observer=watching)
    assert watching.events[0] == BatchStarted(total=3)
    assert list(watching.outcomes) == ["a", "b", "c"]


@pytest.mark.parametrize("items", [[], ["a"]])
async def test_fewer_items_than_jobs(items: list[str]) -> None:
    """None at all is a batch too."""
    watching = Watching()
    await _run(items, _done, name=str, jobs=8, observer=watching)
    assert list(watching.outcomes) == items


async def test_one_that_fails_fails_alone() -> None:
    """Its outcome has code, message and hint; the others are done."""

    async def work(item: str) -> TrackOutcome:
        if item == "bad":
            raise SourceUnreadable("cannot read source", subject=item, hint="copy it again")
        return await _done(item)

    watching = Watching()
    await _run(["a", "bad", "c"], work, name=str, jobs=2, observer=watching)
    assert {name: each.status.value for name, each in watching.outcomes.items()} == {
        "a": "done",
        "bad": "failed",
        "c": "done",
    }
    assert watching.outcomes["bad"] == TrackOutcome(
        source="bad",
        status=Status.FAILED,
        code="source-unreadable",
        message="cannot read source: bad",
        hint="copy it again",
    )


@pytest.mark.parametrize(
    "error", [KeyError("oops"), ExceptionGroup("two", [ValueError("oops")]), AssertionError("oops")]
)
async def test_a_bug_becomes_an_outcome(error: Exception) -> None:
    """An error that we did not foresee is told as ours, not as the file's, and the batch goes on."""

    async def work(item: str) -> TrackOutcome:
        if item == "b":
            raise error
        return await _done(item)

    watching = Watching()
    await _run(["a", "b", "c"], work, name=str, jobs=1, observer=watching)
    assert [each.status for each in watching.outcomes.values()] == [Status.DONE, Status.FAILED, Status.DONE]
    failed = watching.outcomes["b"]
    assert failed.code == "internal"
    assert failed.message.startswith(f"internal error: {type(error).__name__}: ")
    assert "bug" in failed.hint


async def test_no_more_than_the_jobs_run_at_once() -> None:
    """And as many as that do."""
    running = most = 0

    async def work(item: int) -> TrackOutcome:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.002 * (item % 3))
        running -= 1
        return await _done(str(item))

    watching = Watching()
    await _run(range(20), work, name=str, jobs=3, observer=watching)
    assert most == 3
    assert len(watching.outcomes) == 20


@pytest.mark.parametrize("jobs", [1, 3])
async def test_a_machine_that_cannot_work_ends_the_batch(jobs: int) -> None:
    """Without ffmpeg every track would fail: the error itself comes out, and what was under way is cancelled."""
    started: list[str] = []
    cancelled: list[str] = []

    async def work(item: str) -> TrackOutcome:
        started.append(item)
        if item == "a":
            await asyncio.sleep(0.01)
            raise ToolMissing("no ffmpeg")
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(item)
            raise
        return await _done(item)

    watching = Watching()
    with pytest.raises(ToolMissing, match="no ffmpeg"):
        await _run(list("abcdef"), work, name=str, jobs=jobs, observer=watching)
    assert started == list("abcdef")[:jobs]
    assert sorted(cancelled) == started[1:]
    assert watching.outcomes == {}


async def test_two_jobs_that_find_the_machine_unfit_at_once() -> None:
    """One error comes out, not a group of two."""

    async def work(item: str) -> TrackOutcome:
        await asyncio.sleep(0)
        raise ToolMissing(f"no ffmpeg for {item}")

    with pytest.raises(ToolMissing):
        await _run(["a", "b"], work, name=str, jobs=2, observer=Watching())


async def test_cancelling_a_batch_cancels_its_work() -> None:
    """An interruption is no outcome of the tracks that were under way."""
    begun = asyncio.Event()

    async def work(item: str) -> TrackOutcome:
        begun.set()
        await asyncio.sleep(60)
        return await _done(item)

    watching = Watching()
    batch = asyncio.create_task(_run(["a", "b"], work, name=str, jobs=1, observer=watching))
    await begun.wait()
    batch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await batch
    assert watching.outcomes == {}


@pytest.mark.parametrize("error", [StorageUnavailable("down"), Interrupted("stop")])
async def test_other_exit_statuses_do_not_end_a_batch(error: Exception) -> None:
    """Only an environment that can do no work at all does."""

    async def work(_: str) -> TrackOutcome:
        raise error

    watching = Watching()
    await _run(["a", "b"], work, name=str, jobs=1, observer=watching)
    assert [each.status for each in watching.outcomes.values()] == [Status.FAILED] * 2
