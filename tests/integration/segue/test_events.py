"""`segue events`: history from elsewhere is taken, counted once, and ranks what is searched for."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from catalog.listener_open import open_listeners
from catalog.plays import Plays
from model.track import track_id_of
from segue.main import main
from storage.filesystem import FilesystemStore
from tests.integration.discovery.listening.played import add_listener
from tests.integration.origin.published import Published, publish

Run = Callable[..., tuple[int, list[dict[str, Any]], str]]
LISTENER = track_id_of("listener", "anna")
NOW_S = 1_700_000_000


@pytest.fixture
async def tracks(tmp_path: Path) -> list[Published]:
    """A store with a few tracks."""
    files = FilesystemStore(tmp_path / "store")
    made = [await publish(files, name, release=f"Album {name}") for name in ("one", "two", "three")]
    await files.close()
    return made


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """A command, with all it keeps in the test's folder: exit status, JSON lines, words on stderr."""
    monkeypatch.chdir(tmp_path)
    with open_listeners(tmp_path / "listeners.sqlite3") as database:
        add_listener(database, LISTENER)

    def running(*words: str) -> tuple[int, list[dict[str, Any]], str]:
        where = ("--store", f"file:{tmp_path}/store", "--catalog", str(tmp_path / "catalog.sqlite3"))
        own = ("--listeners", str(tmp_path / "listeners.sqlite3")) if words[0] == "events" else ()
        status = main([*words, *where, *own, "--json"])
        said = capsys.readouterr()
        return status, [json.loads(line) for line in said.out.splitlines()], said.err

    return running


def _listen(title: str, at_s: int = NOW_S) -> dict[str, Any]:
    return {"listened_at": at_s, "track_metadata": {"track_name": title, "artist_name": "Somebody"}}


def test_listens_are_taken_once(run: Run, tracks: list[Published], tmp_path: Path) -> None:
    """By names, with a line that fits nothing; again it changes nothing; without consent nothing is taken."""
    file = tmp_path / "listens.jsonl"
    listens = [_listen("Song two"), _listen("Song two", NOW_S + 600), _listen("Song nowhere"), _listen("song ONE")]
    file.write_text("".join(json.dumps(each) + "\n" for each in listens))
    status, lines, _ = run("events", "import", str(file), "--listener", LISTENER)
    assert status == 1 and lines[-1]["code"] == "consent-missing"
    for consent in (["--consent"], []):
        status, lines, said = run("events", "import", str(file), "--listener", LISTENER, *consent)
        assert status == 1
        assert lines[0] | {"file": ""} == {"event": "refused", "file": "", "line": 3, "code": "track-unknown"}
        assert lines[-1] == {"event": "summary", "taken": 3, "failed": 1}
        assert "line 3" in said
    with open_listeners(tmp_path / "listeners.sqlite3") as database:
        heard = {each.track_id: each.listens for each in Plays(database).heard(LISTENER)}
    assert heard == {tracks[1].track_id: 2, tracks[0].track_id: 1}


def test_events_of_ours_are_taken(run: Run, tracks: list[Published], tmp_path: Path) -> None:
    """With their own ids; and old ones are not dropped with the others."""
    event = {
        "event_id": "event-0001", "play_id": "play-0001", "track_id": tracks[0].track_id, "kind": "complete",
        "at_ms": NOW_S, "played_ms": 3_600_000,
    }  # fmt: skip
    file = tmp_path / "events.jsonl"
    file.write_text(json.dumps(event) + "\n")
    assert run("events", "import", str(file), "--listener", LISTENER, "--consent")[0] == 0
    status, lines, _ = run("events", "prune")
    assert (status, lines) == (0, [{"event": "summary", "dropped": 0, "unused": 0}])


def test_what_was_heard_comes_first(run: Run, tracks: list[Published], tmp_path: Path) -> None:
    """In an index that is filled anew."""
    with open_listeners(tmp_path / "listeners.sqlite3") as database:
        Plays(database).consent(LISTENER, at_ms=0)
    for track in tracks:
        file = tmp_path / "recent.jsonl"
        event = {
            "event_id": f"event-{track.track_id}", "play_id": f"play-{track.track_id}", "track_id": track.track_id,
            "kind": "complete", "at_ms": 1 << 44, "played_ms": 3_600_000,
        }  # fmt: skip
        file.write_text(json.dumps(event) + "\n")
        assert run("events", "import", str(file), "--listener", LISTENER)[0] == 0
        with open_listeners(tmp_path / "listeners.sqlite3") as database, database.writing() as db:
            db.execute("DELETE FROM heard WHERE track_id <> ?", (track.track_id,))
        assert run("events", "rank")[1] == [{"event": "summary", "tracks": 3, "popular": 1}]
        _, lines, _ = run("search", "so", "--limit", "1")
        assert [line["track_id"] for line in lines if line["event"] == "track"] == [track.track_id]


@pytest.mark.parametrize(
    "words", [["import"], ["rank", "file"], ["import", "none.jsonl", "--listener", "x"]]
)  # fmt: skip
def test_usage(run: Run, words: list[str]) -> None:
    """What makes no sense is refused."""
    assert run("events", *words)[0] == 2
