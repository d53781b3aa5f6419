"""Trying again: only what may help, a bounded number of times, within a bounded time, not in step with others."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from model.errors import StorageError, StorageUnavailable

log = logging.getLogger(__name__)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """At most `attempts` calls; none begins later than `total_s` after the first.

    Before the n-th repetition there is a pause of a random part of `first_pause_s` × 2^(n-1), at most `pause_max_s`,
    and before that what the store itself asked us to wait. Where that goes past `total_s` there is no repetition.
    """

    attempts: int = 4
    total_s: float = 60.0
    first_pause_s: float = 0.2
    pause_max_s: float = 5.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or min(self.total_s, self.first_pause_s, self.pause_max_s) < 0:
            raise ValueError(f"at least one attempt, and no negative times: {self}")

    def pause_s(self, failures: int) -> float:
        """How long to wait after so many failures."""
        return random.uniform(0, min(self.pause_max_s, self.first_pause_s * 2 ** (failures - 1)))


async def retrying(attempt: Callable[[], Awaitable[Result]], policy: RetryPolicy) -> Result:
    """What `attempt` returns, after as many attempts as the policy allows.

    Raises what the last attempt raised. What is not retryable is raised at once.
    """
    clock = asyncio.get_running_loop().time
    deadline = clock() + policy.total_s
    failures = 0
    while True:
        try:
            return await attempt()
        except StorageError as error:
            failures += 1
            asked_s = error.retry_after_s if isinstance(error, StorageUnavailable) else 0.0
            pause = asked_s + policy.pause_s(failures)
            if not error.retryable or failures >= policy.attempts or clock() + pause > deadline:
                raise
            log.info("store call repeated", extra={"attempt": failures + 1, "error_code": error.code})
        await asyncio.sleep(pause)
