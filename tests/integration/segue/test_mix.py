"""`segue mix`: from names and ids, without a server."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from catalog.store import Catalog
from segue.main import main
from tests.integration.discovery.recommend.world import filled_catalog
from tests.support.listening import track_of

Run = Callable[..., tuple[int, list[dict[str, Any]]]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command over a catalog in the test's folder: exit status and JSON lines."""
    monkeypatch.chdir(tmp_path)
    with Catalog(tmp_path / "catalog") as catalog:
        filled_catalog(catalog)

    def running(*words: str) -> tuple[int, list[dict[str, Any]]]:
        status = main(["mix", *words, "--catalog", "catalog", "--models", "models", "--json"])
        return status, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return running


def test_a_mix_from_the_command_line(run: Run) -> None:
    """From seeds, each with its reason; the same again, and the station that plays on like it."""
    wish = ("--seed-track", track_of(1, 7), "--seed-artist", "Artist 2 1", "--count", "6")
    status, lines = run(*wish)
    assert status == 0
    assert len({line["track_id"] for line in lines[:-1]}) == 6
    assert track_of(1, 7) in {line["track_id"] for line in lines[:-1]}
    assert all(line["reasons"][0]["words"] for line in lines[:-1])
    assert lines[-1]["station"].startswith(f"mix-t{track_of(1, 7)}-a")
    assert run(*wish)[1] == lines


@pytest.mark.parametrize(
    "words",
    [("--seed-track", "z" * 20), ("--seed-artist", "Artist 1 1x"), ("--count", "0"), ("--energy", "2")],
)
def test_a_mix_of_what_is_not_there_is_refused(run: Run, words: tuple[str, str]) -> None:
    """A misspelt name is no mix by chance."""
    status, lines = run(*words)
    assert status == 2 and lines[-1]["code"] == "usage" and lines[-1]["hint"]
