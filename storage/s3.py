"""Objects in a bucket of any S3-compatible service, through the MinIO SDK.

The SDK blocks, so it runs in threads of this store's own, each with a connection of its own: one hop per operation.
`read` and `open` do without it and without threads (storage.s3_reads).
A `head` or a `read` is one request (a `read` of an object that something else wrote is two, the first time: its hash
has to be read from its bytes); a `put` is one up to `part_bytes` (16 MiB), beyond that two more than it has parts; a
`walk` is one per 1,000 objects.
"""

import asyncio
import hashlib
import io
import os
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TypeVar
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.datatypes import Object

from model.errors import ObjectNotFound, StorageError, StorageUnavailable, UsageError
from storage.address import S3Address, S3Credentials
from storage.base import ByteRange, ObjectBody, ObjectEntry, ObjectInfo, ObjectStream
from storage.breaker import Breaker
from storage.file_errors import local_error
from storage.file_io import CHUNK_BYTES, new_file, write_all
from storage.key_order import KeyOrder
from storage.keys import checked, checked_prefix, is_key
from storage.leftovers import Leftover
from storage.retry import retrying
from storage.s3_errors import SDK_ERRORS, no_bucket, storage_error
from storage.s3_limits import S3Limits
from storage.s3_reads import SHA256_HEADER, Answer, SignedReads, described, seconds_of, stored_hash
from storage.s3_uploads import Marker, give_up, unfinished, write_if_absent
from storage.workers import CancelFlag, Workers

FOREIGN_HASHES_MAX = 4096  # hashes kept of objects that something else wrote

Result = TypeVar("Result")


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
        self._reads = SignedReads(
            _base(self._client, address),
            region=address.region,
            credentials=credentials,
            limits=self._limits,
        )
        self._breaker = Breaker(self._limits.failures_in_a_row_max)

    async def head(self, key: str) -> ObjectInfo:
        """Info of the object as it is now: one request."""
        checked(key)
        return await self._trying(partial(self._workers.run, partial(self._head, key)))

    async def read(self, key: str, byte_range: ByteRange | None = None) -> ObjectBody:
        """Info and bytes of one version, from one answer; see ObjectStore."""
        checked(key)
        return await self._reading(key, partial(self._read, key, byte_range))

    @asynccontextmanager
    async def open(self, key: str, byte_range: ByteRange | None = None) -> AsyncIterator[ObjectStream]:
        """Info and bytes of one version as they come, from one answer; see ObjectStore."""
        checked(key)
        answer, info = await self._reading(key, partial(self._answer, key, byte_range))
        with closing(answer):
            yield ObjectStream(info=info, start=answer.span.start, end=answer.span.end, chunks=answer.chunks())

    def hasten(self, key: str, byte_range: ByteRange | None = None) -> Callable[[], None] | None:
        """Send the request of an `open` or `read` that is about to come; see Hasty."""
        return self._reads.hasten(self._name(checked(key)), byte_range) if self._breaker.closed else None

    async def fetch(self, key: str, target: Path) -> ObjectInfo:
        """Copy an object to the file `target`, all or nothing, with its hash checked."""
        checked(key)
        return await self._trying(partial(self._workers.settle, partial(self._fetch, key, target)))

    async def lend(self, key: str, target: Path) -> ObjectInfo:
        """A copy, which is all that a service gives; see ObjectStore."""
        return await self.fetch(key, target)

    async def put(self, key: str, body: Path | bytes, *, media_type: str, cache_control: str) -> ObjectInfo:
        """Write an object, all or nothing; a file that changes meanwhile is refused. See ObjectStore."""
        checked(key)
        write = partial(self._put, key, body, media_type, cache_control)
        return await self._trying(partial(self._workers.settle, write))

    async def give(self, key: str, body: Path, *, sha256: str, media_type: str, cache_control: str) -> ObjectInfo:
        """As `put`, but that the file is not read before it is sent: a hash that it has not is refused."""
        checked(key)
        write = partial(self._put, key, body, media_type, cache_control, given=sha256)
        return await self._trying(partial(self._workers.settle, write))

    async def walk(self, prefix: str, *, after: str = "") -> AsyncIterator[ObjectEntry]:
        """Every object under `prefix`, sorted by key. Holds a page and what KeyOrder holds: walk a folder, not all."""
        order = KeyOrder(checked_prefix(prefix))
        last = self._name(after) if after else None
        while page := await self._trying(partial(self._workers.run, partial(self._page, prefix, last))):
            last = page[-1].object_name
            for entry in order.feed(self._entries(page)):
                yield entry
            if len(page) < self._limits.page_entries:
                break
        for entry in order.rest():
            yield entry

    async def delete(self, key: str) -> None:
        """Remove an object; no error if there is none."""
        checked(key)
        await self._trying(partial(self._workers.settle, partial(self._delete, key)))

    async def leftovers(self, before_s: int) -> AsyncIterator[Leftover]:
        """Uploads in parts that were begun before this moment and neither ended nor given up."""
        after: Marker | None = Marker()
        while after is not None:
            ask = partial(unfinished, self._client, self._address.bucket, self._prefix, after)
            found, after = await self._trying(partial(self._workers.run, ask))
            for each in found:
                if each.modified_s < before_s:
                    yield each

    async def put_if_absent(self, key: str, body: bytes, *, media_type: str, cache_control: str) -> bool:
        """Write a small object unless there is one; whether the service says that it did. Some replace all the same."""
        sha256 = hashlib.sha256(body).hexdigest()
        headers = {"Content-Type": media_type, "Cache-Control": cache_control, SHA256_HEADER: sha256}
        write = partial(write_if_absent, self._client, self._address.bucket, self._name(checked(key)), body, headers)
        return await self._trying(partial(self._workers.settle, write))

    async def discard(self, leftover: Leftover) -> None:
        """Give up an upload in parts: the service throws its parts away."""
        stop = partial(give_up, self._client, self._address.bucket, leftover)
        await self._trying(partial(self._workers.settle, stop))

    async def close(self) -> None:
        """End the reads under way, wait for all else, end the threads, close the connections. Idempotent."""
        await self._reads.close()
        await self._workers.close()
        self._http.clear()

    async def _trying(self, attempt: Callable[[], Awaitable[Result]]) -> Result:
        return await retrying(attempt, self._limits.retry)

    async def _reading(self, key: str, attempt: Callable[[], Awaitable[Result]]) -> Result:
        return await self._breaker.run(partial(self._in_time, key, attempt), key)

    async def _in_time(self, key: str, attempt: Callable[[], Awaitable[Result]]) -> Result:
        limit_s = self._limits.retry.total_s
        try:
            async with asyncio.timeout(limit_s):
                return await self._trying(attempt)
        except TimeoutError as error:
            hint = "check that the service is well, and the network to it"
            raise StorageUnavailable(f"no whole answer within {limit_s:g} s", subject=key, hint=hint) from error

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
        headers = found.metadata or {}
        sha256 = stored_hash(headers) or self._foreign_hash(key, headers.get("ETag", ""), flag)
        return described(key, headers, found.size or 0, sha256)

    def _require_bucket(self) -> None:
        if self._bucket_seen:
            return
        with _translated(self._address.bucket):
            if not self._client.bucket_exists(self._address.bucket):
                raise no_bucket(self._address.bucket)
        self._bucket_seen = True

    async def _read(self, key: str, byte_range: ByteRange | None) -> ObjectBody:
        answer, info = await self._answer(key, byte_range)
        with closing(answer):
            if answer.span.end - answer.span.start > self._limits.read_bytes_max:
                hint = "read a range, or fetch the object to a file"
                raise StorageError(f"more than {self._limits.read_bytes_max} bytes at once", subject=key, hint=hint)
            return ObjectBody(info=info, data=b"".join([chunk async for chunk in answer.chunks()]))

    async def _answer(self, key: str, byte_range: ByteRange | None) -> tuple[Answer, ObjectInfo]:
        answer = await self._reads.get(key, self._name(key), byte_range)
        try:
            if not (sha256 := stored_hash(answer.headers)):
                etag = answer.headers.get("ETag", "")
                sha256 = await self._workers.run(partial(self._foreign_hash, key, etag))
            return answer, described(key, answer.headers, answer.span.size, sha256)
        except BaseException:
            answer.close()
            raise

    def _fetch(self, key: str, target: Path, flag: CancelFlag) -> ObjectInfo:
        with _local("cannot copy object to file", target), ExitStack() as stack:
            descriptor, temporary = stack.enter_context(new_file(target.parent))
            digest = hashlib.sha256()
            size = 0
            with _translated(key), self._response(key) as response:
                for chunk in _chunks(response, flag):
                    digest.update(chunk)
                    size += len(chunk)
                    with _local("cannot copy object to file", target):
                        write_all(descriptor, chunk)
            info = described(key, response.headers, size, digest.hexdigest())
            if response.headers.get(SHA256_HEADER, info.sha256) != info.sha256:
                hint = "try again; if it stays so, the object is damaged: publish it again"
                raise StorageUnavailable("the bytes do not have their hash", subject=key, hint=hint)
            temporary.replace(target)
        return info

    def _put(
        self, key: str, body: Path | bytes, media_type: str, cache_control: str, flag: CancelFlag, *, given: str = ""
    ) -> ObjectInfo:
        with _opened_body(body) as source:
            size, sha256 = (_size(source), given) if given else _measured(source, flag)
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
            modified_s=seconds_of(written.http_headers.get("Date")),
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
                version = f"{found.etag}-{moment:.3f}"
                yield ObjectEntry(key=key, size_bytes=found.size or 0, version=version, modified_s=int(moment))

    @contextmanager
    def _response(self, key: str) -> Iterator[urllib3.BaseHTTPResponse]:
        response = self._client.get_object(self._address.bucket, self._name(key))
        try:
            yield response
        finally:
            response.close()  # a response that was read to its end has given its connection back already
            response.release_conn()

    def _foreign_hash(self, key: str, etag: str, flag: CancelFlag) -> str:
        """The hash of an object that something else wrote: read once, kept in memory for this version."""
        if known := self._hashes.get((key, etag)):
            return known
        digest = hashlib.sha256()
        with _translated(key), self._response(key) as response:
            if response.headers.get("ETag") != etag:
                raise StorageUnavailable("the object changed while it was read", subject=key, hint="try again")
            for chunk in _chunks(response, flag):
                digest.update(chunk)
        self._hashes[key, etag] = digest.hexdigest()
        if len(self._hashes) > FOREIGN_HASHES_MAX:
            self._hashes.popitem(last=False)
        return digest.hexdigest()


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
    except SDK_ERRORS as error:
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


def _size(source: BinaryIO) -> int:
    size = source.seek(0, os.SEEK_END)
    source.seek(0)
    return size


def _measured(source: BinaryIO, flag: CancelFlag) -> tuple[int, str]:
    digest = hashlib.sha256()
    size = 0
    while chunk := source.read(CHUNK_BYTES):
        flag.check()
        digest.update(chunk)
        size += len(chunk)
    source.seek(0)
    return size, digest.hexdigest()


def _chunks(response: urllib3.BaseHTTPResponse, flag: CancelFlag) -> Iterator[bytes]:
    while chunk := response.read(CHUNK_BYTES):
        flag.check()
        yield chunk


def _base(client: Minio, address: S3Address) -> str:
    """What the URLs of objects in the bucket begin with. The SDK knows which services want the bucket in the host."""
    parts = urlsplit(client.get_presigned_url("GET", address.bucket, "x"))
    return f"{parts.scheme}://{parts.netloc}{parts.path.removesuffix('x')}"
