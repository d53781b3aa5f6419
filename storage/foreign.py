"""A bucket that others write: objects under any names, read only. What is ours is behind ObjectStore instead.

Keys of sources have spaces, accents, and what else people call music; here they are listed and fetched as they are.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Protocol

import urllib3
from minio import Minio
from minio.datatypes import Object
from minio.error import MinioException, S3Error

from model.errors import ObjectNotFound, StorageError
from storage.address import S3Address, S3Credentials
from storage.file_errors import local_error
from storage.file_io import CHUNK_BYTES
from storage.retry import retrying
from storage.s3_errors import SDK_ERRORS, storage_error
from storage.s3_limits import S3Limits
from storage.workers import CancelFlag, Workers

_PRECONDITION_FAILED = 412


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignObject:
    """One version of an object in a bucket; `etag` is the service's name for its bytes."""

    key: str
    size_bytes: int
    etag: str


class Version(Protocol):
    """What tells one version of an object in a bucket from all others."""

    @property
    def key(self) -> str: ...
    @property
    def size_bytes(self) -> int: ...
    @property
    def etag(self) -> str: ...


class ForeignBucket:
    """Reads a bucket as it is. Raises StorageError, StorageDenied, StorageUnavailable (after bounded retries)."""

    def __init__(self, address: S3Address, credentials: S3Credentials, *, limits: S3Limits | None = None) -> None:
        self._limits = limits or S3Limits(threads=4)
        self._bucket = address.bucket
        timeout = urllib3.Timeout(connect=self._limits.connect_timeout_s, read=self._limits.read_timeout_s)
        self._http = urllib3.PoolManager(maxsize=self._limits.threads, block=True, timeout=timeout, retries=False)
        self._client = Minio(
            address.endpoint,
            access_key=credentials.access_key,
            secret_key=credentials.secret_key,
            secure=address.secure,
            region=address.region,
            http_client=self._http,
        )
        self._workers = Workers(self._limits.threads, name="sources")

    async def walk(self, prefix: str) -> AsyncIterator[ForeignObject]:
        """All objects whose key starts with `prefix`, in the service's order. Folders' own entries are left out."""
        after: str | None = None
        while page := await self._page(prefix, after):
            after = page[-1].object_name
            for found in page:
                if found.object_name and not found.object_name.endswith("/"):
                    etag = (found.etag or "").strip('"')
                    yield ForeignObject(key=found.object_name, size_bytes=found.size or 0, etag=etag)

    async def find(self, key: str) -> ForeignObject | None:
        """The object as it is now, None if there is none."""
        found = await retrying(partial(self._workers.run, partial(self._found, key)), self._limits.retry)
        return found if isinstance(found, ForeignObject) else None

    async def fetch(self, wanted: Version, target: Path) -> bool:
        """Copy exactly this version to a file; False if it is gone or was replaced."""
        fetch = partial(self._workers.settle, partial(self._fetched, wanted, target))
        return await retrying(fetch, self._limits.retry)

    async def close(self) -> None:
        """Give the connections back. Idempotent."""
        await self._workers.close()
        self._http.clear()

    async def _page(self, prefix: str, after: str | None) -> list[Object]:
        return await retrying(partial(self._workers.run, partial(self._listed, prefix, after)), self._limits.retry)

    def _listed(self, prefix: str, after: str | None, flag: CancelFlag) -> list[Object]:
        try:
            found = self._client.list_objects(self._bucket, prefix=prefix or None, recursive=True, start_after=after)
            return list(islice(found, self._limits.page_entries))
        except SDK_ERRORS as error:
            raise storage_error(error, f"{self._bucket}/{prefix}") from error

    def _found(self, key: str, flag: CancelFlag) -> ForeignObject | None:
        try:
            found = self._client.stat_object(self._bucket, key)
        except SDK_ERRORS as error:
            known = storage_error(error, key)
            if isinstance(known, ObjectNotFound):
                return None
            raise known from error
        return ForeignObject(key=key, size_bytes=found.size or 0, etag=(found.etag or "").strip('"'))

    def _fetched(self, wanted: Version, target: Path, flag: CancelFlag) -> bool:
        size = 0
        try:
            with target.open("wb") as file:
                for chunk in self._chunks(wanted, flag):
                    size += file.write(chunk)
        except OSError as error:
            raise local_error("cannot copy the source to a file", error, str(target)) from error
        except _Replaced:
            return False
        if size != wanted.size_bytes:
            raise StorageError("the object broke off", subject=wanted.key, hint="run it again")
        return True

    def _chunks(self, wanted: Version, flag: CancelFlag) -> Iterator[bytes]:
        try:
            answer = self._client.get_object(self._bucket, wanted.key, request_headers={"If-Match": f'"{wanted.etag}"'})
            with closing(answer):
                for chunk in answer.stream(CHUNK_BYTES):
                    flag.check()
                    yield chunk
        except SDK_ERRORS as error:
            if _is_other_version(error):
                raise _Replaced from error
            raise storage_error(error, wanted.key) from error


class _Replaced(Exception):
    """The version that was asked for is not there any more."""


def _is_other_version(error: Exception) -> bool:
    if isinstance(error, S3Error):
        return error.code in ("PreconditionFailed", "NoSuchKey") or error.response.status == _PRECONDITION_FAILED
    return isinstance(error, MinioException) and getattr(error, "status_code", 0) == _PRECONDITION_FAILED
