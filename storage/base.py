"""What an object store promises. Every promise is tested on every implementation."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInfo:
    """One version of an object. `sha256` (hex) is the hash of its bytes; entity tags derive from it.

    `modified_s` is seconds since the epoch, whole.
    """

    key: str
    size_bytes: int
    sha256: str
    media_type: str
    cache_control: str
    modified_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectEntry:
    """An object as a listing shows it. `version` is opaque and differs when the object was written anew.

    A listing of an S3 service carries no user metadata, so no content hash: ask `head` for it. `modified_s` is when the
    object was written, by the store's clock: seconds since the epoch, whole.
    """

    key: str
    size_bytes: int
    version: str
    modified_s: int


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes from `start` up to, not including, `end`. Resolved and never empty; stores know no HTTP."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(f"a byte range is not empty and starts at 0 or later: {self.start}-{self.end}")

    @property
    def size_bytes(self) -> int:
        """How many bytes the range holds."""
        return self.end - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectBody:
    """Bytes (all, or the range asked for) and the info of the very version they came from."""

    info: ObjectInfo
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectStream:
    """Bytes `start` up to, not including, `end` of one version of an object, on their way; all of that version's info.

    `chunks` gives them once, in order, each when it has come and none of them empty; the last one only when all of
    them are of one version. It raises StorageUnavailable if they end early, stall, are replaced meanwhile or (where all
    of an object came over a network) do not have its hash.
    `start` and `end` are equal only for an empty object.
    """

    info: ObjectInfo
    start: int
    end: int
    chunks: AsyncIterator[bytes]


class ObjectStore(Protocol):
    """Objects under keys. Keys are as storage.keys makes them; anything else raises UsageError.

    Raises ObjectNotFound, StorageDenied, StorageUnavailable (after its own bounded retries) and StorageError;
    nothing of the underlying library gets through. Cancelling any call leaves no half-written object visible.
    """

    async def head(self, key: str) -> ObjectInfo:
        """Info of the object as it is now."""
        ...

    async def read(self, key: str, byte_range: ByteRange | None = None) -> ObjectBody:
        """Info and bytes of one version. A range that passes the end is cut there; one that starts at or past the
        end raises RangeNotSatisfiable. Refuses to hold more than the store's `read_bytes_max` (StorageError)."""
        ...

    def open(self, key: str, byte_range: ByteRange | None = None) -> AbstractAsyncContextManager[ObjectStream]:
        """Info at once and the bytes as they come, of one version and of any size; ranges as in `read`.

        Entering is tried again as `read` is; once it gives bytes nothing is, for they may have been passed on. How long
        the whole may take is the caller's business; the store bounds the wait for each chunk. Leaving gives back
        connection or file at once, also before the end and when cancelled; `chunks` must not be used afterwards.
        """
        ...

    async def fetch(self, key: str, target: Path) -> ObjectInfo:
        """Copy an object of any size to the file `target`, all or nothing."""
        ...

    async def lend(self, key: str, target: Path) -> ObjectInfo:
        """As `fetch`, for who only reads `target`: where both are on one disk it is the store's own file, which costs
        nothing, and whoever wrote to it would damage the object. It stays that version if the object is replaced."""
        ...

    async def put(self, key: str, body: Path | bytes, *, media_type: str, cache_control: str) -> ObjectInfo:
        """Write an object, all or nothing: readers see the old version or the new one, also after a crash."""
        ...

    async def give(self, key: str, body: Path, *, sha256: str, media_type: str, cache_control: str) -> ObjectInfo:
        """As `put` of a file that nobody writes to any more and whose hash is known. Where both are on one disk the
        object is that very file from then on, with its rights, and the hash is believed: read it again before others
        are told of it."""
        ...

    async def put_if_absent(self, key: str, body: bytes, *, media_type: str, cache_control: str) -> bool:
        """Write a small object unless there is one; whether it was written, as the store says. Some services replace
        all the same, and say so; one whose answer was lost may have written it, and say no."""
        ...

    def walk(self, prefix: str, *, after: str = "") -> AsyncIterator[ObjectEntry]:
        """Every object whose key starts with `prefix` and is greater than `after`, sorted by key in code-point order.
        What comes before `after` in a folder costs next to nothing; name one only where keys have no further `/`."""
        ...

    async def delete(self, key: str) -> None:
        """Remove an object; no error if there is none."""
        ...

    async def close(self) -> None:
        """Give back what the store holds. Idempotent."""
        ...


@runtime_checkable
class Hasty(Protocol):
    """A store whose answers can be on their way before anybody waits for them."""

    def hasten(self, key: str, byte_range: ByteRange | None = None) -> Callable[[], None] | None:
        """Ask for what `open` or `read` is about to be called for, if that can be done at once: without waiting, and as
        one of the reads that the store may have under way. It is the same read: a call for the very same key and range
        takes its answer, with all that it promises.

        Gives None if nothing was asked, else what has to be called once that call was begun or will not be.
        """
        ...
