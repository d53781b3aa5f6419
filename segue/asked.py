"""What a command is asked about: a name that is misspelt would be answered with something else, or with nothing."""

import shlex

from catalog.shelves import Shelves
from catalog.store import Catalog
from model.album import artist_id_of
from model.errors import UsageError
from model.track import is_id


def check_listener_id(listener_id: str) -> None:
    """Raises UsageError for what is no listener's id."""
    if not is_id(listener_id):
        hint = "say --listener LISTENER_ID: `segue listener list` shows them"
        raise UsageError("no listener", subject=ascii(listener_id), hint=hint)


def check_artist(catalog: Catalog, artist: str) -> None:
    """Raises UsageError for an artist of whom nothing is live. Blocks for a moment."""
    if not Shelves(catalog).tracks_by(artist_id_of(artist), 1):
        raise UsageError("no such artist", subject=artist, hint=f"`segue search {shlex.quote(artist)}` finds names")
