"""An empty listeners' database of each kind for every test; that of the server is one for the session."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest

from catalog.listener_database import ListenerDatabase
from catalog.listener_open import open_listeners

Opened = Callable[[], AbstractContextManager[ListenerDatabase]]


@pytest.fixture(params=["sqlite", "postgres"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the database of this test is, which has no listeners: to be opened by several."""
    if request.param == "sqlite":
        return str(tmp_path / "listeners.sqlite3")
    with _emptied(request.getfixturevalue("postgres")):
        return str(request.getfixturevalue("postgres"))


@pytest.fixture(params=["sqlite", "postgres"])
def emptied(request: pytest.FixtureRequest) -> Opened:
    """Open a database without listeners, again and again; that of SQLite in memory."""
    return open_listeners if request.param == "sqlite" else partial(_emptied, request.getfixturevalue("postgres"))


@pytest.fixture
def database(emptied: Opened) -> Iterator[ListenerDatabase]:
    """An empty database."""
    with emptied() as opened:
        yield opened


def add_listener(database: ListenerDatabase, *listener_ids: str) -> None:
    """Rows that all tables of listeners refer to."""
    with database.writing() as db:
        rows = [(each, each.encode()) for each in listener_ids]
        db.executemany("INSERT INTO listeners VALUES (?, ?, '', 0)", rows)


def _emptied(url: str) -> ListenerDatabase:
    opened = open_listeners(url)
    with opened.writing() as db:
        db.execute("DELETE FROM listeners")
    return opened
