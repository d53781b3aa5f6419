"""What a filesystem store knows of its files beyond their bytes: hash, media type, cache control.

Every file has a record, `.segue/meta/<key>@.json` (`@` is in no key, so no record is the folder of another). It holds
what is known of at most two versions of the file, each under its identity (inode, size, modification time): a `put`
adds the new version before it renames the new file in, and keeps the one it replaces. So a reader finds the version of
the very file it has opened, whichever side of the rename it sees, and so does whoever comes after a crash in between.
A file whose identity is in no record was brought in by other means.
"""

import contextlib
import fcntl
import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from storage.file_io import new_file, prune, sweep, write_all

LOCKS = 64  # writers of different keys seldom meet; a power of two
OWN_FOLDER = ".segue"  # hidden names are no keys


@dataclass(frozen=True, slots=True, kw_only=True)
class FileIdentity:
    """What tells one version of a file from another without reading it."""

    inode: int
    size_bytes: int
    mtime_ns: int

    @classmethod
    def of(cls, stat: os.stat_result) -> "FileIdentity":
        """The identity that a stat shows."""
        return cls(inode=stat.st_ino, size_bytes=stat.st_size, mtime_ns=stat.st_mtime_ns)

    @property
    def text(self) -> str:
        """The same as one text."""
        return f"{self.inode:x}-{self.size_bytes:x}-{self.mtime_ns:x}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileVersion:
    """What is known of one version of a file."""

    identity: FileIdentity
    sha256: str
    media_type: str
    cache_control: str


class FileRecords:
    """The records of the store at `root`. Every call blocks; OSError goes through."""

    def __init__(self, root: Path) -> None:
        self._meta = root / OWN_FOLDER / "meta"
        self._locks = root / OWN_FOLDER / "locks"

    def find(self, key: str, identity: FileIdentity) -> FileVersion | None:
        """The version of this identity, if it is known."""
        return next((version for version in self._load(key) if version.identity == identity), None)

    def add(self, key: str, version: FileVersion, *, replaces: FileIdentity | None) -> None:
        """Make `version` known, beside the one that it is about to replace. Hold the lock of the key."""
        kept = [known for known in self._load(key) if known.identity == replaces]
        path = self._path(key)
        data = json.dumps([asdict(each) for each in (version, *kept)]).encode()
        # Not synced to disk: a record lost in a power cut is made again from the bytes.
        with new_file(path.parent) as (descriptor, temporary):
            write_all(descriptor, data)
            temporary.replace(path)
        sweep(path.parent)

    def forget(self, key: str) -> None:
        """Drop all that is known of a key. Hold its lock."""
        self._path(key).unlink(missing_ok=True)
        prune(self._path(key).parent, self._meta)

    @contextlib.contextmanager
    def locked(self, key: str) -> Iterator[None]:
        """Keep other writers of this key out, in this process and all others."""
        self._locks.mkdir(parents=True, exist_ok=True)
        stripe = self._locks / f"{zlib.crc32(key.encode()) % LOCKS:02x}"
        descriptor = os.open(stripe, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _path(self, key: str) -> Path:
        return self._meta / f"{key}@.json"

    def _load(self, key: str) -> list[FileVersion]:
        try:
            found = json.loads(self._path(key).read_bytes())
            return [FileVersion(**{**each, "identity": FileIdentity(**each["identity"])}) for each in found]
        except (OSError, ValueError, TypeError, KeyError):
            return []  # no record, or not one of ours: the bytes will tell
