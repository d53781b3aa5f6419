"""Whether requests should come here (decision 24).

Ready is who can answer something. An outage of the store is no reason to send requests elsewhere: all origins have the
same store, and what they hold can still be served. Only an origin that holds nothing has nothing to offer meanwhile.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from enum import StrEnum

from model.errors import PipelineError


class Health(StrEnum):
    """Why the origin should get requests, or should not."""

    READY = "ready"
    STARTING = "starting"
    DRAINING = "draining"
    STORE_FAILING = "store-failing"


class HealthState:
    """What is known of this origin: whether it drains, what it still waits for, and how the store answered last."""

    def __init__(self, *, failure_memory_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._failure_memory_s = failure_memory_s
        self._clock = clock
        self._failed_s: float | None = None
        self._heard_s: float | None = None
        self._awaited: set[str] = set()
        self.draining = False

    def store_answered(self) -> None:
        """The store did what it was asked."""
        self._failed_s = None
        self._heard_s = self._clock()

    def store_failed(self) -> None:
        """The store did not answer, or not in time."""
        self._failed_s = self._heard_s = self._clock()

    def expect(self, what: str) -> None:
        """Not ready before `what` has arrived."""
        self._awaited.add(what)

    def arrived(self, what: str) -> None:
        """`what`, which comes from the store, is here."""
        self._awaited.discard(what)
        if self._heard_s is None:
            self._heard_s = self._clock()

    @property
    def starting(self) -> bool:
        """Whether something that it expects has not arrived: what is known may not be all there is."""
        return bool(self._awaited)

    @property
    def store_failing(self) -> bool:
        """Whether the store failed lately, and did not answer since."""
        return self._failed_s is not None and self._clock() - self._failed_s < self._failure_memory_s

    def heard_within(self, age_s: float) -> bool:
        """Whether the store answered or failed within this time."""
        return self._heard_s is not None and self._clock() - self._heard_s < age_s

    def state(self, *, holds_something: bool) -> Health:
        """The health at this moment, for an origin whose caches hold something, or nothing."""
        if self.draining:
            return Health.DRAINING
        if self.starting:
            return Health.STARTING
        silent = self.store_failing or self._heard_s is None
        return Health.STORE_FAILING if silent and not holds_something else Health.READY


class Probe:
    """Asks the store whether it answers: one question at a time, for all who want to know, and only as often as
    `every_s`. It has `deadline_s` to end, and nobody waits longer than `wait_s` for it."""

    def __init__(
        self,
        health: HealthState,
        ask: Callable[[], Awaitable[object]],
        *,
        every_s: float,
        wait_s: float,
        deadline_s: float,
    ) -> None:
        self._health = health
        self._ask = ask
        self._every_s = every_s
        self._wait_s = wait_s
        self._deadline_s = deadline_s
        self._asking: asyncio.Task[None] | None = None

    async def fresh(self) -> None:
        """Return when the state of the store is known, or it takes too long."""
        if self._asking is None:
            if self._health.heard_within(self._every_s):
                return
            self._asking = asyncio.create_task(self._bounded())
        await asyncio.wait([self._asking], timeout=self._wait_s)

    async def close(self) -> None:
        """End the question that is still open."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])

    async def _bounded(self) -> None:
        try:
            async with asyncio.timeout(self._deadline_s):
                await self._ask()
            self._health.store_answered()
        except (PipelineError, TimeoutError):
            self._health.store_failed()
        finally:
            self._asking = None
