"""What the system says about files, as errors of the store."""

import errno

from model.errors import ObjectNotFound, StorageDenied, StorageError, StorageUnavailable

_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_IN_THE_WAY = {errno.ENOTDIR, errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_PASSING = {errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ETIMEDOUT, errno.ESTALE, errno.ENOMEM}

# A disk that fails, or a mount whose other end does not answer.
_AWAY = {errno.EIO, errno.EREMOTEIO, errno.ENXIO, errno.ENODEV, errno.ENOTCONN, errno.EHOSTDOWN, errno.EHOSTUNREACH}


def absent(key: str) -> ObjectNotFound:
    """There is no such object."""
    return ObjectNotFound("no such object", subject=key, hint="list what the store holds under the folder of this key")


def vanished(subject: str) -> StorageUnavailable:
    """The folder of a store that holds something is not there."""
    hint = "mount its disk, or publish something; for an empty store make the folder .segue in it"
    return StorageUnavailable("the store's folder is missing or bare", subject=subject, hint=hint)


def read_error(error: OSError, key: str) -> StorageError:
    """An object could not be read."""
    return absent(key) if error.errno in _ABSENT else _other("cannot read object", error, key)


def write_error(error: OSError, key: str) -> StorageError:
    """An object could not be written or deleted."""
    if error.errno in _IN_THE_WAY:
        hint = "in a folder a key cannot also be the folder of other keys; delete one of them"
        return StorageError("another object is in the way", subject=key, hint=hint)
    return _other("cannot write object", error, key)


def local_error(message: str, error: OSError, path: str) -> StorageError:
    """A file outside the store, to copy from or to, could not be used."""
    if error.errno in _FULL or error.errno in _PASSING:
        return _other(message, error, path)
    return StorageError(f"{message} ({error.strerror})", subject=path, hint="check the path and who may use it")


def _other(message: str, error: OSError, subject: str) -> StorageError:
    text = f"{message} ({error.strerror})"
    if error.errno in _DENIED:
        hint = "give the user that runs this the right to the store's folder"
        return StorageDenied(text, subject=subject, hint=hint)
    if error.errno in _FULL:
        return StorageError(text, subject=subject, hint="make room on the disk, then run the command again")
    if error.errno in _PASSING:
        return StorageUnavailable(text, subject=subject, hint="the system is short of something; try again")
    if error.errno in _AWAY:
        return StorageUnavailable(text, subject=subject, hint="check the disk or the mount that holds the store")
    return StorageError(text, subject=subject, hint="check the disk that holds the store")
