"""Favourites: marked once, shown the latest first, gone with the listener."""

import pytest

from catalog.favourites import Favourite, Favourites
from catalog.listener_database import ListenerDatabase
from tests.contract.listeners.conftest import add_listener


@pytest.fixture
def database(database: ListenerDatabase) -> ListenerDatabase:
    """A database with two listeners."""
    add_listener(database, "anna", "bert")
    return database


def test_a_mark_is_set_once_and_taken_off(database: ListenerDatabase) -> None:
    """Marking again changes nothing; nor does taking off what is not there."""
    favourites = Favourites(database)
    assert favourites.add("anna", "one", at_ms=5) and favourites.add("anna", "one", at_ms=9)
    assert favourites.get("anna", "one") == Favourite("one", 5)
    assert favourites.get("bert", "one") is None
    favourites.remove("anna", "one")
    favourites.remove("anna", "one")
    assert favourites.get("anna", "one") is None and favourites.count("anna") == 0


def test_pages_are_the_latest_first(database: ListenerDatabase) -> None:
    """Of one listener."""
    favourites = Favourites(database)
    for number in range(5):
        favourites.add("anna", f"t{number}", at_ms=number)
    favourites.add("bert", "other", at_ms=9)
    assert [each.track_id for each in favourites.page("anna", offset=1, limit=3)] == ["t3", "t2", "t1"]
    assert favourites.count("anna") == 5
    assert favourites.export("bert") == [{"track_id": "other", "at_ms": 9}]


def test_there_is_an_end_to_it(database: ListenerDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """One too many is refused; what is marked already may be marked again."""
    monkeypatch.setattr("catalog.favourites.FAVOURITES_MAX", 2)
    favourites = Favourites(database)
    assert favourites.add("anna", "one", at_ms=1) and favourites.add("anna", "two", at_ms=1)
    assert not favourites.add("anna", "three", at_ms=1)
    assert favourites.add("anna", "two", at_ms=2)
    assert favourites.add("bert", "three", at_ms=1)


def test_they_go_with_the_listener(database: ListenerDatabase) -> None:
    """Whoever deletes a listener need not know of this table."""
    favourites = Favourites(database)
    favourites.add("anna", "one", at_ms=1)
    with database.writing() as db:
        db.execute("DELETE FROM listeners WHERE listener_id = 'anna'")
    assert favourites.count("anna") == 0
