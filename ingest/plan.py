"""What a batch is planned by: how long each source is, and which belong to one album."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from catalog.ledger import Outline
from ingest.metadata.reader import Described
from ingest.release import group_of
from ingest.scan import Source, printable
from ingest.work import Ingest, stamp_of
from model.errors import PipelineError, SourceError


@dataclass(frozen=True, slots=True)
class Planned:
    """A source and its length in seconds, None where its tags do not tell."""

    source: Source
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Group:
    """Sources that are worked on together: an album, or one source."""

    members: tuple[Planned, ...]
    album: bool

    @property
    def seconds(self) -> float:
        """How much audio it has, as far as that is known."""
        return sum(each.seconds or 0.0 for each in self.members)


def recalled(work: Ingest, sources: Iterable[Source]) -> list[Outline | None]:
    """The outlines of sources as far as nobody has to look into them: they have not changed since somebody did, or
    cannot be looked at. None for the others. Blocking."""
    return [_recalled(work, each) for each in sources]


def _recalled(work: Ingest, source: Source) -> Outline | None:
    try:
        return work.ledger.outline(stamp_of(source))
    except SourceError:
        return _alone(source)


async def outlined(work: Ingest, source: Source, *, remembered: bool = True) -> Outline:
    """The outline of a source that somebody looks into now; with `remembered` the ledger keeps it.

    Never raises for what is wrong with the source: that is found, and said, when it is worked on.
    """
    try:
        stamp = await asyncio.to_thread(stamp_of, source)
    except SourceError:
        return _alone(source)
    try:
        if work.reader.has_sidecar:  # it is here, and nowhere else
            described = await describe(work, source)
        else:
            described = await work.engine.submit(describe, work, source)
    except PipelineError:
        return _alone(source)
    folders = printable(source.path.absolute().parent).split("/")
    outline = Outline(seconds=described.seconds, group=group_of(described.tags, folders))
    if remembered:
        await asyncio.to_thread(work.ledger.remember_outline, stamp, outline)
    return outline


def _alone(source: Source) -> Outline:
    return Outline(seconds=None, group=source.name)


async def describe(work: Ingest, source: Source) -> Described:
    """Tags and length of a source: a step. Raises StorageError or SourceChanged for an object."""
    async with work.buckets.at_hand(source, work.settings) as here:
        return await work.reader.describe(here)
