"""From scores to a list: what is heard already left out, no artist too often, and not only what everybody plays."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from discovery.recommend.plays import Floats, Indices

HEAD_PLAYS = 0.2  # the head: the most popular items that have this part of all plays together
POOL = 20  # times as many items as are wanted are looked at
NEAR = 5  # times as many are enough for most lists
_BLOCK = 32


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
    for pool in (NEAR, POOL):
        near = best(scores, pool * limit)
        taken = _taken(near, limit, shelf, artist_max, head_max)
        if len(taken) == limit:
            return taken
    if len(taken) < limit:
        had = set(taken)
        taken += [item for item in near.tolist() if item not in had][: limit - len(taken)]
    return taken


def best(scores: Floats, count: int) -> NDArray[np.int64]:
    """The `count` items with the best scores, in order, and of equal ones the first; none whose score is -inf."""
    blocks = len(scores) // _BLOCK
    if 0 < count < blocks:
        # The best of each block are more than `count` items, so the last of so many of them is a bound, quickly found.
        # A block has every so-manieth item: the best of all blocks are worked out side by side.
        tops = scores[: blocks * _BLOCK].reshape(_BLOCK, blocks).max(axis=0)
        least = np.partition(tops, blocks - count)[blocks - count]
        some = np.arange(0, blocks * _BLOCK, blocks)[:, None] + np.flatnonzero(tops >= least)
        near = np.concatenate([some.ravel(), np.arange(blocks * _BLOCK, len(scores))])
        near = near[scores[near] >= least]
    elif 0 < count < len(scores):
        near = np.flatnonzero(scores >= np.partition(scores, len(scores) - count)[len(scores) - count])
    else:
        near = np.arange(len(scores))
    order = near[np.argsort(-scores[near], kind="stable")[:count]]
    return order[scores[order] > -np.inf]


def _taken(near: NDArray[np.int64], limit: int, shelf: Shelf, artist_max: int, head_max: int | None) -> list[int]:
    """Which of these are within the bounds, if one after another is asked until there are `limit`. Those that the
    head's bound keeps out take no turn of their artist."""
    taken, turns = list[int](), dict[int, int]()
    artist_max, heads_left = artist_max or len(near), len(near) if head_max is None else head_max
    asked = zip(near.tolist(), shelf.artists[near].tolist(), shelf.head[near].tolist(), strict=True)
    for item, artist, is_head in asked:
        if len(taken) == limit:
            break
        if is_head and not heads_left:
            continue
        if artist >= 0:
            turn = turns.get(artist, 0)
            if turn == artist_max:
                continue
            turns[artist] = turn + 1
        taken.append(item)
        heads_left -= is_head
    return taken
