"""Several calls at once that fail as one; items some at a time."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


async def together(calls: Sequence[Coroutine[Any, Any, Result]]) -> list[Result]:
    """The results in order. If one fails the others are cancelled, and the first error is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in calls]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors
    return [each.result() for each in tasks]


async def batches(items: AsyncIterator[Item], size: int) -> AsyncIterator[list[Item]]:
    """The same items, some at a time."""
    batch: list[Item] = []
    async for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


async def by_owner(items: AsyncIterator[Item], key_of: Callable[[Item], str]) -> AsyncGenerator[list[Item], None]:
    """The same items, which are sorted by key: those of one recording, cover or track at a time."""
    owned: list[Item] = []
    async for item in items:
        if owned and _owner(key_of(owned[0])) != _owner(key_of(item)):
            yield owned
            owned = []
        owned.append(item)
    if owned:
        yield owned


def _owner(key: str) -> str:
    return key.split("/")[1]
