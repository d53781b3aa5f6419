"""In which order a batch is worked on: as it came, unless that would leave one long job alone at the end. Pure."""

import heapq
from collections.abc import Sequence


def work_order(costs: Sequence[float], jobs: int) -> list[int]:
    """The positions of all items in the order to start them in, `jobs` at a time.

    An item is taken before its turn when it alone would keep a worker as long as all the rest keep each of the others:
    from then on it is what the batch waits for.
    """
    longest = [(-cost, position) for position, cost in enumerate(costs)]
    heapq.heapify(longest)
    left = sum(costs)
    taken: set[int] = set()
    order: list[int] = []
    following = iter(range(len(costs)))
    while len(order) < len(costs):
        while longest[0][1] in taken:
            heapq.heappop(longest)
        cost, position = longest[0]
        if not before_its_turn(-cost, left, jobs):
            position = next(each for each in following if each not in taken)
        taken.add(position)
        order.append(position)
        left -= costs[position]
    return order


def before_its_turn(longest: float, left: float, jobs: int) -> bool:
    """Whether the longest of what is `left` must be started now."""
    return longest * jobs >= left
