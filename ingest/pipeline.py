"""One source end to end: read, measure, normalise, keep the mezzanine and the report."""

import asyncio
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from avtool.locate import Ffmpeg
from avtool.loudness import measure_loudness
from avtool.output import Probe
from avtool.scratch import scratch_folder
from catalog.store import Catalog, SourceStamp
from ingest.art import cover_art
from ingest.declared import check_whole
from ingest.normalise import probe_source, refusal, write_mezzanine
from ingest.scan import Source, changed, check_file, hash_file, printable, unreadable
from ingest.settings import IngestSettings
from ingest.tags import read_tags
from model.errors import ObjectNotFound, RecordMalformed, SourceUnsupported, ToolFailed
from model.events import Observer, Stage, StageProgress, StageStarted
from model.loudness import Gain, LoudnessReport, gain_to
from model.records import from_json, to_json
from model.track import SourceInfo, Track, TrackTags, derived_id, track_id_of
from storage.base import ObjectStore
from storage.defaults import IMMUTABLE, REVALIDATE
from storage.keys import art_key, ingest_key, mezzanine_key

FORMAT = "mezzanine 1"  # changes whenever the same settings would give other bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingest:
    """What an ingest works with."""

    settings: IngestSettings
    tool: Ffmpeg
    store: ObjectStore
    catalog: Catalog
    observer: Observer


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """The report of a source, and whether anything had to be done for it."""

    track: Track
    fresh: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    """A source whose bytes are known: what it is called and what surrounds its audio."""

    source: Source
    stamp: SourceStamp
    sha256: str
    track_id: str
    ingest_id: str
    tags: TrackTags
    art_sha256: str


async def ingest(work: Ingest, source: Source) -> Ingested:
    """Ingest one source. Nothing is done twice: the same bytes under the same settings are recognised.

    What changed around the audio (tags, art, names) is taken over without decoding again. The report is written
    last, so a crash leaves the store as it was. Raises SourceError, ToolError or StorageError.
    """
    work.observer.notify(StageStarted(subject=source.name, stage=Stage.READ))
    subject, art = await _subject(work, source)
    known = await _report(work.store, subject.track_id)
    if known is not None and known.ingest_id == subject.ingest_id and await _has_mezzanine(work.store, known):
        name = printable(Path(source.path.name))
        track = replace(known, tags=subject.tags, art_sha256=subject.art_sha256, source_name=name)
        _check_unchanged(source, subject.stamp)
    else:
        async with scratch_folder(work.settings.scratch_dir) as scratch:
            track = await _decoded(work, subject, scratch)
    if track == known:
        return Ingested(track=track, fresh=False)
    key = art_key(track.track_id, track.art_sha256)
    await work.store.put(key, art, media_type="image/jpeg", cache_control=IMMUTABLE)
    report = to_json(track)
    await work.store.put(ingest_key(track.track_id), report, media_type="application/json", cache_control=REVALIDATE)
    return Ingested(track=track, fresh=True)


async def _subject(work: Ingest, source: Source) -> tuple[_Subject, bytes]:
    """The source's identity, tags and cover art."""
    check_file(source, bytes_max=work.settings.source_bytes_max)
    stamp = _stamp(source)
    sha256 = await _source_hash(work, source, stamp)
    track_id = track_id_of(sha256)
    tags, art = await asyncio.to_thread(_tags_and_art, source)
    subject = _Subject(
        source=source,
        stamp=stamp,
        sha256=sha256,
        track_id=track_id,
        ingest_id=derived_id(track_id, FORMAT, work.settings.recipe, work.tool.version),
        tags=tags,
        art_sha256=hashlib.sha256(art).hexdigest(),
    )
    return subject, art


def _stamp(source: Source) -> SourceStamp:
    try:
        return SourceStamp.of(source.path)
    except OSError as error:
        raise unreadable(source, error) from error


def _check_unchanged(source: Source, stamp: SourceStamp) -> None:
    """What was read belongs to the hash only if the file is still the one that was hashed."""
    if _stamp(source) != stamp:
        raise changed(source)


async def _source_hash(work: Ingest, source: Source, stamp: SourceStamp) -> str:
    """The hash of a source's bytes; a file that was not touched since it was last read is not read again."""
    known = await asyncio.to_thread(work.catalog.recall_source, stamp)
    if known is not None:
        return known
    digest = await hash_file(source, size_bytes=stamp.size_bytes)
    _check_unchanged(source, stamp)
    await asyncio.to_thread(work.catalog.remember_source, stamp, digest)
    return digest


def _tags_and_art(source: Source) -> tuple[TrackTags, bytes]:
    found = read_tags(source)
    return found.tags, cover_art(source, found.tags, found.art)


async def _report(store: ObjectStore, track_id: str) -> Track | None:
    """The report of an earlier ingest; one that cannot be read counts as none and is written anew."""
    key = ingest_key(track_id)
    try:
        return from_json(Track, (await store.read(key)).data, subject=key)
    except (ObjectNotFound, RecordMalformed):
        return None


async def _has_mezzanine(store: ObjectStore, track: Track) -> bool:
    try:
        info = await store.head(mezzanine_key(track.track_id, track.ingest_id))
    except ObjectNotFound:
        return False
    return info.sha256 == track.mezzanine_sha256


async def _decoded(work: Ingest, subject: _Subject, scratch: Path) -> Track:
    """Probe, measure, normalise; store the mezzanine; the report is returned, not yet written."""
    source, path = subject.source, os.fspath(subject.source.path)
    await asyncio.to_thread(check_whole, source)
    probe = await probe_source(work.tool, path, subject=source.name)
    timeout_s = _time_limit(work.settings, probe, source)
    before = await _measured(work, source, probe, timeout_s)
    gain = gain_to(work.settings.target, before) if work.settings.target else Gain(applied_db=0.0)
    work.observer.notify(StageStarted(subject=source.name, stage=Stage.NORMALISE))
    mezzanine = await write_mezzanine(
        work.tool,
        path,
        scratch,
        gain_db=gain.applied_db,
        probe=probe,
        timeout_s=timeout_s,
        subject=source.name,
        on_seconds=_progress(work, source, Stage.NORMALISE, probe),
    )
    _check_unchanged(source, subject.stamp)
    key = mezzanine_key(subject.track_id, subject.ingest_id)
    await work.store.put(key, mezzanine.path, media_type="audio/mp4", cache_control=IMMUTABLE)
    return Track(
        track_id=subject.track_id,
        ingest_id=subject.ingest_id,
        source=_source_info(subject, probe),
        source_name=printable(Path(source.path.name)),
        tags=subject.tags,
        art_sha256=subject.art_sha256,
        target=work.settings.target,
        loudness_source=before,
        gain=gain,
        loudness_mezzanine=mezzanine.loudness,
        media_samples=mezzanine.media_samples,
        mezzanine_sha256=mezzanine.file.sha256,
        tool=work.tool.version,
    )


async def _measured(work: Ingest, source: Source, probe: Probe, timeout_s: float) -> LoudnessReport:
    work.observer.notify(StageStarted(subject=source.name, stage=Stage.MEASURE))
    try:
        return await measure_loudness(
            work.tool,
            os.fspath(source.path),
            timeout_s=timeout_s,
            subject=source.name,
            on_seconds=_progress(work, source, Stage.MEASURE, probe),
            mono=probe.channels == 1,
        )
    except ToolFailed as error:
        raise refusal(error, subject=source.name) from error


def _source_info(subject: _Subject, probe: Probe) -> SourceInfo:
    return SourceInfo(
        container=probe.container,
        codec=probe.codec,
        sample_rate_hz=probe.sample_rate_hz,
        channels=probe.channels,
        channel_layout=probe.channel_layout,
        bit_depth=probe.bit_depth,
        lossless=probe.lossless,
        size_bytes=subject.stamp.size_bytes,
        sha256=subject.sha256,
    )


def _time_limit(settings: IngestSettings, probe: Probe, source: Source) -> float:
    seconds = probe.duration_s or settings.duration_s_max
    if seconds > settings.duration_s_max:
        hint = f"at most {settings.duration_s_max / 3600:.0f} hours; cut it into tracks"
        raise SourceUnsupported("the track is too long", subject=source.name, hint=hint)
    return settings.tool_seconds_floor + settings.tool_seconds_per_second * seconds


def _progress(work: Ingest, source: Source, stage: Stage, probe: Probe) -> Callable[[float], None]:
    def tell(seconds: float) -> None:
        total = max(probe.duration_s or 0.0, seconds)
        work.observer.notify(StageProgress(subject=source.name, stage=stage, done=seconds, total=total))

    return tell
