"""What a store can do, tried out on objects of our own, which are gone afterwards."""

import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from statistics import median

from model.errors import ObjectNotFound, PipelineError, StorageDenied
from storage.base import ByteRange, ObjectStore

TIMES = 5  # of what is timed
SKEW_S_MAX = 5  # clocks are compared in whole seconds
_DATA = bytes(range(256)) * 4
_TYPE, _CACHE = "application/octet-stream", "no-cache"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ability:
    """One thing that was tried. `needed` is False where Segue works without it."""

    name: str
    good: bool
    detail: str
    hint: str = ""
    needed: bool = True


async def probe(store: ObjectStore) -> AsyncGenerator[Ability, None]:
    """Try everything that Segue asks of a store, one after the other. What fails is told; nothing is raised.

    With keys that may only read, that is told and nothing else is tried.
    """
    folder = f"probe/{secrets.token_hex(8)}"
    key, other = f"{folder}/one.bin", f"{folder}/two.bin"
    try:
        try:
            await store.put(key, _DATA, media_type=_TYPE, cache_control=_CACHE)
        except StorageDenied as error:
            yield Ability(
                name="write",
                good=False,
                detail=str(error),
                hint="to serve is enough; to publish it is not",
                needed=False,
            )
            return
        except PipelineError as error:
            yield Ability(name="write", good=False, detail=str(error), hint=error.hint)
            return
        yield Ability(name="write", good=True, detail="an object is written")
        for name, attempt in (
            ("read", lambda: _reads(store, key)),
            ("ranges", lambda: _ranges(store, key)),
            ("listing", lambda: _lists(store, f"{folder}/", key)),
            ("replace", lambda: _replaces(store, key)),
            ("clock", lambda: _clock(store, key)),
            ("conditional", lambda: _refuses(store, key, other)),
            ("latency", lambda: _latency(store, key)),
            ("delete", lambda: _deletes(store, f"{folder}/", key)),
        ):
            yield await _tried(name, attempt)
    finally:
        for each in (key, other):
            with suppress(PipelineError):
                await store.delete(each)


async def _tried(name: str, attempt: Callable[[], Awaitable[Ability]]) -> Ability:
    try:
        return await attempt()
    except PipelineError as error:
        return Ability(name=name, good=False, detail=str(error), hint=error.hint, needed=name != "conditional")


def _found(name: str, good: bool, detail: str) -> Ability:
    hint = "" if good else "the service does not do what Segue needs; see docs/storage-compat.md"
    return Ability(name=name, good=good, detail=detail if good else f"not so: {detail}", hint=hint)


async def _reads(store: ObjectStore, key: str) -> Ability:
    body, info = await store.read(key), await store.head(key)
    same = body.data == _DATA and body.info.sha256 == info.sha256 and info.media_type == _TYPE
    return _found("read", same, "bytes, hash and media type come back")


async def _ranges(store: ObjectStore, key: str) -> Ability:
    part = await store.read(key, ByteRange(10, 300))
    return _found("ranges", part.data == _DATA[10:300], "a part of an object can be read")


async def _lists(store: ObjectStore, folder: str, key: str) -> Ability:
    keys = [each.key async for each in store.walk(folder)]
    return _found("listing", keys == [key], "what was written is listed at once")


async def _replaces(store: ObjectStore, key: str) -> Ability:
    await store.put(key, _DATA[::-1], media_type=_TYPE, cache_control=_CACHE)
    return _found("replace", (await store.read(key)).data == _DATA[::-1], "what replaces an object is read at once")


async def _clock(store: ObjectStore, key: str) -> Ability:
    before = time.time()
    await store.put(key, _DATA, media_type=_TYPE, cache_control=_CACHE)
    modified_s = (await store.head(key)).modified_s
    skew_s = modified_s - before if modified_s < before - 1 else max(0.0, modified_s - time.time())
    good = abs(skew_s) <= SKEW_S_MAX
    hint = "" if good else "set the clocks: `segue gc` and the service's signatures go by them"
    return Ability(name="clock", good=good, detail=f"the store's differs from ours by {skew_s:.0f} s", hint=hint)


async def _refuses(store: ObjectStore, key: str, other: str) -> Ability:
    """Some services answer that they wrote, and replace: so what lies there afterwards counts."""
    name = "conditional"
    await store.put(key, _DATA, media_type=_TYPE, cache_control=_CACHE)
    said = await store.put_if_absent(key, b"second", media_type=_TYPE, cache_control=_CACHE)
    kept = (await store.read(key)).data == _DATA
    new = await store.put_if_absent(other, b"first", media_type=_TYPE, cache_control=_CACHE)
    good = kept and not said and new
    if good:
        detail = "a write that must not replace is refused: batches at the same time share their work"
        return Ability(name=name, good=True, detail=detail, needed=False)
    detail = "a write that must not replace answers well, and replaces" if not kept else "is not kept as it should be"
    hint = "batches that run over the same sources at the same time do all of their work twice: run one"
    return Ability(name=name, good=False, detail=detail, hint=hint, needed=False)


async def _latency(store: ObjectStore, key: str) -> Ability:
    puts, reads = [], []
    for _ in range(TIMES):
        began = time.monotonic()
        await store.put(key, _DATA, media_type=_TYPE, cache_control=_CACHE)
        middle = time.monotonic()
        await store.read(key)
        puts.append(middle - began)
        reads.append(time.monotonic() - middle)
    detail = f"1 kB: {1000 * median(reads):.1f} ms to read, {1000 * median(puts):.1f} ms to write (median of {TIMES})"
    return Ability(name="latency", good=True, detail=detail)


async def _deletes(store: ObjectStore, folder: str, key: str) -> Ability:
    await store.delete(key)
    left = [each.key async for each in store.walk(folder) if each.key == key]
    try:
        await store.head(key)
        left.append(key)
    except ObjectNotFound:
        pass
    return _found("delete", not left, "what was deleted is gone at once")
