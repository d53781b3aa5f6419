"""Claims: who works on which group, said in the store, so that two coordinators of one batch share its work.

A claim is an object that is written only if there is none. While the work goes on it is written anew, afterwards it is
deleted. Who finds a claim of somebody else does other things first. A claim that did not change for `expire_s` while it
was watched is nobody's: so the clocks of two machines are never compared.

Nothing is wrong without a claim, or when one is lost: then work is done twice, and what is written is equal.
"""

import asyncio
import logging
import math
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Generic, Self, TypeVar

from ingest.work import record_in
from model.errors import StorageError
from model.records import to_json
from segue.alive import Process, this_process
from storage.base import ObjectStore
from storage.defaults import REVALIDATE
from storage.keys import CLAIMS, claim_key

ASIDE_MAX = 1000  # groups that others work on, kept in memory: many more than coordinators work on at a time
LET_GO_S = 5.0

log = logging.getLogger(__name__)

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """A claim is renewed every `renew_s`, and nobody's after `expire_s` without; the store is asked for the claims of
    others every `look_s` at most, and only where one is waited for."""

    renew_s: float = 15.0
    expire_s: float = 60.0
    look_s: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Who works on a group, and with which settings. `renewed` makes each renewal another object."""

    coordinator: str
    process: Process
    settings: str
    renewed: int = 0


class Claims:
    """The claims of one batch. Errors of the store are none of the batch: what cannot be claimed is worked on without.

    A service that replaces all the same is found out by the first claim; then there are none.
    """

    def __init__(
        self, store: ObjectStore, *, settings: str, pace: Pace, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._clock = clock
        self._me = Claim(coordinator=secrets.token_hex(8), process=this_process(), settings=settings)
        self.pace = pace
        self._off = False
        self._refuses = False  # the store was seen to keep what it shall not replace
        self._warned = False
        self._held: set[str] = set()
        self._finding_out, self._writing = asyncio.Lock(), asyncio.Lock()
        self._holders: dict[str, Process] = {}  # of claims that we were refused
        self._seen: dict[str, tuple[str, float]] = {}  # the version of each claim, and since when it is that
        self._looked_s = -math.inf

    @asynccontextmanager
    async def renewed(self) -> AsyncIterator[None]:
        """Keep what is taken from running out; at the end all is let go."""
        renewing = asyncio.create_task(self._renewing())
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.wait([renewing])
            for key in list(self._held):
                await self._let_go(key)

    async def take(self, claim_id: str, *, subject: str) -> bool:
        """Whether to work on this now: it is ours, or cannot be anybody's. False: another coordinator works on it.

        An empty id needs no claim. `subject` is what a warning names.
        """
        if self._off or not claim_id:
            return True
        if self._refuses:
            return await self._take(claim_key(claim_id), subject)
        async with self._finding_out:
            return self._off or await self._take(claim_key(claim_id), subject)

    async def _take(self, key: str, subject: str) -> bool:
        try:
            taken = await self._claim(key, subject)
            if taken and not self._refuses and await self._put_if_absent(key):
                await self._store.delete(key)
                self._give_up("the store replaces what it shall not replace")
                return True
        except StorageError as error:
            if not error.retryable:
                self._give_up(str(error))
            return True
        self._refuses = True
        if taken:
            self._held.add(key)
            self._holders.pop(key, None)
        return taken

    async def let_go(self, claim_id: str) -> None:
        """The work is over, for better or worse."""
        if claim_id:
            await self._let_go(claim_key(claim_id))

    async def free(self, claim_ids: Collection[str]) -> list[str]:
        """Those of these that nobody holds any more, as far as it is time to look."""
        if self._off or not claim_ids:
            return list(claim_ids)
        now_s = self._clock()
        if now_s < self._looked_s + self.pace.look_s:
            return []
        self._looked_s = now_s
        keys = {claim_key(each) for each in claim_ids}
        self._holders = {key: holder for key, holder in self._holders.items() if key in keys}
        try:
            found = {entry.key: entry.version async for entry in self._store.walk(CLAIMS)}
            self._seen = {key: self._since(key, version, now_s) for key, version in found.items()}
            for key in keys:
                if key in self._seen and now_s >= self._seen[key][1] + self.pace.expire_s:
                    await self._store.delete(key)
                    del found[key]
        except StorageError as error:
            self._seen = {}  # who could not be seen may have been well
            if not error.retryable:
                self._give_up(str(error))
            return []
        return [each for each in claim_ids if self._is_free(claim_key(each), found)]

    def _is_free(self, key: str, found: Collection[str]) -> bool:
        """Whether a claim is gone, or worth another try: who holds it is looked at again then."""
        return key not in found or (key in self._holders and self._holders[key].ended)

    def _since(self, key: str, version: str, now_s: float) -> tuple[str, float]:
        known = self._seen.get(key)
        return known if known and known[0] == version else (version, now_s)

    async def _claim(self, key: str, subject: str) -> bool:
        if await self._put_if_absent(key):
            return True
        holder = await record_in(self._store, Claim, key)
        if holder is None:
            return False  # gone this moment, or not ours: either is seen by `free`
        if holder.coordinator == self._me.coordinator:
            return True  # its answer was lost
        self._holders[key] = holder.process
        if holder.process.ended:
            await self._store.delete(key)
            return await self._put_if_absent(key)
        extra = {"source": subject, "host": holder.process.host, "pid": holder.process.number}
        log.info("another coordinator works on it", extra=extra)
        if holder.settings != self._me.settings and not self._warned:
            self._warned = True
            log.warning("another batch has other settings for it: what is published last stays", extra=extra)
        return False

    async def _put_if_absent(self, key: str) -> bool:
        body = to_json(self._me)
        return await self._store.put_if_absent(key, body, media_type="application/json", cache_control=REVALIDATE)

    async def _renewing(self) -> None:
        while True:
            await asyncio.sleep(self.pace.renew_s)
            self._me = replace(self._me, renewed=self._me.renewed + 1)
            for key in list(self._held):
                async with self._writing:
                    with suppress(StorageError):  # the next one may get through in time
                        await self._renew(key)

    async def _renew(self, key: str) -> None:
        if key not in self._held:
            return
        if await self._is_ours(key):
            body = to_json(self._me)
            await self._store.put(key, body, media_type="application/json", cache_control=REVALIDATE)
        else:
            self._held.discard(key)

    async def _is_ours(self, key: str) -> bool:
        holder = await record_in(self._store, Claim, key)
        return holder is not None and holder.coordinator == self._me.coordinator

    async def _let_go(self, key: str) -> None:
        if key in self._held:
            self._held.discard(key)
            with suppress(StorageError, TimeoutError):  # then it runs out
                async with asyncio.timeout(LET_GO_S), self._writing:
                    if await self._is_ours(key):
                        await self._store.delete(key)

    def _give_up(self, reason: str) -> None:
        if not self._off:
            self._off = True
            log.warning("no claims: a second coordinator would do the same work again", extra={"reason": reason})


class Shared(Generic[Item]):
    """What several tasks draw from, each item that is ours to work on once, with the id to let go. Those that other
    coordinators work on come when these are through, if `again` finds that something is left to do.

    `claim` tells the id of an item, and what a warning names.
    """

    def __init__(
        self,
        claims: Claims,
        items: AsyncIterator[Item],
        *,
        claim: Callable[[Item], Awaitable[tuple[str, str]]],
        again: Callable[[Item], Awaitable[Item | None]],
    ) -> None:
        self._claims = claims
        self._items = items
        self._claim = claim
        self._again = again
        self._aside: dict[str, Item] = {}
        self._free: list[str] = []
        self._ended = False
        self._turn = asyncio.Lock()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> tuple[Item, str]:
        while True:
            async with self._turn:
                item = await self._next()
            claim_id, subject = await self._claim(item)
            if await self._claims.take(claim_id, subject=subject):
                return item, claim_id
            self._aside[claim_id] = item

    async def _next(self) -> Item:
        """The next that may be ours. Who sets one aside draws again, so none is forgotten at the end."""
        while True:
            self._free = self._free or await self._claims.free(self._aside)
            while self._free:
                item = await self._again(self._aside.pop(self._free.pop()))
                if item is not None:
                    return item
            if not self._ended and len(self._aside) < ASIDE_MAX:
                try:
                    return await anext(self._items)
                except StopAsyncIteration:
                    self._ended = True
            if self._ended and not self._aside:
                raise StopAsyncIteration
            await asyncio.sleep(self._claims.pace.look_s)
