"""What is like a track or an artist, by a model: the same for everybody, so it is worked out once."""

from functools import lru_cache

import numpy as np

from discovery.recommend.model import Model
from discovery.recommend.plays import row_of

KEPT = 20_000  # answers of each kind
ARTIST_MAX = 3  # tracks of one artist in a list
ARTIST_ROW = 50  # tracks that tell who an artist is: those with the most listeners


class Alike:
    """Answers of one model. Safe to use from several threads."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.tracks = lru_cache(KEPT)(self._tracks)
        self.artists = lru_cache(KEPT)(self._artists)

    def _tracks(self, track_id: str, limit: int) -> tuple[str, ...]:
        """At most `limit` tracks like this one, the most alike first; none, if the model does not have it."""
        model = self.model
        if track_id not in model.items:
            return ()
        row = model.row([(track_id, 1)])
        return tuple(model.tracks[each] for each in model.recommended(row, limit, artist_max=ARTIST_MAX))

    def _artists(self, artist: str, limit: int) -> tuple[str, ...]:
        """At most `limit` artists that are played by those who play this one, the most alike first."""
        model = self.model
        items = model.artist_items.get(artist)
        if items is None or not len(items):
            return ()
        known_best = items[np.argsort(-model.listeners[items], kind="stable")[:ARTIST_ROW]]
        row = row_of(known_best.tolist())
        found = [model.artists[item] for item in model.recommended(row, 10 * limit, artist_max=1)]
        names = dict.fromkeys(model.artist_names[each] for each in found if each >= 0)
        return tuple(each for each in names if each != artist)[:limit]
