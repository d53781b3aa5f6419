"""A private folder for what programs write; it is gone afterwards, whatever happened.

Only a killed process leaves its folder behind. A lock in it tells: it ends with its holder, and whoever needs scratch
next removes the folders that nobody holds.
"""

import asyncio
import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from model.errors import StorageError

SCRATCH_HINT = "free space there, or name another folder with --scratch"
_PREFIX = "segue-scratch-"
_LOCK = ".segue-lock"


@asynccontextmanager
async def scratch_folder(parent: str | None) -> AsyncIterator[Path]:
    """A new folder under `parent`, or under the system's. One that cannot be made or written to is a StorageError."""
    where = parent or tempfile.gettempdir()
    try:
        folder, lock = await asyncio.to_thread(_made, Path(where))
        try:
            yield folder
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            os.close(lock)
    except OSError as error:
        reason = (error.strerror or "unknown error").lower()
        raise StorageError(f"cannot write temporary files ({reason})", subject=where, hint=SCRATCH_HINT) from error


def _made(parent: Path) -> tuple[Path, int]:
    """A new folder, and the descriptor of its lock."""
    _sweep(parent)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        with suppress(FileNotFoundError):  # taken for an abandoned one before it was locked
            descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:
                return folder, descriptor
            os.close(descriptor)


def _sweep(parent: Path) -> None:
    """Remove the folders of processes that were killed. Only such as have our lock in them, which nobody holds."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(descriptor)
