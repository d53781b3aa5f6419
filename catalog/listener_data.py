"""All that the database has of one listener, whichever part of the product keeps it: to hand it over, and to delete it.

Which rows are a listener's is told by the tables themselves: a column `listener_id`, or a reference to rows that have
one. So a part that brings tables need not say so anywhere else.
"""

from catalog.listener_database import ListenerDatabase

_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
_OWNER = "listener_id"
PLAYLISTS = "playlists"


def export_listener(database: ListenerDatabase, listener_id: str) -> dict[str, list[dict[str, object]]]:
    """Every row of a listener, by table and column; without what only proves who somebody is. Raises CatalogError."""
    kept: dict[str, list[dict[str, object]]] = {}
    for (table,) in database.select(_TABLES):
        where = _rows_of(database, table)
        if where is None:
            continue
        columns = [(row[1], row[2]) for row in database.select(f'PRAGMA table_info("{table}")')]
        shown = [name for name, kind in columns if kind.upper() != "BLOB"]  # hashes of keys
        names = ", ".join(f'"{name}"' for name in shown)
        rows = database.select(f'SELECT {names} FROM "{table}" WHERE {where}', (listener_id,))
        kept[table] = [dict(zip(shown, row, strict=True)) for row in rows]
    return kept


def forget_listener(database: ListenerDatabase, listener_id: str) -> bool:
    """Delete a listener with every row of its own, and overwrite them in the file; False if there is none."""
    with database.writing() as db:
        found = db.execute("DELETE FROM listeners WHERE listener_id = ?", (listener_id,)).rowcount > 0
    overwrite(database)
    return found


def prune_listeners(database: ListenerDatabase, *, before_s: int) -> int:
    """Delete, with all that is theirs, listeners without a name and without playlists whom nobody used since; how many.
    They are overwritten in the file."""
    where = ["name = ''", "max(created_s, ifnull(used_s, 0)) < ?"]
    if (PLAYLISTS,) in database.select(_TABLES):
        where.append(f"listener_id NOT IN (SELECT listener_id FROM {PLAYLISTS})")
    unused = f"SELECT listener_id FROM listeners LEFT JOIN last_used USING (listener_id) WHERE {' AND '.join(where)}"
    with database.writing() as db:
        gone = db.execute(f"DELETE FROM listeners WHERE listener_id IN ({unused})", (before_s,)).rowcount
    if gone:
        overwrite(database)
    return gone


def overwrite(database: ListenerDatabase) -> None:
    """Bring what was deleted from the log into the file, so that nothing of it is left in either. If others are reading
    this is left to them, and to whoever closes the file last."""
    database.select("PRAGMA wal_checkpoint(TRUNCATE)")


def _rows_of(database: ListenerDatabase, table: str) -> str | None:
    """What is true for the rows of one listener, whose id is the only value of it; None if there are none such."""
    if _OWNER in [row[1] for row in database.select(f'PRAGMA table_info("{table}")')]:
        return f"{_OWNER} = ?"
    for _, _, parent, own, theirs, *_ in database.select(f'PRAGMA foreign_key_list("{table}")'):
        where = _rows_of(database, parent) if parent != table else None
        if where is not None:
            key = theirs or next(row[1] for row in database.select(f'PRAGMA table_info("{parent}")') if row[5] == 1)
            return f'"{own}" IN (SELECT "{key}" FROM "{parent}" WHERE {where})'
    return None
