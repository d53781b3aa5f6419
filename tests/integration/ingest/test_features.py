"""Features of real files: kept when they are heard, made later from a mezzanine, and no reason to fail."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ingest.features import make_features
from model.features import Features
from model.records import from_json
from storage.keys import analysis_key, features_key
from tests.integration.ingest.conftest import Bench
from tests.support.cut_album import write_track
from tests.support.faulty_store import FaultyStore
from tests.unit.meter.test_sound import clicks

RATE = 44_100


def _ticking(folder: Path) -> Path:
    """16 s at 110 beats a minute, over a quiet A."""
    at = np.arange(16 * RATE) / RATE
    samples = 0.8 * clicks(110, 16, RATE) + 0.05 * np.sin(2 * np.pi * 220 * at)
    path = folder / "ticking.wav"
    pcm = np.round(32_000 * samples).astype("<i2")
    write_track(path, np.repeat(pcm[:, np.newaxis], 2, axis=1), rate=RATE)
    return path


async def _features(bench: Bench, recording_id: str) -> Features:
    key = features_key(recording_id)
    return from_json(Features, (await bench.work.store.read(key)).data, subject=key)


async def test_a_source_that_is_heard_leaves_its_features(bench: Bench, tmp_path: Path) -> None:
    """In one decode with all the rest; and before the analysis, which is what a second run looks for."""
    store = FaultyStore(bench.work.store)
    bench.work = replace(bench.work, store=store)
    track = await bench.track(_ticking(tmp_path))
    found = await _features(bench, track.recording_id)
    assert found.tempo_bpm == pytest.approx(110, rel=0.02)
    assert found.level_lufs == track.loudness_source.integrated_lufs
    puts = [key for kind, key in store.calls if kind == "put"]
    assert puts.index(features_key(track.recording_id)) < puts.index(analysis_key(track.recording_id))


async def test_features_are_made_again_from_the_mezzanine(bench: Bench, tmp_path: Path) -> None:
    """What was published before there were features gets nearly the same, once."""
    track = await bench.track(_ticking(tmp_path))
    before = await _features(bench, track.recording_id)
    assert not await make_features(bench.work, track)
    await bench.work.store.delete(features_key(track.recording_id))
    assert await make_features(bench.work, track)
    after = await _features(bench, track.recording_id)
    assert (after.tempo_bpm, after.key, after.mode) == (before.tempo_bpm, before.key, before.mode)
    assert (after.level_lufs, after.range_lu) == (before.level_lufs, before.range_lu)
    assert after.energy == pytest.approx(before.energy, abs=0.02)
    assert after.timbre == pytest.approx(before.timbre, abs=2)


async def test_features_are_made_without_an_analysis(bench: Bench, tmp_path: Path) -> None:
    """The level before the gain is told by the mezzanine, too."""
    track = await bench.track(_ticking(tmp_path))
    before = await _features(bench, track.recording_id)
    for key in (features_key(track.recording_id), analysis_key(track.recording_id)):
        await bench.work.store.delete(key)
    assert await make_features(bench.work, track)
    assert (await _features(bench, track.recording_id)).level_lufs == pytest.approx(before.level_lufs, abs=0.1)


async def test_features_that_cannot_be_kept_fail_no_track(
    bench: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The track is taken, a warning says what is missing, and it can be made later."""
    bench.work = replace(bench.work, store=FaultyStore(bench.work.store, kind="put", fail_at=1))
    with caplog.at_level(logging.WARNING):
        track = await bench.track(_ticking(tmp_path))
    assert [record.message for record in caplog.records if record.levelno == logging.WARNING] == ["features left out"]
    assert await make_features(bench.work, track)
