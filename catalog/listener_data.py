"""All that the database has of one listener, whichever part of the product keeps it: to hand it over, and to delete it.

Which rows are a listener's is told by the tables themselves: a column `listener_id`, or a reference to rows that have
one. So a part that brings tables need not say so anywhere else.
"""

from collections.abc import Mapping, Sequence

from catalog.listener_database import Column, ListenerDatabase, by_table
from catalog.statements import marks

_OWNER = "listener_id"
_AT_ONCE = 500  # listeners that are held from others while they are dropped
PLAYLISTS = "playlists"


def export_listener(database: ListenerDatabase, listener_id: str) -> dict[str, list[dict[str, object]]]:
    """Every row of a listener, by table and column; without what only proves who somebody is. Raises CatalogError."""
    kept: dict[str, list[dict[str, object]]] = {}
    tables = by_table(database.columns())
    for table, columns in tables.items():
        where = _rows_of(tables, table)
        if where is None:
            continue
        shown = [column.name for column in columns if not column.is_bytes]  # hashes of keys
        names = ", ".join(f'"{name}"' for name in shown)
        order = ", ".join(f'"{name}"' for name in key_of(columns) or shown)
        rows = database.select(f'SELECT {names} FROM "{table}" WHERE {where} ORDER BY {order}', (listener_id,))
        kept[table] = [dict(zip(shown, row, strict=True)) for row in rows]
    return kept


def forget_listener(database: ListenerDatabase, listener_id: str) -> bool:
    """Delete a listener with every row of its own, and overwrite them in the file; False if there is none."""
    with database.writing(listener_id) as db:
        found = db.execute("DELETE FROM listeners WHERE listener_id = ?", (listener_id,)).rowcount > 0
    database.overwrite()
    return found


def prune_listeners(database: ListenerDatabase, *, before_s: int) -> int:
    """Delete, with all that is theirs, listeners without a name and without playlists whom nobody used since; how many.
    They are overwritten in the file."""
    where = "name = '' AND created_s < ? AND coalesce(used_s, 0) < ?"
    if PLAYLISTS in by_table(database.columns()):
        where += f" AND listener_id NOT IN (SELECT listener_id FROM {PLAYLISTS})"
    unused = f"SELECT listener_id FROM listeners LEFT JOIN last_used USING (listener_id) WHERE {where}"
    found = [listener_id for (listener_id,) in database.select(unused, (before_s, before_s))]
    gone = 0
    for at in range(0, len(found), _AT_ONCE):
        some = found[at : at + _AT_ONCE]
        still = f"{unused} AND listener_id IN ({marks(some)})"  # they may have come back meanwhile
        with database.writing(*some) as db:
            values = (before_s, before_s, *some)
            gone += db.execute(f"DELETE FROM listeners WHERE listener_id IN ({still})", values).rowcount
    if gone:
        database.overwrite()
    return gone


def key_of(columns: Sequence[Column]) -> list[str]:
    """The primary key of a table with these columns; empty if it has none."""
    return [each.name for each in sorted(columns, key=lambda each: each.key_place) if each.key_place]


def _rows_of(tables: Mapping[str, Sequence[Column]], table: str) -> str | None:
    """What is true for the rows of one listener, whose id is the only value of it; None if there are none such."""
    columns = tables[table]
    if _OWNER in [each.name for each in columns]:
        return f"{_OWNER} = ?"
    for column in columns:
        parent = column.parent
        where = _rows_of(tables, parent) if parent and parent != table else None
        if parent and where is not None:
            theirs = column.parent_column or key_of(tables[parent])[0]
            return f'"{column.name}" IN (SELECT "{theirs}" FROM "{parent}" WHERE {where})'
    return None
