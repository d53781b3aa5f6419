"""`segue search`: found without a server, in a store or in what was listed before."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from catalog.favourites import Favourites
from catalog.listener_open import open_listeners
from catalog.listeners import Listeners
from segue.main import main
from storage.filesystem import FilesystemStore
from tests.integration.origin.published import publish

Run = Callable[..., tuple[int, list[dict[str, Any]], str]]


@pytest.fixture
async def store(tmp_path: Path) -> Path:
    """A store with two tracks on two albums."""
    folder = tmp_path / "store"
    files = FilesystemStore(folder)
    for name, release in (("Yellow", "Parachutes"), ("Clocks", "Rush of Blood")):
        await publish(files, name, release=release)
    await files.close()
    return folder


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command, with its catalog in the test's folder: exit status, JSON lines, words on stderr."""
    monkeypatch.chdir(tmp_path)

    def running(*words: str) -> tuple[int, list[dict[str, Any]], str]:
        status = main(["search", *words, "--catalog", str(tmp_path / "catalog"), "--json"])
        said = capsys.readouterr()
        return status, [json.loads(line) for line in said.out.splitlines()], said.err

    return running


def test_a_track_is_found_by_what_one_would_type(run: Run, store: Path) -> None:
    """With a typo, in two fields; artist and album beside it; and how many of each."""
    status, lines, said = run("yelow", "parachtes", "--store", f"file:{store}")
    assert status == 0
    (track,) = (line for line in lines if line["event"] == "track")
    assert (track["title"], track["artist"], track["album"]) == ("Song Yellow", "Somebody", "Parachutes")
    assert lines[-1] == {"event": "summary", "artists": 0, "albums": 0, "tracks": 1, "corrected": True}
    assert "1 tracks" in said
    _, lines, _ = run("somebody", "--store", f"file:{store}", "--limit", "1")
    assert [line["event"] for line in lines] == ["artist", "album", "track", "summary"]


def test_what_was_listed_before_is_found_without_the_store(run: Run, store: Path) -> None:
    """The catalog and the index beside it are enough."""
    run("clocks", "--store", f"file:{store}")
    status, lines, _ = run("clocks", "--album", "Rush of Blood")
    assert status == 0 and [line["title"] for line in lines if line["event"] == "track"] == ["Song Clocks"]
    status, lines, _ = run("clocks", "--artist", "Nobody")
    assert status == 0 and lines[-1]["tracks"] == 0


def test_a_listeners_own_comes_first(run: Run, store: Path, tmp_path: Path) -> None:
    """What it marked, before what is as much alike."""

    def found(*words: str) -> list[str]:
        lines = run("song", "--group", "track", "--store", f"file:{store}", *words)[1]
        assert {line["event"] for line in lines} == {"track", "summary"}
        return [line["track_id"] for line in lines[:-1]]

    everybodys = found()
    with open_listeners(tmp_path / "listeners") as database:
        ann, _ = Listeners(database).add("ann")
        Favourites(database).add(ann.listener_id, everybodys[1], at_ms=1_000)
    own = found("--listener", ann.listener_id, "--listeners", str(tmp_path / "listeners"))
    assert own == everybodys[::-1]


def test_names_are_suggested(run: Run, store: Path) -> None:
    """To complete what was typed, the best first, and no more than asked for."""
    status, lines, _ = run("para", "--suggest", "--limit", "1", "--store", f"file:{store}")
    assert status == 0
    suggestion = {"event": "suggestion", "text": "Parachutes", "group": "album"}
    assert lines == [suggestion, {"event": "summary", "suggestions": 1}]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("x", "--limit", "0"), "search-invalid"),
        (("x", "--limit", "21", "--suggest"), "search-invalid"),
        (("x", "--suggest", "--album", "y"), "usage"),
        (("x", "--listener", "nobody"), "usage"),
        (("x" * 201,), "search-invalid"),
        (("x", "--search-index", "mysql://x"), "usage"),
        (("x", "--search-index", "postgresql://me:secret@127.0.0.1/x"), "usage"),
        (("x", "--search-index", "postgresql://me@127.0.0.1:1/x"), "catalog-error"),
    ],
)
def test_what_cannot_be_is_refused(run: Run, words: tuple[str, ...], code: str) -> None:
    """With a code and, but for the text, a hint; a password is not repeated."""
    status, lines, said = run(*words)
    assert status != 0 and lines[-1]["code"] == code
    assert "secret" not in said


def test_nothing_to_search_in_is_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a store nor a catalog."""
    monkeypatch.chdir(tmp_path)
    assert main(["search", "x"]) == 2
    assert "nothing to search in" in capsys.readouterr().err
