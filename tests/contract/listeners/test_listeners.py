"""Accounts of listeners and their keys."""

from pathlib import Path

import pytest

from catalog.listener_database import ListenerDatabase
from catalog.listener_open import open_listeners
from catalog.listeners import Listeners
from model.track import TRACK_ID_LENGTH, is_id


@pytest.fixture
def listeners(database: ListenerDatabase) -> Listeners:
    """No listeners yet."""
    return Listeners(database)


def test_a_key_proves_its_listener_and_no_other(listeners: Listeners) -> None:
    """Ids have the form of all our ids; names are the operator's."""
    one, key_of_one = listeners.add("kitchen")
    two, key_of_two = listeners.add()
    assert is_id(one.listener_id) and len(one.listener_id) == TRACK_ID_LENGTH
    assert listeners.of_key(key_of_one) == one.listener_id
    assert listeners.of_key(key_of_two) == two.listener_id != one.listener_id
    assert listeners.get(one.listener_id) == one
    assert {each.listener_id: each.name for each in listeners.all()} == {
        one.listener_id: "kitchen",
        two.listener_id: "",
    }


@pytest.mark.parametrize("nonsense", ["", "sk_", "sk_" + "a" * 43, "sk_\udc80", "sk_é", "sk_" + "a" * 10_000])
def test_what_is_no_key_proves_nobody(listeners: Listeners, nonsense: str) -> None:
    """Whatever a header can hold."""
    listeners.add()
    assert listeners.of_key(nonsense) is None


def test_a_key_with_anything_changed_is_none(listeners: Listeners) -> None:
    """A prefix is not enough, nor another case."""
    _, key = listeners.add()
    for changed in (key[:-1], key + "a", key.swapcase(), key.removeprefix("sk_"), f" {key}"):
        assert listeners.of_key(changed) is None


def test_a_new_key_ends_the_old_one(listeners: Listeners) -> None:
    """At once."""
    made, old = listeners.add()
    new = listeners.new_key(made.listener_id)
    assert new is not None
    assert listeners.of_key(old) is None
    assert listeners.of_key(new) == made.listener_id
    assert listeners.new_key("a" * 20) is None


def test_a_listener_who_is_removed_is_gone(listeners: Listeners) -> None:
    """With its key; the second time there is nothing to remove."""
    made, key = listeners.add()
    other, _ = listeners.add()
    assert listeners.remove(made.listener_id)
    assert not listeners.remove(made.listener_id)
    assert listeners.of_key(key) is None and listeners.get(made.listener_id) is None
    assert [each.listener_id for each in listeners.all()] == [other.listener_id]


def test_no_key_is_in_the_file(tmp_path: Path) -> None:
    """What is kept of it is a hash."""
    with open_listeners(tmp_path / "listeners.sqlite3") as database:
        _, key = Listeners(database).add()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert kept and key.encode() not in kept and key.removeprefix("sk_").encode() not in kept
