"""How far apart the tracks of an artist can be, and who may come next without losing that. Pure.

Whoever has most left comes first as soon as it may: if anything keeps a distance, this does. That is seen against all
orders of small lists in the tests; for tasks of one step and a fixed pause it is a known result.
"""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush

GAP = 4  # places between two tracks of an artist, where there are enough others


class Spacing:
    """Of a list that is made from the front: the distance that it keeps is the largest that can be kept to its end, at
    most GAP. Where what came `after` stands against that, tracks may be nearer to those than to each other."""

    def __init__(self, artists: Sequence[str], after: Sequence[str] = ()) -> None:
        self._left = Counter(artists)
        self._place = 0
        self._gap, self._ready = self._largest(after[:-GAP:-1])

    def _largest(self, lately: Sequence[str]) -> tuple[int, dict[str, int]]:
        for gap in range(GAP, 0, -1):
            for joint in range(gap, 0, -1):
                ready: dict[str, int] = {}
                for back, artist in enumerate(lately, 1):
                    ready.setdefault(artist, max(0, joint - back))
                if _fits(self._left, ready, 0, gap):
                    return gap, ready
        raise AssertionError("without a distance anything fits")

    def is_free(self, artist: str) -> bool:
        """Whether its last track is far enough away."""
        return self._ready.get(artist, 0) <= self._place

    def may_come(self, artist: str) -> bool:
        """Whether all that is left keeps the distance, if one of this artist comes now, who is free."""
        left = {**self._left, artist: self._left[artist] - 1}
        return _fits(left, self._ready | {artist: self._place + self._gap}, self._place + 1, self._gap)

    def most_left(self, artists: Sequence[str]) -> str:
        """Of some who are free the first of those who have most left: one who may always come, if these are all."""
        return max(artists, key=lambda each: self._left[each])

    def came(self, artist: str) -> None:
        """One of this artist has been put in the next place."""
        self._ready[artist] = self._place + self._gap
        self._place += 1
        self._left[artist] -= 1


def _fits(left: Mapping[str, int], ready: Mapping[str, int], place: int, gap: int) -> bool:
    """Whether the tracks that artists have left fill all places from this one on, each artist from where it is ready,
    and then at this distance."""
    waiting = deque(sorted((at, -left[artist]) for artist, at in ready.items() if at > place and left.get(artist)))
    free = [-count for artist, count in left.items() if count and ready.get(artist, 0) <= place]
    heapify(free)
    while free or waiting:
        while waiting and waiting[0][0] <= place:
            heappush(free, waiting.popleft()[1])
        if not free:
            return False
        if free[0] == -1 and (not waiting or len(free) >= gap) and all(count == -1 for _, count in waiting):
            return True  # one of each, and more of them than there are places to wait
        count = heappop(free) + 1
        if count:
            waiting.append((place + gap, count))
        place += 1
    return True
