"""How good recommendations are: what listeners played is partly hidden, and it is seen how much of it is found."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from discovery.recommend.plays import Floats, Indices, Plays, Row, rows_joined
from discovery.recommend.scorers import Scorer

TOP, LONG = 10, 20  # lengths of the lists that are judged

BLOCK = 128  # rows asked at a time

Recommend = Callable[[Sequence[Row], int], Sequence[Sequence[int]]]  # rows and how many are wanted: items, best first


@dataclass(frozen=True, slots=True)
class Split:
    """Plays to train on, and what was hidden of each listener of them (perhaps nothing)."""

    plays: Plays
    hidden: tuple[Indices, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Means over listeners (and the standard error of the first): nDCG and hits among the first 10, recall among the
    first 20. `coverage10` is the part of all items that somebody is recommended among its first 10; of these, `novelty`
    is the mean of -log2 of the part of listeners who have the item, `popularity` of how many they are. `each` and
    `each_recall` are the first and the recall of the listeners who had something hidden, in their order."""

    ndcg10: float
    ndcg10_error: float
    hit10: float
    recall20: float
    coverage10: float
    novelty: float
    popularity: float
    each: tuple[float, ...] = ()
    each_recall: tuple[float, ...] = ()


def leave_last(plays: Plays, back: int = 1) -> Split:
    """The last item of each row is hidden; with `back` = 2 the last but one, and the last is in nobody's sight."""
    rows = [(row, row.items[len(row.items) - back :][:1]) for row in plays.rows() if len(row.items) > back]
    kept = [Row(row.items[:-back], row.listens[:-back]) for row, _ in rows]
    return Split(rows_joined(kept, plays.tracks), tuple(hidden for _, hidden in rows))


def hold_out(plays: Plays, part: float, seed: int) -> Split:
    """A random part of each row is hidden, at least one item of each that has two."""
    luck = np.random.default_rng(seed)
    kept, hidden = [], []
    for row in plays.rows():
        count = max(1, round(part * len(row.items))) if len(row.items) > 1 else 0
        gone = np.zeros(len(row.items), dtype=np.bool_)
        gone[luck.choice(len(row.items), count, replace=False)] = True
        kept.append(Row(row.items[~gone], row.listens[~gone]))
        hidden.append(row.items[gone])
    return Split(rows_joined(kept, plays.tracks), tuple(hidden))


def judge(recommend: Recommend, split: Split) -> Judged:
    """What the lists of all listeners who have something hidden are worth. What is in a row must not be in its list."""
    counts = split.plays.counts()
    discounts = 1 / np.log2(np.arange(2, TOP + 2))
    ndcg, hits, recall, shown = [], [], [], []
    asked = [each for each in zip(split.plays.rows(), split.hidden, strict=True) if len(each[1])]
    lists = [
        each
        for first in range(0, len(asked), BLOCK)
        for each in recommend([row for row, _ in asked[first : first + BLOCK]], LONG)
    ]
    for (_, hidden), listed_items in zip(asked, lists, strict=True):
        items = np.asarray(listed_items, dtype=np.int64)
        found = np.isin(items, hidden)
        ndcg.append(discounts[: len(found)] @ found[:TOP] / discounts[: len(hidden)].sum())
        hits.append(found[:TOP].sum() / min(TOP, len(hidden)))
        recall.append(found.sum() / len(hidden))
        shown.append(items[:TOP])
    listed = np.concatenate(shown)
    share = np.maximum(counts[listed], 1) / split.plays.listeners
    return Judged(
        ndcg10=float(np.mean(ndcg)),
        ndcg10_error=float(np.std(ndcg) / np.sqrt(len(ndcg))),
        hit10=float(np.mean(hits)),
        recall20=float(np.mean(recall)),
        coverage10=len(np.unique(listed)) / len(counts),
        novelty=float(-np.log2(share).mean()),
        popularity=float(counts[listed].mean()),
        each=tuple(map(float, ndcg)),
        each_recall=tuple(map(float, recall)),
    )


def unheard_best(scorer: Scorer) -> Recommend:
    """The best of a model that a row does not have, and no other rule."""

    def recommend(rows: Sequence[Row], limit: int) -> Sequence[Sequence[int]]:
        return [_best(scores.copy(), row, limit) for row, scores in zip(rows, scorer.lines(rows), strict=True)]

    return recommend


def _best(scores: Floats, row: Row, limit: int) -> Sequence[int]:
    scores[row.items] = -np.inf
    limit = min(limit, len(scores) - len(row.items))
    best = np.argpartition(-scores, limit - 1)[:limit] if limit else np.zeros(0, dtype=np.int64)
    found: list[int] = best[np.argsort(-scores[best], kind="stable")].tolist()
    return found
