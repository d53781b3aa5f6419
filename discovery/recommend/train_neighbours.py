"""Which items speak for which: item cosine, RP3beta and EASE, each kept as its strongest weights.

Of each item the `KEPT` strongest weights from others are kept. On the data of docs/recommend.md that is as good as all.
"""

from collections.abc import Callable

import numpy as np
from scipy.sparse import csc_array, csr_array, diags_array

from discovery.recommend.plays import Floats, Plays
from discovery.recommend.scorers import Neighbours

KEPT = 200  # weights of one item
BLOCK_CELLS = 25_000_000  # weights of some items from all, 100 MB, at a time
EASE_LISTENERS_MAX = 10_000  # the inverse of that many squared takes a minute and 0.8 GB


def matrix_of(plays: Plays) -> csr_array:
    """Listeners by items, with strengths."""
    strengths = np.concatenate([np.zeros(0, np.float32), *(row.strengths() for row in plays.rows())])
    return csr_array((strengths, plays.items, plays.starts), shape=(plays.listeners, len(plays.tracks)))


def cosine(plays: Plays, *, half_life: float = 0.0, kept: int = KEPT) -> Neighbours:
    """The cosine between the columns of two items: how much the same listeners play both."""
    played = matrix_of(plays)
    lengths = np.sqrt(np.maximum(played.power(2).sum(axis=0), 1e-12))
    scaled = csc_array(played @ diags_array(1 / lengths))
    return _strongest(lambda block: (scaled[:, block].T @ scaled).toarray(), scaled.shape[1], kept, half_life)


def rp3beta(
    plays: Plays, *, alpha: float = 0.6, beta: float = 0.4, half_life: float = 0.0, kept: int = KEPT
) -> Neighbours:
    """Where a walk of three steps ends: to a listener of what was played, to what else it played. Steps have their
    probabilities to the power of `alpha`; the popular are made less of, by their plays to the power of `beta`."""
    played = matrix_of(plays)
    of_listener, of_item = played.sum(axis=1), played.sum(axis=0)
    there = csr_array(diags_array(1 / np.maximum(of_item, 1e-12)) @ played.T).power(alpha)
    back = csc_array(diags_array(1 / np.maximum(of_listener, 1e-12)) @ played).power(alpha)
    held = 1 / np.maximum(of_item, 1) ** beta

    def weights(block: slice) -> Floats:
        return np.asarray((back[:, block].T @ there.T).toarray() * held[block, None])

    return _strongest(weights, len(plays.tracks), kept, half_life)


def ease(plays: Plays, *, ridge: float = 200.0, half_life: float = 0.0, kept: int = KEPT) -> Neighbours:
    """EASE, the linear model whose weights bring back best what each listener played without letting an item speak for
    itself; exact, in its form of listeners by listeners, for at most EASE_LISTENERS_MAX of them.

    With K = (X X' + ridge)^-1 the weight of i for j is x_i' K x_j / (1 - x_j' K x_j): the same as by the inverse of
    items by items (by the formula of Woodbury), which is larger by far where there are more items than listeners.
    """
    if plays.listeners > EASE_LISTENERS_MAX:
        raise ValueError(f"EASE is for at most {EASE_LISTENERS_MAX} listeners, not {plays.listeners}")
    played = matrix_of(plays)
    columns = csc_array(played)
    inverse = np.linalg.inv((played @ played.T).toarray() + ridge * np.eye(plays.listeners))

    def weights(block: slice) -> Floats:
        own = columns[:, block]
        gone = (own.T @ inverse) @ played
        return np.asarray(gone / np.maximum(1 - gone[:, block].diagonal(), 1e-9)[:, None])

    return _strongest(weights, len(plays.tracks), kept, half_life)


def _strongest(weights: Callable[[slice], Floats], items: int, kept: int, half_life: float) -> Neighbours:
    """The table of the `kept` largest weights, of either sign, for each target. `weights` are a row for each target."""
    found = [_of_block(weights, slice(first, min(first + _block(items), items)), kept) for first in _firsts(items)]
    sources, targets, values = (np.concatenate(each) for each in zip(*found, strict=True))
    table = csr_array((values, (sources, targets)), shape=(items, items))
    table.sort_indices()
    return Neighbours(table.indptr.astype(np.int64), table.indices.astype(np.int32), table.data, half_life)


def _of_block(weights: Callable[[slice], Floats], block: slice, kept: int) -> tuple[Floats, Floats, Floats]:
    dense = np.asarray(weights(block), dtype=np.float32)
    dense[np.arange(block.stop - block.start), np.arange(block.start, block.stop)] = 0
    kept = min(kept, dense.shape[1])
    sources = np.argpartition(-np.abs(dense), kept - 1, axis=1)[:, :kept]
    values = np.take_along_axis(dense, sources, axis=1)
    targets = np.broadcast_to(np.arange(block.start, block.stop)[:, None], sources.shape)
    real = values != 0
    return sources[real], targets[real], values[real]


def _block(items: int) -> int:
    return max(1, BLOCK_CELLS // max(items, 1))


def _firsts(items: int) -> range:
    return range(0, items, _block(items))
