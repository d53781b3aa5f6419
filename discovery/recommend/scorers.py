"""Models, each behind one question: how well does each item suit this row."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
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


def to_scale(lines: Floats, items: int) -> Floats:
    """What each line is to be multiplied by to have deviation 1 over so many items, of which all beyond the line have
    0: so scores of several models can be added. 0 for a line of equals."""
    means = lines.sum(axis=1) / np.float32(items)
    squares = np.einsum("ij,ij->i", lines, lines) / np.float32(items)
    return inverse_root(squares - means * means, squares)


def inverse_root(variances: Floats, squares: Floats) -> Floats:
    """1 over the root of each; 0 where next to nothing is left of the mean of squares."""
    some = variances > _EQUAL * squares
    return np.asarray(some / np.sqrt(np.where(some, variances, 1)), dtype=np.float32)


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

    def lines(self, rows: Sequence[Row], items: int | None = None) -> Floats:
        """The sum of what each row's items say, a line for each; if that is given, of the first so many items, beyond
        which all have 0."""
        items = len(self.starts) - 1 if items is None else items
        said = [self._said(row) for row in rows]
        places = [targets + line * items for line, (targets, _, _) in enumerate(said)]
        sums = np.bincount(np.concatenate(places), np.concatenate([each for _, each, _ in said]), len(rows) * items)
        return np.asarray(sums.reshape(len(rows), items), dtype=np.float32)

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Factors:
    """A vector for each item, by least squares; a row's vector is found when it is asked about (fold-in).

    `gram` is the sum of the vectors' outer products, times the weight that items have which were not played. A row of
    n items is held back by `ridge` + n * `ridge_each`: without, a listener's few plays would say too much.
    """

    vectors: Floats
    gram: Floats
    ridge: float
    ridge_each: float

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
