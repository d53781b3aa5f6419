"""The order of a batch: as it came, and no long job left alone at the end."""

import heapq
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from segue.schedule import work_order


def finish(costs: Sequence[float], jobs: int, order: Sequence[int]) -> float:
    """When the last worker is done, if each takes the next item as soon as it is free."""
    workers = [0.0] * jobs
    for position in order:
        heapq.heapreplace(workers, workers[0] + costs[position])
    return max(workers)


def test_equal_jobs_stay_in_their_order() -> None:
    """An album is worked on as it is played."""
    assert work_order([3.0] * 10, 2) == list(range(10))


def test_a_long_job_at_the_end_is_started_in_time() -> None:
    """Twenty songs and an hour's mix: the mix starts when the songs left take as long as it does."""
    costs = [3.0] * 20 + [50.0]
    order = work_order(costs, 2)
    assert order[:3] == [0, 1, 2]
    assert order.index(20) < 6
    assert finish(costs, 2, order) < 1.05 * sum(costs) / 2
    assert finish(costs, 2, range(21)) > 1.4 * sum(costs) / 2


def test_costs_that_nobody_knows_change_nothing() -> None:
    """Without lengths the order is the order."""
    assert work_order([0.0] * 5, 2) == [0, 1, 2, 3, 4]
    assert work_order([], 2) == []


@given(st.lists(st.floats(0, 1000), max_size=60), st.integers(1, 8))
def test_everything_is_started_once_and_the_end_is_near_the_best(costs: list[float], jobs: int) -> None:
    """Never later than one average share after the best possible end, which is the longest job or an equal share."""
    order = work_order(costs, jobs)
    assert sorted(order) == list(range(len(costs)))
    if costs:
        best = max(max(costs), sum(costs) / jobs)
        assert finish(costs, jobs, order) <= 2 * best + 1e-6
