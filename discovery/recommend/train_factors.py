"""Vectors of items by alternating least squares: our own form of it, and that of `implicit`."""

from importlib import import_module
from types import ModuleType

import numpy as np
from scipy.sparse import csr_array, csr_matrix
from threadpoolctl import threadpool_limits

from discovery.recommend.plays import Floats, Plays
from discovery.recommend.scorers import Factors
from discovery.recommend.train_neighbours import matrix_of
from model.errors import ModelError

SOLVED = 256  # rows solved at a time


def ials(
    plays: Plays, *, factors: int = 64, ridge: float = 0.03, unseen: float = 0.05, rounds: int = 12, seed: int = 0
) -> Factors:
    """Least squares in which what was not played weighs `unseen`, and each row and item is held back by `ridge` for
    all that it has to explain: its plays, and the unplayed by their weight (Rendle et al. 2021). One thread."""
    played = matrix_of(plays)
    across = csr_array(played.T)
    luck = np.random.default_rng(seed)
    items = luck.normal(0, 0.1 / np.sqrt(factors), (across.shape[0], factors)).astype(np.float32)
    for _ in range(rounds):
        listeners = _solved(played, items, ridge, unseen)
        items = _solved(across, listeners, ridge, unseen)
    gram = unseen * (items.T @ items)
    return Factors(vectors=items, gram=gram, ridge=ridge * unseen * len(items), ridge_each=ridge)


def _implicit() -> ModuleType:
    """What of `implicit` trains. It needs OpenMP of the system, so it is loaded only where it is asked for."""
    try:
        return import_module("implicit.cpu.als")
    except (ImportError, OSError) as error:
        hint = "on Debian: apt-get install libgomp1; or train another model than als"
        raise ModelError(f"`implicit` does not load ({error})", hint=hint) from error


def _solved(played: csr_array, others: Floats, ridge: float, unseen: float) -> Floats:
    """The best vector for each row of `played`, while those of its columns stay."""
    gram, one = unseen * (others.T @ others), np.eye(others.shape[1], dtype=np.float32)
    found = np.zeros((played.shape[0], others.shape[1]), dtype=np.float32)
    for first in range(0, len(found), SOLVED):
        rows = range(first, min(first + SOLVED, len(found)))
        matrices = np.empty((len(rows), *gram.shape), dtype=np.float32)
        pulls = np.empty((len(rows), gram.shape[0]), dtype=np.float32)
        for at, row in enumerate(rows):
            own = slice(played.indptr[row], played.indptr[row + 1])
            seen, strengths = others[played.indices[own]], played.data[own]
            matrices[at] = gram + (seen.T * strengths) @ seen + ridge * (len(seen) + unseen * len(others)) * one
            pulls[at] = strengths @ seen
        found[first : rows.stop] = np.linalg.solve(matrices, pulls[:, :, None])[:, :, 0]
    return found


def als(
    plays: Plays,
    *,
    factors: int = 64,
    regularisation: float = 50.0,
    alpha: float = 20.0,
    rounds: int = 15,
    seed: int = 0,
) -> Factors:
    """ALS of `implicit`: the same, but held back equally whatever there is to explain. Its own default of 0.01 for
    `regularisation` is far from good. Much faster for large data, and less exact."""
    implicit = _implicit()  # first: limits hold for what is loaded
    with threadpool_limits(1, "blas"):  # more of them wait for each other
        model = implicit.AlternatingLeastSquares(
            factors=factors,
            regularization=regularisation,
            alpha=alpha,
            iterations=rounds,
            random_state=seed,
            num_threads=1,
        )
        model.fit(csr_matrix(matrix_of(plays)), show_progress=False)
    items = np.asarray(model.item_factors, dtype=np.float32)
    gram = (items.T @ items) / np.float32(alpha)
    return Factors(vectors=items, gram=gram, ridge=regularisation / alpha, ridge_each=0.0)
