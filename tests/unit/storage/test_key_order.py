"""Pages in either of the two orders come out sorted, and little is held back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import StorageError
from storage.base import ObjectEntry
from storage.key_order import KeyOrder

KEYS = st.sets(st.lists(st.text("a-.0/z", min_size=1, max_size=6), min_size=1, max_size=3).map("/".join), max_size=30)


def _entries(keys: list[str]) -> list[ObjectEntry]:
    return [ObjectEntry(key=key, size_bytes=0, version="", modified_s=0) for key in keys]


def _through(keys: list[str], *, page: int, prefix: str = "") -> list[str]:
    order = KeyOrder(prefix)
    given_back = [entry for at in range(0, len(keys), page) for entry in order.feed(_entries(keys[at : at + page]))]
    return [entry.key for entry in given_back + order.rest()]


@given(keys=KEYS, page=st.integers(1, 5))
def test_a_listing_by_path_component_comes_out_by_key(keys: set[str], page: int) -> None:
    """As SeaweedFS lists: folder by folder."""
    listed = sorted(keys, key=lambda key: key.split("/"))
    assert _through(listed, page=page) == sorted(keys)


@given(keys=KEYS, page=st.integers(1, 5))
def test_a_listing_by_key_stays_as_it_is(keys: set[str], page: int) -> None:
    """As S3 lists."""
    assert _through(sorted(keys), page=page) == sorted(keys)


@given(keys=KEYS, page=st.integers(1, 5))
def test_under_a_prefix_it_is_the_same(keys: set[str], page: int) -> None:
    """The prefix is no name to be sorted by, also when it ends within one."""
    for prefix in ("tracks/", "tracks/a"):
        below = [prefix + key for key in keys]
        listed = sorted(below, key=lambda key: key.split("/"))
        assert _through(listed, page=page, prefix=prefix) == sorted(below)


def test_only_one_group_of_neighbours_is_held_back() -> None:
    """A track goes out as soon as the next one comes: a million tracks take the memory of one."""
    order = KeyOrder("tracks/")
    assert order.feed(_entries(["tracks/a/1", "tracks/a/2"])) == []
    assert [entry.key for entry in order.feed(_entries(["tracks/a-b/1"]))] == []
    out = order.feed(_entries(["tracks/b/1", "tracks/c/1"]))
    assert [entry.key for entry in out] == ["tracks/a-b/1", "tracks/a/1", "tracks/a/2", "tracks/b/1"]


@pytest.mark.parametrize("keys", [["b", "a"], ["a", "a"], ["a/1", "b/1", "a/2"]])
def test_a_listing_in_no_order_is_refused(keys: list[str]) -> None:
    """Better no listing than one that a merge would get wrong."""
    with pytest.raises(StorageError, match="no order"):
        _through(keys, page=10)
