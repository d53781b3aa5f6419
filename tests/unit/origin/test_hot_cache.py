"""The memory cache."""

from hypothesis import given
from hypothesis import strategies as st

from origin.hot_cache import HotCache


def test_the_longest_unused_goes_first() -> None:
    """A look counts as a use."""
    cache: HotCache[str] = HotCache(3)
    for key in "abc":
        cache.put(key, key.upper(), weight=1)
    assert cache.get("a") == "A"
    cache.put("d", "D", weight=1)
    assert [cache.get(key) for key in "abcd"] == ["A", None, "C", "D"]


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
    assert (cache.get("a"), cache.weight) == ("B", 6)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 12)), max_size=40))
def test_the_bound_holds_whatever_comes(puts: list[tuple[int, int]]) -> None:
    """Never more weight than allowed, and the last value that fits is always there."""
    cache: HotCache[int] = HotCache(10)
    for key, weight in puts:
        cache.put(key, weight, weight=weight)
        assert cache.weight <= 10
        assert cache.get(key) == (weight if weight <= 10 else None)
