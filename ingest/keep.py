"""What a source becomes: its mezzanine, its cover art, and last its report. What is there already is not made again."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from avtool.argv import ALONE
from avtool.scratch import scratch_folder
from ingest.history import note_duplicate, source_now, still_there, taken_before
from ingest.levels import Level, as_written
from ingest.normalise import Writing, write_mezzanine
from ingest.remarks import remarks
from ingest.runs import Place, surroundings
from ingest.scan import printable
from ingest.work import (
    FORMAT,
    Heard,
    Ingest,
    Ingested,
    check_unchanged,
    progress,
    record_in,
    remember,
    row_of,
    time_limit,
    track_in,
)
from model.errors import ObjectNotFound, PipelineError, SourceError
from model.events import Stage, StageStarted
from model.loudness import LoudnessMode, LoudnessReport, as_told
from model.records import to_json
from model.track import ART_SIDES, Mezzanine, Run, Track, derived_id, track_id_of
from storage.base import ObjectStore
from storage.changes import signal
from storage.defaults import IMMUTABLE, REVALIDATE
from storage.keys import art_key, mezzanine_key, mezzanine_record_key, track_key

_RELEASES_MAX = 100


async def keep(
    work: Ingest, heard: Heard, level: Level, *, mezzanine: Mezzanine | None = None, run: Run | None = None
) -> Ingested:
    """Make what is missing of a source's mezzanine, art and report.

    A source that is part of a `run` brings its `mezzanine`: see `write`. The same sound with the same gain is written
    once, whatever its files are called; a changed tag changes the report and nothing else. The report comes last, so a
    crash leaves the track as it was. Of several files that are one track the first by path speaks for it: it stays as
    that one has it.
    """
    async with work.turns.hold(heard.recording_id):
        track_id = await _track_id(work, heard)
        known = await track_in(work.store, track_id)
        speaker = await _speaker(work, track_id, heard.stamp.path)
        if speaker and known is not None and known.target == work.settings.target:
            await note_duplicate(work, heard, known)
            return Ingested(track=known, fresh=False, duplicate_of=speaker)
        named = known.mezzanine.mezzanine_id if known else ""
        mezzanine = mezzanine or await _mezzanine(work, heard, level, None, named=named)
        track = _report(work, heard, level, track_id=track_id, mezzanine=mezzanine, run=run)
        if track != known:
            await _put_art(work, heard)
            body = to_json(track)
            await work.store.put(track_key(track_id), body, media_type="application/json", cache_control=REVALIDATE)
            await signal(work.store, track_id)
        await remember(work, heard.stamp, row_of(heard.stamp, heard.info.sha256, heard.analysis, track_id))
    return Ingested(track=track, fresh=track != known)


async def write(work: Ingest, heard: Heard, level: Level, place: Place | None, *, gain_db: float) -> Mezzanine | None:
    """The mezzanine of a source that is part of a run, at this place in it; made if it is not there.

    Its gain may be lower than `gain_db` where resampling raised a true peak. None if the file of a neighbour is no
    longer the one that was heard: then there is no such run.
    """
    level = replace(level, gain=replace(level.gain, applied_db=gain_db))
    async with work.turns.hold(heard.recording_id):
        check_unchanged(heard.source, heard.stamp)
        try:
            return await _mezzanine(work, heard, level, place)
        except PipelineError:
            if place is None or not _lost(place):
                raise
    return None


def _lost(place: Place) -> bool:
    try:
        _check_neighbours(place)
    except SourceError:
        return True
    return False


def _check_still(heard: Heard, place: Place | None) -> None:
    check_unchanged(heard.source, heard.stamp)
    if place:
        _check_neighbours(place)


def _check_neighbours(place: Place) -> None:
    for each in place.neighbours:
        check_unchanged(each.source, each.stamp)


def _report(work: Ingest, heard: Heard, level: Level, *, track_id: str, mezzanine: Mezzanine, run: Run | None) -> Track:
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
        run=run,
        warnings=(*remarks(heard.info, heard.analysis, gain), *heard.around.warnings),
    )


async def _track_id(work: Ingest, heard: Heard) -> str:
    """The track that this file was before, if it is the same sound, and the release is the same or the track no other
    file's; else the one of its release."""
    path = heard.stamp.path
    last = await asyncio.to_thread(work.ledger.last, path)
    if last is not None and last.recording_id == heard.recording_id and last.track_id:
        known = await track_in(work.store, last.track_id)
        if (known is not None and known.release == heard.release) or await _holders(work, last.track_id) == [path]:
            return last.track_id
    for place, track_id in await asyncio.to_thread(work.ledger.tracks_of, heard.info.sha256):
        if not await still_there(work, place):
            return track_id  # the file was moved
    for number in range(_RELEASES_MAX):
        words = (heard.release, str(number)) if number else (heard.release,)
        track_id = track_id_of(heard.recording_id, *words)
        known = await track_in(work.store, track_id)
        holders = await _holders(work, track_id)
        if known is None or known.release == heard.release or holders in ([], [path]):
            break  # else the file of another track took this id along when its tags changed
    return track_id


async def _holders(work: Ingest, track_id: str) -> list[bytes]:
    """The files that are this track and are still there."""
    paths = await asyncio.to_thread(work.ledger.holders, track_id)
    return [path for path in paths if await still_there(work, path)]


async def _speaker(work: Ingest, track_id: str, path: bytes) -> str:
    """The first file that is this track, as it is now and by path, if it comes before this one; else nothing."""
    for other in await asyncio.to_thread(work.ledger.holders, track_id):
        if other >= path:
            break
        source = await source_now(work, other)
        if await asyncio.to_thread(taken_before, work, source):
            return source.name
    return ""


async def _mezzanine(work: Ingest, heard: Heard, level: Level, place: Place | None, *, named: str = "") -> Mezzanine:
    """The mezzanine of this sound with this gain, between these neighbours; written if it is not there. One that is
    there, and is not the one that the track has `named` so far, counts as new from now on (docs/decisions/0028-gc.md).
    """
    target = work.settings.target
    ceiling = target.true_peak_dbtp if target else None
    wanted = target.integrated_lufs if target and level.mode is LoudnessMode.TRACK else None
    recipe = f"{level.gain.applied_db:.2f} dB, at most {ceiling} dBTP" + (f", {wanted} LUFS" if wanted else "")
    album = level.album.loudness if level.album else None
    told = as_told(album, level.gain.applied_db) if album else None
    words = (
        *(place.words if place else ()),
        *([f"album {told.integrated_lufs} {told.true_peak_dbtp}"] if told else []),
    )
    mezzanine_id = derived_id(heard.recording_id, FORMAT, recipe, work.tool.version, *words)
    known = await record_in(work.store, Mezzanine, mezzanine_record_key(heard.recording_id, mezzanine_id))
    if known is not None and await _holds(work.store, known):
        if known.mezzanine_id != named:
            await _put_record(work.store, known)
        return known
    work.observer.notify(StageStarted(subject=heard.source.name, stage=Stage.NORMALISE))
    wish = _Wish(mezzanine_id=mezzanine_id, gain_db=level.gain.applied_db, integrated_lufs=wanted, album=album)
    return await work.engine.submit(make_mezzanine, work, lean(heard), place, wish)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """The mezzanine that is wanted of a source."""

    mezzanine_id: str
    gain_db: float
    integrated_lufs: float | None
    album: LoudnessReport | None


def lean(heard: Heard) -> Heard:
    """The same without its pictures, which are large and tell nothing of the sound."""
    art = replace(heard.around.art, pictures={})
    return replace(heard, around=replace(heard.around, art=art))


async def make_mezzanine(work: Ingest, heard: Heard, place: Place | None, wish: _Wish) -> Mezzanine:
    """Write a mezzanine and its record into the store: a step."""
    async with AsyncExitStack() as stack:
        heard, place = await _at_hand(work, stack, heard, place)
        scratch = await stack.enter_async_context(scratch_folder(work.settings.scratch_dir))
        try:
            written = await write_mezzanine(
                _writing(work, heard, place, scratch, wish.album),
                gain_db=wish.gain_db,
                true_peak_dbtp=work.settings.target.true_peak_dbtp if work.settings.target else None,
                integrated_lufs=wish.integrated_lufs,
            )
        except PipelineError:
            _check_still(heard, place)  # what is gone, or is written to, looks damaged
            raise
        _check_still(heard, place)
        made = Mezzanine(
            recording_id=heard.recording_id,
            mezzanine_id=wish.mezzanine_id,
            gain_db=written.gain_db,
            loudness=written.loudness,
            media_samples=written.media_samples,
            size_bytes=written.path.stat().st_size,
            sha256=written.file.sha256,
            tool=work.tool.version,
            album_loudness=written.album_loudness,
        )
        key = mezzanine_key(made.recording_id, made.mezzanine_id)
        await work.store.put(key, written.path, media_type="audio/mp4", cache_control=IMMUTABLE)
    await _put_record(work.store, made)
    return made


async def _put_record(store: ObjectStore, mezzanine: Mezzanine) -> None:
    key = mezzanine_record_key(mezzanine.recording_id, mezzanine.mezzanine_id)
    await store.put(key, to_json(mezzanine), media_type="application/json", cache_control=IMMUTABLE)


async def _at_hand(
    work: Ingest, stack: AsyncExitStack, heard: Heard, place: Place | None
) -> tuple[Heard, Place | None]:
    """A source and its neighbours as files of this machine."""

    async def here(track: Heard) -> Heard:
        opening = work.buckets.at_hand(track.source, work.settings)
        return replace(track, source=await stack.enter_async_context(opening))

    if place is not None:
        before = await here(place.before) if place.before else None
        place = replace(place, before=before, after=await here(place.after) if place.after else None)
    return await here(heard), place


def _writing(work: Ingest, heard: Heard, place: Place | None, scratch: Path, album: LoudnessReport | None) -> Writing:
    before_s = place.before.analysis.duration_s if place and place.before else 0.0  # all of it has to be decoded
    return Writing(
        tool=work.tool,
        source=heard.source,
        info=heard.info,
        scratch=scratch,
        timeout_s=time_limit(work, before_s + heard.analysis.duration_s),
        on_seconds=progress(work, heard.source, Stage.NORMALISE, heard.analysis.duration_s),
        heard_s=heard.analysis.duration_s,
        around=surroundings(heard, place) if place else ALONE,
        album=album,
    )


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
                async with work.buckets.at_hand(heard.source, work.settings, covers=True) as here:
                    art = (await work.reader.read(here, sha256=heard.info.sha256)).art
            key = art_key(art.art_id, side)
            await work.store.put(key, art.pictures[side], media_type="image/jpeg", cache_control=IMMUTABLE)
