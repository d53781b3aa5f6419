"""Where listeners' data is kept: in memory, or in a file."""

from pathlib import Path

from catalog.listener_database import ListenerDatabase
from catalog.listener_sqlite import SqliteListeners


def open_listeners(address: str | Path | None = None) -> ListenerDatabase:
    """The listeners' database in a file; None keeps it in memory. Raises ListenerDataError."""
    return SqliteListeners(Path(address) if address is not None else None)
