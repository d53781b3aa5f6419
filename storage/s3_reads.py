"""Reads of an S3 service: signed GETs on the event loop, with no thread and no hop between.

Why not the SDK's own reads: docs/decisions/0020-signed-reads.md.
"""

import hashlib
import re
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from urllib.parse import urlsplit

from model.errors import RangeNotSatisfiable, StorageError, StorageUnavailable
from storage.address import S3Credentials
from storage.base import ByteRange, ObjectInfo
from storage.defaults import default_cache_control, default_media_type
from storage.s3_connections import Connections, Response
from storage.s3_errors import HTTP_ERRORS, answered_error, storage_error
from storage.s3_limits import S3Limits
from storage.s3_signature import Signer

SHA256_HEADER = "x-amz-meta-sha256"
_OURS = {"User-Agent": "segue", "Accept-Encoding": "identity"}
_HEADS_KEPT = 1024  # each good for the minute that it is signed for: services take them for a quarter of an hour
_ERROR_BODY_BYTES_MAX = 16 << 10
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes `start` to `end` of an object of `size` bytes, after `skip` bytes of the answer."""

    start: int
    end: int
    size: int
    skip: int = 0


class Answer:
    """A GET that succeeded: its headers, and the bytes of the span as they come. Close it, read to the end or not."""

    def __init__(self, key: str, response: Response, span: Span) -> None:
        self._key = key
        self._response = response
        self.headers: Mapping[str, str] = response.headers
        self.span = span

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The bytes in order, as they come. Raises StorageUnavailable if they end early or a wait is too long, and
        before the last of a whole object if they do not have its hash.
        """
        skip, left = self.span.skip, self.span.end - self.span.start
        wanted = stored_hash(self.headers) if left == self.span.size else ""
        digest = hashlib.sha256() if wanted else None
        first = True
        while left:
            try:
                data = await self._response.body.readany()
            except HTTP_ERRORS as error:
                raise storage_error(error, self._key) from error
            if not data:
                raise StorageUnavailable("the answer ended early", subject=self._key, hint="try again")
            skipped = min(skip, len(data))
            skip -= skipped
            if data := data[skipped : skipped + left]:
                left -= len(data)
                if digest is not None:
                    digest.update(data)
                    if not left and digest.hexdigest() != wanted:
                        hint = "try again; if it stays so, the object is damaged: publish it again"
                        raise StorageUnavailable("the bytes do not have their hash", subject=self._key, hint=hint)
                if first and left:  # whoever waits for the first bytes goes before the rest
                    self._response.hold()
                first = False
                yield data
            self._response.go_on()

    def close(self) -> None:
        """Give the connection back, or close it if bytes are still to come. Idempotent."""
        self._response.close()


class SignedReads:
    """GETs of the objects whose URLs begin with `base`, on at most `limits.connections` connections of its own."""

    def __init__(self, base: str, *, region: str, credentials: S3Credentials, limits: S3Limits) -> None:
        parts = urlsplit(base)
        self._host, self._path = parts.netloc, parts.path
        signer = Signer(credentials, region=region)

        @lru_cache(_HEADS_KEPT)
        def head(path: str, minute: int) -> str:
            fields = signer.headers(parts.netloc, path, datetime.fromtimestamp(60 * minute, UTC)) | _OURS
            return f"GET {path} HTTP/1.1\r\n" + "".join([f"{name}: {value}\r\n" for name, value in fields.items()])

        self._head = head
        tls = parts.scheme == "https"
        port = parts.port or (443 if tls else 80)
        self._connections = Connections(parts.hostname or "", port, tls=tls, limits=limits)

    async def get(self, key: str, name: str, byte_range: ByteRange | None) -> Answer:
        """The answer for the object `name`, its body still to come. One request; errors are about `key`."""
        try:
            response = await self._connections.get(self._request(name, byte_range))
        except HTTP_ERRORS as error:
            raise storage_error(error, key) from error
        try:
            if response.status not in (200, 206):
                retry_after = response.headers.get("Retry-After")
                raise answered_error(response.status, await _start_of(response), key, retry_after=retry_after)
            return Answer(key, response, _span(key, response, byte_range))
        except BaseException:
            response.close()
            raise

    def hasten(self, name: str, byte_range: ByteRange | None) -> Callable[[], None] | None:
        """Send the request of a `get` that is about to come, if a kept connection is free; see Connections."""
        return self._connections.hasten(self._request(name, byte_range))

    def _request(self, name: str, byte_range: ByteRange | None) -> bytes:
        head = self._head(self._path + name, int(time.time()) // 60)
        wanted = f"Range: bytes={byte_range.start}-{byte_range.end - 1}\r\n" if byte_range is not None else ""
        return f"{head}{wanted}\r\n".encode("ascii")

    async def close(self) -> None:
        """Close the connections, those in use too. Idempotent."""
        await self._connections.close()


def stored_hash(headers: Mapping[str, str]) -> str:
    """The hash that we stored with an object; empty if something else wrote it."""
    sha256 = headers.get(SHA256_HEADER, "")
    return sha256 if _SHA256.fullmatch(sha256) else ""


def described(key: str, headers: Mapping[str, str], size: int, sha256: str) -> ObjectInfo:
    """What the headers of an answer say of an object."""
    return ObjectInfo(
        key=key,
        size_bytes=size,
        sha256=sha256,
        media_type=headers.get("Content-Type") or default_media_type(key),
        cache_control=headers.get("Cache-Control") or default_cache_control(key),
        modified_s=seconds_of(headers.get("Last-Modified")),
    )


@lru_cache(1024)  # reading a date takes 0.03 ms, and objects that were written together are read together
def _read_date(http_date: str) -> int:
    return int(parsedate_to_datetime(http_date).timestamp())


def seconds_of(http_date: str | None) -> int:
    """The moment that a header names; without one, now."""
    return int(datetime.now(UTC).timestamp()) if http_date is None else _read_date(http_date)


async def _start_of(response: Response) -> bytes:
    """The body, which is short; read to its end, so that the connection can be used again."""
    body = b""
    response.go_on()
    with suppress(*HTTP_ERRORS):  # the status says enough
        while len(body) < _ERROR_BODY_BYTES_MAX and (data := await response.body.readany()):
            body += data
    return body


def _span(key: str, response: Response, asked: ByteRange | None) -> Span:
    """Which bytes an answer holds. A service that ignores ranges answers 200 with all of them."""
    if response.status == 206 and asked:
        found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        first, last, size = (int(number) for number in found.groups()) if found else (-1, -1, -1)
        if (first, last + 1) != (asked.start, min(asked.end, size)):
            raise _unlike_s3("another range than the one asked for", key)
        return Span(asked.start, last + 1, size)
    if response.status == 206 or response.content_length is None:
        raise _unlike_s3("an object without its length", key)
    size = response.content_length
    if not asked:
        return Span(0, size, size)
    if asked.start >= size:
        raise RangeNotSatisfiable(f"the object has {size} bytes, asked from {asked.start}", subject=key)
    return Span(asked.start, min(asked.end, size), size, skip=asked.start)


def _unlike_s3(message: str, key: str) -> StorageError:
    hint = "the service does not answer as S3 does; see docs/storage-compat.md"
    return StorageError(message, subject=key, hint=hint)
