"""Posting lists in rows: what goes in comes out, whatever the steps, and whatever was changed."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from catalog.search_ranks import (
    Gathering,
    Sizes,
    bucket_of,
    changed,
    common,
    from_numbers,
    in_buckets,
    list_of_beginning,
    lists_of,
    unpacked,
    words_in,
)

SIZES = Sizes(row=4, heads=(10,), begun=2, many=2)
NUMBERS = st.sets(st.integers(0, (1 << 31) - 1), max_size=60)
TEXTS = st.lists(st.lists(st.sampled_from(["a", "ab", "abc", "b", "東京"]), unique=True).map(" ".join), min_size=1)


@given(texts=TEXTS, more=st.sets(st.integers(0, 40)), less=st.sets(st.integers(0, 40)))
def test_lists_are_those_of_terms_and_of_beginnings(texts: list[str], more: set[int], less: set[int]) -> None:
    """Each list in rows that begin where they say, the first at 0; still so after a change of any of them."""
    gathering = Gathering()
    gathering.add(7, texts)
    rows: dict[str, list[tuple[int, bytes]]] = {}
    for name, start, ranks in gathering.rows(SIZES):
        rows.setdefault(name, []).append((start, ranks))
    used = {term for text in texts for term in text.split()}
    begun = {
        list_of_beginning(text) for text in ("a", "ab") if sum(term.startswith(text) for term in used) >= SIZES.many
    }
    assert rows.keys() == used | begun
    for name, kept in rows.items():
        meant = {rank for rank, text in enumerate(texts, 7) if name in lists_of(text.split(), SIZES)}
        assert set(unpacked(kept).tolist()) == meant and kept[0][0] == 0
        pieces = changed(*kept[0], more=more, less=less, size=SIZES.row)
        assert set(unpacked(pieces).tolist()) == set(unpacked(kept[:1]).tolist()) - less | more
        assert pieces[0][0] == 0 and all(len(unpacked([piece])) <= 2 * SIZES.row for piece in pieces)


@given(some=NUMBERS, others=NUMBERS)
def test_ranks_of_any_distance(some: set[int], others: set[int]) -> None:
    """Steps of one, two and four bytes; and what two lists have in common, in order."""
    ((start, data), *rest) = changed(0, b"", more=some, less=(), size=20)
    ranks = unpacked([(start, data), *rest])
    assert ranks.tolist() == sorted(some)
    assert common(ranks, from_numbers(others)).tolist() == sorted(some & others)
    assert unpacked([*rest, (start, data), (start, data)]).tolist() == sorted(some)


@given(pairs=st.sets(st.tuples(st.integers(-(1 << 31), (1 << 31) - 1), st.integers(1, 9))), key=st.integers(-9, 9))
def test_words_are_found_by_their_keys(pairs: set[tuple[int, int]], key: int) -> None:
    """In the bucket of the key, among others that are there too."""
    pairs |= {(key, 1), (key, 3), (key + 1, 2)}
    buckets = dict(in_buckets(sorted(pairs)))
    for each in (key, max(pairs)[0], min(pairs)[0]):
        assert words_in([buckets[bucket_of(each)]], [each]) == sorted(word for other, word in pairs if other == each)
    assert words_in([], [key]) == [] and list(in_buckets([])) == []
    assert common(from_numbers(()), np.arange(3, dtype=np.int32)).tolist() == []
