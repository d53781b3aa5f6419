"""Which tracks changed lately: a small object for each change, so that nobody has to list a whole store to find out.

An object is named after moment and track, and says nothing more. Whoever writes a pointer of a track writes one after
it; whoever follows a store lists those of the last minutes. Nothing depends on them: one that was never written, or is
by a clock that is far off, is a change that the next listing of all tracks finds.
"""

import logging
import time

from model.errors import StorageError
from storage.base import ObjectStore
from storage.defaults import REVALIDATE
from storage.keys import CHANGES, Change, change_in, change_key, changes_at

log = logging.getLogger(__name__)

KEPT_MS = 3_600_000
WINDOW_MS = 120_000  # clocks of publishers and followers may differ by so much
CLEARED_EVERY = 32  # changes
CLEARED_MAX = 2 * CLEARED_EVERY  # at a time: more than came since, so that they do not grow in number


def now_ms() -> int:
    """The wall clock, in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


async def signal(store: ObjectStore, track_id: str, *, at_ms: int | None = None) -> None:
    """Say that a track changed (now), after its pointer was written. Raises no StorageError: the change is made.

    Now and then some of those that are old are cleared away, if that is allowed.
    """
    at_ms = now_ms() if at_ms is None else at_ms
    try:
        key = change_key(Change(track_id, at_ms))
        await store.put(key, b"", media_type="text/plain", cache_control=REVALIDATE)
        if at_ms % CLEARED_EVERY == 0:
            await clear(store, before_ms=at_ms - KEPT_MS, most=CLEARED_MAX)
    except StorageError as error:
        extra = {"track_id": track_id, "error_code": error.code, "reason": str(error)}
        log.warning("change not told", extra=extra)


async def changes_since(store: ObjectStore, since_ms: int) -> list[Change]:
    """The changes from a moment on, by the clocks of those who made them. Raises StorageError."""
    found = [change_in(entry.key) async for entry in store.walk(CHANGES, after=changes_at(since_ms))]
    return [change for change in found if change is not None]


async def old_changes(store: ObjectStore, *, before_ms: int, most: int) -> list[str]:
    """The keys of at most so many changes from before a moment, the oldest first. Raises StorageError."""
    keys: list[str] = []
    async for entry in store.walk(CHANGES):
        if entry.key > changes_at(before_ms) or len(keys) == most:
            break
        keys.append(entry.key)
    return keys


async def clear(store: ObjectStore, *, before_ms: int, most: int) -> int:
    """Delete at most so many changes from before a moment; how many. Raises StorageError."""
    keys = await old_changes(store, before_ms=before_ms, most=most)
    for key in keys:
        await store.delete(key)
    return len(keys)
