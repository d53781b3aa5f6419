"""Steps that do nothing, for engines to be tried with; a worker can import them."""

import asyncio

from ingest.work import Ingest
from model.errors import StorageUnavailable


async def nothing(_: Ingest, number: int) -> int:
    """Give the number back."""
    return number


async def failing(_: Ingest, name: str) -> None:
    """Raise an error of ours with all its parts."""
    raise StorageUnavailable("made to fail", subject=name, hint="this is a test")


async def endless(_: Ingest) -> None:
    """Never end by itself."""
    await asyncio.sleep(3600)
