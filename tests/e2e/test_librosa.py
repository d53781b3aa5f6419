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
SECONDS = 16


def _write(path: Path) -> None:
    """110 beats a minute over a triad of A major, whose gain an ingest changes."""
    at = np.arange(SECONDS * RATE) / RATE
    triad = sum(np.sin(2 * np.pi * hertz * at) for hertz in (220.0, 277.18, 329.63))
    samples = 0.4 * clicks(110, SECONDS, RATE) + 0.1 * triad
    write_track(path, np.repeat(np.round(32_000 * samples).astype("<i2")[:, np.newaxis], 2, axis=1), rate=RATE)


def _done(*arguments: str | Path, cwd: Path) -> int:
    """How many the command did where the extra is installed."""
    line = command(*arguments, python=PYTHON)
    ran = subprocess.run(
        line, cwd=cwd, env=environment(cwd), timeout=110, capture_output=True, stdin=subprocess.DEVNULL, check=True
    )
    *_, summary = ran.stdout.splitlines()
    return int(json.loads(summary)["done"])


def test_librosa_hears_beside_us(tmp_path: Path) -> None:
    """At ingest, and again from the mezzanine; both say tempo and key, and leave our own numbers as they are."""
    _write(tmp_path / "a.wav")
    where = ("--store", "file:store", "--features", "librosa")
    without = segue("features", *where, cwd=tmp_path)
    assert without.status == 2 and "segue[librosa]" in without.stderr
    assert _done("ingest", tmp_path / "a.wav", *where, cwd=tmp_path) == 1
    (own,) = (tmp_path / "store/recordings").glob("*/features.json")
    before, recording_id = own.read_bytes(), own.parent.name
    second = tmp_path / "store" / features_key(recording_id, FeatureSet.LIBROSA)
    heard = from_json(Features, second.read_bytes(), subject="ingest")
    assert heard.format == FeatureSet.LIBROSA.version
    assert heard.tempo_bpm == pytest.approx(110, rel=0.05) and heard.tempo_confidence > 0.3
    assert (heard.key, heard.mode) == (9, "major")
    second.unlink()
    assert _done("features", *where, cwd=tmp_path) == 1
    again = from_json(Features, second.read_bytes(), subject="mezzanine")
    assert (again.tempo_bpm, again.key, again.level_lufs) == (heard.tempo_bpm, heard.key, heard.level_lufs)
    assert again.timbre == pytest.approx(heard.timbre, abs=2)
    assert own.read_bytes() == before
