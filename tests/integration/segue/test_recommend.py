"""`segue train` and `segue recommend`: from plays to a model to lists."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from catalog.listener_open import open_listeners
from catalog.store import Catalog
from discovery.recommend.files import current_id
from segue.main import main
from tests.integration.discovery.recommend.world import ANN, NEW, add_plays, everybody, filled_catalog, of_ann
from tests.support.listening import taste_of, track_of

Run = Callable[..., tuple[int, list[dict[str, Any]], str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """A command, with catalog, listeners and models in the test's folder: exit status, JSON lines, words on stderr."""
    monkeypatch.chdir(tmp_path)
    with Catalog(tmp_path / "catalog") as catalog:
        filled_catalog(catalog)
    where = ("--catalog", "catalog", "--listeners", "listeners", "--models", "models", "--json")

    def running(*words: str) -> tuple[int, list[dict[str, Any]], str]:
        status = main([*words, *where])
        said = capsys.readouterr()
        return status, [json.loads(line) for line in said.out.splitlines()], said.err

    return running


@pytest.fixture
def listened(tmp_path: Path) -> None:
    """Everybody's plays, and Ann's."""
    with open_listeners(tmp_path / "listeners") as database:
        add_plays(database, [*everybody(), *of_ann(2, 6)])


def tracks(lines: list[dict[str, Any]]) -> list[str]:
    return [line["track_id"] for line in lines if line["event"] == "track"]


@pytest.mark.usefixtures("listened")
def test_trained_and_recommended(run: Run, tmp_path: Path) -> None:
    status, lines, _ = run("train")
    assert status == 0
    assert lines == [lines[0] | {"event": "model", "kind": "blend", "listeners": 101, "tracks": 117}]
    assert current_id(tmp_path / "models") == lines[0]["model_id"]
    status, lines, _ = run("recommend", "--listener", ANN, "--limit", "5")
    assert status == 0
    assert lines[-1] == {"event": "summary", "found": 5, "model": True}
    assert [taste_of(track) for track in tracks(lines)].count(2) >= 4
    assert lines[0]["because"]
    _, lines, _ = run("recommend", "--listener", ANN, "--heard", "--limit", "100")
    assert track_of(2, 3) in tracks(lines)
    _, lines, _ = run("recommend", "--track", track_of(1, 7), "--limit", "5")
    assert [taste_of(track) for track in tracks(lines)].count(1) >= 4
    _, lines, _ = run("recommend", "--artist", "Artist 1 1", "--limit", "3")
    assert [line["artist"].startswith("Artist 1") for line in lines[:-1]].count(True) >= 2


def test_without_plays_nothing_is_trained_and_the_new_is_recommended(run: Run) -> None:
    status, _, said = run("train")
    assert status == 1 and "plays of 0 listeners" in said
    status, lines, said = run("recommend", "--listener", ANN, "--limit", "2")
    assert status == 0 and set(tracks(lines)) == set(NEW)
    assert lines[-1] == {"event": "summary", "found": 2, "model": False}
    assert "segue train" in said


@pytest.mark.usefixtures("listened")
def test_back_to_the_model_before(run: Run, tmp_path: Path) -> None:
    status, _, said = run("train", "--back")
    assert status == 1 and "no model before" in said
    first = run("train", "--model", "rp3beta")[1][0]["model_id"]
    run("train", "--model", "als")
    status, lines, _ = run("train", "--back")
    assert (status, lines[0]["kind"], lines[0]["model_id"]) == (0, "rp3beta", first)
    assert current_id(tmp_path / "models") == first


@pytest.mark.usefixtures("listened")
def test_tuning_tries_models_and_takes_the_best(run: Run) -> None:
    status, lines, _ = run("train", "--tune")
    tried = [line for line in lines if line["event"] == "tried"]
    assert status == 0 and len(tried) == 7
    best = max(tried, key=lambda line: line["ndcg10"])
    assert lines[-1]["kind"] in {line["kind"] for line in tried if line["ndcg10"] == best["ndcg10"]}


def test_what_cannot_be_asked_is_refused(run: Run) -> None:
    assert run("recommend", "--track", "z" * 20)[0] == 1
    assert run("recommend", "--listener", ANN, "--limit", "0")[0] == 2
    assert run("recommend", "--listener", "ann")[0] == 2
    assert run("recommend", "--artist", "Artist 1 1x")[0] == 2
    assert run("train", "--tune", "--model", "als")[0] == 2
