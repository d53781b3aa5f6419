"""What of the catalog is a listener's own: search puts it first."""

from catalog.favourites import Favourites
from catalog.plays import Plays

OWN_MAX = 500  # tracks of a listener that search looks through


def own_tracks(plays: Plays, favourites: Favourites, listener_id: str) -> dict[str, float]:
    """How much the listener plays its tracks; its favourites count as one listen more. Blocks. Raises CatalogError."""
    found = {each.track_id: float(each.listens) for each in plays.heard(listener_id, limit=OWN_MAX)}
    for each in favourites.page(listener_id, offset=0, limit=OWN_MAX):
        found[each.track_id] = found.get(each.track_id, 0.0) + 1.0
    return {track_id: weight for track_id, weight in found.items() if weight > 0}
