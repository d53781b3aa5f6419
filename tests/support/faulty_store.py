"""A real store that fails, delays or cuts short the n-th call: for seeing what a crash at every step leaves behind."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

from model.errors import StorageUnavailable
from storage.base import ByteRange, ObjectBody, ObjectEntry, ObjectInfo, ObjectStore, ObjectStream

Kind = Literal["head", "read", "open", "fetch", "put", "walk", "delete"]


def unavailable() -> Exception:
    """What a store raises when its service is down."""
    return StorageUnavailable("the store was made to fail", hint="this is a test")


class FaultyStore:
    """An ObjectStore around `inner`. Calls are counted from 1, all kinds together, or only those of `kind`.

    The call number `fail_at` raises `error` (a new one each time); with `after=True` it does its work first, as when
    only the answer is lost. With `from_then_on` so does every later one, as when the process or the service died.
    `delay_at` makes that call wait `delay_s` first; `truncate_at` makes that read give only half of its bytes, and that
    stream end with StorageUnavailable after half of them.
    `counts` has how many calls of each kind there were, `calls` each call as (kind, key) in order.
    """

    def __init__(
        self,
        inner: ObjectStore,
        *,
        kind: Kind | None = None,
        fail_at: int | None = None,
        error: Callable[[], BaseException] = unavailable,
        after: bool = False,
        from_then_on: bool = False,
        delay_at: int | None = None,
        delay_s: float = 0.0,
        truncate_at: int | None = None,
    ) -> None:
        self._inner = inner
        self._kind = kind
        self._fail_at = fail_at
        self._error = error
        self._after = after
        self._from_then_on = from_then_on
        self._delay_at = delay_at
        self._delay_s = delay_s
        self._truncate_at = truncate_at
        self._number = 0
        self.calls: list[tuple[Kind, str]] = []

    @property
    def counts(self) -> Counter[Kind]:
        """How many calls of each kind there were, failed ones included."""
        return Counter(kind for kind, _ in self.calls)

    async def head(self, key: str) -> ObjectInfo:
        """As the store inside, but for the call that was chosen."""
        number = await self._begin("head", key)
        info = await self._inner.head(key)
        self._end(number)
        return info

    async def read(self, key: str, byte_range: ByteRange | None = None) -> ObjectBody:
        """As the store inside, but for the call that was chosen."""
        number = await self._begin("read", key)
        body = await self._inner.read(key, byte_range)
        self._end(number)
        if number is not None and number == self._truncate_at:
            return replace(body, data=body.data[: len(body.data) // 2])
        return body

    @asynccontextmanager
    async def open(self, key: str, byte_range: ByteRange | None = None) -> AsyncIterator[ObjectStream]:
        """As the store inside, but for the call that was chosen."""
        number = await self._begin("open", key)
        async with self._inner.open(key, byte_range) as stream:
            self._end(number)
            if number is not None and number == self._truncate_at:
                stream = replace(stream, chunks=_half(stream))
            yield stream

    async def fetch(self, key: str, target: Path) -> ObjectInfo:
        """As the store inside, but for the call that was chosen."""
        number = await self._begin("fetch", key)
        info = await self._inner.fetch(key, target)
        self._end(number)
        return info

    async def lend(self, key: str, target: Path) -> ObjectInfo:
        """As the store inside, but for the call that was chosen; it counts as a fetch."""
        number = await self._begin("fetch", key)
        info = await self._inner.lend(key, target)
        self._end(number)
        return info

    async def put(self, key: str, body: Path | bytes, *, media_type: str, cache_control: str) -> ObjectInfo:
        """As the store inside, but for the call that was chosen."""
        number = await self._begin("put", key)
        info = await self._inner.put(key, body, media_type=media_type, cache_control=cache_control)
        self._end(number)
        return info

    async def give(self, key: str, body: Path, *, sha256: str, media_type: str, cache_control: str) -> ObjectInfo:
        """As the store inside, but for the call that was chosen; it counts as a put."""
        number = await self._begin("put", key)
        info = await self._inner.give(key, body, sha256=sha256, media_type=media_type, cache_control=cache_control)
        self._end(number)
        return info

    async def put_if_absent(self, key: str, body: bytes, *, media_type: str, cache_control: str) -> bool:
        """As the store inside, but for the call that was chosen; it counts as a put."""
        number = await self._begin("put", key)
        written = await self._inner.put_if_absent(key, body, media_type=media_type, cache_control=cache_control)
        self._end(number)
        return written

    async def walk(self, prefix: str, *, after: str = "") -> AsyncIterator[ObjectEntry]:
        """As the store inside, but for the call that was chosen."""
        number = await self._begin("walk", prefix)
        async for entry in self._inner.walk(prefix, after=after):
            yield entry
        self._end(number)

    async def delete(self, key: str) -> None:
        """As the store inside, but for the call that was chosen."""
        number = await self._begin("delete", key)
        await self._inner.delete(key)
        self._end(number)

    async def close(self) -> None:
        """Close the store inside; never fails by itself."""
        await self._inner.close()

    async def _begin(self, kind: Kind, key: str) -> int | None:
        """The number of this call, None if it is not of the kind that counts."""
        self.calls.append((kind, key))
        if self._kind not in (None, kind):
            return None
        self._number += 1
        number = self._number  # others may begin while this one waits
        if number == self._delay_at:
            await asyncio.sleep(self._delay_s)
        if self._is_to_fail(number) and not self._after:
            raise self._error()
        return number

    def _end(self, number: int | None) -> None:
        if self._is_to_fail(number) and self._after:
            raise self._error()

    def _is_to_fail(self, number: int | None) -> bool:
        if number is None or self._fail_at is None:
            return False
        return number == self._fail_at or (self._from_then_on and number > self._fail_at)


async def _half(stream: ObjectStream) -> AsyncIterator[bytes]:
    left = (stream.end - stream.start) // 2
    async for chunk in stream.chunks:
        if chunk := chunk[:left]:
            left -= len(chunk)
            yield chunk
        if not left:
            raise StorageUnavailable("the answer ended early", subject=stream.info.key, hint="this is a test")
