"""Features of recordings: kept when a source is heard, or made later from a mezzanine; no track fails for them."""

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

from avtool.argv import CHANNELS, SAMPLE_RATE_HZ
from avtool.decode import play_back
from avtool.output import Probe
from avtool.scratch import scratch_folder
from ingest.librosa_features import heard_by_librosa
from ingest.listen import trimmed_twice
from ingest.scan import Source
from ingest.work import Ingest, record_in, time_limit
from meter.sound import Sound, SoundMeter, features_of
from model.analysis import Analysis
from model.errors import PipelineError
from model.events import Stage, StageStarted
from model.features import Features, FeatureSet
from model.loudness import LoudnessReport
from model.records import to_json
from model.track import Track
from storage.base import ObjectStore
from storage.defaults import REVALIDATE
from storage.keys import analysis_key, features_key, mezzanine_key

log = logging.getLogger(__name__)


async def keep_features(store: ObjectStore, recording_id: str, sound: Sound | None, loudness: LoudnessReport) -> None:
    """Write the features of a recording. What comes in the way is logged: `segue features` makes what is missing."""
    try:
        if sound is None:
            raise ValueError("nobody made sense of the sound")
        await _put(store, features_of(recording_id, sound, loudness))
    except (ValueError, PipelineError) as error:
        _warn(recording_id, error)


async def keep_librosa_features(work: Ingest, source: Source, probe: Probe, analysis: Analysis) -> None:
    """Write what librosa hears of a source, if its features were chosen; else as `keep_features`."""
    if work.settings.features is not FeatureSet.LIBROSA:
        return
    trimmed = trimmed_twice(probe.container, probe.codec)
    try:
        async with scratch_folder(work.settings.scratch_dir) as scratch:
            sound = await _by_librosa(work, source.path, scratch, analysis.duration_s, source.name, trimmed=trimmed)
        heard_by = FeatureSet.LIBROSA
        await _put(
            work.store, features_of(analysis.recording_id, sound, analysis.loudness, heard_by=heard_by), heard_by
        )
    except (ValueError, PipelineError) as error:
        _warn(analysis.recording_id, error)


async def make_features(work: Ingest, track: Track) -> bool:
    """Make the features of a track's recording from its mezzanine, unless they are there; whether they were made.

    They are what the source would have given, to within what its resampling and rounding took. Raises StorageError,
    ToolError.
    """
    recording_id, heard_by = track.recording_id, work.settings.features
    async with work.turns.hold(recording_id):
        known = await record_in(work.store, Features, features_key(recording_id, heard_by))
        if known is not None and known.format == heard_by.version:
            return False
        work.observer.notify(StageStarted(subject=track.track_id, stage=Stage.MEASURE))
        sound = await _heard(work, track)
        analysis = await record_in(work.store, Analysis, analysis_key(recording_id))
        loudness = analysis.loudness if analysis else _before_gain(track)
        await _put(work.store, features_of(recording_id, sound, loudness, heard_by=heard_by), heard_by)
    return True


async def _heard(work: Ingest, track: Track) -> Sound:
    made = track.mezzanine
    duration_s = made.media_samples / SAMPLE_RATE_HZ
    async with scratch_folder(work.settings.scratch_dir) as scratch:
        file = scratch / "mezzanine.mp4"
        await work.store.fetch(mezzanine_key(made.recording_id, made.mezzanine_id), file)
        if work.settings.features is FeatureSet.LIBROSA:
            return await _by_librosa(work, file, scratch, duration_s, track.track_id)
        meter = SoundMeter(sample_rate_hz=SAMPLE_RATE_HZ, channels=CHANNELS)
        timeout_s = time_limit(work, duration_s)
        await play_back(work.tool, str(file), meter.take_bytes, timeout_s=timeout_s, subject=track.track_id)
    return await asyncio.to_thread(meter.result)


async def _by_librosa(
    work: Ingest, file: Path, scratch: Path, duration_s: float, subject: str, *, trimmed: bool = False
) -> Sound:
    return await heard_by_librosa(
        work.tool,
        file,
        scratch,
        duration_s=duration_s,
        timeout_s=time_limit(work, duration_s),
        subject=subject,
        ignore_trims=trimmed,
    )


def _before_gain(track: Track) -> LoudnessReport:
    loudness = track.mezzanine.loudness
    level = loudness.integrated_lufs
    return replace(loudness, integrated_lufs=None if level is None else level - track.mezzanine.gain_db)


async def _put(store: ObjectStore, features: Features, heard_by: FeatureSet = FeatureSet.OWN) -> None:
    key = features_key(features.recording_id, heard_by)
    await store.put(key, to_json(features), media_type="application/json", cache_control=REVALIDATE)


def _warn(recording_id: str, error: Exception) -> None:
    log.warning("features left out", extra={"recording_id": recording_id, "reason": str(error)})
