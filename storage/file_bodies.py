"""What comes into a folder store, and what goes out to files of the machine."""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from storage.file_errors import local_error
from storage.file_io import CHUNK_BYTES, given_file, new_file, write_all
from storage.workers import CancelFlag


@contextlib.contextmanager
def incoming(folder: Path, body: Path | bytes, given: str, flag: CancelFlag) -> Iterator[tuple[int, Path, str]]:
    """A new file with this body, open, and its hash: the body itself if it is `given` with that and can be taken."""
    with contextlib.ExitStack() as stack:
        taken = _taken(stack, folder, body) if given and isinstance(body, Path) else None
        if taken is not None:
            yield *taken, given
        else:
            descriptor, temporary = stack.enter_context(new_file(folder))
            yield descriptor, temporary, _write_body(descriptor, body, flag)


def copy(source: int, target: int, flag: CancelFlag) -> None:
    """Copy all of an open file to another."""
    at = 0
    while chunk := os.pread(source, CHUNK_BYTES, at):
        flag.check()
        write_all(target, chunk)
        at += len(chunk)


@contextlib.contextmanager
def mapped_local(message: str, path: Path) -> Iterator[None]:
    """What goes wrong with a file that is not the store's, in our words."""
    try:
        yield
    except OSError as error:
        raise local_error(message, error, str(path)) from error


def _taken(stack: contextlib.ExitStack, folder: Path, body: Path) -> tuple[int, Path] | None:
    with contextlib.suppress(OSError):  # another disk, or not our file
        return stack.enter_context(given_file(folder, body))
    return None


def _write_body(descriptor: int, body: Path | bytes, flag: CancelFlag) -> str:
    digest = hashlib.sha256()
    if isinstance(body, bytes):
        digest.update(body)
        write_all(descriptor, body)
        return digest.hexdigest()
    with mapped_local("cannot read the file to store", body):
        source = body.open("rb", buffering=0)
    buffer = memoryview(bytearray(CHUNK_BYTES))  # one for all: to read into new memory takes three times as long
    with source:
        while size := source.readinto(buffer):
            flag.check()
            digest.update(buffer[:size])
            write_all(descriptor, buffer[:size])
    return digest.hexdigest()
