"""App passwords: one for each device, each withdrawn alone, all gone with the listener."""

import pytest

from catalog.app_passwords import DEVICE_CHARS_MAX, OF_ONE_MAX, AppPasswords
from catalog.listener_database import ListenerDatabase
from model.errors import ListenerDataError, UsageError
from model.track import is_id
from tests.contract.listeners.conftest import add_listener

ANN, BEN = "a" * 20, "b" * 20


@pytest.fixture
def database(database: ListenerDatabase) -> ListenerDatabase:
    """Two listeners."""
    add_listener(database, ANN, BEN)
    return database


def test_each_device_has_its_own(database: ListenerDatabase) -> None:
    """Listed by age, withdrawn one at a time, by their owner only."""
    passwords = AppPasswords(database)
    phone, car = passwords.add(ANN, " my  phone ", "set"), passwords.add(ANN, "car", "set")
    assert phone.device == "my phone"
    assert is_id(phone.password_id) and phone.password_id != car.password_id
    assert sorted(passwords.of(ANN), key=lambda each: each.device) == [car, phone]
    assert passwords.of(BEN) == []
    assert not passwords.remove(BEN, phone.password_id)
    assert passwords.remove(ANN, phone.password_id)
    assert not passwords.remove(ANN, phone.password_id)
    assert passwords.of(ANN) == [car]


def test_they_go_with_the_listener(database: ListenerDatabase) -> None:
    """And nobody gets one who is not there."""
    passwords = AppPasswords(database)
    passwords.add(ANN, "phone", "set")
    with database.writing() as db:
        db.execute("DELETE FROM listeners WHERE listener_id = ?", (ANN,))
    assert passwords.of(ANN) == []
    with pytest.raises(ListenerDataError):
        passwords.add("c" * 20, "phone", "set")


@pytest.mark.parametrize("device", ["", "  ", "x" * (DEVICE_CHARS_MAX + 1), "a\0b", "\u202ephone"])
def test_a_device_has_a_name(database: ListenerDatabase, device: str) -> None:
    """One that can be shown in a list."""
    with pytest.raises(UsageError):
        AppPasswords(database).add(ANN, device, "set")


def test_there_are_not_too_many(database: ListenerDatabase) -> None:
    """Each costs something at every login."""
    passwords = AppPasswords(database)
    for number in range(OF_ONE_MAX):
        passwords.add(ANN, f"device {number}", "set")
    with pytest.raises(UsageError):
        passwords.add(ANN, "one more", "set")
    assert passwords.add(BEN, "phone", "set")
