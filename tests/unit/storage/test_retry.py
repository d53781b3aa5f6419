"""Retries are bounded in number and time, jittered, and only for what may pass."""

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import StorageDenied, StorageError, StorageUnavailable
from storage.retry import RetryPolicy, retrying

QUICK = RetryPolicy(attempts=4, first_pause_s=0.001)


class Flaky:
    """Raises the given errors one after another, then returns how often it was called."""

    def __init__(self, *errors: StorageError) -> None:
        self.errors = list(errors)
        self.calls = 0

    async def __call__(self) -> int:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return self.calls


async def test_what_passes_is_tried_until_it_does() -> None:
    """Three failures, then success."""
    assert await retrying(Flaky(*(StorageUnavailable("down") for _ in range(3))), QUICK) == 4


async def test_the_number_of_attempts_is_bounded() -> None:
    """The last failure is what the caller sees."""
    flaky = Flaky(*(StorageUnavailable(str(n)) for n in range(9)))
    with pytest.raises(StorageUnavailable, match="3"):
        await retrying(flaky, QUICK)
    assert flaky.calls == 4


async def test_what_does_not_pass_is_tried_once() -> None:
    """A refusal is final."""
    flaky = Flaky(StorageDenied("no"))
    with pytest.raises(StorageDenied):
        await retrying(flaky, QUICK)
    assert flaky.calls == 1


async def test_the_time_is_bounded() -> None:
    """No attempt begins after the time is up, however many were allowed."""
    policy = RetryPolicy(attempts=10**6, total_s=0.05, first_pause_s=0.01, pause_max_s=0.01)
    began = time.monotonic()
    with pytest.raises(StorageUnavailable):
        await retrying(Flaky(*(StorageUnavailable("down") for _ in range(10**4))), policy)
    assert time.monotonic() - began < 20  # all of them would take fifty


async def test_a_cancelled_wait_ends_at_once() -> None:
    """Nobody waits for the next attempt any more, so there is none."""
    flaky = Flaky(*(StorageUnavailable("down") for _ in range(9)))
    patient = RetryPolicy(attempts=9, first_pause_s=1e6, total_s=1e9, pause_max_s=1e6)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await retrying(flaky, patient)
    assert flaky.calls == 1


@given(failures=st.integers(1, 60))
def test_pauses_are_jittered_and_bounded(failures: int) -> None:
    """At most doubling, at most the limit; not all alike, so that many clients do not come back together."""
    policy = RetryPolicy(first_pause_s=0.5, pause_max_s=8.0)
    pauses = {policy.pause_s(failures) for _ in range(20)}
    assert len(pauses) > 1
    assert all(0 <= pause <= min(8.0, 0.5 * 2 ** (failures - 1)) for pause in pauses)


@pytest.mark.parametrize("nonsense", [{"attempts": 0}, {"total_s": -1.0}, {"first_pause_s": -0.1}])
def test_a_policy_refuses_nonsense(nonsense: dict[str, float]) -> None:
    """At least one attempt, no negative times."""
    with pytest.raises(ValueError):
        RetryPolicy(**nonsense)  # type: ignore[arg-type]
