"""The tastes of one listener: what it played, in groups that are alike."""

import numpy as np
from numpy.typing import NDArray

from discovery.recommend.plays import Floats

MEMBERS_LEAST = 3  # a group of fewer is no taste
ALIKE = 0.6  # cosine from which on another centre says nothing new


def tastes(vectors: Floats, strengths: Floats, most: int) -> list[NDArray[np.int64]]:
    """At most `most` groups of rows of `vectors`, the strongest first, each by place; [] for too few rows.

    The first centre is the strongest row; each further one is the strongest of those that are least like the centres so
    far. Everything belongs to the centre that it is most like.
    """
    if len(vectors) < MEMBERS_LEAST:
        return []
    lengths = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    unit = vectors / lengths
    centres = [int(np.argmax(strengths))]
    while len(centres) < most:
        nearest = (unit @ unit[centres].T).max(axis=1)
        worth = strengths * (1 - nearest)
        best = int(np.argmax(worth))
        if nearest[best] > ALIKE:
            break
        centres.append(best)
    belongs = (unit @ unit[centres].T).argmax(axis=1)
    groups = [np.flatnonzero(belongs == centre) for centre in range(len(centres))]
    large = [group for group in groups if len(group) >= MEMBERS_LEAST]
    return sorted(large, key=lambda group: -float(strengths[group].sum()))
