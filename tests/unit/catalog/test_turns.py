"""One at a time for each recording, and nothing kept of those that nobody holds."""

import asyncio
import gc

import pytest

from catalog.turns import Turns


async def test_one_holds_a_recording_at_a_time() -> None:
    """The second comes in when the first is out; another recording does not wait."""
    locks, told = Turns(), list[str]()
    leave = asyncio.Event()

    async def hold(name: str, recording_id: str) -> None:
        async with locks.hold(recording_id):
            told.append(f"{name} in")
            if name == "first":
                await leave.wait()
            told.append(f"{name} out")

    async with asyncio.TaskGroup() as group:
        group.create_task(hold("first", "a"))
        group.create_task(hold("second", "a"))
        await group.create_task(hold("other", "b"))
        gc.collect()  # a lock that is held or waited for stays the same lock
        leave.set()
    assert told == ["first in", "other in", "other out", "first out", "second in", "second out"]


async def test_who_fails_lets_go() -> None:
    """An error inside gives the recording back."""
    locks = Turns()
    with pytest.raises(ValueError, match="inside"):
        async with locks.hold("a"):
            raise ValueError("inside")
    async with asyncio.timeout(60), locks.hold("a"):
        pass
