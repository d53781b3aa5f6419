"""Claims in a real store: one coordinator at a time, and none that is gone keeps the others waiting."""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from model.records import to_json
from scripts.s3_server import S3Server
from segue.alive import Process, this_process
from segue.claims import Claim, Claims, Pace, Shared
from storage.base import ObjectStore
from storage.filesystem import FilesystemStore
from storage.keys import CLAIMS, claim_key
from storage.s3 import S3Store
from tests.integration.upkeep import conftest
from tests.integration.upkeep.conftest import contents
from tests.integration.upkeep.test_probe import Overwriting
from tests.support.faulty_store import FaultyStore

store = conftest.store  # of each kind
ONE = "a" * 16


class Clock:
    """A clock that a test moves."""

    now_s = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now_s


def claims(place: ObjectStore, clock: Clock | None = None, *, settings: str = "s", renew_s: float = 15.0) -> Claims:
    """Those of a coordinator."""
    pace = Pace(renew_s=renew_s, look_s=0.0)
    return Claims(place, settings=settings, pace=pace, clock=clock or Clock())


async def versions(place: ObjectStore) -> set[str]:
    """All claims as they are now."""
    return {entry.version async for entry in place.walk(CLAIMS)}


async def left_behind(place: ObjectStore, process: Process) -> None:
    """A claim of a process that does not look after it."""
    body = to_json(Claim(coordinator="x", process=process, settings="s"))
    await place.put(claim_key(ONE), body, media_type="application/json", cache_control="no-cache")


async def test_what_one_has_taken_another_gets_when_it_is_let_go(
    store: ObjectStore,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Also at the end of a batch that was broken off. Who has other settings is told of it once, with a source."""
    mine, other = claims(store), claims(store, settings="t")
    assert await mine.take(ONE, subject="1.flac")
    assert not await other.take(ONE, subject="1.flac")
    assert await other.free([ONE]) == []
    await mine.let_go(ONE)
    assert await other.free([ONE]) == [ONE]
    with pytest.raises(RuntimeError):
        async with other.renewed():
            assert await other.take(ONE, subject="1.flac")
            assert not await mine.take(ONE, subject="1.flac")
            assert not await mine.take(ONE, subject="2.flac")
            raise RuntimeError
    assert await contents(store) == {}
    assert [record.__dict__["source"] for record in caplog.records if record.levelno == logging.WARNING] == [
        "1.flac"
    ] * 2


async def test_no_two_work_on_the_same_and_all_is_seen_by_both(tmp_path: Path) -> None:
    """Two coordinators of several workers each, over the same things in the same order."""
    place, many = FilesystemStore(tmp_path), 12
    working, made, seen = set[int](), list[int](), list[int]()

    async def things() -> AsyncIterator[int]:
        for number in range(many):
            yield number

    async def claim(number: int) -> tuple[str, str]:
        return f"{number:016}", ""

    async def again(number: int) -> int | None:
        if number not in made:
            return number
        seen.append(number)
        return None

    async def worker(its: Claims, left: Shared[int]) -> None:
        async for number, claim_id in left:
            assert number not in working
            working.add(number)
            await asyncio.sleep(0.01)
            made.extend([number] if number not in made else [])
            seen.append(number)
            working.remove(number)
            await its.let_go(claim_id)

    async with asyncio.TaskGroup() as tasks:
        for its in (claims(place), claims(place)):
            left = Shared(its, things(), claim=claim, again=again)
            for _ in range(3):
                tasks.create_task(worker(its, left))
    assert sorted(made) == list(range(many))
    assert sorted(seen) == sorted(2 * made)
    assert await contents(place) == {}
    await place.close()


async def test_a_claim_runs_out_when_it_is_not_renewed(store: ObjectStore) -> None:
    """Judged by the clock of who waits, from when it saw the claim change last."""
    clock = Clock()
    mine, other = claims(store, renew_s=0.01), claims(store, clock)
    async with mine.renewed():
        assert await mine.take(ONE, subject="")
        assert not await other.take(ONE, subject="")
        assert await other.free([ONE]) == []
        seen = await versions(store)
        while await versions(store) == seen:  # noqa: ASYNC110 - the store tells nobody
            await asyncio.sleep(0.01)
    await left_behind(store, replace(this_process(), space="another machine"))
    clock.now_s = 60.0
    assert await other.free([ONE]) == []
    clock.now_s = 119.0
    assert await other.free([ONE]) == []
    assert not await other.take(ONE, subject="")
    clock.now_s = 120.0
    assert await other.free([ONE]) == [ONE]
    assert await other.take(ONE, subject="")


async def test_who_ended_on_this_machine_is_not_waited_for(store: ObjectStore) -> None:
    """A command that was killed is run again at once. Who runs, and has another's number, is somebody else."""
    process = await asyncio.create_subprocess_exec("true")
    await process.wait()
    here, number = this_process(), process.pid
    assert here.space and not here.ended
    for gone in (replace(here, number=number), replace(here, started="1")):
        await left_behind(store, gone)
        mine = claims(store)
        assert await mine.take(ONE, subject="")
        await mine.let_go(ONE)
    assert not replace(here, number=number, space="another machine").ended


async def test_who_lost_its_claim_leaves_that_of_the_other_alone(store: ObjectStore) -> None:
    """It goes on with its work, and neither renews nor deletes what is not its own."""
    watched = FaultyStore(store)
    mine = claims(watched, renew_s=0.01)
    for renewing in (False, True):
        assert await mine.take(ONE, subject="")
        await left_behind(store, this_process())
        left, reads = await contents(store), watched.counts["read"]
        if renewing:
            async with mine.renewed():
                while watched.counts["read"] == reads:  # noqa: ASYNC110 - until a renewal looked
                    await asyncio.sleep(0.01)
        await mine.let_go(ONE)
        assert await contents(store) == left
        await store.delete(claim_key(ONE))


async def test_a_service_that_replaces_is_found_out_and_worked_on_without_claims(
    s3_server: S3Server,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Both coordinators go on, are told once, and leave nothing."""
    over = Overwriting(s3_server.address(f"claims/{uuid.uuid4().hex}"), s3_server.writer)
    for coordinator in (claims(over), claims(over)):
        for claim_id in (ONE, "b" * 16):
            assert await coordinator.take(claim_id, subject="")
        assert await coordinator.free([ONE]) == [ONE]
    assert len([record for record in caplog.records if "no claims" in record.message]) == 2
    assert await contents(over) == {}
    await over.close()


async def test_a_store_that_refuses_claims_is_worked_on_without(s3_server: S3Server) -> None:
    """Errors of the store are none of the batch: keys that may not write, and a service that is down."""
    denied = S3Store(s3_server.address(f"claims/{uuid.uuid4().hex}"), s3_server.reader)
    assert await claims(denied).take(ONE, subject="")
    assert await claims(FaultyStore(denied, fail_at=1, from_then_on=True)).take(ONE, subject="")
    await denied.close()
