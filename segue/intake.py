"""A batch of sources, album by album: all tracks of an album are heard before the first gets its level."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from pathlib import Path

from ingest.elsewhere import hear_by_engine
from ingest.history import judge, note_duplicate, note_failure, taken_before
from ingest.keep import keep
from ingest.levels import levels
from ingest.plan import Group
from ingest.scan import Source
from ingest.work import Ingest, ledger_place, stamp_of
from model.analysis import Analysis
from model.errors import PipelineError, SourceError
from model.events import BatchStarted, Observer, Rested, Status, TrackOutcome
from model.loudness import LoudnessMode
from model.package import Package
from model.track import ART_SIDES, Track, derived_id
from packager.pipeline import package
from segue.batch import outcome_of
from segue.claims import Claims, Pace, Shared
from segue.member import Member
from segue.plan import Plan
from segue.runs import package_runs, write_runs
from segue.schedule import work_order
from segue.settled import Settlement, State
from segue.wiring import Workshop

LOWERED_TOLD_DB = 0.5
LOWERED_APART_DB = 0.2  # less is inside the tolerance that every rendition has anyway

Item = tuple[Group, State | None]  # what is worked on, and how it was before


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A source that ended, with all that a report can show of it."""

    path: Path
    outcome: TrackOutcome
    track: Track | None = None
    package: Package | None = None
    analysis: Analysis | None = None
    thumbnail: bytes | None = None


@dataclass(slots=True, kw_only=True)
class Intake:
    """Works on groups of sources, `jobs` sources at a time; `publish` packages what was ingested.

    With a `settlement`, groups that were published whole and have not changed since are skipped, not looked into.

    A group that another coordinator of the same store works on is looked at when that is done with it: see
    `segue.claims`.

    `finished` is awaited for every source as it ends, before the observer is told: what was told was kept.
    """

    shop: Workshop
    jobs: int
    publish: bool
    observer: Observer
    finished: Callable[[Finished], Awaitable[None]]
    settlement: Settlement | None = None
    pace: Pace = field(default_factory=Pace)
    _hands: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._hands = asyncio.Semaphore(self.jobs)

    async def run(self, plan: Plan) -> None:
        """Work on all that is wanted of a plan. An environment error (exit status 3) ends the batch."""
        count, seconds = await plan.total()
        self.observer.notify(BatchStarted(total=count, seconds=seconds))
        if self.settlement is not None:
            await self.settlement.compare()
        claims = Claims(self.shop.store, settings=_settings(self.shop), pace=self.pace)
        items = Shared(claims, self._left(plan), claim=self._claim, again=self._again)

        async def worker() -> None:
            async for (group, state), claim_id in items:
                try:
                    ended = await self._group(group)
                finally:
                    await claims.let_go(claim_id)
                if self.settlement is not None and state is not None:  # last: what is settled is not claimed again
                    await self.settlement.settle(state, ended)

        try:
            async with claims.renewed(), asyncio.TaskGroup() as tasks:
                for _ in range(min(self.jobs, count)):
                    tasks.create_task(worker())
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _claim(self, item: Item) -> tuple[str, str]:
        """What a group is claimed as, and its first source."""
        group, _ = item
        return await asyncio.to_thread(_claimed, self.shop.ingest, group), group.members[0].source.name

    async def _again(self, item: Item) -> Item | None:
        """What is left to do of a group that another coordinator worked on."""
        group, _ = item
        settled, state = await self.settlement.look([group]) if self.settlement else ([], None)
        for outcomes in settled:
            await self._skip(group, outcomes)
        return None if settled else (group, state)

    async def _left(self, plan: Plan) -> AsyncIterator[Item]:
        """What there is to work on, each group as it is when its turn has come; what is settled is told on the way."""
        async for taken in plan.taken(self.jobs):
            groups = taken
            while groups:
                settled, state = await self.settlement.look(groups) if self.settlement else ([], None)
                for group, outcomes in zip(groups, settled, strict=False):
                    await self._skip(group, outcomes)
                if len(settled) == len(groups):
                    break
                yield groups[len(settled)], state
                groups = groups[len(settled) + 1 :]

    async def _skip(self, group: Group, outcomes: Sequence[TrackOutcome]) -> None:
        for each, outcome in zip(group.members, outcomes, strict=True):
            told = replace(outcome, source=each.source.name)
            await self.finished(Finished(path=each.source.path, outcome=told))
            self.observer.notify(told)

    async def _group(self, group: Group) -> list[TrackOutcome]:
        """How the members of a group ended, in their order."""
        settings = self.shop.ingest.settings
        album = group.album and settings.mode is not LoudnessMode.TRACK
        together = self.publish and album
        members = [Member(planned=each, together=together) for each in group.members]
        await self._each(members, self._hear)
        taken = _without_duplicates([member for member in members if member.heard is not None])
        analyses = [member.heard.analysis for member in taken if member.heard]
        for member, level in zip(
            taken, levels(settings.mode, settings.target, analyses, album=group.album), strict=True
        ):
            member.level = level
        if album:
            await write_runs(self.shop.ingest, taken, self._each)
        await self._each([member for member in taken if member.outcome is None], self._keep)
        if together:
            running = [member for member in taken if member.run and member.outcome is None]
            await package_runs(running, self._package, self._each, lower_db=None)
            await self._even(taken)
            for member in taken:
                await self._finish(member)
        return [member.outcome for member in members if member.outcome is not None]

    async def _each(self, members: Sequence[Member], work: Callable[[Member], Awaitable[None]]) -> None:
        """One step for all members; a failure is the end of the way for the one that failed."""

        async def step(member: Member) -> None:
            async with self._hands:
                outcome = await outcome_of(self._outcome(member, work), member.source.name)
            if outcome.status is Status.FAILED:
                for each in (member, *member.duplicates):
                    await self._end(each, replace(outcome, source=each.source.name))

        order = work_order([member.planned.seconds or 0.0 for member in members], self.jobs)
        try:
            async with asyncio.TaskGroup() as tasks:
                for position in order:
                    tasks.create_task(step(members[position]))
        except ExceptionGroup as errors:  # several may find at once that the machine cannot work
            raise errors.exceptions[0] from None

    async def _outcome(self, member: Member, work: Callable[[Member], Awaitable[None]]) -> TrackOutcome:
        try:
            await work(member)
        except PipelineError as error:
            member.error = error
            if error.exit_status != 3:
                await note_failure(self.shop.ingest, member.source, error)
            raise
        return TrackOutcome(source=member.source.name, status=Status.DONE)

    async def _hear(self, member: Member) -> None:
        member.heard = await hear_by_engine(self.shop.ingest, member.source)
        self.observer.notify(Rested(subject=member.source.name))

    async def _keep(self, member: Member) -> None:
        assert member.heard is not None and member.level is not None
        ingested = await keep(self.shop.ingest, member.heard, member.level, mezzanine=member.mezzanine, run=member.run)
        member.track, member.fresh, member.duplicate_of = ingested.track, ingested.fresh, ingested.duplicate_of
        for each in member.duplicates:
            assert each.heard is not None
            await note_duplicate(self.shop.ingest, each.heard, ingested.track)
        if self.publish and member.run is None:
            await self._package(member, lower_db=None)
        if member.together:
            self.observer.notify(Rested(subject=member.source.name))
        else:
            await self._finish(member)

    async def _finish(self, member: Member) -> None:
        """The end of the way of a source that was taken, and of those that are the same track."""
        if member.outcome is not None:
            return
        outcome = _taken(member)
        await self._end(member, outcome)
        duplicate = replace(outcome, status=Status.SKIPPED, duplicate_of=member.source.name)
        for each in member.duplicates:
            await self._end(each, replace(duplicate, source=each.source.name))

    async def _package(self, member: Member, *, lower_db: float | None) -> None:
        assert member.track is not None
        member.packaged = await package(
            self.shop.packaging, member.track.track_id, subject=member.source.name, lower_db=lower_db
        )
        member.fresh = member.fresh or member.packaged.fresh
        if member.together:
            self.observer.notify(Rested(subject=member.source.name))

    async def _even(self, members: Sequence[Member]) -> None:
        """Where encoders' peaks took some tracks of an album down, the others follow: they keep their relation."""
        done = [member for member in members if member.packaged and not member.duplicate_of and not member.outcome]
        lowest_db = max((member.packaged.lowered_db for member in done if member.packaged), default=0.0)
        apart = [
            member for member in done if member.packaged and member.packaged.lowered_db < lowest_db - LOWERED_APART_DB
        ]
        await package_runs(apart, self._package, self._each, lower_db=lowest_db)

    async def _end(self, member: Member, outcome: TrackOutcome) -> None:
        heard = member.heard
        seconds = member.planned.seconds or (heard.analysis.duration_s if heard else 0.0)
        member.outcome = replace(outcome, seconds=seconds)
        await self.finished(
            Finished(
                path=member.source.path,
                outcome=member.outcome,
                track=member.track,
                package=member.packaged.package if member.packaged else None,
                analysis=heard.analysis if heard else None,
                thumbnail=heard.around.art.pictures.get(ART_SIDES[0]) if heard else None,
            )
        )
        self.observer.notify(member.outcome)
        member.heard = None  # the tracks of a long album would fill the memory


def add_taken_beside(work: Ingest, plan: Plan, sources: Iterable[Source]) -> None:
    """Add to a plan what lies in the folders of these sources and was taken before: the rest of their albums is among
    it. Those of one folder come together. Blocking."""
    for folder, _ in groupby(sources, key=lambda each: each.path.parent):
        plan.add_beside(folder, partial(taken_before, work))


def _claimed(work: Ingest, group: Group) -> str:
    """What a group is claimed as, by every machine that finds its files at the same paths; empty if it is not worth a
    claim, as all of it is gone, or was refused before. Blocking."""
    words, worth, us = [], False, judge(work)
    for each in group.members:
        try:
            stamp = stamp_of(each.source)
        except SourceError:
            words.append(repr(ledger_place(each.source)))
            continue
        words.append(f"{stamp.path!r} {stamp.size_bytes}")
        row = work.ledger.recall(stamp)
        worth = worth or row is None or row.refusal is None or row.refusal.judge != us or work.settings.again
    return derived_id(*words) if worth else ""


def _settings(shop: Workshop) -> str:
    return derived_id(*shop.recipe, *shop.packaging.protector.recipe)


def _without_duplicates(members: Sequence[Member]) -> list[Member]:
    """The first by path of those that are the same recording on the same release; the others are remembered with it."""
    first: dict[tuple[str, str], Member] = {}
    for member in sorted(members, key=_place):
        assert member.heard is not None
        kept = first.setdefault((member.heard.recording_id, member.heard.release), member)
        if kept is not member:
            kept.duplicates.append(member)
    return list(first.values())


def _place(member: Member) -> bytes:
    assert member.heard is not None
    return member.heard.stamp.path


def _taken(member: Member) -> TrackOutcome:
    assert member.track is not None
    lowered_db = member.packaged.lowered_db if member.packaged else 0.0
    lowered = f"lowered: {lowered_db:.1f} dB, for encoders add to its peaks or to those of its album"
    return TrackOutcome(
        source=member.source.name,
        status=Status.DONE if member.fresh else Status.SKIPPED,
        track_id=member.track.track_id,
        title=member.track.tags.title,
        warnings=(*member.track.warnings, *([lowered] if lowered_db >= LOWERED_TOLD_DB else [])),
        duplicate_of=member.duplicate_of,
    )
