"""A file that was outgrown goes into a server, whole or not at all."""

import re
from dataclasses import replace
from pathlib import Path

from catalog.app_passwords import AppPasswords
from catalog.favourites import Favourites
from catalog.listener_copy import PARTS
from catalog.listener_data import export_listener
from catalog.listener_database import MIGRATIONS_TABLE, Column, ListenerDatabase, by_table
from catalog.listener_open import open_listeners
from catalog.listeners import Listeners
from catalog.play_queues import PlayQueue, PlayQueues
from catalog.playlists import EntryRow, Playlists
from catalog.plays import Plays
from catalog.ratings import Ratings
from tests.contract.listeners.test_plays import NOW, ROW
from tests.support.command import CHECKOUT, segue
from tests.support.postgres import own_database


def _filled(database: ListenerDatabase) -> dict[str, str]:
    """Two listeners with rows in every table; their ids by their keys."""
    (anna, her_key), (bert, his_key) = [Listeners(database).add(name) for name in ("Anna", "")]
    kept, plays = Playlists(database), Plays(database)
    for each in (anna.listener_id, bert.listener_id):
        entry = EntryRow(track_id="t", title="ä\U0001f3b5 'x'", track_number=None, duration_s=0.1, uris=("urn:x",))
        made = kept.create(each, name="Mine", entries=[entry, replace(entry, track_number=3)])
        kept.invite(made.playlist_id, each, anna.listener_id)
        plays.consent(each, at_ms=NOW)
        plays.add([replace(ROW, listener_id=each, listened=True)])
        Favourites(database).add(each, "t", at_ms=NOW)
        Ratings(database).rate(each, "t", 5, at_ms=NOW)
        AppPasswords(database).add(each, "phone", "set")
        queue = PlayQueue(track_ids=["t"], current="t", position_ms=1, changed_ms=NOW, changed_by="me")
        PlayQueues(database).save(each, queue)
        Listeners(database).used(each)
    return {her_key: anna.listener_id, his_key: bert.listener_id}


def test_a_file_goes_into_a_server_with_all_that_it_has(postgres: str, tmp_path: Path) -> None:
    """Keys go on to prove who they proved; a server that has listeners is refused, and stays as it is."""
    path = tmp_path / "listeners.sqlite3"
    with own_database(postgres, "of_one_copy") as server:
        with open_listeners(path) as source:
            listeners = _filled(source)
            before = {each: export_listener(source, each) for each in listeners.values()}
        assert all(next(iter(before.values())).values())  # no table is empty
        copied = segue("listener", "copy", "--listeners", path, "--to", server.url, cwd=tmp_path)
        again = segue("listener", "copy", "--listeners", path, "--to", server.url, cwd=tmp_path)
        assert (copied.status, again.status, again.lines[-1]["code"]) == (0, 2, "usage")
        with open_listeners(server.url) as target, open_listeners(path) as source:
            assert {each: export_listener(target, each) for each in listeners.values()} == before
            assert {key: Listeners(target).of_key(key) for key in listeners} == listeners
            assert [*map(_known, target.columns())] == [*map(_known, source.columns())]
            tables = by_table(source.columns()).keys() - {MIGRATIONS_TABLE}
            counts = {table: source.select(f"SELECT count(*) FROM {table}")[0][0] for table in tables}
    assert {line["table"]: line["rows"] for line in copied.lines if line["event"] == "copied"} == counts
    assert copied.lines[-1]["listeners"] == 2


def _known(column: Column) -> tuple[object, ...]:
    return column.table, column.name, column.is_bytes, column.key_place, column.parent


def test_every_part_that_brings_tables_is_copied() -> None:
    """Those of tomorrow, too."""
    made = re.compile(r"^\w+ = Migrations\(\s*name=\"([^\"]+)\"", re.MULTILINE)
    sources = [path.read_text(encoding="utf-8") for path in (CHECKOUT / "catalog").glob("*.py")]
    assert {name for source in sources for name in made.findall(source)} == {part.name for part in PARTS}
