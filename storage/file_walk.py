"""The objects in a folder tree, sorted by key."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from storage.base import ObjectEntry
from storage.file_io import TEMPORARY_PREFIX, is_abandoned
from storage.file_records import FileIdentity
from storage.keys import is_key
from storage.leftovers import Leftover

NAMES_MAX = 50_000


def walk_files(root: Path, prefix: str, after: str = "", *, names_max: int = NAMES_MAX) -> Iterator[ObjectEntry]:
    """Every object whose key starts with `prefix` and is greater than `after`, in code-point order of the keys.

    Holds at most twice `names_max` names per level, never the whole tree. What is not a key (hidden and temporary
    names, our own records) and symbolic links are left out; so is what vanishes meanwhile.
    """
    folder = prefix[: prefix.rfind("/") + 1]
    if folder and os.path.realpath(root / folder) != str(root / folder):
        return
    yield from _walk(root, folder, prefix, after, names_max)


def _walk(root: Path, folder: str, prefix: str, after: str, names_max: int) -> Iterator[ObjectEntry]:
    for name in _sorted_names(f"{root}/{folder}", names_max):
        key = folder + name
        if not key.startswith(prefix):
            continue
        if name.endswith("/"):
            if key > after or after.startswith(key):
                yield from _walk(root, key, prefix, after, names_max)
        elif key > after and (entry := _entry(root, key)):
            yield entry


def _sorted_names(folder: str, most: int) -> Iterator[str]:
    """A folder sorts as "name/": the files "a-b" and "a.b" come before all of "a/", and "a0" after.

    One of a million is listed twenty times, so that never more than twice `most` names are in memory.
    """
    last = ""
    while True:
        names: list[str] = []
        for name in _names(folder):
            if name > last:
                names.append(name)
            if len(names) > 2 * most:
                names.sort()
                del names[most:]
        names.sort()
        del names[most:]
        yield from names
        if len(names) < most:
            return
        last = names[-1]


def _names(folder: str) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if is_key(entry.name) and not entry.is_symlink():
                    yield entry.name + ("/" if entry.is_dir(follow_symlinks=False) else "")
    except (FileNotFoundError, NotADirectoryError):
        return


def _entry(root: Path, key: str) -> ObjectEntry | None:
    try:
        found = os.stat(f"{root}/{key}", follow_symlinks=False)  # noqa: PTH116 - a Path takes as long to make
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not (stat.S_ISREG(found.st_mode) and is_key(key)):
        return None
    identity = FileIdentity.of(found)
    modified_s = identity.mtime_ns // 1_000_000_000
    return ObjectEntry(key=key, size_bytes=identity.size_bytes, version=identity.text, modified_s=modified_s)


def is_bare(root: Path) -> bool:
    """Whether a folder is missing or has nothing in it at all, not even a store's records: so looks a store whose disk
    is not there any more."""
    try:
        with os.scandir(root) as entries:
            return next(entries, None) is None
    except (FileNotFoundError, NotADirectoryError):
        return True


def abandoned_files(root: Path, before_s: int) -> Iterator[Leftover]:
    """The temporary files anywhere below `root` that were last written before this moment and have no writer."""
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            if not name.startswith(TEMPORARY_PREFIX):
                continue
            try:
                found = path.lstat()
            except FileNotFoundError:
                continue
            modified_s = found.st_mtime_ns // 1_000_000_000
            if modified_s < before_s and is_abandoned(path):
                yield Leftover(
                    name=str(path.relative_to(root)), size_bytes=found.st_size, modified_s=modified_s, ticket=""
                )
