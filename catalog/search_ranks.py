"""Posting lists in rows that are read and written each by itself: sorted ranks, kept as steps from one to the next.

A row begins at a rank, `start`, and holds what lies from there up to where the next row of its list begins; the first
row of a list begins at 0. Pure.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count, groupby, pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Ranks = NDArray[np.int32]  # sorted, each once
Numbers = NDArray[np.int64]
Number = TypeVar("Number", np.int32, np.int64)
PostingRow = tuple[str, int, bytes]  # of which list, where it begins, and what is in it

_BEGUN = "*"  # no term begins with it
_BITS = 32
_RANK = (1 << _BITS) - 1
_BUCKET_BITS = 16
NOTHING: Ranks = np.empty(0, np.int32)
_WIDTHS = (1, 2, 4)  # bytes of a step


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How lists are cut: no answer depends on it."""

    row: int = 1_800  # ranks in a row: as many bytes, or up to four times as many
    heads: tuple[int, ...] = (20_000, 160_000)  # so many of the most popular are looked at first
    begun: int = 4  # characters of a beginning that has a list of its own, at most
    many: int = 64  # terms that have that beginning, at least


SIZES = Sizes()


def list_of_beginning(text: str) -> str:
    """The name of the list of all that has a term with this beginning, if there is one."""
    return _BEGUN + text


def is_of_beginning(name: str) -> bool:
    """Whether a list is that of a beginning."""
    return name.startswith(_BEGUN)


def lists_of(terms: Iterable[str], sizes: Sizes) -> set[str]:
    """The names of all lists that something with these terms may be in."""
    known = set(terms)
    return known | {_BEGUN + term[:size] for term in known for size in range(1, min(sizes.begun, len(term)) + 1)}


def packed(start: int, ranks: Ranks) -> bytes:
    """What a row that begins at `start` keeps for sorted ranks: the width of a step, and the steps."""
    if not len(ranks):
        return b""
    steps = ranks.copy()
    steps[0] -= start
    steps[1:] -= ranks[:-1]
    width = _WIDTHS[int(_width_at(steps.max()))]
    return bytes((width,)) + steps.astype(f"<u{width}").tobytes()


def unpacked(rows: Sequence[tuple[int, bytes]]) -> Ranks:
    """The ranks in some rows, each given with where it begins; sorted, each once."""
    kept = [(start, data) for start, data in rows if data]
    if not kept:
        return NOTHING
    parts = [
        np.frombuffer(b"".join([data[1:] for _, data in some]), f"<u{width}")
        for width, some in groupby(kept, key=_width_of)
    ]
    steps = parts[0] if len(parts) == 1 else np.concatenate(parts, dtype=np.int32)
    # All are added up at once, and what was added before a row is taken away from it again.
    ranks = np.cumsum(steps, dtype=np.int32)
    lengths = np.array([(len(data) - 1) // data[0] for _, data in kept])
    firsts = np.cumsum(lengths) - lengths
    before = ranks[firsts] - steps[firsts]
    ranks += np.repeat((np.array([start for start, _ in kept]) - before).astype(np.int32), lengths)
    return ranks if (ranks[1:] > ranks[:-1]).all() else _each_once(ranks)


def _each_once(numbers: NDArray[Number]) -> NDArray[Number]:
    """Sorted; np.unique takes fifty times as long."""
    numbers = np.sort(numbers)
    return numbers[np.diff(numbers, prepend=numbers[:1] - 1) > 0]


def _width_of(row: tuple[int, bytes]) -> int:
    return row[1][0]


def changed(
    start: int, data: bytes, *, more: Collection[int], less: Collection[int], size: int
) -> list[tuple[int, bytes]]:
    """The row or rows to be kept in place of one, after some ranks came and some went; the first begins where it did,
    and may be empty."""
    left = unpacked([(start, data)])
    if less:
        left = left[~np.isin(left, list(less))]
    if more:
        left = _each_once(np.concatenate((left, from_numbers(more))))
    pieces = [left] if len(left) <= 2 * size else [left[at : at + size] for at in range(0, len(left), size)]
    starts = [start, *(int(piece[0]) for piece in pieces[1:])]
    return [(first, packed(first, piece)) for first, piece in zip(starts, pieces, strict=True)]


def common(some: Ranks, others: Ranks) -> Ranks:
    """The ranks that are in both of two lists."""
    few, many = sorted((some, others), key=len)
    if not len(few):
        return few
    places = np.minimum(np.searchsorted(many, few), len(many) - 1)
    both: Ranks = few[many[places] == few]
    return both


def from_numbers(ranks: Iterable[int]) -> Ranks:
    """Single ranks as a list."""
    return _each_once(np.fromiter(ranks, np.int32))


def in_buckets(pairs: Iterable[tuple[int, int]]) -> Iterator[tuple[int, bytes]]:
    """Pairs of a spelling's key and a word's number, sorted, those together whose keys begin with the same bits."""
    both = np.fromiter(chain.from_iterable(pairs), "<i4").reshape(-1, 2)
    buckets = both[:, 0] >> _BUCKET_BITS
    firsts = np.flatnonzero(np.diff(buckets, prepend=-(1 << 20)))
    for first, end in pairwise([*firsts.tolist(), len(both)]):
        yield int(buckets[first]), both[first:end].tobytes()


def bucket_of(key: int) -> int:
    """Where a spelling's key is."""
    return key >> _BUCKET_BITS


def words_in(buckets: Iterable[bytes], keys: Iterable[int]) -> list[int]:
    """The numbers of words that have one of some keys, found in the buckets of these."""
    both = np.frombuffer(b"".join(buckets), "<i4").reshape(-1, 2)
    return sorted(set(both[np.isin(both[:, 0], np.fromiter(keys, np.int64)), 1].tolist()))


class Gathering:
    """All lists of an index that is filled from nothing."""

    def __init__(self) -> None:
        self._numbers: defaultdict[str, int] = defaultdict(count().__next__)
        self._terms: list[NDArray[np.int32]] = []
        self._ranks: list[NDArray[np.int32]] = []

    def add(self, first: int, texts: Iterable[str]) -> None:
        """Take up the terms of some places, which have ranks from `first` on; a space is between two terms."""
        each = list(texts)
        words = " ".join(each).split()
        self._terms.append(np.fromiter(map(self._numbers.__getitem__, words), np.int32, len(words)))
        ranks = np.arange(first, first + len(each), dtype=np.int32)
        self._ranks.append(np.repeat(ranks, [text.count(" ") + 1 if text else 0 for text in each]))

    def rows(self, sizes: Sizes) -> Iterator[PostingRow]:
        """Every row of every list: first those of terms, in the order of terms, then those of beginnings."""
        if not self._terms:
            return
        terms = sorted(self._numbers)
        places = np.empty(len(terms), np.int64)
        places[[self._numbers[term] for term in terms]] = np.arange(len(terms))
        both = (places[np.concatenate(self._terms)] << _BITS) + np.concatenate(self._ranks)
        both.sort()
        yield from _rows(terms, both, sizes.row)
        for length in range(1, sizes.begun + 1):
            beginnings, of = _beginnings(terms, length, sizes.many)
            begun = of[both >> _BITS]
            known = begun >= 0
            yield from _rows(beginnings, _each_once((begun[known] << _BITS) + (both[known] & _RANK)), sizes.row)


def _beginnings(terms: Sequence[str], length: int, many: int) -> tuple[list[str], Numbers]:
    """The lists of beginnings of so many characters that many terms have, and in which of them each term is, or -1."""
    members: defaultdict[str, list[int]] = defaultdict(list)
    for place, term in enumerate(terms):
        if len(term) >= length:
            members[term[:length]].append(place)
    of = np.full(len(terms), -1, np.int64)
    names: list[str] = []
    for text, places in members.items():
        if len(places) >= many:
            of[places[0] : places[-1] + 1] = len(names)  # sorted terms with one beginning stand together
            names.append(list_of_beginning(text))
    return names, of


def _rows(names: Sequence[str], both: Numbers, size: int) -> Iterator[PostingRow]:
    """Cut sorted numbers, each of a list (in the high bits) and a rank, into rows."""
    if not len(both):
        return
    of, ranks = both >> _BITS, both & _RANK
    begins = np.flatnonzero(np.diff(of, prepend=-1))
    inside = np.arange(len(both)) - np.repeat(begins, np.diff(begins, append=len(both)))
    firsts = np.flatnonzero(inside % size == 0)
    starts = np.where(inside[firsts] == 0, 0, ranks[firsts])
    steps = np.diff(ranks, prepend=0)
    steps[firsts] = ranks[firsts] - starts
    widths = np.array(_WIDTHS)[_width_at(np.maximum.reduceat(steps, firsts))]
    kept = {width: steps.astype(f"<u{width}").tobytes() for width in _WIDTHS}
    ends = np.append(firsts[1:], len(both))
    for name, start, width, first, end in zip(
        of[firsts].tolist(), starts.tolist(), widths.tolist(), firsts.tolist(), ends.tolist(), strict=True
    ):
        yield names[name], start, bytes((width,)) + kept[width][first * width : end * width]


def _width_at(most: NDArray[np.int64] | np.int64) -> NDArray[np.int64]:
    """Which of the widths has room for steps of at most so much."""
    return np.searchsorted([1 << 8, 1 << 16], most, side="right")
