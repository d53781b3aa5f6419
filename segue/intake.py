"""A batch of sources, album by album: all tracks of an album are heard before the first gets its level."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

from catalog.ledger import Outline
from ingest.hear import hear
from ingest.history import note_duplicate, note_failure, taken_before
from ingest.keep import keep, write
from ingest.levels import Level, levels
from ingest.plan import Group, Planned, grouped, outlined
from ingest.runs import Place, places_of, runs_of
from ingest.scan import Source, files_in
from ingest.work import Heard
from model.analysis import Analysis
from model.errors import PipelineError
from model.events import BatchStarted, Observer, Rested, Stage, StageProgress, StageStarted, Status, TrackOutcome
from model.loudness import LoudnessMode
from model.package import Package
from model.track import ART_SIDES, Mezzanine, Piece, Run, Track
from packager.pipeline import Packaged, package
from segue.batch import outcome_of
from segue.schedule import work_order
from segue.wiring import Workshop

SURVEYORS = 8
LOWERED_TOLD_DB = 0.5
LOWERED_APART_DB = 0.2  # less is inside the tolerance that every rendition has anyway


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
class _Member:
    """A source on its way through its group."""

    planned: Planned
    together: bool  # its album ends as one, for its level may still change
    heard: Heard | None = None
    level: Level | None = None
    place: Place | None = None
    gain_db: float = 0.0
    mezzanine: Mezzanine | None = None
    run: Run | None = None
    error: PipelineError | None = None
    track: Track | None = None
    fresh: bool = False
    duplicate_of: str = ""
    packaged: Packaged | None = None
    outcome: TrackOutcome | None = None
    duplicates: list["_Member"] = field(default_factory=list)

    @property
    def source(self) -> Source:
        return self.planned.source


@dataclass(slots=True, kw_only=True)
class Intake:
    """Works on groups of sources, `jobs` sources at a time; `publish` packages what was ingested.

    `finished` is awaited for every source as it ends, before the observer is told: what was told was kept.
    """

    shop: Workshop
    jobs: int
    publish: bool
    observer: Observer
    finished: Callable[[Finished], Awaitable[None]]
    _hands: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._hands = asyncio.Semaphore(self.jobs)

    async def run(self, groups: Sequence[Group]) -> None:
        """Work on all groups. An environment error (exit status 3) ends the batch."""
        count = sum(len(group.members) for group in groups)
        known = [each.seconds for group in groups for each in group.members]
        seconds = sum(each for each in known if each is not None) if any(known) else None
        self.observer.notify(BatchStarted(total=count, seconds=seconds))
        order = iter(work_order([_longest(group) for group in groups], self.jobs))

        async def worker() -> None:
            for position in order:
                await self._group(groups[position])

        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(min(self.jobs, len(groups))):
                    tasks.create_task(worker())
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _group(self, group: Group) -> None:
        settings = self.shop.ingest.settings
        together = self.publish and group.album and settings.mode is not LoudnessMode.TRACK
        members = [_Member(planned=each, together=together) for each in group.members]
        await self._each(members, self._hear)
        taken = _without_duplicates([member for member in members if member.heard is not None])
        analyses = [member.heard.analysis for member in taken if member.heard]
        for member, level in zip(
            taken, levels(settings.mode, settings.target, analyses, album=group.album), strict=True
        ):
            member.level = level
        runs = await self._written(_runs(taken)) if group.album else []
        await self._each(taken, self._keep)
        await self._package_runs(runs)
        if together:
            await self._even(taken)
            for member in taken:
                await self._finish(member)

    async def _each(self, members: Sequence[_Member], work: Callable[[_Member], Awaitable[None]]) -> None:
        """One step for all members; a failure is the end of the way for the one that failed."""

        async def step(member: _Member) -> None:
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

    async def _outcome(self, member: _Member, work: Callable[[_Member], Awaitable[None]]) -> TrackOutcome:
        try:
            await work(member)
        except PipelineError as error:
            member.error = error
            if error.exit_status != 3:
                await note_failure(self.shop.ingest, member.source, error)
            raise
        return TrackOutcome(source=member.source.name, status=Status.DONE)

    async def _hear(self, member: _Member) -> None:
        member.heard = await hear(self.shop.ingest, member.source)
        self.observer.notify(Rested(subject=member.source.name))

    async def _written(self, runs: Sequence[Sequence[_Member]]) -> list[list[_Member]]:
        """Write the mezzanines of tracks that run into each other; the runs that are left where some failed.

        All of a run have one gain: where resampling raised the peak of one, the others follow it.
        """
        await self._each([member for run in runs for member in run], self._write)
        softer = []
        for run in runs:
            gains = {id(each): each.mezzanine.gain_db for each in run if each.mezzanine}
            for each in run:
                if gains.get(id(each), -math.inf) > min(gains.values()):
                    each.gain_db = min(gains.values())
                    softer.append(each)
        await self._each(softer, self._write)
        return [left for run in runs for left in _left_of(run)]

    async def _write(self, member: _Member) -> None:
        assert member.heard is not None and member.level is not None
        member.mezzanine = None
        member.mezzanine = await write(
            self.shop.ingest, member.heard, member.level, member.place, gain_db=member.gain_db
        )
        self.observer.notify(Rested(subject=member.source.name))

    async def _package_runs(self, runs: Sequence[Sequence[_Member]]) -> None:
        """Package runs: the first of each makes it for all, the others take what it made, or fail as it did."""
        if not self.publish:
            return
        first = {id(run): next((each for each in run if each.outcome is None), None) for run in runs}
        await self._each([each for each in first.values() if each], self._package_of_run)

        async def follow(member: _Member) -> None:
            leader = leaders[id(member)]
            if leader.error is not None:
                raise leader.error
            await self._package_of_run(member)

        leaders = {id(each): leader for run in runs if (leader := first[id(run)]) for each in run if each is not leader}
        await self._each([each for run in runs for each in run if id(each) in leaders and not each.outcome], follow)

    async def _package_of_run(self, member: _Member) -> None:
        await self._package(member, lower_db=None)
        self.observer.notify(Rested(subject=member.source.name))

    async def _keep(self, member: _Member) -> None:
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

    async def _finish(self, member: _Member) -> None:
        """The end of the way of a source that was taken, and of those that are the same track."""
        if member.outcome is not None:
            return
        outcome = _taken(member)
        await self._end(member, outcome)
        duplicate = replace(outcome, status=Status.SKIPPED, duplicate_of=member.source.name)
        for each in member.duplicates:
            await self._end(each, replace(duplicate, source=each.source.name))

    async def _package(self, member: _Member, *, lower_db: float | None) -> None:
        assert member.track is not None
        member.packaged = await package(
            self.shop.packaging, member.track.track_id, subject=member.source.name, lower_db=lower_db
        )
        member.fresh = member.fresh or member.packaged.fresh

    async def _even(self, members: Sequence[_Member]) -> None:
        """Where encoders' peaks took some tracks of an album down, the others follow: they keep their relation."""
        done = [member for member in members if member.packaged is not None and not member.duplicate_of]
        lowest_db = max((member.packaged.lowered_db for member in done if member.packaged), default=0.0)

        async def lower(member: _Member) -> None:
            await self._package(member, lower_db=lowest_db)

        apart = [
            member for member in done if member.packaged and member.packaged.lowered_db < lowest_db - LOWERED_APART_DB
        ]
        await self._each(apart, lower)

    async def _end(self, member: _Member, outcome: TrackOutcome) -> None:
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


async def survey(shop: Workshop, sources: Sequence[Source], observer: Observer, *, remembered: bool) -> list[Group]:
    """Look at all sources, quickly, and put those together that are worked on together."""
    observer.notify(StageStarted(subject="", stage=Stage.PLAN))
    outlines: dict[int, Outline] = {}
    waiting = iter(range(len(sources)))
    seen = 0

    async def surveyor() -> None:
        nonlocal seen
        for position in waiting:
            outlines[position] = await outlined(shop.ingest, sources[position], remembered=remembered)
            seen += 1
            progress = StageProgress(subject="", stage=Stage.PLAN, done=seen, total=len(sources))
            observer.notify(progress)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(SURVEYORS):
            tasks.create_task(surveyor())
    return grouped(sources, [outlines[position] for position in range(len(sources))])


async def taken_beside(shop: Workshop, sources: Sequence[Source]) -> list[Source]:
    """What lies in the folders of these sources and was taken before: the rest of their albums is among it."""
    named = {source.path for source in sources}
    places = sorted({source.path.parent for source in sources})
    beside = [each for place in places for each in await asyncio.to_thread(files_in, place) if each.path not in named]
    return [each for each in beside if await taken_before(shop.ingest, each)]


def concerned(shop: Workshop, groups: Sequence[Group], wanted: Sequence[Source]) -> list[Group]:
    """Of the groups only what is wanted, and the other tracks of an album that is levelled as a whole."""
    paths = {source.path for source in wanted}
    found = []
    for group in groups:
        members = tuple(each for each in group.members if each.source.path in paths)
        together = group.album and shop.ingest.settings.mode is LoudnessMode.ALBUM
        if members:
            found.append(group if together else replace(group, members=members))
    return found


def _longest(group: Group) -> float:
    return max((each.seconds or 0.0 for each in group.members), default=0.0)


def _without_duplicates(members: Sequence[_Member]) -> list[_Member]:
    """The first by path of those that are the same recording on the same release; the others are remembered with it."""
    first: dict[tuple[str, str], _Member] = {}
    for member in sorted(members, key=_place):
        assert member.heard is not None
        kept = first.setdefault((member.heard.recording_id, member.heard.release), member)
        if kept is not member:
            kept.duplicates.append(member)
    return list(first.values())


def _runs(members: Sequence[_Member]) -> list[list[_Member]]:
    """The members that run into each other, each with its place and its gain, as far as one gain is theirs."""
    levelled = [each for each in members if each.level and each.level.mode is not LoudnessMode.TRACK]
    runs = [[levelled[at] for at in run] for run in runs_of([each.heard for each in levelled if each.heard])]
    for run in runs:
        for each, place in zip(run, places_of([each.heard for each in run if each.heard]), strict=True):
            assert each.level is not None
            each.place, each.gain_db = place, each.level.gain.applied_db
    return runs


def _left_of(run: Sequence[_Member]) -> list[list[_Member]]:
    """What is left of a run where some of it failed: each member of two or more knows its place in it."""
    left = [list(part) for written, part in groupby(run, lambda each: each.mezzanine is not None) if written]
    for part in left:
        pieces = tuple(_piece(each) for each in part)
        for position, each in enumerate(part):
            each.run = Run(pieces=pieces, position=position) if len(pieces) > 1 else None
    return [part for part in left if len(part) > 1]


def _piece(member: _Member) -> Piece:
    assert member.heard is not None and member.mezzanine is not None
    return Piece(
        recording_id=member.mezzanine.recording_id,
        mezzanine_id=member.mezzanine.mezzanine_id,
        lossless=member.heard.info.lossless,
    )


def _place(member: _Member) -> bytes:
    assert member.heard is not None
    return member.heard.stamp.path


def _taken(member: _Member) -> TrackOutcome:
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
