"""Where listeners' data is kept: in memory, in a file, or in a PostgreSQL server."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

from catalog.listener_database import ListenerDatabase
from catalog.listener_sqlite import SqliteListeners
from model.errors import UsageError

SCHEMES = ("postgresql://", "postgres://")


def is_server(address: str) -> bool:
    """Whether an address is a server's, not a file's."""
    return address.startswith(SCHEMES)


def open_listeners(address: str | Path | None = None) -> ListenerDatabase:
    """The listeners' database in a file, or at `postgresql://user@host/database`; None keeps it in memory.

    Raises ListenerDataError; UsageError for a URL that cannot be, or if the driver for PostgreSQL is not installed.
    """
    if isinstance(address, str) and is_server(address):
        opened: ListenerDatabase = _postgres().PostgresListeners(address)
        return opened
    return SqliteListeners(Path(address) if address is not None else None)


def _postgres() -> ModuleType:
    """Loaded only when it is asked for: its driver is an extra that most do not have."""
    try:
        return import_module("catalog.listener_postgres")
    except ModuleNotFoundError as error:
        hint = "pip install 'segue[postgres]'"
        raise UsageError("the driver for PostgreSQL is not installed", hint=hint) from error
