"""Who gets requests, and who does not."""

import pytest

from origin.health import Health, HealthState


class _Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


@pytest.fixture
def health(clock: _Clock) -> HealthState:
    return HealthState(failure_memory_s=10.0, clock=clock)


def test_an_origin_that_holds_something_is_ready_without_a_store(health: HealthState) -> None:
    """What it holds can be served: an outage of the store must not take every origin out."""
    health.store_failed()
    assert health.store_failing
    assert health.state(holds_something=True) is Health.READY
    assert health.state(holds_something=False) is Health.STORE_FAILING


def test_an_empty_origin_is_ready_once_the_store_answered(health: HealthState, clock: _Clock) -> None:
    """Not before; a failure turns it back until an answer comes, or for its time."""
    assert health.state(holds_something=False) is Health.STORE_FAILING
    health.store_answered()
    assert health.state(holds_something=False) is Health.READY
    health.store_failed()
    assert health.state(holds_something=False) is Health.STORE_FAILING
    clock.now_s += 10.0
    assert health.state(holds_something=False) is Health.READY
    health.store_failed()
    health.store_answered()
    assert not health.store_failing
    assert health.state(holds_something=False) is Health.READY


def test_what_is_expected_has_to_arrive(health: HealthState) -> None:
    """Not ready before all of it is there, whatever the store does."""
    health.expect("tracks")
    health.expect("more")
    assert health.state(holds_something=True) is Health.STARTING
    health.arrived("tracks")
    assert health.state(holds_something=True) is Health.STARTING
    health.arrived("more")
    health.arrived("more")
    assert health.state(holds_something=False) is Health.READY  # it came from the store, so that answers


def test_draining_beats_all(health: HealthState) -> None:
    """Who leaves gets nothing any more."""
    health.store_answered()
    health.draining = True
    assert health.state(holds_something=True) is Health.DRAINING


def test_what_was_heard_of_the_store_has_an_age(health: HealthState, clock: _Clock) -> None:
    """Answers and failures count alike: both say how it is."""
    assert not health.heard_within(2.0)
    health.store_failed()
    assert health.heard_within(2.0)
    clock.now_s += 2.0
    assert not health.heard_within(2.0)
    health.store_answered()
    assert health.heard_within(2.0)
