"""What a model says of tracks that are played together, for mixes (`discovery/sequence/together.py`)."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from discovery.recommend.choose import chosen
from discovery.recommend.model import Model

ARTIST_MAX = 6  # tracks of one artist among the nearest


class ModelTogether:
    """`Together` by a model. Tracks that nobody played are in none of its answers."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def near(self, track_ids: Sequence[str], limit: int) -> list[tuple[str, float]]:
        """As Together has it."""
        model = self._model
        row = model.row((each, 1) for each in track_ids)
        if not model.listeners[row.items].any():
            return []
        scores = model.together(row).round(5)  # so that processors agree
        found = chosen(scores, limit, model.shelf, without=row.items.tolist(), artist_max=ARTIST_MAX)
        best = max((float(scores[item]) for item in found), default=0.0)
        return [(model.tracks[item], float(scores[item]) / best) for item in found if scores[item] > 0]

    def tastes(self, track_ids: Collection[str]) -> Mapping[str, tuple[float, ...]]:
        """As Together has it; nothing from a model without factors."""
        model = self._model
        items = sorted(item for each in track_ids if (item := model.items.get(each)) is not None)
        if model.factors is None or not items:
            return {}
        vectors = model.factors.vectors[items]
        lengths = np.linalg.norm(vectors, axis=1)
        unit = vectors / np.maximum(lengths, 1e-9)[:, None]
        known = zip(items, lengths.tolist(), unit.tolist(), strict=True)
        return {model.tracks[item]: tuple(vector) for item, length, vector in known if length > 0}
