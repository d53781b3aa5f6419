"""Models, each behind two questions: how well does each item suit this row, and which are like this item."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from discovery.recommend.plays import Floats, Indices, Row, row_of


class Scorer(Protocol):
    """A model. Scores compare items for one row, the larger the better; between two rows they say nothing."""

    def scores(self, row: Row) -> Floats:
        """A number for each item."""
        ...

    def likeness(self, item: int) -> Floats:
        """How alike each item is to this one."""
        ...


def standard(scores: Floats) -> Floats:
    """The same with mean 0 and deviation 1, so that scores of several models can be added; zeros if all are equal."""
    if not scores.size:
        return np.zeros_like(scores)
    centred = np.asarray(scores - np.add.reduce(scores) / np.float32(len(scores)), dtype=np.float32)
    deviation = float(np.sqrt(centred @ centred / np.float32(len(centred))))
    if deviation <= 1e-12:
        return np.zeros_like(centred)
    centred /= np.float32(deviation)
    return centred


@dataclass(frozen=True, slots=True)
class Popular:
    """What everybody plays."""

    popularity: Floats

    def scores(self, row: Row) -> Floats:
        """The same for every row."""
        del row
        return self.popularity

    def likeness(self, item: int) -> Floats:
        """The same for every item."""
        del item
        return self.popularity


@dataclass(frozen=True, slots=True)
class Neighbours:
    """How much having played one item speaks for another: a sparse matrix. Item i speaks for `targets[starts[i]:
    starts[i + 1]]`, which ascend, with `weights`. `half_life` is that of `Row.strengths`."""

    starts: NDArray[np.int64]
    targets: Indices
    weights: Floats
    half_life: float = 0.0

    def scores(self, row: Row) -> Floats:
        """The sum of what the row's items say."""
        if not len(row.items):
            return np.zeros(len(self.starts) - 1, dtype=np.float32)
        targets, said, _ = self._said(row)
        return np.bincount(targets, said, minlength=len(self.starts) - 1).astype(np.float32)

    def _said(self, row: Row) -> tuple[Indices, Floats, NDArray[np.int64]]:
        """All that the row's items say: for whom, how much, and how much of it each of them says."""
        lengths = self.starts[row.items + 1] - self.starts[row.items]
        ends = np.cumsum(lengths)
        at = np.arange(ends[-1]) + np.repeat(self.starts[row.items] - ends + lengths, lengths)
        said = self.weights[at] * np.repeat(row.strengths(self.half_life), lengths)
        return self.targets[at], said, lengths

    def likeness(self, item: int) -> Floats:
        """What this item says alone."""
        return self.scores(row_of([item]))

    def said(self, row: Row, items: Sequence[int]) -> Floats:
        """What each of the row's items (across) says for each of these (down): why they are recommended."""
        found = np.zeros((len(items), len(row.items)), dtype=np.float32)
        if found.size:
            down = np.full(len(self.starts) - 1, -1, dtype=np.int32)
            down[items] = np.arange(len(items))
            targets, said, lengths = self._said(row)
            places = down[targets]
            asked = np.flatnonzero(places >= 0)
            across = np.searchsorted(np.cumsum(lengths), asked, side="right")
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

    def folded(self, row: Row) -> Floats:
        """The vector of a row."""
        held = self.ridge + self.ridge_each * len(row.items)
        own, strengths = self.vectors[row.items], row.strengths()
        matrix = (own.T * strengths) @ own + self.gram
        matrix.flat[:: len(matrix) + 1] += np.float32(held)
        return np.asarray(np.linalg.solve(matrix, own.T @ strengths), dtype=np.float32)

    def scores(self, row: Row) -> Floats:
        """How far each item lies in the direction of the row."""
        return np.asarray(self.vectors @ self.folded(row))

    def likeness(self, item: int) -> Floats:
        """The cosine of the angle between the two vectors."""
        lengths = np.maximum(np.sqrt(np.einsum("ij,ij->i", self.vectors, self.vectors)), 1e-12)
        return np.asarray((self.vectors @ self.vectors[item]) / (lengths * lengths[item]))


@dataclass(frozen=True, slots=True)
class Blend:
    """Several models, each standardised, with their weights."""

    parts: tuple[tuple[Scorer, float], ...]

    def scores(self, row: Row) -> Floats:
        """Their weighted sum."""
        return self._sum([(part.scores(row), weight) for part, weight in self.parts])

    def likeness(self, item: int) -> Floats:
        """Their weighted sum."""
        return self._sum([(part.likeness(item), weight) for part, weight in self.parts])

    def _sum(self, scored: list[tuple[Floats, float]]) -> Floats:
        weighted = [np.float32(weight) * standard(scores) for scores, weight in scored]
        return np.asarray(np.sum(weighted, axis=0, dtype=np.float32))
