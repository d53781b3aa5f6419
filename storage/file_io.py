"""Files and folders: written under a name of their own first, on disk when we say so, gone when not wanted."""

import contextlib
import fcntl
import hashlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

CHUNK_BYTES = 1 << 20
TEMPORARY_PREFIX = ".tmp-"


def sha256_of(descriptor: int) -> str:
    """The SHA-256 (hex) of a whole file."""
    digest = hashlib.sha256()
    at = 0
    while chunk := os.pread(descriptor, CHUNK_BYTES, at):
        digest.update(chunk)
        at += len(chunk)
    return digest.hexdigest()


def read_at(descriptor: int, start: int, end: int) -> bytes:
    """The bytes from `start` up to `end`; less if the file was cut meanwhile."""
    data = os.pread(descriptor, end - start, start)
    while len(data) < end - start:
        more = os.pread(descriptor, end - start - len(data), start + len(data))
        if not more:
            break
        data += more
    return data


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write all of it; the system may take it in pieces."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


@contextlib.contextmanager
def new_file(folder: Path) -> Iterator[tuple[int, Path]]:
    """A new file under a name that nobody else has, open for writing; gone at the end unless it was renamed.

    The folder is made if need be, also when it is pruned at the same moment. A lock says that its writer is alive.
    """
    path = folder / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}"
    descriptor = _create_locked(path)
    try:
        yield descriptor, path
    finally:
        os.close(descriptor)
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def given_file(folder: Path, body: Path) -> Iterator[tuple[int, Path]]:
    """The same of a file that is there already: one more name of it, as if it was written just now.

    Raises OSError where it cannot have one, as on another disk.
    """
    path = folder / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}"
    descriptor = os.open(body, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        make_folder(folder)
        path.hardlink_to(body)
        os.utime(descriptor)
        yield descriptor, path
    finally:
        os.close(descriptor)
        path.unlink(missing_ok=True)


def _create_locked(path: Path) -> int:
    while True:
        descriptor = _create(path)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)  # swept between its making and its lock


def _create(path: Path) -> int:
    for _ in range(100):  # a folder is pruned under our feet at most once for every delete beside us
        make_folder(path.parent)
        with contextlib.suppress(FileNotFoundError):
            return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it; each new one is on disk in the one above when this returns."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with contextlib.suppress(FileExistsError, FileNotFoundError):
        folder.mkdir()
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def prune(folder: Path, top: Path) -> None:
    """Remove empty folders from `folder` up to, not including, `top`. What is being written to stays."""
    while folder != top and folder.is_relative_to(top):
        try:
            folder.rmdir()
        except OSError:  # not empty, or gone already
            return
        folder = folder.parent


def sweep(folder: Path) -> None:
    """Remove what crashes left in a folder: temporary files whose writers are gone, and with them their locks."""
    for entry in folder.glob(f"{TEMPORARY_PREFIX}*"):
        sweep_file(entry)


def sweep_file(path: Path) -> None:
    """Remove a temporary file if its writer is gone."""
    with contextlib.suppress(OSError), _without_writer(path):
        path.unlink()


def is_abandoned(path: Path) -> bool:
    """Whether a temporary file has no writer any more."""
    try:
        with _without_writer(path):
            return True
    except OSError:
        return False


@contextlib.contextmanager
def _without_writer(path: Path) -> Iterator[None]:
    """Hold the lock of a temporary file. Raises OSError if its writer does."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
