"""Objects as plain files in a folder, so that any web server can serve it. The default store, with no service to run.

A call costs one hop to a thread; there `head` and `read` open the file, stat it and read its record (about 0.05 ms),
`put` adds two syncs to disk. Links below the root are not followed, so no key leads out of it.
"""

import contextlib
import os
import stat
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

from model.errors import ObjectNotFound, RangeNotSatisfiable, StorageDenied, StorageError, StorageUnavailable
from storage.base import ByteRange, ObjectBody, ObjectEntry, ObjectInfo, ObjectStream
from storage.defaults import default_cache_control, default_media_type
from storage.file_bodies import copy, incoming, mapped_local
from storage.file_errors import absent, read_error, vanished, write_error
from storage.file_io import (
    new_file,
    prune,
    read_at,
    sha256_of,
    sweep,
    sweep_file,
    sync_folder,
)
from storage.file_records import FileIdentity, FileRecords, FileVersion
from storage.file_walk import abandoned_files, is_bare, walk_files
from storage.keys import checked, checked_prefix
from storage.leftovers import Leftover
from storage.workers import CancelFlag, Workers

READ_BYTES_MAX = 64 << 20
THREADS = 16
WALK_BATCH = 256  # entries per hop
STREAM_CHUNK_BYTES = 512 << 10  # a hop costs about as much as reading this from memory
ATTEMPTS = 3  # at a file that somebody writes in place
UNRECORDED_MAX = 4096  # versions whose record could not be written, kept in memory

Result = TypeVar("Result")


class FilesystemStore:
    """An ObjectStore in the folder `root`, which the first `put` makes. Several processes may share it.

    A folder that is missing or bare is an empty store as long as nothing was seen in it; with `filled`, which says that
    there is something, it is one whose disk is away: StorageUnavailable.
    """

    def __init__(self, root: Path, *, filled: bool = False, read_bytes_max: int = READ_BYTES_MAX) -> None:
        self._root = Path(os.path.realpath(root))
        self._read_bytes_max = read_bytes_max
        self._records = FileRecords(self._root)
        self._unrecorded: OrderedDict[str, FileVersion] = OrderedDict()
        self._filled = filled
        self._workers = Workers(THREADS, name="filesystem-store")

    async def head(self, key: str) -> ObjectInfo:
        """Info of the object as it is now."""
        checked(key)
        return await self._workers.run(lambda _: self._head(key))

    async def read(self, key: str, byte_range: ByteRange | None = None) -> ObjectBody:
        """Info and bytes of one version; see ObjectStore."""
        checked(key)
        return await self._workers.run(lambda _: self._read(key, byte_range))

    @contextlib.asynccontextmanager
    async def open(self, key: str, byte_range: ByteRange | None = None) -> AsyncIterator[ObjectStream]:
        """Info and the first bytes in one hop, the rest as it is asked for; see ObjectStore."""
        checked(key)
        with contextlib.ExitStack() as stack:  # settled, so no worker uses the file when it is closed here
            span, first = await self._workers.settle(lambda _: self._open_span(key, byte_range, stack))
            chunks = self._chunks(span, first)
            yield ObjectStream(info=_info(key, span.version), start=span.start, end=span.end, chunks=chunks)

    async def fetch(self, key: str, target: Path) -> ObjectInfo:
        """Copy an object to the file `target`, all or nothing."""
        checked(key)
        return await self._workers.settle(lambda flag: self._fetch(key, target, flag))

    async def lend(self, key: str, target: Path) -> ObjectInfo:
        """The file of an object under one more name, or a copy where there can be none; see ObjectStore."""
        checked(key)
        lent = await self._workers.settle(lambda _: self._lend(key, target))
        return lent or await self.fetch(key, target)

    async def put(self, key: str, body: Path | bytes, *, media_type: str, cache_control: str) -> ObjectInfo:
        """Write an object, all or nothing, also when cancelled or killed; see ObjectStore."""
        checked(key)
        write = partial(self._put, key, body, media_type, cache_control)
        info = await self._workers.settle(write)
        assert info is not None
        return info

    async def give(self, key: str, body: Path, *, sha256: str, media_type: str, cache_control: str) -> ObjectInfo:
        """Make a file the object, or copy it where that cannot be; see ObjectStore."""
        checked(key)
        write = partial(self._put, key, body, media_type, cache_control, given=sha256)
        info = await self._workers.settle(write)
        assert info is not None
        return info

    async def put_if_absent(self, key: str, body: bytes, *, media_type: str, cache_control: str) -> bool:
        """Write an object unless there is one; whether it was written."""
        checked(key)
        write = partial(self._put, key, body, media_type, cache_control, new=True)
        return await self._workers.settle(write) is not None

    async def walk(self, prefix: str, *, after: str = "") -> AsyncIterator[ObjectEntry]:
        """Every object under `prefix`, sorted by key; holds one folder's names per level of the tree."""
        entries = walk_files(self._root, checked_prefix(prefix), after)
        while batch := await self._workers.run(lambda _: self._batch(entries, prefix)):
            for entry in batch:
                yield entry

    async def delete(self, key: str) -> None:
        """Remove an object; no error if there is none."""
        checked(key)
        await self._workers.settle(lambda _: self._delete(key))

    async def leftovers(self, before_s: int) -> AsyncIterator[Leftover]:
        """Temporary files last written before this moment whose writers are gone."""
        found = abandoned_files(self._root, before_s)
        while batch := await self._workers.run(lambda _: list(islice(found, WALK_BATCH))):
            for each in batch:
                yield each

    async def discard(self, leftover: Leftover) -> None:
        """Remove a temporary file, unless it has a writer after all."""
        await self._workers.settle(lambda _: sweep_file(self._root / leftover.name))

    async def close(self) -> None:
        """Wait for the calls under way and end the threads. Idempotent."""
        await self._workers.close()

    def _head(self, key: str) -> ObjectInfo:
        with self._opened(key) as (_, version):
            return _info(key, version)

    def _open_span(self, key: str, byte_range: ByteRange | None, stack: contextlib.ExitStack) -> tuple["_Span", bytes]:
        for _ in range(ATTEMPTS):
            descriptor, version = stack.enter_context(self._opened(key))
            start, end = _resolved(key, byte_range, version)
            span = _Span(key, descriptor, version, start, end)
            if (first := _chunk(span, start)) is not None:
                return span, first
        raise _in_flux(key)

    async def _chunks(self, span: "_Span", first: bytes) -> AsyncGenerator[bytes, None]:
        at, data = span.start, first
        while at < span.end:
            yield data
            at += len(data)
            if at < span.end:
                data = await self._workers.settle(partial(_next_chunk, span, at))

    def _read(self, key: str, byte_range: ByteRange | None) -> ObjectBody:
        for _ in range(ATTEMPTS):
            with self._opened(key) as (descriptor, version):
                start, end = _resolved(key, byte_range, version)
                if end - start > self._read_bytes_max:
                    hint = "read a range, or fetch the object to a file"
                    raise StorageError(f"more than {self._read_bytes_max} bytes at once", subject=key, hint=hint)
                with _mapped(read_error, key):
                    data = read_at(descriptor, start, end)
                    if _identity(descriptor) == version.identity:
                        return ObjectBody(info=_info(key, version), data=data)
        raise _in_flux(key)

    def _fetch(self, key: str, target: Path, flag: CancelFlag) -> ObjectInfo:
        for _ in range(ATTEMPTS):
            with (
                self._opened(key) as (source, version),
                mapped_local("cannot copy object to file", target),
                new_file(target.parent) as (descriptor, temporary),
            ):
                copy(source, descriptor, flag)
                if _identity(source) == version.identity:
                    temporary.replace(target)
                    return _info(key, version)
        raise _in_flux(key)

    def _lend(self, key: str, target: Path) -> ObjectInfo | None:
        path = self._place(key)
        with self._opened(key) as (_, version), contextlib.suppress(OSError):  # another disk, or not our file
            target.unlink(missing_ok=True)
            target.hardlink_to(path)
            if _identity_at(target) == version.identity:
                return _info(key, version)
            target.unlink()  # replaced meanwhile
        return None

    def _put(
        self,
        key: str,
        body: Path | bytes,
        media_type: str,
        cache_control: str,
        flag: CancelFlag,
        *,
        new: bool = False,
        given: str = "",
    ) -> ObjectInfo | None:
        path = self._place(key, for_writing=True)
        with _mapped(write_error, key), incoming(path.parent, body, given, flag) as (descriptor, temporary, sha256):
            os.fsync(descriptor)
            version = FileVersion(
                identity=_identity(descriptor), sha256=sha256, media_type=media_type, cache_control=cache_control
            )
            with self._records.locked(key):
                flag.check()
                former = _identity_at(path)
                if new and former is not None:
                    return None
                self._records.add(key, version, replaces=former)
                temporary.replace(path)
            sync_folder(path.parent)
            sweep(path.parent)
        return _info(key, version)

    def _delete(self, key: str) -> None:
        try:
            path = self._place(key)
        except ObjectNotFound:
            return
        with _mapped(write_error, key):
            if not path.is_file():
                return
            with self._records.locked(key):
                path.unlink(missing_ok=True)
                self._records.forget(key)
            with contextlib.suppress(FileNotFoundError):
                sync_folder(path.parent)
            prune(path.parent, self._root)

    def _batch(self, entries: Iterator[ObjectEntry], prefix: str) -> list[ObjectEntry]:
        with _mapped(read_error, prefix):
            batch = list(islice(entries, WALK_BATCH))
            if not batch and self._filled and is_bare(self._root):
                raise vanished(prefix)
        self._filled |= bool(batch)
        return batch

    def _place(self, key: str, *, for_writing: bool = False) -> Path:
        path = self._root / key
        followed = path.parent if for_writing else path
        with _mapped(read_error, key):
            if os.path.realpath(followed) == str(followed):
                return path
        hint = "the store follows no links below its root; move the files there, or open the store at their real place"
        if for_writing:
            raise StorageDenied("a symbolic link is in the way", subject=key, hint=hint)
        raise ObjectNotFound("a symbolic link is no object", subject=key, hint=hint)

    @contextlib.contextmanager
    def _opened(self, key: str) -> Iterator[tuple[int, FileVersion]]:
        """The file of a key, open for reading, and what is known of the very version that it is."""
        try:
            descriptor, version = self._open(key)
        except ObjectNotFound as error:
            if self._filled and is_bare(self._root):
                raise vanished(key) from error
            raise
        self._filled = True
        try:
            yield descriptor, version
        finally:
            os.close(descriptor)

    def _open(self, key: str) -> tuple[int, FileVersion]:
        path = self._place(key)
        with _mapped(read_error, key):
            if (found := self._open_known(key, path)) is not None:
                return found
            with self._locked_if_writable(key) as writable:
                # A put may have ended since, with a record.
                return self._open_known(key, path) or self._open_unknown(key, path, record=writable)

    def _open_known(self, key: str, path: Path) -> tuple[int, FileVersion] | None:
        with _open_file(key, path) as (descriptor, keep_open):
            identity = _identity(descriptor)
            version = self._records.find(key, identity) or self._unrecorded.get(key)
            if version is None or version.identity != identity:
                return None
            keep_open()
            return descriptor, version

    def _open_unknown(self, key: str, path: Path, *, record: bool) -> tuple[int, FileVersion]:
        """A file that was brought in by other means: read its hash from the bytes, and remember it."""
        for _ in range(ATTEMPTS):
            with _open_file(key, path) as (descriptor, keep_open):
                version = FileVersion(
                    identity=_identity(descriptor),
                    sha256=sha256_of(descriptor),
                    media_type=default_media_type(key),
                    cache_control=default_cache_control(key),
                )
                if _identity(descriptor) == version.identity:
                    self._remember(key, version, record=record)
                    keep_open()
                    return descriptor, version
        raise _in_flux(key)

    def _remember(self, key: str, version: FileVersion, *, record: bool) -> None:
        if record:
            with contextlib.suppress(OSError):
                self._records.add(key, version, replaces=None)
                return
        self._unrecorded[key] = version
        if len(self._unrecorded) > UNRECORDED_MAX:
            self._unrecorded.popitem(last=False)

    @contextlib.contextmanager
    def _locked_if_writable(self, key: str) -> Iterator[bool]:
        """Hold the lock of a key; in a store that may only be read there is nobody to keep out."""
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(self._records.locked(key))
                writable = True
            except OSError:
                writable = False
            yield writable


@dataclass(frozen=True, slots=True)
class _Span:
    """Bytes `start` to `end` of the open file of a key."""

    key: str
    descriptor: int
    version: FileVersion
    start: int
    end: int


def _resolved(key: str, byte_range: ByteRange | None, version: FileVersion) -> tuple[int, int]:
    size = version.identity.size_bytes
    if byte_range is None:
        return 0, size
    if byte_range.start >= size:
        raise RangeNotSatisfiable(f"the object has {size} bytes, asked from {byte_range.start}", subject=key)
    return byte_range.start, min(byte_range.end, size)


def _chunk(span: _Span, at: int) -> bytes | None:
    """The bytes from `at` on, one chunk at most; None if the file is another version by now."""
    with _mapped(read_error, span.key):
        data = read_at(span.descriptor, at, min(at + STREAM_CHUNK_BYTES, span.end))
        return data if _identity(span.descriptor) == span.version.identity else None


def _next_chunk(span: _Span, at: int, _: CancelFlag) -> bytes:
    if data := _chunk(span, at):
        return data
    raise _in_flux(span.key)


@contextlib.contextmanager
def _open_file(key: str, path: Path) -> Iterator[tuple[int, Callable[[], object]]]:
    """The file open for reading; closed at the end, unless the second value was called."""
    with contextlib.ExitStack() as stack:
        # Not blocking: a pipe in the folder must not hang us. It changes nothing for a file.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        stack.callback(os.close, descriptor)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise absent(key)
        yield descriptor, stack.pop_all


def _identity(descriptor: int) -> FileIdentity:
    return FileIdentity.of(os.fstat(descriptor))


def _identity_at(path: Path) -> FileIdentity | None:
    try:
        return FileIdentity.of(path.lstat())
    except FileNotFoundError:
        return None


def _info(key: str, version: FileVersion) -> ObjectInfo:
    return ObjectInfo(
        key=key,
        size_bytes=version.identity.size_bytes,
        sha256=version.sha256,
        media_type=version.media_type,
        cache_control=version.cache_control,
        modified_s=version.identity.mtime_ns // 1_000_000_000,
    )


def _in_flux(key: str) -> StorageUnavailable:
    hint = "another program writes the file in place; copy it under another name, then rename it"
    return StorageUnavailable("the file changes while it is read", subject=key, hint=hint)


@contextlib.contextmanager
def _mapped(kind: Callable[[OSError, str], StorageError], subject: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise kind(error, subject) from error
