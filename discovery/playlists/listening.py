"""What rules may ask of a listener, from the tables that keep it."""

from collections.abc import Sequence

from catalog.favourites import FAVOURITES_MAX, Favourites
from catalog.listener_database import ListenerDatabase
from catalog.plays import Plays
from catalog.ratings import Ratings

HEARD_MAX = 200_000  # tracks of a listener that rules look at, those that were last played


class KeptListening:
    """Plays, of listeners who agreed to their being kept, favourites and ratings. Every call blocks for a moment."""

    def __init__(self, database: ListenerDatabase) -> None:
        self._plays = Plays(database)
        self._favourites = Favourites(database)
        self._ratings = Ratings(database)

    def heard(self, listener_id: str, /) -> Sequence[tuple[str, int, int]]:
        """Tracks, how often they were listened to, and when they were last played, in ms."""
        found = self._plays.heard(listener_id, limit=HEARD_MAX)
        return [(each.track_id, each.listens, each.last_played_ms) for each in found]

    def loved(self, listener_id: str, /) -> Sequence[tuple[str, int]]:
        """Favourites, and since when they are, in ms."""
        found = self._favourites.page(listener_id, offset=0, limit=FAVOURITES_MAX)
        return [(each.track_id, each.at_ms) for each in found]

    def rated(self, listener_id: str, /) -> Sequence[tuple[str, int, int]]:
        """What was rated, tracks among it, how many stars each has, and since when, in ms."""
        return self._ratings.rated(listener_id)
