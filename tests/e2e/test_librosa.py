"""The extra `librosa`, in an environment of its own (`make librosa`): a second set of features beside ours."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from model.features import Features, FeatureSet
from model.records import from_json
from storage.keys import features_key
from tests.support.command import CHECKOUT, command, environment, segue
from tests.support.cut_album import write_track
from tests.unit.meter.test_sound import clicks

PYTHON = CHECKOUT / ".cache/librosa-venv/bin/python"
RATE = 44_100
SECONDS = 8


def _source(folder: Path) -> Path:
    """110 beats a minute over a triad of A major, whose gain an ingest changes."""
    at = np.arange(SECONDS * RATE) / RATE
    triad = sum(np.sin(2 * np.pi * hertz * at) for hertz in (220.0, 277.18, 329.63))
    samples = 0.4 * clicks(110, SECONDS, RATE) + 0.1 * triad
    path = folder / "a.wav"
    write_track(path, np.repeat(np.round(32_000 * samples).astype("<i2")[:, np.newaxis], 2, axis=1), rate=RATE)
    return path


def _done(*arguments: str | Path, cwd: Path) -> int:
    """How many the command did where the extra is installed."""
    line = command(*arguments, python=PYTHON)
    ran = subprocess.run(
        line, cwd=cwd, env=environment(cwd), timeout=110, capture_output=True, stdin=subprocess.DEVNULL, check=True
    )
    *_, summary = ran.stdout.splitlines()
    return int(json.loads(summary)["done"])


def _features(folder: Path, heard_by: FeatureSet) -> Features:
    """Those of the one recording in the store."""
    (recording,) = (folder / "store/recordings").iterdir()
    data = (folder / "store" / features_key(recording.name, heard_by)).read_bytes()
    return from_json(Features, data, subject=heard_by)


def _check(folder: Path) -> None:
    """Both know what it is, each in its own numbers."""
    librosa, own = (_features(folder, each) for each in (FeatureSet.LIBROSA, FeatureSet.OWN))
    assert (librosa.format, own.format) == (FeatureSet.LIBROSA.version, FeatureSet.OWN.version)
    assert librosa.tempo_bpm == pytest.approx(110, rel=0.05) and librosa.tempo_confidence > 0.3
    assert (librosa.key, librosa.mode) == (own.key, own.mode) == (9, "major")
    assert librosa.level_lufs == own.level_lufs


def test_librosa_hears_beside_us_at_ingest(tmp_path: Path) -> None:
    """If that was chosen."""
    source = _source(tmp_path)
    assert _done("ingest", source, "--store", "file:store", "--features", "librosa", cwd=tmp_path) == 1
    _check(tmp_path)


def test_librosa_hears_what_was_ingested_without_it(tmp_path: Path) -> None:
    """What was ingested without it, from the mezzanine."""
    where = ("--store", "file:store")
    assert segue("ingest", _source(tmp_path), *where, cwd=tmp_path).summary["done"] == 1
    assert _done("features", *where, "--features", "librosa", cwd=tmp_path) == 1
    _check(tmp_path)
