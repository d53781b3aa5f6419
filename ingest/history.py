"""What the ledger remembers of earlier runs: what was taken, what was refused, what failed."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path

from catalog.ledger import Refusal, SourceRow
from ingest.objects import object_at, source_of
from ingest.scan import Source
from ingest.work import FORMAT, Heard, Ingest, ledger_place, remember, row_of, stamp_of
from meter.meter import METER
from model.errors import PipelineError, SourceError, StorageError, UsageError
from model.track import Track


def judge(work: Ingest) -> str:
    """Who refuses: another version of it may think otherwise."""
    return f"{FORMAT}, {METER}, {work.tool.version}"


def refused_before(refusal: Refusal, source: Source) -> SourceError:
    """The error that a source was refused with."""
    kinds = {kind.code: kind for kind in SourceError.__subclasses__()}
    return kinds.get(refusal.code, SourceError)(refusal.message, subject=source.name, hint=refusal.hint)


async def note_duplicate(work: Ingest, heard: Heard, track: Track) -> None:
    """Remember that this file is a track that another file is, too."""
    await remember(work, heard.stamp, row_of(heard.stamp, heard.info.sha256, heard.analysis, track.track_id))


async def note_failure(work: Ingest, source: Source, error: PipelineError) -> None:
    """Remember that work on this file failed, for a later run that is to try the failed ones again."""
    try:
        stamp = stamp_of(source)
    except SourceError:
        return
    row = await asyncio.to_thread(work.ledger.recall, stamp) or SourceRow(stamp=stamp.text)
    if row.refusal is None:
        refusal = Refusal(judge="", code=error.code, message=error.message, hint=error.hint)
        await remember(work, stamp, replace(row, refusal=refusal))


async def still_there(work: Ingest, place: bytes) -> bool:
    """Whether there is a source at this place of the ledger. What cannot be asked is taken to be there."""
    stored = object_at(place)
    if stored is None:
        return os.path.lexists(place)
    try:
        return await work.buckets.now(stored) is not None
    except (UsageError, StorageError):
        return True


async def source_now(work: Ingest, place: bytes) -> Source:
    """The source at this place of the ledger, as it is now."""
    stored = object_at(place)
    if stored is None:
        return Source(path=Path(os.fsdecode(place)))
    try:
        return source_of(await work.buckets.now(stored) or stored)
    except (UsageError, StorageError):
        return source_of(stored)


async def failed_before(work: Ingest, source: Source) -> bool:
    """Whether the last work on this file failed."""
    row = await asyncio.to_thread(work.ledger.last, ledger_place(source))
    return row is not None and row.refusal is not None


def taken_before(work: Ingest, source: Source) -> bool:
    """Whether this file was taken as it is now: it is a track, and nothing failed. Blocking."""
    try:
        stamp = stamp_of(source)
    except SourceError:
        return False
    row = work.ledger.recall(stamp)
    return row is not None and row.refusal is None and bool(row.track_id)
