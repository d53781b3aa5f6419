"""What each two of some tracks are to each other: how alike, and how rough it is to go from one to the other. Pure.

All of it is rounded, so that all processors say the same.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from discovery.sequence.item import Item

_UNKNOWN = 0.6  # of a step: between a smooth one and a rough one
_LEVEL_LU, _TEMPO_OCTAVES, _FIFTHS, _ENERGY = 3.0, 0.2, 3.0, 0.25  # a step of 1
_WEIGHTS = (0.8, 1.0, 0.8, 1.0, 0.6)  # of level, tempo, key, energy, sound
_STEP_MAX = 2.0

Array = NDArray[np.float64]


def likenesses(items: Sequence[Item]) -> list[list[float]]:
    """How alike each two of some tracks are, from -1 to 1: in sound, and in who listens to them, half each; one of
    these alone where the other is not known, and 0 where neither is."""
    found, known = np.zeros((len(items), len(items))), np.zeros((len(items), len(items)))
    for vectors in ([each.vector for each in items], [each.taste for each in items]):
        matrix, has = _vectors(vectors)
        found += matrix @ matrix.T
        known += np.outer(has, has)
    found = found.round(6) / np.maximum(known, 1)
    rows: list[list[float]] = found.tolist()
    return rows


def steps(items: Sequence[Item]) -> list[list[float]]:
    """How rough it is to go from each of some tracks to each: 0 is not to be noticed."""
    level, tempo, key, energy, sound = _WEIGHTS
    vectors, known = _vectors([each.vector for each in items])
    found = (
        level * _parts([each.level_lufs for each in items], lambda apart: apart / _LEVEL_LU)
        + tempo * _parts([each.tempo_bpm and float(np.log2(each.tempo_bpm)) for each in items], _tempo)
        + key * _parts([each.fifths for each in items], lambda apart: np.minimum(apart % 12, 12 - apart % 12) / _FIFTHS)
        + energy * _parts([each.energy for each in items], lambda apart: apart / _ENERGY)
        + sound * np.where(np.outer(known, known) > 0, 1 - vectors @ vectors.T, _UNKNOWN)
    )
    rows: list[list[float]] = found.round(6).tolist()
    return rows


def _tempo(apart: Array) -> Array:
    octaves = apart % 1  # half and double go together
    return np.minimum(octaves, 1 - octaves) / _TEMPO_OCTAVES


def _parts(values: Sequence[float | None], step: Callable[[Array], Array]) -> Array:
    """A part of the step between each two, by how far apart their values are."""
    known = np.array([np.nan if each is None else each for each in values], np.float64)
    apart = np.abs(known[:, None] - known[None, :])
    return np.where(np.isnan(apart), _UNKNOWN, np.minimum(_STEP_MAX, step(apart)))


def _vectors(vectors: Sequence[tuple[float, ...]]) -> tuple[Array, Array]:
    """They as a matrix, with nothing for who has none; and who has one."""
    width = max(map(len, vectors), default=0)
    matrix = np.array([each or (0.0,) * width for each in vectors]).reshape(len(vectors), width)
    return matrix, np.array([float(bool(each)) for each in vectors])
