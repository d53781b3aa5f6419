"""The order of going: the bound, what it keeps, and what a scan may do."""

import random
from collections.abc import Hashable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from origin.hot_cache import HotCache

WEIGHT_MAX = 40


def _filled(weight_max: int, keys: range) -> HotCache[int]:
    cache: HotCache[int] = HotCache(weight_max)
    for key in keys:
        cache.put(key, key, weight=1)
    return cache


def test_a_value_too_heavy_alone_is_not_held() -> None:
    """It would only push everything else out; what was under its key is gone all the same."""
    cache: HotCache[str] = HotCache(3)
    cache.put("a", "old", weight=1)
    cache.put("b", "B", weight=1)
    cache.put("a", "heavy", weight=4)
    assert (cache.get("a"), cache.get("b"), cache.weight) == (None, "B", 1)


def test_a_value_put_again_counts_once() -> None:
    """The new weight takes the old one's place."""
    cache: HotCache[str] = HotCache(10)
    cache.put("a", "A", weight=4)
    cache.put("a", "B", weight=6)
    assert (cache.get("a"), cache.weight, len(cache)) == ("B", 6, 1)


def test_a_scan_does_not_push_out_what_is_used() -> None:
    """Fifty values in use, then a thousand that are asked for once: an LRU would have lost all fifty."""
    cache = _filled(100, range(50))
    for _ in range(3):
        assert all(cache.get(key) is not None for key in range(50))
    for key in range(1000, 2000):
        cache.put(key, key, weight=1)
        cache.get(key)
    assert all(key in cache for key in range(50))


def test_what_comes_back_soon_stays() -> None:
    """It went because it was new; wanted again, it is kept through what pushed it out the first time."""
    cache = _filled(100, range(100))
    for key in range(50):
        cache.get(key), cache.get(key), cache.get(key)
    for key in range(100, 160):
        cache.put(key, key, weight=1)
    gone = [key for key in range(50, 100) if key not in cache]
    cache.put(gone[-1], 0, weight=1)
    for key in range(1000, 1090):
        cache.put(key, key, weight=1)
    assert gone[-1] in cache


def test_what_was_read_ahead_waits_for_its_reader() -> None:
    """Through a crowd of others that are used once each, and then it goes in the order in which it came."""
    cache = _filled(100, range(0))
    for key in range(50):
        cache.put(key, key, weight=1, ahead=True)
    for key in range(1000, 2000):
        cache.put(key, key, weight=1)
    assert all(cache.get(key) == key for key in range(50))


def test_reading_ahead_has_its_share() -> None:
    """Beyond half of the weight its oldest goes, unused, and that can be asked for."""
    cache = _filled(100, range(0))
    for key in range(130):
        cache.put(key, key, weight=1, ahead=True)
    cache.put("used", 1, weight=1)
    assert [cache.went_unused(key) for key in (0, 29, 129, "used", "never seen")] == [True, True, False, False, False]


def test_what_is_held_no_more_is_told() -> None:
    """Each key that had to go, once; not the one that was taken out."""
    told: list[Hashable] = []
    cache: HotCache[int] = HotCache(3, on_drop=told.append)
    for key in range(5):
        cache.put(key, key, weight=1)
    cache.discard(4)
    assert sorted(str(key) for key in told) == [str(key) for key in range(5) if key != 4 and key not in cache]


class _Model(RuleBasedStateMachine):
    """Whatever is asked of it, in any order, against a dictionary of what was put."""

    def __init__(self) -> None:
        super().__init__()
        self.dropped: list[Hashable] = []
        self.cache: HotCache[int] = HotCache(WEIGHT_MAX, on_drop=self.dropped.append)
        self.put_last: dict[Hashable, tuple[int, int]] = {}
        self.serial = 0

    @rule(key=st.integers(0, 30), weight=st.integers(1, WEIGHT_MAX + 4), ahead=st.booleans())
    def put(self, key: int, weight: int, ahead: bool) -> None:
        self.serial += 1
        self.dropped.clear()
        self.cache.put(key, self.serial, weight=weight, ahead=ahead)
        self.put_last[key] = (self.serial, weight)
        if weight > WEIGHT_MAX:
            del self.put_last[key]
        assert key not in self.dropped
        for gone in self.dropped:
            del self.put_last[gone]  # each was held, and is told once

    @rule(key=st.integers(0, 30), times=st.integers(1, 4))
    def get(self, key: int, times: int) -> None:
        for _ in range(times):
            assert self.cache.get(key) == self.put_last.get(key, (None,))[0]

    @rule(key=st.integers(0, 30))
    def discard(self, key: int) -> None:
        self.cache.discard(key)
        self.put_last.pop(key, None)

    @invariant()
    def weighs_what_it_holds(self) -> None:
        assert self.cache.weight == sum(weight for _, weight in self.put_last.values()) <= WEIGHT_MAX
        assert len(self.cache) == len(self.put_last)
        assert all((key in self.cache) == (key in self.put_last) for key in range(31))


def test_it_holds_what_it_should_and_no_more() -> None:
    """The weight is exact and within the bound after every step; what is dropped is told, nothing else is lost."""
    run_state_machine_as_test(_Model, settings=settings(max_examples=60, stateful_step_count=60, deadline=None))


@given(st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_no_operation_takes_long(seed: int) -> None:
    """Nothing that is remembered of the past grows without end, and each put lets a bounded number go by."""
    chance, cache = random.Random(seed), _filled(100, range(0))
    moves = 0
    for _ in range(3000):
        key = chance.randrange(400)
        if cache.get(key) is None:
            before = len(cache)
            cache.put(key, key, weight=chance.randrange(1, 4), ahead=chance.random() < 0.5)
            moves += max(0, before + 1 - len(cache))
    assert len(cache._gone) <= len(cache) + 1
    assert moves <= 3000


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_any_share_of_what_is_ahead_keeps_the_bound(share: float) -> None:
    """Also none at all, and all of it."""
    cache: HotCache[int] = HotCache(10, ahead_share=share)
    for key in range(50):
        cache.put(key, key, weight=3, ahead=key % 2 == 0)
        assert cache.weight <= 10
