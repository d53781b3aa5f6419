"""Models, each behind one question: how well does each item suit this row."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from discovery.recommend.plays import Floats, Indices, Row

HALF_LIVES = 6  # what a row had before so many is not asked: all of it together says a sixtieth
_EQUAL = 1e-5  # of float32, whose sums are right to some millionths


class Scorer(Protocol):
    """A model. Scores compare items for one row, the larger the better; between two rows they say nothing."""

    def lines(self, rows: Sequence[Row]) -> Floats:
        """For each row a line with a number for each item."""
        ...


def to_scale(means: Floats, squares: Floats) -> Floats:
    """What numbers with these means, and means of squares, are to be multiplied by to have deviation 1: so scores of
    several models can be added. 0 for equals."""
    variances = squares - means * means
    some = variances > _EQUAL * squares
    return np.asarray(some / np.sqrt(np.where(some, variances, 1)), dtype=np.float32)


class Spread:
    """How vectors lie. What all of them come to along a way is known by it: nothing has to be done for each."""

    def __init__(self, vectors: Floats) -> None:
        self.mean: Floats = vectors.mean(axis=0)
        self._products: Floats = vectors.T @ vectors / np.float32(max(len(vectors), 1))

    def even(self, ways: Floats) -> Floats:
        """The same directions, so long that the vectors have deviation 1 along each."""
        squares = np.einsum("ij,ij->i", ways @ self._products, ways)
        return ways * to_scale(ways @ self.mean, squares)[:, None]


@dataclass(frozen=True, slots=True)
class Popular:
    """What everybody plays."""

    popularity: Floats

    def lines(self, rows: Sequence[Row]) -> Floats:
        """The same for every row."""
        return np.broadcast_to(self.popularity, (len(rows), len(self.popularity)))


@dataclass(frozen=True, slots=True)
class Neighbours:
    """How much having played one item speaks for another: a sparse matrix. Item i speaks for `targets[starts[i]:
    starts[i + 1]]`, which ascend, with `weights`. `half_life` is that of `Row.strengths`."""

    starts: NDArray[np.int64]
    targets: Indices
    weights: Floats
    half_life: float = 0.0

    def lines(self, rows: Sequence[Row]) -> Floats:
        """The sum of what each row's items say, a line for each."""
        return np.stack([self.line(row, len(self.starts) - 1) for row in rows])

    def line(self, row: Row, items: int) -> Floats:
        """The sum of what a row's items say for the first so many items, beyond which all have 0."""
        targets, said, _ = self._said(row)
        return np.bincount(targets, said, items).astype(np.float32)

    def _said(self, row: Row) -> tuple[Indices, Floats, NDArray[np.int64]]:
        """All that the row's last items say: for whom, how much, and how much of it each of them says."""
        row = self._latest(row)
        firsts, ends = self.starts[row.items], self.starts[row.items + 1]
        slices = [slice(first, end) for first, end in zip(firsts.tolist(), ends.tolist(), strict=True)]
        lengths = ends - firsts
        weights = np.concatenate([self.weights[:0], *(self.weights[each] for each in slices)])
        targets = np.concatenate([self.targets[:0], *(self.targets[each] for each in slices)])
        weights *= np.repeat(row.strengths(self.half_life), lengths)
        return targets, weights, lengths

    def _latest(self, row: Row) -> Row:
        count = math.ceil(HALF_LIVES * self.half_life)
        return row if not count or len(row.items) <= count else Row(row.items[-count:], row.listens[-count:])

    def said(self, row: Row, items: Sequence[int]) -> Floats:
        """What each of the row's items (across) says for each of these (down): why they are recommended."""
        found = np.zeros((len(items), len(row.items)), dtype=np.float32)
        if found.size:
            down = np.full(len(self.starts) - 1, -1, dtype=np.int32)
            down[items] = np.arange(len(items))
            targets, said, lengths = self._said(row)
            places = down[targets]
            asked = np.flatnonzero(places >= 0)
            before = len(row.items) - len(lengths)
            across = before + np.searchsorted(np.cumsum(lengths), asked, side="right")
            found[places[asked], across] = said[asked]
        return found


@dataclass(frozen=True, kw_only=True)
class Factors:
    """A vector for each item, by least squares; a row's vector is found when it is asked about (fold-in).

    `gram` is the sum of the vectors' outer products, times the weight that items have which were not played. A row of
    n items is held back by `ridge` + n * `ridge_each`: without, a listener's few plays would say too much.
    """

    vectors: Floats
    gram: Floats
    ridge: float
    ridge_each: float

    @cached_property
    def spread(self) -> Spread:
        """How the vectors of all items lie."""
        return Spread(self.vectors)

    def folded(self, rows: Sequence[Row]) -> Floats:
        """The vectors of some rows."""
        matrices = np.empty((len(rows), *self.gram.shape), dtype=np.float32)
        wanted = np.empty((len(rows), len(self.gram), 1), dtype=np.float32)
        for row, matrix, to in zip(rows, matrices, wanted, strict=True):
            own, strengths = self.vectors[row.items], row.strengths()
            np.add((own.T * strengths) @ own, self.gram, out=matrix)
            matrix.flat[:: len(matrix) + 1] += np.float32(self.ridge + self.ridge_each * len(row.items))
            to[:, 0] = own.T @ strengths
        return np.asarray(np.linalg.solve(matrices, wanted)[:, :, 0], dtype=np.float32)

    def lines(self, rows: Sequence[Row]) -> Floats:
        """How far each item lies in the direction of each row."""
        return np.asarray(self.folded(rows) @ self.vectors.T)
