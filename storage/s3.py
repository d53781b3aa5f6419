"""Objects in a bucket of any S3-compatible service, through the MinIO SDK.

The SDK blocks, so it runs in threads of this store's own, each with a connection of its own: one hop per operation.
A `head` or a `read` is one request (a `read` of an object that something else wrote is two, the first time: its hash
has to be read from its bytes); a `put` is one up to `part_bytes` (16 MiB), beyond that two more than it has parts; a
`walk` is one per 1,000 objects.
"""

import hashlib
import io
import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TypeVar

import urllib3
from minio import Minio
from minio.datatypes import Object

from model.errors import ObjectNotFound, RangeNotSatisfiable, StorageError, StorageUnavailable, UsageError
from storage.address import S3Address, S3Credentials
from storage.base import ByteRange, ObjectBody, ObjectEntry, ObjectInfo
from storage.defaults import default_cache_control, default_media_type
from storage.file_errors import local_error
from storage.file_io import CHUNK_BYTES, new_file, write_all
from storage.key_order import KeyOrder
from storage.keys import checked, checked_prefix, is_key
from storage.retry import RetryPolicy, retrying
from storage.s3_errors import FOREIGN_ERRORS, no_bucket, storage_error
from storage.workers import CancelFlag, Workers

SHA256_HEADER = "x-amz-meta-sha256"
FOREIGN_HASHES_MAX = 4096  # hashes kept of objects that something else wrote
PART_BYTES_MIN = 5 << 20  # S3's
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_SHA256 = re.compile(r"[0-9a-f]{64}")

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Limits:
    """What one store may use. A `put` holds `part_bytes` in memory, a `read` at most `read_bytes_max`.

    `connect_timeout_s` and `read_timeout_s` are for one wait at the socket; a call that hangs ends after the retries.
    """

    threads: int = 16
    read_bytes_max: int = 64 << 20
    part_bytes: int = 16 << 20
    page_entries: int = 1000
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 30.0
    retry: RetryPolicy = field(default_factory=RetryPolicy)

    def __post_init__(self) -> None:
        if min(self.threads, self.read_bytes_max, self.page_entries) < 1 or self.part_bytes < PART_BYTES_MIN:
            raise ValueError(f"limits too small to work with: {self}")


class S3Store:
    """An ObjectStore under a prefix of a bucket. The bucket must exist. Processes and machines may share it.

    The content hash rides in the object's user metadata. `modified_s` in the answer of a `put` is the service's clock
    at that moment; afterwards it is what the service says.
    """

    def __init__(self, address: S3Address, credentials: S3Credentials, *, limits: S3Limits | None = None) -> None:
        self._limits = limits or S3Limits()
        self._address = address
        self._prefix = f"{address.prefix}/" if address.prefix else ""
        self._hashes: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._bucket_seen = False
        self._http = _http_pool(self._limits)
        try:
            self._client = Minio(
                address.endpoint,
                access_key=credentials.access_key,
                secret_key=credentials.secret_key,
                secure=address.secure,
                region=address.region,
                http_client=self._http,
            )
        except ValueError as error:
            hint = "correct the endpoint in the store's URL"
            raise UsageError(f"not an S3 address ({error})", subject=str(address), hint=hint) from error
        self._workers = Workers(self._limits.threads, name="s3-store")

    async def head(self, key: str) -> ObjectInfo:
        """Info of the object as it is now: one request."""
        checked(key)
        return await self._workers.run(self._trying(partial(self._head, key)))

    async def read(self, key: str, byte_range: ByteRange | None = None) -> ObjectBody:
        """Info and bytes of one version, from one answer; see ObjectStore."""
        checked(key)
        return await self._workers.run(self._trying(partial(self._read, key, byte_range)))

    async def fetch(self, key: str, target: Path) -> ObjectInfo:
        """Copy an object to the file `target`, all or nothing, with its hash checked."""
        checked(key)
        return await self._workers.settle(self._trying(partial(self._fetch, key, target)))

    async def put(self, key: str, body: Path | bytes, *, media_type: str, cache_control: str) -> ObjectInfo:
        """Write an object, all or nothing; a file that changes meanwhile is refused. See ObjectStore."""
        checked(key)
        write = partial(self._put, key, body, media_type, cache_control)
        return await self._workers.settle(self._trying(write))

    async def walk(self, prefix: str) -> AsyncIterator[ObjectEntry]:
        """Every object under `prefix`, sorted by key. Holds a page and what KeyOrder holds: walk a folder, not all."""
        order = KeyOrder(checked_prefix(prefix))
        after: str | None = None
        while page := await self._workers.run(self._trying(partial(self._page, prefix, after))):
            after = page[-1].object_name
            for entry in order.feed(self._entries(page)):
                yield entry
            if len(page) < self._limits.page_entries:
                break
        for entry in order.rest():
            yield entry

    async def delete(self, key: str) -> None:
        """Remove an object; no error if there is none."""
        checked(key)
        await self._workers.settle(self._trying(partial(self._delete, key)))

    async def close(self) -> None:
        """Wait for the calls under way, end the threads, close the connections. Idempotent."""
        await self._workers.close()
        self._http.clear()

    def _trying(self, call: Callable[[CancelFlag], Result]) -> Callable[[CancelFlag], Result]:
        return lambda flag: retrying(lambda: call(flag), self._limits.retry, flag)

    def _name(self, key: str) -> str:
        return self._prefix + key

    def _head(self, key: str, flag: CancelFlag) -> ObjectInfo:
        try:
            with _translated(key):
                found = self._client.stat_object(self._address.bucket, self._name(key))
        except ObjectNotFound:
            self._require_bucket()  # a HEAD has no body, so it does not say what is missing
            raise
        self._bucket_seen = True
        return self._info(key, found.metadata or {}, found.size or 0, flag)

    def _require_bucket(self) -> None:
        if self._bucket_seen:
            return
        with _translated(self._address.bucket):
            if not self._client.bucket_exists(self._address.bucket):
                raise no_bucket(self._address.bucket)
        self._bucket_seen = True

    def _read(self, key: str, byte_range: ByteRange | None, flag: CancelFlag) -> ObjectBody:
        with _translated(key), self._response(key, byte_range) as response:
            span = _span(key, response, byte_range)
            if span.end - span.start > self._limits.read_bytes_max:
                hint = "read a range, or fetch the object to a file"
                raise StorageError(f"more than {self._limits.read_bytes_max} bytes at once", subject=key, hint=hint)
            _skip(response, span.skip)
            data = response.read(span.end - span.start)
            if len(data) != span.end - span.start:
                raise StorageUnavailable("the answer ended early", subject=key, hint="try again")
            headers = response.headers
        return ObjectBody(info=self._info(key, headers, span.size, flag), data=data)

    def _fetch(self, key: str, target: Path, flag: CancelFlag) -> ObjectInfo:
        with _local("cannot copy object to file", target), ExitStack() as stack:
            descriptor, temporary = stack.enter_context(new_file(target.parent))
            digest = hashlib.sha256()
            with _translated(key), self._response(key, None) as response:
                size = _span(key, response, None).size
                for chunk in _chunks(response, flag):
                    digest.update(chunk)
                    with _local("cannot copy object to file", target):
                        write_all(descriptor, chunk)
            info = _described(key, response.headers, size, digest.hexdigest())
            if response.headers.get(SHA256_HEADER, info.sha256) != info.sha256:
                hint = "try again; if it stays so, the object is damaged: publish it again"
                raise StorageUnavailable("the bytes do not have their hash", subject=key, hint=hint)
            temporary.replace(target)
        return info

    def _put(self, key: str, body: Path | bytes, media_type: str, cache_control: str, flag: CancelFlag) -> ObjectInfo:
        with _opened_body(body) as source:
            size, sha256 = _measured(source, flag)
            with _translated(key):
                written = self._client.put_object(
                    self._address.bucket,
                    self._name(key),
                    _MeasuredBody(source, size, sha256, flag),  # type: ignore[arg-type]  # the SDK needs read() only
                    size,
                    content_type=media_type,
                    metadata={"Cache-Control": cache_control, SHA256_HEADER: sha256},
                    part_size=self._limits.part_bytes,
                    num_parallel_uploads=1,
                )
        return ObjectInfo(
            key=key,
            size_bytes=size,
            sha256=sha256,
            media_type=media_type,
            cache_control=cache_control,
            modified_s=_seconds(written.http_headers.get("Date")),
        )

    def _delete(self, key: str, flag: CancelFlag) -> None:
        flag.check()
        try:
            with _translated(key):
                self._client.remove_object(self._address.bucket, self._name(key))
        except ObjectNotFound:  # some services say so
            return

    def _page(self, prefix: str, after: str | None, flag: CancelFlag) -> list[Object]:
        flag.check()
        with _translated(prefix):
            # The SDK's iterator asks for 1,000 at a time and not before they are wanted.
            found = self._client.list_objects(
                self._address.bucket, prefix=self._name(prefix), recursive=True, start_after=after
            )
            return list(islice(found, self._limits.page_entries))

    def _entries(self, page: list[Object]) -> Iterator[ObjectEntry]:
        for found in page:
            key = (found.object_name or "").removeprefix(self._prefix)
            if is_key(key):  # others were put there by something else, and no call of ours could name them
                moment = found.last_modified.timestamp() if found.last_modified else 0.0
                yield ObjectEntry(key=key, size_bytes=found.size or 0, version=f"{found.etag}-{moment:.3f}")

    @contextmanager
    def _response(self, key: str, byte_range: ByteRange | None) -> Iterator[urllib3.BaseHTTPResponse]:
        offset, length = (byte_range.start, byte_range.size_bytes) if byte_range else (0, 0)  # 0, 0: no Range at all
        response = self._client.get_object(self._address.bucket, self._name(key), offset=offset, length=length)
        try:
            yield response
        finally:
            response.close()  # a response that was read to its end has given its connection back already
            response.release_conn()

    def _info(self, key: str, headers: Mapping[str, str], size: int, flag: CancelFlag) -> ObjectInfo:
        sha256 = headers.get(SHA256_HEADER, "")
        if not _SHA256.fullmatch(sha256):
            sha256 = self._foreign_hash(key, headers.get("ETag", ""), flag)
        return _described(key, headers, size, sha256)

    def _foreign_hash(self, key: str, etag: str, flag: CancelFlag) -> str:
        """The hash of an object that something else wrote: read once, kept in memory for this version."""
        if known := self._hashes.get((key, etag)):
            return known
        digest = hashlib.sha256()
        with _translated(key), self._response(key, None) as response:
            if response.headers.get("ETag") != etag:
                raise StorageUnavailable("the object changed while it was read", subject=key, hint="try again")
            for chunk in _chunks(response, flag):
                digest.update(chunk)
        self._hashes[key, etag] = digest.hexdigest()
        if len(self._hashes) > FOREIGN_HASHES_MAX:
            self._hashes.popitem(last=False)
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class _Span:
    """Bytes `start` to `end` of an object of `size` bytes, after `skip` bytes of the answer."""

    start: int
    end: int
    size: int
    skip: int = 0


class _MeasuredBody:
    """Bytes that must still have the size and hash they had; if not, the last of them are never handed over."""

    def __init__(self, source: BinaryIO, size: int, sha256: str, flag: CancelFlag) -> None:
        self._source = source
        self._left = size
        self._sha256 = sha256
        self._flag = flag
        self._digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        self._flag.check()
        data = self._source.read(min(size, self._left))
        self._left -= len(data)
        self._digest.update(data)
        if (self._left == 0 or not data) and self._digest.hexdigest() != self._sha256:
            raise StorageError("the file changed while it was stored", hint="nothing was written; run it again")
        return data


def _http_pool(limits: S3Limits) -> urllib3.PoolManager:
    timeout = urllib3.Timeout(connect=limits.connect_timeout_s, read=limits.read_timeout_s)
    return urllib3.PoolManager(maxsize=limits.threads, block=True, timeout=timeout, retries=False)


@contextmanager
def _translated(subject: str) -> Iterator[None]:
    try:
        yield
    except FOREIGN_ERRORS as error:
        raise storage_error(error, subject) from error


@contextmanager
def _local(message: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise local_error(message, error, str(path)) from error


@contextmanager
def _opened_body(body: Path | bytes) -> Iterator[BinaryIO]:
    if isinstance(body, bytes):
        yield io.BytesIO(body)
        return
    with _local("cannot read the file to store", body), body.open("rb") as source:
        yield source


def _measured(source: BinaryIO, flag: CancelFlag) -> tuple[int, str]:
    digest = hashlib.sha256()
    size = 0
    while chunk := source.read(CHUNK_BYTES):
        flag.check()
        digest.update(chunk)
        size += len(chunk)
    source.seek(0)
    return size, digest.hexdigest()


def _span(key: str, response: urllib3.BaseHTTPResponse, asked: ByteRange | None) -> _Span:
    """Which bytes an answer holds. A service that ignores ranges answers 200 with all of them."""
    if response.status == 206 and asked:
        found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        first, last, size = (int(number) for number in found.groups()) if found else (-1, -1, -1)
        if (first, last + 1) != (asked.start, min(asked.end, size)):
            hint = "the service does not answer ranges as S3 does; see docs/storage-compat.md"
            raise StorageError("another range than the one asked for", subject=key, hint=hint)
        return _Span(asked.start, last + 1, size)
    size = int(response.headers["Content-Length"])
    if not asked:
        return _Span(0, size, size)
    if asked.start >= size:
        raise RangeNotSatisfiable(f"the object has {size} bytes, asked from {asked.start}", subject=key)
    return _Span(asked.start, min(asked.end, size), size, skip=asked.start)


def _skip(response: urllib3.BaseHTTPResponse, size: int) -> None:
    while size and (skipped := len(response.read(min(size, CHUNK_BYTES)))):
        size -= skipped


def _chunks(response: urllib3.BaseHTTPResponse, flag: CancelFlag) -> Iterator[bytes]:
    while chunk := response.read(CHUNK_BYTES):
        flag.check()
        yield chunk


def _described(key: str, headers: Mapping[str, str], size: int, sha256: str) -> ObjectInfo:
    return ObjectInfo(
        key=key,
        size_bytes=size,
        sha256=sha256,
        media_type=headers.get("Content-Type") or default_media_type(key),
        cache_control=headers.get("Cache-Control") or default_cache_control(key),
        modified_s=_seconds(headers.get("Last-Modified")),
    )


def _seconds(http_date: str | None) -> int:
    if http_date is None:
        return int(datetime.now(UTC).timestamp())
    return int(parsedate_to_datetime(http_date).timestamp())
