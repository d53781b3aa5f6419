"""What a source is: its bytes, its tags and art, its sound. What was found out before is not done again."""

import asyncio

from avtool.output import Probe
from catalog.ledger import CoverRow, Refusal, SourceRow, SourceStamp
from ingest.checks.declared import declared_samples
from ingest.checks.refusals import probe_source
from ingest.features import keep_features, keep_librosa_features
from ingest.hashing import hash_file
from ingest.history import judge, refused_before
from ingest.listen import Limits, listen
from ingest.metadata.art import Art
from ingest.metadata.reader import Around
from ingest.scan import Source, check_file
from ingest.work import (
    Heard,
    Ingest,
    check_unchanged,
    progress,
    record_in,
    remember,
    row_of,
    stamp_of,
    time_limit,
    track_in,
)
from meter.meter import METER
from model.analysis import Analysis
from model.errors import SourceChanged, SourceError, SourceTooLong, SourceUnreadable, SourceVanished
from model.events import Stage, StageStarted
from model.records import to_json
from model.track import SourceInfo, TrackTags, derived_id
from storage.defaults import IMMUTABLE
from storage.keys import analysis_key

ART = "art 1"  # changes whenever the same pictures would give other covers
_PASSING = (SourceVanished, SourceChanged, SourceUnreadable)  # may be over the next time


async def hear(work: Ingest, source: Source) -> Heard:
    """Find out what a source is: its bytes, its tags and art, its sound. What was found out before is not done again.

    Raises SourceError (a refusal is remembered: the same file is refused at once the next time), ToolError,
    StorageError or CatalogError.
    """
    work.observer.notify(StageStarted(subject=source.name, stage=Stage.READ))
    if source.object is None or source.copied:
        await asyncio.to_thread(check_file, source, bytes_max=work.settings.source_bytes_max)
    stamp = stamp_of(source)
    row = await asyncio.to_thread(work.ledger.recall, stamp)
    if row is not None and row.refusal and row.refusal.judge == judge(work) and not work.settings.again:
        raise refused_before(row.refusal, source)
    sha256 = (row.sha256 if row else "") or await hash_file(source, size_bytes=stamp.size_bytes)
    try:
        async with work.turns.hold(sha256):
            heard = await _heard(work, source, stamp, sha256)
    except _PASSING:
        raise
    except SourceError as error:
        refusal = Refusal(judge=judge(work), code=error.code, message=error.message, hint=error.hint)
        await remember(work, stamp, SourceRow(stamp=stamp.text, sha256=sha256, refusal=refusal))
        raise
    return heard


async def _heard(work: Ingest, source: Source, stamp: SourceStamp, sha256: str) -> Heard:
    last = await asyncio.to_thread(work.ledger.last, stamp.path)
    recording_id = await asyncio.to_thread(work.ledger.recording_of, sha256)
    analysis = await record_in(work.store, Analysis, analysis_key(recording_id)) if recording_id else None
    track_id = last.track_id if last is not None else ""
    known = await track_in(work.store, track_id) if track_id else None
    probe = None
    if analysis is not None and analysis.meter == METER and known is not None and known.source.sha256 == sha256:
        info = known.source
    else:
        probe = await probe_source(work.tool, source)
        info = _source_info(probe, stamp, sha256)
    try:
        async with asyncio.TaskGroup() as group:
            surrounded = group.create_task(_around(work, source, stamp, sha256))
            if analysis is None or analysis.meter != METER:
                assert probe is not None
                analysis = await _listened(work, source, probe)
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    around = surrounded.result()
    check_unchanged(source, stamp)
    same = last is not None and last.recording_id == analysis.recording_id
    row = row_of(stamp, sha256, analysis, track_id if same else "")
    await remember(work, stamp, row)
    return Heard(source=source, stamp=stamp, info=info, around=around, analysis=analysis)


async def _around(work: Ingest, source: Source, stamp: SourceStamp, sha256: str) -> Around:
    """Tags and art. A cover that was made of the same before is not made again: that costs more than all the rest."""
    pictures = await asyncio.to_thread(work.reader.state_of_art, source)
    if pictures is None:
        return await work.reader.read(source, sha256=sha256)
    described = await work.reader.describe(source)
    made_of = cover_made_of(sha256, pictures, described.tags)
    known = await asyncio.to_thread(work.ledger.cover, stamp.path, made_of)
    if known is not None:
        art = Art(art_id=known.art_id, pictures={})
        return Around(tags=described.tags, art=art, seconds=described.seconds, warnings=known.warnings)
    around = await work.reader.read(source)
    row = CoverRow(made_of=made_of, art_id=around.art.art_id, warnings=around.warnings)
    await asyncio.to_thread(work.ledger.remember_cover, stamp.path, row)
    return around


def cover_made_of(sha256: str, pictures: str, tags: TrackTags) -> str:
    """The name of all that a cover is made of: these bytes, the state of the pictures beside them, these tags."""
    return derived_id(ART, sha256, pictures, to_json(tags).decode())


async def _listened(work: Ingest, source: Source, probe: Probe) -> Analysis:
    work.observer.notify(StageStarted(subject=source.name, stage=Stage.MEASURE))
    seconds = probe.duration_s or work.settings.duration_s_max
    if seconds > work.settings.duration_s_max:
        hint = f"at most {work.settings.duration_s_max / 3600:.0f} hours; cut it into tracks"
        raise SourceTooLong("the track is too long", subject=source.name, hint=hint)
    listened = await listen(
        work.tool,
        source,
        probe,
        declared_samples=await asyncio.to_thread(declared_samples, source),
        limits=Limits(timeout_s=time_limit(work, seconds), duration_s_max=work.settings.duration_s_max),
        on_seconds=progress(work, source, Stage.MEASURE, probe.duration_s or 0.0),
    )
    analysis = listened.analysis
    await keep_features(work.store, analysis.recording_id, listened.sound, analysis.loudness)
    await keep_librosa_features(work, source, probe, analysis)
    key = analysis_key(analysis.recording_id)
    await work.store.put(key, to_json(analysis), media_type="application/json", cache_control=IMMUTABLE)
    return analysis


def _source_info(probe: Probe, stamp: SourceStamp, sha256: str) -> SourceInfo:
    return SourceInfo(
        container=probe.container,
        codec=probe.codec,
        sample_rate_hz=probe.sample_rate_hz,
        channels=probe.channels,
        channel_layout=probe.channel_layout,
        bit_depth=probe.bit_depth,
        lossless=probe.lossless,
        size_bytes=stamp.size_bytes,
        sha256=sha256,
    )
