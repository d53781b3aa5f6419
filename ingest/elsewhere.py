"""Hearing by an engine: the ledger stays with who plans, and goes along as the few rows that hearing looks at."""

import asyncio
from dataclasses import dataclass, replace

from catalog.ledger import CoverRow, SourceRow
from ingest.hear import cover_made_of, hear
from ingest.history import taken_before
from ingest.metadata.art import Art
from ingest.metadata.reader import Around
from ingest.scan import Source
from ingest.work import Heard, Ingest, ledger_place, record_in, stamp_of, track_in
from meter.meter import METER
from model.analysis import Analysis
from model.errors import SourceError
from storage.keys import analysis_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """What the ledger knows of one source."""

    row: SourceRow | None
    cover: CoverRow | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """What came of hearing a source, and what the ledger is to know of it from now on."""

    result: Heard | SourceError
    notes: Notes
    with_sidecar: bool


async def hear_by_engine(work: Ingest, source: Source) -> Heard:
    """As `ingest.hear.hear`. What was taken before is not given to an engine: there is next to nothing to do."""
    if await asyncio.to_thread(taken_before, work, source):
        known = await hear(work, source) if source.object is None else await _recalled(work, source)
        if known is not None:
            return known
    place = ledger_place(source)
    noted = await work.engine.submit(hear_noting, work, source, await _notes(work, place))
    await _note(work, place, noted.notes)
    if isinstance(noted.result, SourceError):
        raise noted.result
    heard = noted.result
    if work.reader.has_sidecar and not noted.with_sidecar:
        async with work.buckets.at_hand(source, work.settings, covers=True) as here:
            heard = replace(heard, around=await work.reader.read(here, sha256=heard.info.sha256))
    return heard


async def hear_noting(work: Ingest, source: Source, notes: Notes) -> Noted:
    """Hear a source with a ledger that may know no more of it than these notes: a step."""
    place = ledger_place(source)
    await _note(work, place, notes)
    try:
        async with work.buckets.at_hand(source, work.settings, covers=True) as here:
            result: Heard | SourceError = replace(await hear(work, here), source=source)
    except SourceError as error:
        result = error
    return Noted(result=result, notes=await _notes(work, place), with_sidecar=work.reader.has_sidecar)


async def _notes(work: Ingest, place: bytes) -> Notes:
    row = await asyncio.to_thread(work.ledger.last, place)
    return Notes(row=row, cover=await asyncio.to_thread(work.ledger.last_cover, place))


async def _note(work: Ingest, place: bytes, notes: Notes) -> None:
    known = await _notes(work, place)
    if notes.row is not None and notes.row != known.row:
        await asyncio.to_thread(work.ledger.remember, place, notes.row)
    if notes.cover is not None and notes.cover != known.cover:
        await asyncio.to_thread(work.ledger.remember_cover, place, notes.cover)


async def _recalled(work: Ingest, source: Source) -> Heard | None:
    """An object that was taken as it is, without reading it again; None if a sidecar may say something new of it, or if
    there are other pictures beside it."""
    stamp = stamp_of(source)
    row = await asyncio.to_thread(work.ledger.recall, stamp)
    cover = await asyncio.to_thread(work.ledger.last_cover, stamp.path)
    if row is None or work.reader.has_sidecar:
        return None
    analysis = await record_in(work.store, Analysis, analysis_key(row.recording_id))
    track = await track_in(work.store, row.track_id)
    if analysis is None or analysis.meter != METER or track is None or track.source.sha256 != row.sha256:
        return None
    pictures = work.reader.state_of_art(source) or ""
    if cover is None or cover.made_of != cover_made_of(row.sha256, pictures, track.tags):
        return None
    warnings = cover.warnings if cover.art_id == track.art_id else ()
    around = Around(tags=track.tags, art=Art(art_id=track.art_id, pictures={}), seconds=None, warnings=warnings)
    return Heard(source=source, stamp=stamp, info=track.source, around=around, analysis=analysis)
