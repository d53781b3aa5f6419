"""All that is kept of a listener is handed over, and deleted, whoever keeps it."""

import time
from pathlib import Path

from catalog.favourites import Favourites
from catalog.listener_data import export_listener, forget_listener, prune_listeners
from catalog.listener_database import ListenerDatabase, Migrations
from catalog.listener_open import open_listeners
from catalog.listeners import Listeners
from catalog.playlists import Playlists
from catalog.plays import Plays
from tests.contract.listeners.conftest import Opened, add_listener
from tests.contract.listeners.test_plays import NOW, ROW

SHELVES = Migrations(
    name="shelves",
    steps=(
        "CREATE TABLE shelves (shelf_id TEXT PRIMARY KEY, listener_id TEXT REFERENCES listeners ON DELETE CASCADE)",
        "CREATE TABLE books (shelf_id TEXT REFERENCES shelves ON DELETE CASCADE, title TEXT)",
        "CREATE TABLE pages (book TEXT, number INTEGER)",
    ),
)


def _fill(database: ListenerDatabase) -> None:
    """Two listeners with rows in every kind of table."""
    plays, favourites = Plays(database), Favourites(database)
    database.migrate(SHELVES)
    for name in ("anna", "bert"):
        add_listener(database, name)
        plays.consent(name, at_ms=NOW)
        favourites.add(name, f"loved-by-{name}", at_ms=NOW)
        with database.writing() as db:
            db.execute("INSERT INTO shelves VALUES (?, ?)", (f"shelf-{name}", name))
            db.execute("INSERT INTO books VALUES (?, ?)", (f"shelf-{name}", f"book-{name}"))
            db.execute("INSERT INTO pages VALUES ('nobody', 1)")
    plays.add([ROW])


def test_an_export_has_every_row_of_a_listener_and_no_other(database: ListenerDatabase) -> None:
    """Also of tables that only refer to what is the listener's; and nothing that proves who it is."""
    _fill(database)
    kept = export_listener(database, "anna")
    assert {table for table, rows in kept.items() if rows} == {
        "listeners", "consents", "play_events", "favourites", "shelves", "books",
    }  # fmt: skip
    assert kept["books"] == [{"shelf_id": "shelf-anna", "title": "book-anna"}]
    assert kept["listeners"] == [{"listener_id": "anna", "name": "", "created_s": 0}]
    assert "bert" not in repr(kept)
    assert not any(export_listener(database, "nobody").values())


def test_what_is_forgotten_is_gone_from_tables_and_files(tmp_path: Path) -> None:
    """All that an export had; others keep theirs."""
    with open_listeners(tmp_path / "listeners") as database:
        _fill(database)
        before = export_listener(database, "bert")
        assert forget_listener(database, "anna") and not forget_listener(database, "anna")
        assert not any(export_listener(database, "anna").values())
        assert export_listener(database, "bert") == before
        files = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        assert b"book-bert" in files and b"book-anna" not in files and b"loved-by-anna" not in files


def test_listeners_whom_nobody_uses_are_dropped(emptied: Opened) -> None:
    """Without a name and without playlists, after so long; whoever was used since stays, by the day."""
    now_s = int(time.time())
    with emptied() as database:
        listeners, playlists = Listeners(database), Playlists(database)
        (used, key), (unused, _), (named, _), (keeps, _), (device, _) = [
            listeners.add(name) for name in ("", "", "kitchen", "", "")
        ]
        playlists.create(keeps.listener_id, name="Mine", entries=[])
        with database.writing() as db:
            db.execute("UPDATE listeners SET created_s = 0")
        assert listeners.of_key(key) == listeners.of_key(key) == used.listener_id
        listeners.used(device.listener_id)
        assert database.select("SELECT DISTINCT used_s % 86400 FROM last_used") == [(0,)]
        assert prune_listeners(database, before_s=0) == 0
        assert prune_listeners(database, before_s=now_s - 2 * 86_400) == 1
        left = {each.listener_id for each in listeners.all()}
        assert left == {used.listener_id, named.listener_id, keeps.listener_id, device.listener_id}
        assert unused.listener_id not in left
        assert prune_listeners(database, before_s=now_s + 1) == 2
    with open_listeners() as empty:  # whose playlists have no tables yet
        assert prune_listeners(empty, before_s=now_s) == 0
