"""Where the search index is kept: in memory, in a file, or in a PostgreSQL server."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

from catalog.search_postings import Postings
from catalog.search_sqlite import SqlitePostings
from discovery.search import RULES
from model.errors import UsageError

_ADDRESSES = "file:PATH, or postgresql://user@host/database"
SCHEMES = ("postgresql://", "postgres://")


def check_address(address: str) -> None:
    """Whether an address can be one, without connecting to anything. Raises UsageError."""
    if address.startswith(SCHEMES):
        _postgres("catalog.postgres").checked_url(address)
    elif address and not (address.startswith("file:") and address != "file:"):
        raise UsageError("not an address of a search index", subject=address, hint=_ADDRESSES)


def open_postings(address: str, file: Path | None = None) -> Postings:
    """The postings at `postgresql://user@host/database`, in the file of `file:PATH`, or if the address is empty in
    `file` (None: in memory).

    Raises UsageError for an address of another kind, or if the driver for PostgreSQL is not installed; CatalogError.
    """
    check_address(address)
    if address.startswith(SCHEMES):
        opened: Postings = _postgres("catalog.search_postgres").PostgresPostings(address, RULES)
        return opened
    return SqlitePostings(Path(address.removeprefix("file:")) if address else file, RULES)


def _postgres(module: str) -> ModuleType:
    """Loaded only when it is asked for: its driver is an extra that most do not have."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        hint = "pip install 'segue[postgres]'"
        raise UsageError("the driver for PostgreSQL is not installed", hint=hint) from error
