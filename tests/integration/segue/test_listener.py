"""`segue listener` as an operator uses it."""

from pathlib import Path

import pytest

from catalog.listener_open import open_listeners
from catalog.listeners import Listeners
from tests.support.command import Ran, segue


def _listener(folder: Path, *arguments: str) -> Ran:
    return segue("listener", *arguments, "--listeners", "listeners.sqlite3", cwd=folder)


def test_listeners_come_and_go_and_get_keys(tmp_path: Path) -> None:
    """A key is shown when it is made, and never listed."""
    added = _listener(tmp_path, "add", "--name", "kitchen")
    assert added.status == 0
    (made,) = added.lines
    assert made["event"] == "key"
    listed = _listener(tmp_path, "list")
    (line, summary) = listed.lines
    assert (line["listener_id"], line["name"]) == (made["listener_id"], "kitchen")
    assert summary == {"event": "summary", "listeners": 1}
    assert made["key"] not in str(listed.lines)
    (renewed,) = _listener(tmp_path, "key", made["listener_id"]).lines
    with open_listeners(tmp_path / "listeners.sqlite3") as database:
        listeners = Listeners(database)
        assert listeners.of_key(made["key"]) is None
        assert listeners.of_key(renewed["key"]) == made["listener_id"]
    assert _listener(tmp_path, "remove", made["listener_id"]).status == 0
    assert _listener(tmp_path, "list").lines == [{"event": "summary", "listeners": 0}]


@pytest.mark.parametrize(
    "arguments",
    [("remove",), ("key",), ("add", "a" * 20), ("list", "a" * 20), ("remove", "a" * 20), ("key", "a" * 20),
     ("list", "--name", "x"), ("copy",), ("list", "--to", "postgresql://h/x"), ("copy", "--to", "file.sqlite3")],
)  # fmt: skip
def test_what_cannot_be_is_a_usage_error(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Nobody named, somebody named for nothing, nobody of that id."""
    ran = _listener(tmp_path, *arguments)
    assert ran.status == 2
    assert ran.lines[-1]["code"] == "usage" and ran.lines[-1]["hint"]


def test_it_asks_whose_listeners(tmp_path: Path) -> None:
    """Without a store or a file there are none."""
    assert segue("listener", "list", cwd=tmp_path).status == 2


def test_a_damaged_file_is_an_error_with_a_hint(tmp_path: Path) -> None:
    """And stays as it is."""
    path = tmp_path / "listeners.sqlite3"
    path.write_bytes(b"no database" * 1000)
    for arguments in (("listener", "list"), ("serve", "--store", "file:store", "--port", "0")):
        ran = segue(*arguments, "--listeners", path, cwd=tmp_path)
        assert ran.status == 1
        assert (ran.lines[-1]["code"], "backup" in ran.lines[-1]["hint"]) == ("listener-data-error", True)
    assert path.read_bytes() == b"no database" * 1000
