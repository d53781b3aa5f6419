"""The memory of whoever plans a batch does not grow with it. Sources that vanished go all the way that others go, but
for the work on their sound."""

import gc
import tracemalloc
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from ingest.scan import Source
from model.events import Event, Status, TrackOutcome
from segue.config import load
from segue.intake import Finished, Intake
from segue.plan import Plan
from segue.settled import Settlement
from segue.wiring import workshop
from tests.support.weighed import live_bytes

ALBUM = 100  # sources of one folder
WEIGHINGS = 4  # for as many events as there are sources: each takes longer than what lies between
BYTES_MAX = 250  # for each source more; how it ended alone would be more


class Scales:
    """An observer that weighs now and then what is in use."""

    def __init__(self, sources: int) -> None:
        self.every = sources // WEIGHINGS
        self.events = 0
        self.failed = 0
        self.most_bytes = 0

    def notify(self, event: Event) -> None:
        """Take one event."""
        self.failed += isinstance(event, TrackOutcome) and event.status is Status.FAILED
        self.events += 1
        if self.events % self.every == 0:
            self.most_bytes = max(self.most_bytes, live_bytes())


async def most_bytes(folder: Path, sources: int, *, worked_on: bool) -> int:
    """What planning so many takes at most, and working on them."""
    scales = Scales(sources)

    async def finished(_: Finished) -> None:
        return

    flags = {"store": f"file:{folder / 'store'}", "catalog": str(folder / f"{sources}.sqlite"), "jobs": 2}
    async with AsyncExitStack() as stack:
        shop = await stack.enter_async_context(workshop(load(flags, {}), scales))
        plan = stack.enter_context(Plan())
        named = (folder / f"{number // ALBUM}" / f"{number % ALBUM}.flac" for number in range(sources))
        gc.collect()
        gc.freeze()  # what other tests left is not looked at in every weighing
        stack.callback(gc.unfreeze)
        tracemalloc.start()
        stack.callback(tracemalloc.stop)
        plan.add((Source(path=path) for path in named), wanted=True)
        await plan.survey(shop, scales, remembered=True)
        assert scales.events > sources
        if worked_on:
            intake = Intake(
                shop=shop, jobs=2, publish=True, observer=scales, finished=finished, settlement=Settlement(shop)
            )
            await intake.run(plan)
            assert scales.failed == sources
        else:
            assert await plan.total() == (sources, None)
            assert sum([len(group.members) async for group in plan.groups(2)]) == sources
        return scales.most_bytes


@pytest.mark.parametrize(("few", "many", "worked_on"), [(500, 2_000, False), (600, 1_200, True)])
async def test_more_sources_take_no_more_memory(tmp_path: Path, few: int, many: int, worked_on: bool) -> None:
    """All are found, looked at, put together and taken in the order of the work; what ended leaves nothing behind."""
    smaller = await most_bytes(tmp_path, few, worked_on=worked_on)
    larger = await most_bytes(tmp_path, many, worked_on=worked_on)
    assert larger - smaller < (many - few) * BYTES_MAX
