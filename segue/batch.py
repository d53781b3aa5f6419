"""Many inputs, a few at a time; each ends with an outcome, and one that fails fails alone."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Generic, Self, TypeVar

from model.errors import PipelineError
from model.events import BatchStarted, Observer, Status, TrackOutcome

log = logging.getLogger(__name__)

Item = TypeVar("Item")
BATCH = 500  # what is read or written at once of what is too much for the memory


async def in_batches(items: AsyncIterator[Item]) -> AsyncGenerator[list[Item], None]:
    """The same items, up to BATCH in a list."""
    batch: list[Item] = []
    async for item in items:
        batch.append(item)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


class Drawn(Generic[Item]):
    """What several tasks draw from, each item once."""

    def __init__(self, items: AsyncIterator[Item]) -> None:
        self._items = items
        self._turn = asyncio.Lock()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        async with self._turn:
            return await anext(self._items)


async def run_batch(
    items: AsyncIterator[Item],
    work: Callable[[Item], Awaitable[TrackOutcome]],
    *,
    total: int,
    name: Callable[[Item], str],
    jobs: int,
    observer: Observer,
) -> None:
    """Do `work` for every item of `total`, `jobs` at a time, in their order; tell the observer how each ended.

    Errors that concern one input become its outcome; an environment error (exit status 3) ends the batch.
    """
    observer.notify(BatchStarted(total=total))
    drawn = Drawn(items)

    async def worker() -> None:
        async for item in drawn:
            observer.notify(await outcome_of(work(item), name(item)))

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(jobs, total)):
                group.create_task(worker())
    except ExceptionGroup as errors:  # only what ends the batch gets out of a worker; several may find it at once
        raise errors.exceptions[0] from None


async def outcome_of(work: Awaitable[TrackOutcome], subject: str) -> TrackOutcome:
    """The per-track boundary: nothing that one input does gets past it, but a machine that cannot work at all does."""
    try:
        return await work
    except PipelineError as error:
        if error.exit_status == 3:
            raise
        log.info("track failed", extra={"source": subject, "error_code": error.code}, exc_info=error)
        return _failed(subject, error.code, str(error), error.hint)
    except Exception as error:
        log.exception("track failed", extra={"source": subject, "error_code": "internal"})
        message = f"internal error: {type(error).__name__}: {error}"
        return _failed(subject, "internal", message, "this is a bug in Segue; the log has the details")


def _failed(subject: str, code: str, message: str, hint: str) -> TrackOutcome:
    return TrackOutcome(source=subject, status=Status.FAILED, code=code, message=message, hint=hint)
