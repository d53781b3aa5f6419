"""A run over what is settled looks into nothing; whatever changes is looked into again."""

import shutil
from collections import Counter
from collections.abc import Awaitable
from dataclasses import replace
from pathlib import Path
from typing import Any

from model.engine import InProcess
from model.events import Status, TrackOutcome, Unobserved
from segue.config import load
from segue.intake import Finished, Intake
from segue.plan import Plan
from segue.settled import Settlement
from segue.wiring import workshop
from storage.keys import TRACKS
from tests.e2e.test_batches import song
from tests.support.audio import music_like
from tests.support.command import SHORT_LADDER, Ran, objects, segue
from tests.support.faulty_store import FaultyStore


def publish(place: Path) -> Ran:
    """Publish the album there."""
    return segue("publish", "Album", "--store", "file:store", "--catalog", "catalog.sqlite", *SHORT_LADDER, cwd=place)


async def settled(place: Path, **more: object) -> list[TrackOutcome]:
    """What is known of the sources of the album without looking into them; of those that are not settled nothing."""
    flags = {"store": f"file:{place / 'store'}", "catalog": str(place / "catalog.sqlite"), "jobs": 2}
    async with workshop(load({**flags, "aac": "64", "opus": "64", **more}, {"HOME": str(place)}), Unobserved()) as shop:
        settlement = Settlement(shop)
        await settlement.compare()
        found = []
        with Plan() as plan:
            plan.find([place / "Album"])
            await plan.survey(shop, Unobserved(), remembered=True)
            await plan.total()
            async for group in plan.groups(None):
                outcomes, _ = await settlement.look([group])
                found += [each for outcome in outcomes for each in outcome]
    return found


async def skipped(place: Path) -> int:
    """How many sources a batch over the settled album skips: at the cost of one listing, without a step for anybody."""
    outcomes: list[TrackOutcome] = []

    async def finished(end: Finished) -> None:
        outcomes.append(end.outcome)

    flags = {"store": f"file:{place / 'store'}", "catalog": str(place / "catalog.sqlite"), "aac": "64", "opus": "64"}
    async with workshop(load(flags, {"HOME": str(place)}), Unobserved()) as found:
        store, steps = FaultyStore(found.store), Counter[str]()
        ingest = replace(found.ingest, store=store, engine=Counting(steps))
        packaging = replace(found.packaging, store=store, engine=Counting(steps))
        shop = replace(found, store=store, ingest=ingest, packaging=packaging)
        with Plan() as plan:
            plan.find([place / "Album"])
            await plan.survey(shop, Unobserved(), remembered=True)
            settlement = Settlement(shop)
            batch = Intake(
                shop=shop, jobs=2, publish=True, observer=Unobserved(), finished=finished, settlement=settlement
            )
            await batch.run(plan)
    assert store.calls == [("walk", TRACKS)]
    assert not steps
    assert {each.status for each in outcomes} == {Status.SKIPPED}
    return len(outcomes)


class Counting(InProcess):
    """Does steps, and counts them."""

    def __init__(self, steps: Counter[str]) -> None:
        self._steps = steps

    def submit(self, step: Any, /, *args: Any, **kwargs: Any) -> Awaitable[Any]:
        """The step itself."""
        self._steps[step.__name__] += 1
        return super().submit(step, *args, **kwargs)


async def test_what_is_published_is_settled_until_something_changes(tmp_path: Path) -> None:
    """Other settings, a new picture, a touched source, a track that the store lost: each is looked into again."""
    album = tmp_path / "Album"
    album.mkdir()
    for number in (1, 2):
        shutil.copy(music_like(1.0, seed=number), album / f"{number}.flac")
    first = publish(tmp_path)
    assert first.summary == {"done": 2, "skipped": 0, "failed": 0}
    known = await settled(tmp_path)
    assert [each.track_id for each in known] == [first.outcomes[name]["track_id"] for name in ("1.flac", "2.flac")]
    assert {each.status for each in known} == {Status.SKIPPED}
    assert await skipped(tmp_path) == len(known)
    assert await settled(tmp_path, aac="64,96") == []
    assert await settled(tmp_path, target=-16.0) == []
    (album / "cover.jpg").write_bytes(b"no picture, but a change")
    assert await settled(tmp_path) == []
    (album / "cover.jpg").unlink()
    assert len(await settled(tmp_path)) == 2
    (album / "1.flac").touch()
    assert [each.track_id for each in await settled(tmp_path)] == [known[1].track_id]
    (tmp_path / f"store/tracks/{known[1].track_id}/current.json").unlink()
    assert await settled(tmp_path) == []
    second = publish(tmp_path)
    assert second.summary == {"done": 1, "skipped": 1, "failed": 0}
    assert (tmp_path / f"store/tracks/{known[1].track_id}/current.json").exists()
    third = publish(tmp_path)
    assert third.summary == {"done": 0, "skipped": 2, "failed": 0}
    for name, line in first.outcomes.items():
        assert third.outcomes[name]["title"] == line["title"]


async def test_sources_that_are_one_track_are_looked_into_each_time(tmp_path: Path) -> None:
    """Which of them speaks for the track depends on which are there."""
    (tmp_path / "Album").mkdir()
    for name in ("01 This.flac", "01 That.flac"):  # one place on the album
        shutil.copy(music_like(1.0), tmp_path / "Album" / name)
    ran = publish(tmp_path)
    assert sorted(bool(line["duplicate_of"]) for line in ran.outcomes.values()) == [False, True]
    assert await settled(tmp_path) == []


async def test_a_source_is_looked_into_again_when_another_speaks_for_its_track(tmp_path: Path) -> None:
    """Also where that changed nothing in the store; when it is gone again, nothing speaks but the source itself."""
    late, early = tmp_path / "Album" / "late" / "1.flac", tmp_path / "Album" / "early" / "1.flac"
    tags: Any = {"title": "One", "album": "Album", "artist": "A", "tracknumber": "1"}
    song(late, **tags)
    assert publish(tmp_path).summary == {"done": 1, "skipped": 0, "failed": 0}
    before = objects(tmp_path / "store")
    assert len(await settled(tmp_path)) == 1
    song(early, **tags)
    publish(tmp_path)
    assert objects(tmp_path / "store") == before
    ran = publish(tmp_path)
    told = {line["source"]: line["duplicate_of"] for line in ran.lines if line["event"] == "track"}
    assert told == {"Album/early/1.flac": "", "Album/late/1.flac": str(early)}
    early.unlink()
    publish(tmp_path)
    assert len(await settled(tmp_path)) == 1
