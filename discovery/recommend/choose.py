"""From scores to a list: what is heard already left out, no artist too often, and not only what everybody plays."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from discovery.recommend.plays import Floats, Indices

HEAD_PLAYS = 0.2  # the head: the most popular items that have this part of all plays together
POOL = 20  # times as many items as are wanted are looked at


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
    pool = min(len(scores), POOL * limit + len(without))
    best = np.argpartition(-scores, pool - 1)[:pool] if pool < len(scores) else np.arange(len(scores))
    best = best[np.lexsort((best, -scores[best]))]
    if len(without):
        refused = np.fromiter(without, dtype=np.int64, count=len(without))
        best = best[~np.isin(best, refused)]
    taken: list[int] = []
    passed: list[int] = []
    of_artist: Counter[int] = Counter()
    heads = 0
    for item, artist, popular in _told(best, limit, shelf):
        if len(taken) == limit:
            break
        full = artist_max and artist >= 0 and of_artist[artist] >= artist_max
        if full or (popular and head_max is not None and heads >= head_max):
            passed.append(item)
            continue
        taken.append(item)
        of_artist[artist] += 1
        heads += popular
    return (taken + passed)[:limit]


def _told(best: NDArray[np.int64], limit: int, shelf: Shelf) -> Iterator[tuple[int, int, bool]]:
    """Items with their artist and whether they are of the head; some at a time, for most lists need no more."""
    for first in range(0, len(best), 2 * limit or 1):
        some = best[first : first + 2 * limit]
        yield from zip(some.tolist(), shelf.artists[some].tolist(), shelf.head[some].tolist(), strict=True)
