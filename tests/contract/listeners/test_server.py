"""Listeners' data in a server: made by whoever comes first, found again when the server is, and nothing done twice."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import partial

import pytest

from catalog.favourites import Favourites
from catalog.listener_database import Migrations
from catalog.listener_open import open_listeners
from catalog.listener_postgres import CONNECTIONS, PostgresListeners
from catalog.listeners import Listeners
from model.errors import CatalogError, ListenerDataError, ListenersUnavailable, UsageError
from tests.contract.listeners.conftest import add_listener
from tests.support.postgres import OwnDatabase, own_database

NOTES = Migrations(
    name="notes",
    steps=(
        "CREATE TABLE notes (listener_id TEXT NOT NULL REFERENCES listeners ON DELETE CASCADE, note TEXT NOT NULL)",
        "CREATE INDEX notes_by_listener ON notes (listener_id)",
    ),
)


@pytest.fixture
def server(postgres: str) -> Iterator[OwnDatabase]:
    """An empty database of this test's."""
    with own_database(postgres, "of_one_test") as database:
        yield database


def test_whoever_comes_first_makes_the_tables(server: OwnDatabase) -> None:
    """All at once; then they go forward only, and what is of a newer version is refused and left alone."""
    with ExitStack() as opened:
        made = list[PostgresListeners]()

        def first() -> None:
            database = PostgresListeners(server.url)
            made.append(database)
            database.migrate(NOTES)

        threads = [threading.Thread(target=first) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for each in made:
            opened.enter_context(each)
        database = made[0]
        add_listener(database, "one")
        with database.writing() as db:
            db.execute("INSERT INTO notes VALUES ('one', 'kept')")
        longer = Migrations(name="notes", steps=(*NOTES.steps, "ALTER TABLE notes ADD COLUMN stars INTEGER DEFAULT 3"))
        broken = Migrations(name="notes", steps=(*longer.steps, "DROP TABLE notes", "nonsense"))
        database.migrate(longer)
        with pytest.raises(ListenerDataError, match="failed"):
            database.migrate(broken)
        with pytest.raises(ListenerDataError, match="newer"):
            made[1].migrate(NOTES)
        assert made[2].select("SELECT note, stars FROM notes") == [("kept", 3)]


def test_a_server_that_restarts_is_not_noticed(server: OwnDatabase) -> None:
    """Reads and writes go on over other connections."""
    with open_listeners(server.url) as database:
        favourites = Favourites(database)
        add_listener(database, "anna")
        for number in range(2):
            server.cut()
            assert favourites.count("anna") == number
            server.cut()
            assert favourites.add("anna", f"track-{number}", at_ms=1)


def test_a_change_that_is_cut_off_is_not_made_twice(server: OwnDatabase) -> None:
    """Whoever made it is told, and it is not there; what comes next is."""
    with open_listeners(server.url) as database:
        add_listener(database, "anna")
        done = 0
        with pytest.raises(ListenersUnavailable) as caught, database.writing("anna") as db:
            done += 1
            db.execute("UPDATE listeners SET name = 'changed'")
            server.cut()
        assert done == 1 and "made" in caught.value.hint
        assert [each.name for each in Listeners(database).all()] == [""]
        with pytest.raises(ZeroDivisionError), database.writing("anna") as db:
            db.execute("UPDATE listeners SET name = 'changed'")
            raise ZeroDivisionError
        assert [each.name for each in Listeners(database).all()] == [""]


def test_a_server_that_is_away_is_an_error_that_passes(server: OwnDatabase) -> None:
    """Also for who is opened meanwhile: the tables are made when it is back. Nobody waits for it."""
    with open_listeners(server.url) as before:
        add_listener(before, "anna")
        server.away()
        with open_listeners(server.url) as meanwhile:
            favourites = Favourites(meanwhile)
            for asked in (partial(favourites.count, "anna"), partial(favourites.add, "anna", "one", at_ms=1)):
                with pytest.raises(ListenersUnavailable) as caught:
                    asked()
                assert caught.value.retryable and caught.value.hint
            server.back()
            while True:  # one try a second is made
                try:
                    assert favourites.add("anna", "one", at_ms=1)
                    break
                except ListenersUnavailable:
                    time.sleep(0.05)
            assert [each.listener_id for each in Listeners(before).all()] == ["anna"]
            assert Favourites(before).count("anna") == 1


def test_who_ended_at_a_server_that_is_only_read_looks_again(server: OwnDatabase) -> None:
    """After another one took its place: a change fails until the URL leads to that, and not for ever."""
    with open_listeners(server.url) as database:
        add_listener(database, "anna")
        favourites = Favourites(database)
        server.read_only(True)
        server.cut()
        for change in (partial(favourites.add, "anna", "one", at_ms=1), Listeners(database).add):
            with pytest.raises(ListenersUnavailable, match="read-only"):
                change()
        assert favourites.count("anna") == 0
        server.read_only(False)
        assert favourites.add("anna", "one", at_ms=1) and Listeners(database).add()


def test_connections_are_few_and_given_back(server: OwnDatabase) -> None:
    """However many threads ask, and whatever went wrong."""
    with open_listeners(server.url) as database:
        add_listener(database, "anna")

        def ask() -> None:
            for _ in range(5):
                with suppress(ListenersUnavailable):  # a machine may be very busy
                    database.select("SELECT 1")
                with pytest.raises(ListenerDataError), database.writing("anna") as db:
                    db.execute("SELECT nonsense")

        threads = [threading.Thread(target=ask) for _ in range(3 * CONNECTIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type LIKE ?"
        assert 1 <= database.select(others, ("client%",))[0][0] <= CONNECTIONS
    with pytest.raises(CatalogError, match="closed"):
        database.select("SELECT 1")


def test_nobody_waits_for_long_for_a_server_that_hangs(server: OwnDatabase) -> None:
    """Threads are left for what needs no listeners; when it goes on, so does everybody."""
    with open_listeners(server.url) as database:
        over, hanging = threading.Event(), threading.Barrier(CONNECTIONS + 1)

        def hang() -> None:
            with suppress(ListenersUnavailable), database.writing():  # the server ends what is idle for too long
                hanging.wait(60)
                over.wait(60)

        threads = [threading.Thread(target=hang) for _ in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        try:
            hanging.wait(60)
            with pytest.raises(ListenersUnavailable, match="in use"):
                database.select("SELECT 1")
        finally:
            over.set()
            for thread in threads:
                thread.join()
        assert database.select("SELECT 1") == [(1,)]


def test_text_without_a_place_in_the_server_is_no_error(server: OwnDatabase) -> None:
    """A NUL comes back as the sign for what cannot be shown, and finds nothing."""
    with open_listeners(server.url) as database:
        Listeners(database).add("a\0b")
        assert [each.name for each in Listeners(database).all()] == ["a\ufffdb"]
        assert Listeners(database).get("\0") is None


@pytest.mark.parametrize(
    "url",
    ["postgresql://segue:hidden@127.0.0.1/x", "postgresql://h/x?password=hidden", "postgresql://h:hidden@b@c:x/y"],
)
def test_a_password_is_refused_and_not_repeated(url: str) -> None:
    """Nor is what is no URL."""
    with pytest.raises(UsageError) as caught:
        open_listeners(url)
    assert "hidden" not in f"{caught.value} {caught.value.hint} {caught.value.subject}"
