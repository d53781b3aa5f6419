"""The listeners' database is shared by processes, only goes forward, and is never thrown away."""

import multiprocessing
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.listener_database import ListenerDatabase, Migrations
from catalog.listener_open import open_listeners
from catalog.store import Catalog
from model.errors import CatalogError, ListenerDataError

NOTES = Migrations(
    name="notes",
    steps=(
        "CREATE TABLE notes (listener_id TEXT NOT NULL REFERENCES listeners ON DELETE CASCADE, note TEXT NOT NULL)",
        "CREATE INDEX notes_by_listener ON notes (listener_id)",
    ),
)
PROCESSES, THREADS, ROUNDS = 4, 3, 10


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is, in a folder that is not there yet."""
    return tmp_path / "new" / "listeners.sqlite3"


@pytest.fixture(params=["memory", "file"])
def database(request: pytest.FixtureRequest, path: Path) -> Iterator[ListenerDatabase]:
    """An empty database of each kind, with a table of notes."""
    with open_listeners(path if request.param == "file" else None) as opened:
        opened.migrate(NOTES)
        yield opened


def _add_listener(database: ListenerDatabase, listener_id: str) -> None:
    with database.writing() as db:
        db.execute("INSERT INTO listeners VALUES (?, ?, '', 0)", (listener_id, listener_id.encode()))


def _note(database: ListenerDatabase, listener_id: str, note: str) -> None:
    with database.writing() as db:
        db.execute("INSERT INTO notes VALUES (?, ?)", (listener_id, note))


def _notes(database: ListenerDatabase) -> list[str]:
    return sorted(note for (note,) in database.select("SELECT note FROM notes"))


def test_rows_belong_to_a_listener_and_go_with_it(database: ListenerDatabase) -> None:
    """None for a listener who is not there; none left of one who is gone; those of others stay."""
    _add_listener(database, "one")
    _add_listener(database, "two")
    _note(database, "one", "mine")
    _note(database, "two", "yours")
    with pytest.raises(ListenerDataError):
        _note(database, "nobody", "lost")
    with database.writing() as db:
        db.execute("DELETE FROM listeners WHERE listener_id = ?", ("one",))
    assert _notes(database) == ["yours"]


def test_a_transaction_is_all_or_nothing(database: ListenerDatabase) -> None:
    """What was written before something went wrong is not there."""
    with pytest.raises(ZeroDivisionError), database.writing() as db:
        db.execute("INSERT INTO listeners VALUES ('one', x'01', '', 0)")
        raise ZeroDivisionError
    assert database.select("SELECT count(*) FROM listeners") == [(0,)]


def test_migrations_go_forward_and_keep_what_is_there(path: Path) -> None:
    """Steps are done once; new ones are done to a file that has rows."""
    with open_listeners(path) as database:
        database.migrate(NOTES)
        _add_listener(database, "one")
        _note(database, "one", "kept")
    longer = Migrations(name="notes", steps=(*NOTES.steps, "ALTER TABLE notes ADD COLUMN stars INTEGER DEFAULT 3"))
    with open_listeners(path) as database:
        database.migrate(longer)
        database.migrate(longer)
        assert database.select("SELECT note, stars FROM notes") == [("kept", 3)]


def test_a_step_that_fails_leaves_none_done(path: Path) -> None:
    """Of several new steps all are done or none."""
    broken = Migrations(name="notes", steps=(*NOTES.steps, "CREATE TABLE notes (nonsense)"))
    with open_listeners(path) as database:
        with pytest.raises(ListenerDataError):
            database.migrate(broken)
        database.migrate(NOTES)
        assert _notes(database) == []


def test_the_file_of_a_newer_version_is_refused_and_left_alone(path: Path) -> None:
    """An older Segue does not know what newer tables mean."""
    with open_listeners(path) as database:
        database.migrate(NOTES)
        _add_listener(database, "one")
    with open_listeners(path) as database:
        with pytest.raises(ListenerDataError, match="newer") as caught:
            database.migrate(Migrations(name="notes", steps=NOTES.steps[:1]))
        assert caught.value.hint
        assert database.select("SELECT listener_id FROM listeners") == [("one",)]


@pytest.mark.parametrize("damaged", [b"this is not a database" * 100, b"SQLite format 3\0" + b"\xff" * 4000])
def test_a_damaged_file_is_an_error_and_stays_as_it_is(path: Path, damaged: bytes) -> None:
    """Never an empty database in its place: that would be the loss of all that listeners made."""
    path.parent.mkdir()
    path.write_bytes(damaged)
    with pytest.raises(ListenerDataError) as caught:
        open_listeners(path)
    assert "backup" in caught.value.hint
    assert path.read_bytes() == damaged
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_damage_found_later_is_an_error_each_time(path: Path) -> None:
    """Whoever comes next does not find an empty table."""
    with open_listeners(path) as database:
        database.migrate(NOTES)
        _add_listener(database, "one")
        for number in range(500):
            _note(database, "one", f"{number:01000}")
    with path.open("r+b") as file:  # the first pages, with what tables there are, stay whole
        size = file.seek(0, os.SEEK_END)
        file.seek(10 * 4096)
        file.write(b"\xff" * (size - 10 * 4096))
    damaged = path.read_bytes()
    with open_listeners(path) as database:
        for _ in range(2):
            with pytest.raises(ListenerDataError):
                database.select("SELECT note FROM notes")
    assert path.read_bytes() == damaged


def test_the_files_of_other_programs_are_refused_and_left_alone(path: Path) -> None:
    """A wrong path, to the catalog for one, does no harm."""
    with Catalog(path):
        pass
    other = path.with_name("photos.sqlite")
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE photos (name TEXT)")
    db.close()
    for file in (path, other):
        before = file.read_bytes()
        with pytest.raises(ListenerDataError, match="another program"):
            open_listeners(file)
        assert file.read_bytes() == before


def test_nobody_else_may_read_the_file(path: Path) -> None:
    """Nor what is beside it while it is open."""
    with open_listeners(path) as database:
        _add_listener(database, "one")
        assert {each.stat().st_mode & 0o077 for each in path.parent.iterdir()} == {0}


def test_a_place_that_cannot_be_is_an_error_with_a_hint(tmp_path: Path) -> None:
    """A folder that is a file."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ListenerDataError) as caught:
        open_listeners(tmp_path / "file" / "listeners.sqlite3")
    assert "folder" in caught.value.hint


def test_after_closing_nothing_works_and_closing_again_does(path: Path) -> None:
    """Idempotent."""
    database = open_listeners(path)
    database.close()
    database.close()
    with pytest.raises(CatalogError, match="closed"):
        database.select("SELECT 1")


def _take_part(path: Path, number: int) -> None:
    """What one of several processes does: open the same new file, migrate it, and write from several threads."""
    with open_listeners(path) as database:
        database.migrate(NOTES)
        _add_listener(database, f"p{number}")

        def write(thread: int) -> None:
            for round_ in range(ROUNDS):
                _note(database, f"p{number}", f"{number}-{thread}-{round_}")

        threads = [threading.Thread(target=write, args=(each,)) for each in range(THREADS)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()


def test_processes_and_threads_share_one_file(path: Path) -> None:
    """All may be first to make the file and its tables; no row is lost."""
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_take_part, args=(path, number)) for number in range(PROCESSES)]
    for each in processes:
        each.start()
    for each in processes:
        each.join()
    assert [each.exitcode for each in processes] == [0] * PROCESSES
    with open_listeners(path) as database:
        expected = [f"{p}-{t}-{r}" for p in range(PROCESSES) for t in range(THREADS) for r in range(ROUNDS)]
        assert _notes(database) == sorted(expected)
