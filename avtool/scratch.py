"""A private folder for what programs write; it is gone afterwards, whatever happened."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from model.errors import StorageError

SCRATCH_HINT = "free space there, or name another folder with --scratch"


@asynccontextmanager
async def scratch_folder(parent: str | None) -> AsyncIterator[Path]:
    """A new folder under `parent`, or under the system's. One that cannot be made or written to is a StorageError."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="segue-", dir=parent, ignore_cleanup_errors=True)
        try:
            yield Path(folder.name)
        finally:
            await asyncio.to_thread(folder.cleanup)
    except OSError as error:
        where, reason = parent or tempfile.gettempdir(), (error.strerror or "unknown error").lower()
        raise StorageError(f"cannot write temporary files ({reason})", subject=where, hint=SCRATCH_HINT) from error
