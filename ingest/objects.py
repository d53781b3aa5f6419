"""Sources in object storage: found by listing, told apart by their entity tags, copied to scratch to be worked on."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from avtool.scratch import scratch_folder
from ingest.metadata.art import ART_BYTES_MAX
from ingest.metadata.folder_art import covers_among
from ingest.metadata.names import is_disc_folder
from ingest.scan import AUDIO_SUFFIXES, Source, SourceObject, changed, check_size
from ingest.settings import IngestSettings
from model.errors import UsageError
from storage.address import S3Address, S3Credentials, parse_address

if TYPE_CHECKING:  # loading the SDK takes half a second and 20 MiB that files have no use for
    from storage.foreign import ForeignBucket

_HINT = "set SEGUE_SOURCE_ACCESS_KEY and SEGUE_SOURCE_SECRET_KEY, on every machine that works"


class Buckets:
    """The buckets that sources lie in, each opened once. A context manager: it closes them."""

    def __init__(self, credentials: S3Credentials | None = None) -> None:
        self._credentials = credentials
        self._open: dict[str, ForeignBucket] = {}

    def bucket(self, url: str) -> "ForeignBucket":
        """The bucket of an `s3:` URL. Raises UsageError for another URL, and where there are no credentials."""
        address = parse_address(url)
        if not isinstance(address, S3Address):
            raise UsageError("not a bucket", subject=url, hint="write s3://bucket/prefix?endpoint=http://host:port")
        if self._credentials is None:
            raise UsageError("no credentials for the sources", subject=f"s3://{address.bucket}", hint=_HINT)
        name = bucket_url(address)
        if name not in self._open:
            from storage.foreign import ForeignBucket  # noqa: PLC0415 - see above

            self._open[name] = ForeignBucket(address, self._credentials)
        return self._open[name]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._open:
            await self._open.popitem()[1].close()

    async def walk(self, url: str) -> AsyncIterator[tuple[SourceObject, bool]]:
        """What is under `s3://bucket/prefix`, as the service lists it: music, and pictures that may be covers; whether
        it is music. A prefix is a folder, or one object."""
        address = parse_address(url)
        bucket = self.bucket(url)
        assert isinstance(address, S3Address)
        root, prefix = bucket_url(address), address.prefix
        async for each in bucket.walk(prefix):
            stored = SourceObject(bucket=root, key=each.key, size_bytes=each.size_bytes, etag=each.etag)
            if each.key == prefix or _is_music(each.key, prefix):
                yield stored, True
            elif covers_among([each.key.rpartition("/")[2]]) and each.size_bytes <= ART_BYTES_MAX:
                yield stored, False

    async def now(self, found: SourceObject) -> SourceObject | None:
        """The object as it is now; None if it is gone."""
        state = await self.bucket(found.bucket).find(found.key)
        return replace(found, size_bytes=state.size_bytes, etag=state.etag) if state else None

    @asynccontextmanager
    async def at_hand(self, source: Source, settings: IngestSettings, *, covers: bool = False) -> AsyncIterator[Source]:
        """The source as a file of this machine: itself, or a copy in scratch that keeps the names of its folders, with
        `covers` those beside it too.

        Raises SourceChanged if it is no longer the object that was listed, SourceTooLong, StorageError for a full disk.
        """
        if source.object is None or source.copied:
            yield source
            return
        stored = source.object
        check_size(source, stored.size_bytes, bytes_max=settings.source_bytes_max)
        async with scratch_folder(settings.scratch_dir) as scratch:
            target = scratch.joinpath(*source.path.parts[1:])
            target.parent.mkdir(parents=True)
            if not await self.bucket(stored.bucket).fetch(stored, target):
                raise changed(source)
            for picture in source.covers if covers else ():
                beside = scratch.joinpath(*source_of(picture).path.parts[1:])
                if not await self.bucket(picture.bucket).fetch(picture, beside):
                    beside.unlink(missing_ok=True)  # it was replaced: the next run sees the new one
            yield replace(source, path=target, copied=True)


def source_of(stored: SourceObject) -> Source:
    """The source that an object is. Its path is a place in one tree of all buckets, for what names tell."""
    address = parse_address(stored.bucket)
    assert isinstance(address, S3Address)
    parts = [part for part in stored.key.split("/") if part not in ("", ".", "..")]
    return Source(path=Path("/", address.bucket, *parts), object=stored)


def object_at(place: bytes) -> SourceObject | None:
    """The object that the ledger calls so, of a state that is not known; None for a file."""
    if not place.startswith(b"s3://"):
        return None
    bucket, _, key = place.decode("utf-8", "surrogateescape").partition("#")
    return SourceObject(bucket=bucket, key=key, size_bytes=0, etag="")


def with_covers(source: Source, pictures_in: Callable[[Path], Iterable[SourceObject]]) -> Source:
    """The source with the covers that lie beside it, as `ingest.metadata.folder_art` finds them in folders."""
    folder = source.path.parent
    beside = {source_of(each).path.name: each for each in pictures_in(folder)}
    if not beside and is_disc_folder(folder):
        beside = {source_of(each).path.name: each for each in pictures_in(folder.parent)}
    return replace(source, covers=tuple(beside[name] for name in covers_among(beside)))


def bucket_url(address: S3Address) -> str:
    """The bucket itself, whatever the prefix."""
    return str(replace(address, prefix=""))


def _is_music(key: str, prefix: str) -> bool:
    below = key.removeprefix(prefix).removeprefix("/") if key.startswith(f"{prefix}/") or not prefix else ""
    hidden = any(part.startswith(".") for part in below.split("/"))
    return bool(below) and not hidden and Path(key).suffix.lower() in AUDIO_SUFFIXES
