"""Sources in, tracks out, in two steps: `hear` finds out what a source is, `keep` makes its mezzanine and its report.

Between the two lies the level: the sources of an album are heard first, all of them, and get one gain (`levels`).
"""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from avtool.locate import Ffmpeg
from avtool.output import Probe
from avtool.scratch import scratch_folder
from catalog.ledger import CoverRow, Ledger, Refusal, SourceRow, SourceStamp, place_of
from catalog.turns import Turns
from ingest.checks.declared import declared_samples
from ingest.checks.refusals import probe_source
from ingest.levels import Level, as_written
from ingest.listen import Limits, listen
from ingest.metadata.art import Art
from ingest.metadata.reader import Around, Reader
from ingest.normalise import Writing, write_mezzanine
from ingest.release import release_of
from ingest.remarks import remarks
from ingest.scan import Source, changed, check_file, hash_file, printable, unreadable
from ingest.settings import IngestSettings
from meter.meter import METER
from model.analysis import Analysis
from model.errors import (
    ObjectNotFound,
    PipelineError,
    RecordMalformed,
    SourceChanged,
    SourceError,
    SourceTooLong,
    SourceUnreadable,
    SourceVanished,
)
from model.events import Observer, Stage, StageProgress, StageStarted
from model.loudness import LoudnessMode
from model.records import Record, from_json, to_json
from model.track import ART_SIDES, Mezzanine, SourceInfo, Track, derived_id, track_id_of
from storage.base import ObjectStore
from storage.defaults import IMMUTABLE, REVALIDATE
from storage.keys import analysis_key, art_key, mezzanine_key, mezzanine_record_key, track_key

ART = "art 1"  # changes whenever the same pictures would give other covers
FORMAT = "mezzanine 2"  # changes whenever the same settings would give other bytes
_PASSING = (SourceVanished, SourceChanged, SourceUnreadable)  # may be over the next time
_RELEASES_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingest:
    """What an ingest works with. `turns` keep sources of one sound from being worked on at the same time."""

    settings: IngestSettings
    tool: Ffmpeg
    store: ObjectStore
    ledger: Ledger
    reader: Reader
    observer: Observer
    turns: Turns


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A source whose sound is known, and what surrounds it: tags and art."""

    source: Source
    stamp: SourceStamp
    info: SourceInfo
    around: Around
    analysis: Analysis

    @property
    def recording_id(self) -> str:
        """The recording that it is."""
        return self.analysis.recording_id

    @property
    def release(self) -> str:
        """The release that it is on."""
        return release_of(self.around.tags)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """The report of a source, whether anything had to be done for it, and which other file speaks for the track."""

    track: Track
    fresh: bool
    duplicate_of: str = ""


async def hear(work: Ingest, source: Source) -> Heard:
    """Find out what a source is: its bytes, its tags and art, its sound. What was found out before is not done again.

    Raises SourceError (a refusal is remembered: the same file is refused at once the next time), ToolError,
    StorageError or CatalogError.
    """
    work.observer.notify(StageStarted(subject=source.name, stage=Stage.READ))
    await asyncio.to_thread(check_file, source, bytes_max=work.settings.source_bytes_max)
    stamp = _stamp(source)
    row = await asyncio.to_thread(work.ledger.recall, stamp)
    if row is not None and row.refusal and row.refusal.judge == _judge(work) and not work.settings.again:
        raise refused_before(row.refusal, source)
    sha256 = (row.sha256 if row else "") or await hash_file(source, size_bytes=stamp.size_bytes)
    try:
        async with work.turns.hold(sha256):
            heard = await _heard(work, source, stamp, sha256)
    except _PASSING:
        raise
    except SourceError as error:
        refusal = Refusal(judge=_judge(work), code=error.code, message=error.message, hint=error.hint)
        await _remember(work, stamp, SourceRow(stamp=stamp.text, sha256=sha256, refusal=refusal))
        raise
    return heard


def refused_before(refusal: Refusal, source: Source) -> SourceError:
    """The error that a source was refused with."""
    kinds = {kind.code: kind for kind in SourceError.__subclasses__()}
    return kinds.get(refusal.code, SourceError)(refusal.message, subject=source.name, hint=refusal.hint)


def _judge(work: Ingest) -> str:
    return f"{FORMAT}, {METER}, {work.tool.version}"


async def _remember(work: Ingest, stamp: SourceStamp, row: SourceRow) -> None:
    await asyncio.to_thread(work.ledger.remember, stamp.path, row)


async def _heard(work: Ingest, source: Source, stamp: SourceStamp, sha256: str) -> Heard:
    last = await asyncio.to_thread(work.ledger.last, stamp.path)
    recording_id = await asyncio.to_thread(work.ledger.recording_of, sha256)
    analysis = await _record(work.store, Analysis, analysis_key(recording_id)) if recording_id else None
    track_id = last.track_id if last is not None else ""
    known = await _track(work.store, track_id) if track_id else None
    if analysis is not None and analysis.meter == METER and known is not None and known.source.sha256 == sha256:
        info = known.source
    else:
        probe = await probe_source(work.tool, source)
        info = _source_info(probe, stamp, sha256)
        if analysis is None or analysis.meter != METER:
            analysis = await _listened(work, source, probe)
    _check_unchanged(source, stamp)
    same = last is not None and last.recording_id == analysis.recording_id
    row = _row(stamp, sha256, analysis, track_id if same else "")
    await _remember(work, stamp, row)
    around = await _around(work, source, stamp, sha256)
    return Heard(source=source, stamp=stamp, info=info, around=around, analysis=analysis)


async def _around(work: Ingest, source: Source, stamp: SourceStamp, sha256: str) -> Around:
    """Tags and art. A cover that was made of the same before is not made again: that costs more than all the rest."""
    pictures = await asyncio.to_thread(work.reader.state_of_art, source)
    if pictures is None:
        return await work.reader.read(source, sha256=sha256)
    described = await work.reader.describe(source)
    made_of = derived_id(ART, sha256, pictures, to_json(described.tags).decode())
    known = await asyncio.to_thread(work.ledger.cover, stamp.path, made_of)
    if known is not None:
        art = Art(art_id=known.art_id, pictures={})
        return Around(tags=described.tags, art=art, seconds=described.seconds, warnings=known.warnings)
    around = await work.reader.read(source)
    row = CoverRow(made_of=made_of, art_id=around.art.art_id, warnings=around.warnings)
    await asyncio.to_thread(work.ledger.remember_cover, stamp.path, row)
    return around


async def _listened(work: Ingest, source: Source, probe: Probe) -> Analysis:
    work.observer.notify(StageStarted(subject=source.name, stage=Stage.MEASURE))
    seconds = probe.duration_s or work.settings.duration_s_max
    if seconds > work.settings.duration_s_max:
        hint = f"at most {work.settings.duration_s_max / 3600:.0f} hours; cut it into tracks"
        raise SourceTooLong("the track is too long", subject=source.name, hint=hint)
    analysis = await listen(
        work.tool,
        source,
        probe,
        declared_samples=await asyncio.to_thread(declared_samples, source),
        limits=Limits(timeout_s=_time_limit(work, seconds), duration_s_max=work.settings.duration_s_max),
        on_seconds=_progress(work, source, Stage.MEASURE, probe.duration_s or 0.0),
    )
    key = analysis_key(analysis.recording_id)
    await work.store.put(key, to_json(analysis), media_type="application/json", cache_control=IMMUTABLE)
    return analysis


async def keep(work: Ingest, heard: Heard, level: Level) -> Ingested:
    """Make what is missing of a source's mezzanine, art and report.

    The same sound with the same gain is written once, whatever its files are called; a changed tag changes the report
    and nothing else. The report comes last, so a crash leaves the track as it was. Of several files that are one
    track the first by path speaks for it: it stays as that one has it.
    """
    async with work.turns.hold(heard.recording_id):
        track_id = await _track_id(work, heard)
        known = await _track(work.store, track_id)
        speaker = await _speaker(work, track_id, heard.stamp.path)
        if speaker and known is not None and known.target == work.settings.target:
            await note_duplicate(work, heard, known)
            return Ingested(track=known, fresh=False, duplicate_of=speaker)
        track = _report(work, heard, level, track_id=track_id, mezzanine=await _mezzanine(work, heard, level))
        if track != known:
            await _put_art(work, heard)
            body = to_json(track)
            await work.store.put(track_key(track_id), body, media_type="application/json", cache_control=REVALIDATE)
        await _remember(work, heard.stamp, _row(heard.stamp, heard.info.sha256, heard.analysis, track_id))
    return Ingested(track=track, fresh=track != known)


def _report(work: Ingest, heard: Heard, level: Level, *, track_id: str, mezzanine: Mezzanine) -> Track:
    gain = as_written(level, work.settings.target, mezzanine.loudness, applied_db=mezzanine.gain_db)
    return Track(
        track_id=track_id,
        release=heard.release,
        source=heard.info,
        source_name=printable(Path(heard.source.path.name)),
        tags=heard.around.tags,
        art_id=heard.around.art.art_id,
        mode=level.mode,
        target=work.settings.target,
        loudness_source=heard.analysis.loudness,
        album=level.album,
        gain=gain,
        mezzanine=mezzanine,
        warnings=(*remarks(heard.info, heard.analysis, gain), *heard.around.warnings),
    )


async def note_duplicate(work: Ingest, heard: Heard, track: Track) -> None:
    """Remember that this file is a track that another file is, too."""
    await _remember(work, heard.stamp, _row(heard.stamp, heard.info.sha256, heard.analysis, track.track_id))


async def note_failure(work: Ingest, source: Source, error: PipelineError) -> None:
    """Remember that work on this file failed, for a later run that is to try the failed ones again."""
    try:
        stamp = SourceStamp.of(source.path)
    except OSError:
        return
    row = await asyncio.to_thread(work.ledger.recall, stamp) or SourceRow(stamp=stamp.text)
    if row.refusal is None:
        refusal = Refusal(judge="", code=error.code, message=error.message, hint=error.hint)
        await _remember(work, stamp, replace(row, refusal=refusal))


async def failed_before(work: Ingest, source: Source) -> bool:
    """Whether the last work on this file failed."""
    row = await asyncio.to_thread(work.ledger.last, place_of(source.path))
    return row is not None and row.refusal is not None


async def taken_before(work: Ingest, source: Source) -> bool:
    """Whether this file was taken as it is now: it is a track, and nothing failed."""
    try:
        stamp = await asyncio.to_thread(SourceStamp.of, source.path)
    except OSError:
        return False
    row = await asyncio.to_thread(work.ledger.recall, stamp)
    return row is not None and row.refusal is None and bool(row.track_id)


def _row(stamp: SourceStamp, sha256: str, analysis: Analysis, track_id: str) -> SourceRow:
    return SourceRow(stamp=stamp.text, sha256=sha256, recording_id=analysis.recording_id, track_id=track_id)


async def _track_id(work: Ingest, heard: Heard) -> str:
    """The track that this file was before, if it is the same sound, and the release is the same or the track no other
    file's; else the one of its release."""
    path = heard.stamp.path
    last = await asyncio.to_thread(work.ledger.last, path)
    if last is not None and last.recording_id == heard.recording_id and last.track_id:
        known = await _track(work.store, last.track_id)
        if (known is not None and known.release == heard.release) or await _holders(work, last.track_id) == [path]:
            return last.track_id
    for place, track_id in await asyncio.to_thread(work.ledger.tracks_of, heard.info.sha256):
        if not os.path.lexists(place):
            return track_id  # the file was moved
    for number in range(_RELEASES_MAX):
        words = (heard.release, str(number)) if number else (heard.release,)
        track_id = track_id_of(heard.recording_id, *words)
        known = await _track(work.store, track_id)
        holders = await _holders(work, track_id)
        if known is None or known.release == heard.release or holders in ([], [path]):
            break  # else the file of another track took this id along when its tags changed
    return track_id


async def _holders(work: Ingest, track_id: str) -> list[bytes]:
    """The files that are this track and are still there."""
    paths = await asyncio.to_thread(work.ledger.holders, track_id)
    return [path for path in paths if os.path.lexists(path)]


async def _speaker(work: Ingest, track_id: str, path: bytes) -> str:
    """The first file that is this track, as it is now and by path, if it comes before this one; else nothing."""
    for other in await asyncio.to_thread(work.ledger.holders, track_id):
        if other >= path:
            break
        source = Source(path=Path(os.fsdecode(other)))
        if await taken_before(work, source):
            return source.name
    return ""


async def _mezzanine(work: Ingest, heard: Heard, level: Level) -> Mezzanine:
    """The mezzanine of this sound with this gain; written if it is not there."""
    target = work.settings.target
    ceiling = target.true_peak_dbtp if target else None
    wanted = target.integrated_lufs if target and level.mode is LoudnessMode.TRACK else None
    recipe = f"{level.gain.applied_db:.2f} dB, at most {ceiling} dBTP" + (f", {wanted} LUFS" if wanted else "")
    mezzanine_id = derived_id(heard.recording_id, FORMAT, recipe, work.tool.version)
    record_key = mezzanine_record_key(heard.recording_id, mezzanine_id)
    known = await _record(work.store, Mezzanine, record_key)
    if known is not None and await _holds(work.store, known):
        return known
    work.observer.notify(StageStarted(subject=heard.source.name, stage=Stage.NORMALISE))
    async with scratch_folder(work.settings.scratch_dir) as scratch:
        writing = Writing(
            tool=work.tool,
            source=heard.source,
            info=heard.info,
            scratch=scratch,
            timeout_s=_time_limit(work, heard.analysis.duration_s),
            on_seconds=_progress(work, heard.source, Stage.NORMALISE, heard.analysis.duration_s),
        )
        written = await write_mezzanine(
            writing, gain_db=level.gain.applied_db, true_peak_dbtp=ceiling, integrated_lufs=wanted
        )
        _check_unchanged(heard.source, heard.stamp)
        made = Mezzanine(
            recording_id=heard.recording_id,
            mezzanine_id=mezzanine_id,
            gain_db=written.gain_db,
            loudness=written.loudness,
            media_samples=written.media_samples,
            size_bytes=written.path.stat().st_size,
            sha256=written.file.sha256,
            tool=work.tool.version,
        )
        key = mezzanine_key(heard.recording_id, mezzanine_id)
        await work.store.put(key, written.path, media_type="audio/mp4", cache_control=IMMUTABLE)
    await work.store.put(record_key, to_json(made), media_type="application/json", cache_control=IMMUTABLE)
    return made


async def _holds(store: ObjectStore, mezzanine: Mezzanine) -> bool:
    try:
        info = await store.head(mezzanine_key(mezzanine.recording_id, mezzanine.mezzanine_id))
    except ObjectNotFound:
        return False
    return info.sha256 == mezzanine.sha256


async def _put_art(work: Ingest, heard: Heard) -> None:
    """The pictures that are not there yet: the tracks of an album share theirs."""
    art = heard.around.art
    for side in ART_SIDES:
        try:
            await work.store.head(art_key(art.art_id, side))
        except ObjectNotFound:
            if not art.pictures:  # the store has lost what the ledger knows
                art = (await work.reader.read(heard.source, sha256=heard.info.sha256)).art
            key = art_key(art.art_id, side)
            await work.store.put(key, art.pictures[side], media_type="image/jpeg", cache_control=IMMUTABLE)


async def _track(store: ObjectStore, track_id: str) -> Track | None:
    return await _record(store, Track, track_key(track_id))


async def _record(store: ObjectStore, kind: type[Record], key: str) -> Record | None:
    """An object of an earlier run; one that cannot be read counts as none and is written anew."""
    try:
        return from_json(kind, (await store.read(key)).data, subject=key)
    except (ObjectNotFound, RecordMalformed):
        return None


def _stamp(source: Source) -> SourceStamp:
    try:
        return SourceStamp.of(source.path)
    except OSError as error:
        raise unreadable(source, error) from error


def _check_unchanged(source: Source, stamp: SourceStamp) -> None:
    """What was read belongs together only if the file is still the one that it was."""
    if _stamp(source) != stamp:
        raise changed(source)


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


def _time_limit(work: Ingest, seconds: float) -> float:
    return work.settings.tool_seconds_floor + work.settings.tool_seconds_per_second * seconds


def _progress(work: Ingest, source: Source, stage: Stage, total_s: float) -> Callable[[float], None]:
    def tell(seconds: float) -> None:
        event = StageProgress(subject=source.name, stage=stage, done=seconds, total=max(total_s, seconds))
        work.observer.notify(event)

    return tell
