"""`segue playlist`: a listener's playlists from the shell, and whole folders of files in and out."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from catalog.favourites import Favourites
from catalog.ledger import Ledger, SourceRow, place_of
from catalog.listener_open import open_listeners
from catalog.plays import PlayRow, Plays
from catalog.ratings import Ratings
from catalog.store import Catalog
from discovery.playlists.formats import read_playlist
from segue.commands.playlist import ACTIONS
from segue.main import main
from storage.filesystem import FilesystemStore
from tests.integration.origin.published import publish
from tests.unit.catalog.test_schema import ROW

ANN, BOB = "a" * 20, "b" * 20
TRACKS = [
    replace(
        ROW, track_id=name * 20, title=title, artist="Björk", album_artist="", album="Homogenic", duration_s=seconds
    )
    for name, title, seconds in (("c", "Jóga", 305.0), ("d", "Hunter", 255.0), ("e", "Bachelorette", 312.0))
]
JOGA, HUNTER, BACHELORETTE = (row.track_id for row in TRACKS)
Run = Callable[..., tuple[int, list[dict[str, Any]], str]]


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    """A catalog with three tracks, and a database with two listeners beside it."""
    path = tmp_path / "catalog.sqlite3"
    with Catalog(path) as opened:
        opened.apply(TRACKS, [])
    with open_listeners(tmp_path / "listeners.sqlite3") as database, database.writing() as db:
        db.executemany("INSERT INTO listeners VALUES (?, ?, '', 0)", [(ANN, b"a"), (BOB, b"b")])
    return path


@pytest.fixture
def run(tmp_path: Path, catalog: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command as Ann uses it: exit status, JSON lines, words on stderr."""
    monkeypatch.chdir(tmp_path)
    where = ("--catalog", str(catalog), "--listeners", str(tmp_path / "listeners.sqlite3"))

    def running(*words: str, listener: str = ANN) -> tuple[int, list[dict[str, Any]], str]:
        status = main(["playlist", *words, "--listener", listener, *where, "--json"])
        said = capsys.readouterr()
        return status, [json.loads(line) for line in said.out.splitlines()], said.err

    return running


def _entries(run: Run, playlist_id: str, listener: str = ANN) -> list[str]:
    return [line["title"] for line in run("show", playlist_id, listener=listener)[1] if line["event"] == "entry"]


def test_a_playlist_from_its_making_to_its_end(run: Run) -> None:
    """Made, added to, put in order, renamed, taken from, deleted; each step tells how the playlist is now."""
    status, (made,), _ = run("create", "Mine", JOGA, HUNTER, "--comment", "c")
    assert status == 0
    assert (made["name"], made["entries"], made["public"], made["own"], made["version"]) == ("Mine", 2, False, True, 1)
    playlist_id = made["playlist_id"]
    assert run("add", playlist_id, BACHELORETTE, "--before", "1")[1][0]["entries"] == 3
    assert _entries(run, playlist_id) == ["Bachelorette", "Jóga", "Hunter"]
    run("move", playlist_id, "3")
    run("move", playlist_id, "2", "--before", "1")
    assert _entries(run, playlist_id) == ["Hunter", "Jóga", "Bachelorette"]
    assert run("remove", playlist_id, "1", "2")[1][0]["entries"] == 1
    renamed = run("rename", playlist_id, "Yours")[1][0]
    assert (renamed["name"], renamed["comment"], renamed["version"]) == ("Yours", "c", 6)
    assert [line.get("name") for line in run("list")[1]] == ["Yours", None]
    assert run("delete", playlist_id)[1] == [{"event": "deleted", "playlist_id": playlist_id}]
    assert run("list")[1] == [{"event": "summary", "playlists": 0}]


def test_sharing_is_with_one_or_with_all(run: Run) -> None:
    """Others read and do not change; what is private again is gone for them."""
    playlist_id = run("create", "Mine", JOGA)[1][0]["playlist_id"]
    assert run("show", playlist_id, listener=BOB)[1][0]["code"] == "playlist-unknown"
    run("share", playlist_id, "--with", BOB)
    assert run("list", listener=BOB)[1][0]["own"] is False
    assert _entries(run, playlist_id, BOB) == ["Jóga"]
    assert run("rename", playlist_id, "x", listener=BOB)[1][0]["code"] == "playlist-unknown"
    run("share", playlist_id, "--without", BOB)
    assert run("list", listener=BOB)[1] == [{"event": "summary", "playlists": 0}]
    run("share", playlist_id, "--public")
    assert _entries(run, playlist_id, BOB) == ["Jóga"]
    for action, listed in (("follow", [playlist_id, None]), ("unfollow", [None])):
        assert run(action, playlist_id, listener=BOB)[1][0]["own"] is False
        assert [line.get("playlist_id") for line in run("list", listener=BOB)[1]] == listed
    run("share", playlist_id, "--private")
    assert run("follow", playlist_id, listener=BOB)[1][0]["code"] == "playlist-unknown"
    assert run("share", playlist_id)[0] == 2
    assert run("show", playlist_id, listener=BOB)[0] == 1


def test_rules_choose_from_the_catalog(run: Run, tmp_path: Path) -> None:
    """From a file, under a name of its own; out again as the same rules, or as a list."""
    rules = tmp_path / "short.nsp"
    rules.write_text('{"name": "Short", "all": [{"lt": {"duration": 310}}], "sort": "-duration"}')
    made = run("create", "Short ones", "--rules", str(rules), "--public")[1][0]
    assert (made["name"], made["rules"], made["public"]) == ("Short ones", True, True)
    assert _entries(run, made["playlist_id"]) == ["Jóga", "Hunter"]
    rules.write_text('{"all": [{"lt": {"duration": 310}}], "sort": "title"}')
    assert run("rename", made["playlist_id"], "Short", "--rules", str(rules))[1][0]["name"] == "Short"
    assert _entries(run, made["playlist_id"]) == ["Hunter", "Jóga"]
    rules.write_text('{"all": [{"lt": {"duration": 310}}], "sort": "-duration"}')
    run("rename", made["playlist_id"], "Short ones", "--rules", str(rules))
    for form in ("nsp", "xspf"):
        assert run("export", made["playlist_id"], "--format", form, "--into", "out")[0] == 0
    said = json.loads((tmp_path / "out" / "Short ones.nsp").read_text())
    assert said == {"name": "Short ones", "all": [{"lt": {"duration": 310}}], "sort": "-duration"}
    listed = read_playlist((tmp_path / "out" / "Short ones.xspf").read_bytes())
    assert [entry.title for entry in listed.entries] == ["Jóga", "Hunter"]


def test_rules_ask_what_a_listener_loves_and_hears(run: Run, tmp_path: Path) -> None:
    """From the tables of plays, favourites and ratings; another listener has a playlist of its own by the same."""
    with open_listeners(tmp_path / "listeners.sqlite3") as database:
        Favourites(database).add(ANN, HUNTER, at_ms=1_000)
        Ratings(database).rate(ANN, BACHELORETTE, 4, at_ms=1_000)
        plays = Plays(database)
        plays.consent(ANN, at_ms=0)
        plays.add([_listen(ANN, JOGA)])
    rules = tmp_path / "mine.nsp"
    rules.write_text(
        '{"any": [{"is": {"loved": true}}, {"gt": {"playcount": 0}}, {"gt": {"rating": 3}}],'
        ' "sort": "-dateloved, -rating"}'
    )
    for listener, wanted in ((ANN, ["Hunter", "Bachelorette", "Jóga"]), (BOB, [])):
        made = run("create", "n", "--rules", str(rules), listener=listener)[1][0]
        assert _entries(run, made["playlist_id"], listener) == wanted


def _listen(listener_id: str, track_id: str) -> PlayRow:
    return PlayRow(
        listener_id=listener_id, event_id="e", play_id="p", track_id=track_id, kind="complete", at_ms=1_000,
        position_ms=1_000, played_ms=1_000, source="", reason="", listened=True, skipped=False,
    )  # fmt: skip


def test_a_folder_of_files_comes_in(run: Run, tmp_path: Path, catalog: Path) -> None:
    """By names, by our ids, by the files that were ingested; what fails or is not found is told, the rest goes on."""
    folder = tmp_path / "lists"
    (folder / "more").mkdir(parents=True)
    with Ledger(catalog) as ledger:
        ledger.remember(place_of(folder / "Music" / "x 1.flac"), SourceRow(stamp="s", track_id=HUNTER))
    (folder / "a.m3u").write_text("#EXTM3U\n#EXTINF:305,Bjork - Joga\nnowhere.mp3\nMusic/x%201.flac\nstrange.mp3\n")
    (folder / "b.XSPF").write_text("<!DOCTYPE x><playlist/>")
    track = {"identifier": [f"segue:track:{BACHELORETTE}"]}
    (folder / "more" / "c.jspf").write_text(json.dumps({"playlist": {"title": "Named", "track": [track]}}))
    (folder / "more" / "d.nsp").write_text('{"all": [{"is": {"colour": "red"}}]}')
    (folder / ".hidden.m3u").write_text("x")
    (folder / "cover.jpg").write_bytes(b"x")
    status, lines, said = run("import", str(folder))
    assert status == 1
    assert [(line["name"], line["entries"], line["missing"]) for line in lines if line["event"] == "imported"] == [
        ("a", 3, 1), ("Named", 1, 0),
    ]  # fmt: skip
    failed = {Path(line["file"]).name: line["code"] for line in lines if line["event"] == "failed"}
    assert failed == {"b.XSPF": "playlist-file-invalid", "d.nsp": "rule-invalid"}
    missing = [line for line in lines if line["event"] == "missing"]
    assert [(line["entry"], line["uri"]) for line in missing] == [(3, "strange.mp3")]
    assert lines[-1] == {"event": "summary", "playlists": 2, "failed": 2, "entries": 4, "missing": 1}
    assert "colour" in said and "strange.mp3" in said
    imported = next(line["playlist_id"] for line in lines if line["event"] == "imported")
    assert _entries(run, imported) == ["Jóga", "Hunter", "?"]


def test_all_of_a_listeners_playlists_go_out_and_come_in_again(run: Run, tmp_path: Path) -> None:
    """Under their names, made fit for files; another listener has the same afterwards."""
    for name in ("A/B", "A:B", "..", "Ünïcode"):
        run("create", name, JOGA, HUNTER)
    status, lines, _ = run("export", "--into", "out", "--base-url", "https://music.example/")
    assert status == 0 and lines[-1] == {"event": "summary", "playlists": 4}
    files = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert len(files) == 4 and "A_B.m3u8" in files and "Ünïcode.m3u8" in files
    assert f"https://music.example/tracks/{JOGA}/index.m3u8" in (tmp_path / "out" / "A_B.m3u8").read_text()
    assert run("import", "out", listener=BOB)[0] == 0
    assert sorted(line["name"] for line in run("list", listener=BOB)[1][:-1]) == ["..", "A/B", "A:B", "Ünïcode"]


def test_one_playlist_goes_to_stdout(tmp_path: Path, catalog: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """As a file, and nothing else."""
    where = ("--catalog", str(catalog), "--listeners", str(tmp_path / "listeners.sqlite3"), "--listener", ANN)
    assert main(["playlist", "create", "Mine", JOGA, *where]) == 0
    capfdbinary.readouterr()
    assert main(["playlist", "export", "--format", "xspf", *where]) == 0
    assert [entry.title for entry in read_playlist(capfdbinary.readouterr().out).entries] == ["Jóga"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("show",), "usage"),
        (("move", "x" * 20, "y"), "usage"),
        (("show", "x" * 20), "playlist-unknown"),
        (("create", "n", "x" * 20), "playlist-refused"),
        (("create", "n", "--rules", "no-such.nsp"), "playlist-file-invalid"),
        (("import", "no-such.m3u8"), None),
        (("import", "."), "usage"),
        (("export", "--format", "nsp"), "usage"),
        (("share", "x" * 20, "--public", "--private"), "usage"),
    ],
)
def test_what_cannot_be_done_is_told(run: Run, words: tuple[str, ...], code: str | None) -> None:
    """With a code and a hint; a file that is not there fails alone."""
    status, lines, said = run(*words)
    assert status != 0 and said
    assert lines[-1].get("code") == code


@pytest.mark.parametrize("listener", ["", "nobody", "c" * 20])
def test_playlists_are_of_a_listener(run: Run, listener: str) -> None:
    """One that there is."""
    assert run("create", "n", listener=listener)[0] != 0


def test_every_action_says_how_it_is_used() -> None:
    """Its usage begins with its name."""
    assert all(action.usage.split()[0] == name for name, action in ACTIONS.items())


@pytest.fixture
async def published(tmp_path: Path) -> str:
    """A track in a store, that the catalog knows nothing of."""
    store = FilesystemStore(tmp_path / "store")
    made = await publish(store, "Yellow")
    await store.close()
    return made.track_id


def test_a_store_is_looked_through_first(tmp_path: Path, published: str, run: Run) -> None:
    """So that what was just published can be put on a playlist."""
    assert run("create", "n", published)[0] == 1
    assert run("create", "n", published, "--store", f"file:{tmp_path / 'store'}")[0] == 0
