"""Pieces of SQL statements. Pure."""

from collections.abc import Collection


def marks(values: Collection[object]) -> str:
    """What stands for these values, as in `IN (…)` or `VALUES (…)`; they may be none."""
    return ", ".join("?" * len(values)) or "NULL"
