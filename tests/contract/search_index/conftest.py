"""An empty index of each kind for every test, on one real server for the session."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from catalog.search_postgres import PostgresPostings
from catalog.search_postings import Postings
from catalog.search_sqlite import SqlitePostings
from discovery.search import RULES, SearchIndex

Open = Callable[[], Postings]


@pytest.fixture(params=["sqlite", "postgres"])
def reopened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Open the index of this test, again and again; all are closed at the end."""
    opened: list[Postings] = []
    schema = f"of_one_test_{uuid.uuid4().hex}"

    def opening() -> Postings:
        if request.param == "sqlite":
            made: Postings = SqlitePostings(tmp_path / "search.sqlite3", RULES)
        else:
            made = PostgresPostings(request.getfixturevalue("postgres"), RULES, schema=schema)
        opened.append(made)
        return made

    yield opening
    for postings in opened:
        postings.close()


@pytest.fixture
def postings(reopened: Open) -> Postings:
    """An empty index."""
    return reopened()


@pytest.fixture
def index(postings: Postings) -> SearchIndex:
    """The same, to search in."""
    return SearchIndex(postings)
