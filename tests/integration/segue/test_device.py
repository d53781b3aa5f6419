"""`segue device` as an operator uses it."""

from pathlib import Path

import pytest

from tests.support.command import Ran, segue

KEYS = ("--store", "file:store", "--key-store", "file:keys")


def _segue(folder: Path, *arguments: str) -> Ran:
    return segue(*arguments, "--listeners", "listeners.sqlite3", cwd=folder)


@pytest.fixture
def listener_id(tmp_path: Path) -> str:
    """A listener in the database of the test's folder."""
    (made,) = _segue(tmp_path, "listener", "add").lines
    return str(made["listener_id"])


def test_devices_come_and_go(tmp_path: Path, listener_id: str) -> None:
    """The password is told once; the key store is made if it is not there."""
    added = _segue(tmp_path, "device", "add", listener_id, "--name", "phone", *KEYS)
    assert added.status == 0, added.lines
    (made,) = added.lines
    assert (made["event"], made["device"], len(made["password"])) == ("device", "phone", 24)
    line, summary = _segue(tmp_path, "device", "list", listener_id).lines
    assert (line["device"], summary) == ("phone", {"event": "summary", "devices": 1})
    assert made["password"] not in str(line)
    assert _segue(tmp_path, "device", "remove", listener_id, "--name", "phone").status == 0
    assert _segue(tmp_path, "device", "list", listener_id).lines == [{"event": "summary", "devices": 0}]
    assert b"phone" not in (tmp_path / "listeners.sqlite3").read_bytes()


@pytest.mark.parametrize(
    "arguments",
    [("add",), ("add", "--name", "phone"), ("remove",), ("remove", "--name", "car"), ("list", "--name", "x")],
)
def test_what_cannot_be_is_a_usage_error(tmp_path: Path, listener_id: str, arguments: tuple[str, ...]) -> None:
    """No name, no key store, no such device."""
    action, *rest = arguments
    ran = _segue(tmp_path, "device", action, listener_id, *rest)
    assert ran.status == 2
    assert ran.lines[-1]["code"] == "usage" and ran.lines[-1]["hint"]


def test_nobody_has_no_devices(tmp_path: Path) -> None:
    """A listener that is not there gets none."""
    ran = _segue(tmp_path, "device", "add", "a" * 20, "--name", "phone", *KEYS)
    assert (ran.status, ran.lines[-1]["message"]) == (2, "no such listener: " + "a" * 20)
