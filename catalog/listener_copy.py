"""Listeners' data from one database into another one that is empty: how an operator outgrows a file."""

from collections.abc import Iterator, Mapping
from itertools import islice

from catalog.app_passwords import APP_PASSWORDS
from catalog.favourites import FAVOURITES
from catalog.listener_database import LISTENERS, MIGRATIONS_TABLE, Column, ListenerDatabase, Writer, by_table
from catalog.play_queues import PLAY_QUEUES
from catalog.playlists import PLAYLISTS
from catalog.plays import PLAYS
from catalog.ratings import RATINGS
from catalog.statements import marks
from model.errors import UsageError

PARTS = (LISTENERS, APP_PASSWORDS, FAVOURITES, PLAY_QUEUES, PLAYLISTS, PLAYS, RATINGS)  # all that bring tables
_AT_ONCE = 1_000  # rows


def copy_listeners(source: ListenerDatabase, target: ListenerDatabase) -> dict[str, int]:
    """Copy every table, in one transaction; how many rows each has. Nobody writes to a file that is copied meanwhile.

    Raises UsageError for a target that has listeners; ListenerDataError.
    """
    for part in PARTS:
        source.migrate(part)
        target.migrate(part)
    tables = dict(_parents_first(by_table(source.columns())))
    with source.writing() as reading, target.writing() as writing:
        if writing.execute("SELECT count(*) FROM listeners").fetchone()[0]:
            raise UsageError("there are listeners already", hint="name a database that has none")
        return {table: _copy(table, columns, reading, writing) for table, columns in tables.items()}


def _copy(table: str, columns: list[Column], reading: Writer, writing: Writer) -> int:
    names = ", ".join(f'"{column.name}"' for column in columns)
    rows = iter(reading.execute(f'SELECT {names} FROM "{table}"'))
    count = 0
    while some := list(islice(rows, _AT_ONCE)):
        writing.executemany(f'INSERT INTO "{table}" ({names}) VALUES ({marks(columns)})', some)
        count += len(some)
    return count


def _parents_first(tables: Mapping[str, list[Column]]) -> Iterator[tuple[str, list[Column]]]:
    """Each table after all that it refers to."""
    done, left = set[str](), {name: columns for name, columns in tables.items() if name != MIGRATIONS_TABLE}
    while left:
        ready = [name for name, columns in left.items() if {each.parent for each in columns} <= {None, name, *done}]
        assert ready, "tables that refer to each other in a circle"
        for name in ready:
            yield name, left.pop(name)
        done.update(ready)
