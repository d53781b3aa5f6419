"""Tracks of an album that run into each other: written side by side, and packaged as one."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol

from ingest.keep import write
from ingest.runs import places_of, runs_of
from ingest.work import Ingest
from model.events import Rested
from model.track import Piece, Run
from segue.member import Member


class Each(Protocol):
    """Does one step for all of some members; a failure is the end of the way for the one that failed."""

    def __call__(self, members: Sequence[Member], work: Callable[[Member], Awaitable[None]], /) -> Awaitable[None]:
        """Ends when all are through."""
        ...


class Package(Protocol):
    """Packages a member, `lower_db` softer than its mezzanine (None: as before)."""

    def __call__(self, member: Member, /, *, lower_db: float | None) -> Awaitable[None]:
        """Ends when the package is live. Raises PipelineError."""
        ...


async def write_runs(work: Ingest, members: Sequence[Member], each: Each) -> None:
    """Write the mezzanines of the members that run into each other: these know their mezzanine and run afterwards.

    All of a run have one gain: where resampling raised the peak of one, the others follow it. Where one fails, or its
    file is no longer what was heard, the runs are formed anew without it.
    """
    for _ in members:  # each time but the last there is one less
        runs = _formed([member for member in members if member.outcome is None])
        await each([member for run in runs for member in run], partial(_write, work))
        await each([member for run in runs for member in _louder(run)], partial(_write, work))
        if all(member.mezzanine for run in runs for member in run):
            for run in runs:
                _tell(run)
            return
    _forget(members)


def _formed(members: Sequence[Member]) -> list[list[Member]]:
    """The members that run into each other; each knows its place and its gain, and nothing of an earlier run."""
    _forget(members)
    runs = [[members[at] for at in run] for run in runs_of([member.heard for member in members if member.heard])]
    for run in runs:
        places = places_of([member.heard for member in run if member.heard])
        for member, place in zip(run, places, strict=True):
            assert member.level is not None
            member.place, member.gain_db = place, member.level.gain.applied_db
    return runs


def _forget(members: Sequence[Member]) -> None:
    """A mezzanine that heard neighbours which are not there any more is nobody's."""
    for member in members:
        member.mezzanine = None


async def _write(work: Ingest, member: Member) -> None:
    assert member.heard is not None and member.level is not None
    member.mezzanine = None
    member.mezzanine = await write(work, member.heard, member.level, member.place, gain_db=member.gain_db)
    work.observer.notify(Rested(subject=member.source.name))


def _louder(run: Sequence[Member]) -> list[Member]:
    """Those of a run whose gain is above that of the others, which is now theirs; none if the run is not whole."""
    gains = [member.mezzanine.gain_db for member in run if member.mezzanine]
    if len(gains) < len(run):
        return []
    louder = [member for member, gain_db in zip(run, gains, strict=True) if gain_db > min(gains)]
    for member in louder:
        member.gain_db = min(gains)
    return louder


def _tell(run: Sequence[Member]) -> None:
    pieces = tuple(_piece(member) for member in run)
    for position, member in enumerate(run):
        member.run = Run(pieces=pieces, position=position)


def _piece(member: Member) -> Piece:
    assert member.heard is not None and member.mezzanine is not None
    return Piece(
        recording_id=member.mezzanine.recording_id,
        mezzanine_id=member.mezzanine.mezzanine_id,
        lossless=member.heard.info.lossless,
    )


async def package_runs(members: Sequence[Member], package: Package, each: Each, *, lower_db: float | None) -> None:
    """Package members: the first of a run makes what the others of it take, or they all fail as it did."""
    first: dict[object, Member] = {}
    for member in members:
        first.setdefault(_made_for(member), member)

    async def lead(member: Member) -> None:
        await package(member, lower_db=lower_db)

    async def follow(member: Member) -> None:
        leader = first[_made_for(member)]
        if leader.error is not None:
            raise leader.error
        await package(member, lower_db=leader.packaged.asked_db if leader.packaged else lower_db)

    await each(list(first.values()), lead)
    await each([member for member in members if first[_made_for(member)] is not member], follow)


def _made_for(member: Member) -> object:
    """What is packaged in one go: a run, or a track that is alone."""
    assert member.track is not None
    return member.track.run.pieces if member.track.run else member.track.track_id
