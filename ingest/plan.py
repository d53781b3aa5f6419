"""What a batch is planned by: how long each source is, and which belong to one album."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from catalog.ledger import Outline, SourceStamp
from ingest.levels import ALBUM_TRACKS_MAX
from ingest.release import group_of, is_album
from ingest.scan import Source, printable
from ingest.work import Ingest
from model.errors import PipelineError


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


async def outlined(work: Ingest, source: Source, *, remembered: bool = True) -> Outline:
    """The outline of a source; with `remembered` from the ledger if the file has not changed since.

    Never raises for what is wrong with the source: that is found, and said, when it is worked on.
    """
    alone = Outline(seconds=None, group=source.name)
    try:
        stamp = await asyncio.to_thread(SourceStamp.of, source.path)
    except OSError:
        return alone
    known = await asyncio.to_thread(work.ledger.outline, stamp) if remembered else None
    if known is not None:
        return known
    try:
        described = await work.reader.describe(source)
    except PipelineError:
        return alone
    folders = printable(source.path.absolute().parent).split("/")
    outline = Outline(seconds=described.seconds, group=group_of(described.tags, folders))
    if remembered:
        await asyncio.to_thread(work.ledger.remember_outline, stamp, outline)
    return outline


def grouped(sources: Sequence[Source], outlines: Sequence[Outline]) -> list[Group]:
    """The sources by album, in the order of their first members; what is too large to be an album falls apart."""
    together: dict[str, list[Planned]] = {}
    for source, outline in zip(sources, outlines, strict=True):
        together.setdefault(outline.group, []).append(Planned(source, outline.seconds))
    groups: list[Group] = []
    for name, members in together.items():
        if len(members) <= ALBUM_TRACKS_MAX:
            groups.append(Group(tuple(members), is_album(name)))
        else:
            groups += [Group((each,), False) for each in members]
    return groups
