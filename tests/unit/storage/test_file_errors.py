"""What the system says of files, as errors of the store."""

import errno
import os

import pytest

from model.errors import ObjectNotFound, StorageDenied, StorageError, StorageUnavailable
from storage.file_errors import read_error


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOENT, ObjectNotFound),
        (errno.EACCES, StorageDenied),
        (errno.EMFILE, StorageUnavailable),
        (errno.EIO, StorageUnavailable),  # a disk that fails
        (errno.ESTALE, StorageUnavailable),  # NFS, its server made anew
        (errno.ENOTCONN, StorageUnavailable),  # FUSE, its program gone
        (errno.EHOSTDOWN, StorageUnavailable),  # CIFS, its server gone
        (errno.ELOOP, StorageError),
    ],
)
def test_what_may_be_there_is_not_missing(number: int, kind: type[StorageError]) -> None:
    """What is out of reach is unavailable, so an origin answers what it holds, and a batch may come again."""
    error = read_error(OSError(number, os.strerror(number)), "tracks/a/current.json")
    assert type(error) is kind
    assert error.subject == "tracks/a/current.json" and error.hint
