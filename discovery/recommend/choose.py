"""From scores to a list: what is heard already left out, no artist too often, and not only what everybody plays."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from discovery.recommend.plays import Floats, Indices

HEAD_PLAYS = 0.2  # the head: the most popular items that have this part of all plays together
NEAR, POOL = 4, 20  # times as many items as are wanted are looked at: at first, and if those do not suffice
_BLOCK = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """What is known of all items: their artist (-1: none that counts), and which belong to the head."""

    artists: Indices
    head: NDArray[np.bool_]


def head_of(popularity: Floats) -> NDArray[np.bool_]:
    """Which items are the head."""
    order = np.argsort(-popularity, kind="stable")
    before = np.cumsum(popularity[order]) - popularity[order]
    head = np.zeros(len(popularity), dtype=np.bool_)
    head[order[before < HEAD_PLAYS * popularity.sum()]] = True
    return head


def chosen(
    scores: Floats,
    limit: int,
    shelf: Shelf,
    *,
    without: Collection[int] = (),
    artist_max: int = 0,
    head_max: int | None = None,
) -> list[int]:
    """At most `limit` items, the best first: at most `artist_max` of one artist (0: any), at most `head_max` of the
    head (None: any). Where that leaves too few, those come last that were passed over for their artist or the head."""
    if len(without):
        scores = scores.copy()
        scores[np.fromiter(without, dtype=np.int64, count=len(without))] = -np.inf
    for times in (NEAR, POOL):
        best = _best(scores, times * limit)
        taken = _taken(shelf.artists[best], shelf.head[best], artist_max, head_max)
        if taken.sum() >= limit:
            break
    found: list[int] = np.concatenate((best[taken], best[~taken]))[:limit].tolist()
    return found


def _best(scores: Floats, count: int) -> NDArray[np.int64]:
    """The `count` items with the best scores, in order, and of equal ones the first; none whose score is -inf."""
    least = np.float32(-np.inf)
    if 0 < count < len(scores):
        # The best of each block are `count` items or more, so the last of so many of them is a bound, quickly found.
        whole = len(scores) // _BLOCK
        some = scores[: whole * _BLOCK].reshape(whole, _BLOCK).max(axis=1) if whole > count else scores
        least = np.partition(some, len(some) - count)[len(some) - count]
    near = np.flatnonzero((scores >= least) & (scores > -np.inf))
    return near[np.argsort(-scores[near], kind="stable")[:count]]


def _taken(artists: Indices, head: NDArray[np.bool_], artist_max: int, head_max: int | None) -> NDArray[np.bool_]:
    """Which of these are within the bounds, if one after another is asked."""
    taken = _turns(artists) < artist_max if artist_max else np.ones(len(artists), dtype=np.bool_)
    if head_max is not None:
        beyond = head & (np.cumsum(head & taken) > head_max)
        taken[beyond] = False
        if artist_max:  # those that the head's bound keeps out take no turn of their artist
            taken[~beyond] = _turns(artists[~beyond]) < artist_max
    return taken


def _turns(artists: Indices) -> NDArray[np.int64]:
    """How many of the same artist come before each; always none before one whose artist does not count."""
    order = np.argsort(artists, kind="stable")
    in_order, places = artists[order], np.arange(len(artists))
    first = places.copy()  # of each artist
    first[1:][in_order[1:] == in_order[:-1]] = 0
    first = np.maximum.accumulate(first)
    turns = np.empty(len(artists), dtype=np.int64)
    turns[order] = np.where(in_order < 0, 0, places - first)
    return turns
