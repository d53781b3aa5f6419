"""Which tracks changed lately, for whoever holds in memory what was made of them. Of one process: nothing is stored."""

import threading
from collections import deque
from collections.abc import Iterable
from itertools import islice

KEPT = 20_000  # changes; whoever has not asked for longer reads everything again


class Journal:
    """Numbered changes, the last KEPT of them. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changes: deque[str] = deque(maxlen=KEPT)
        self._count = 0

    def note(self, track_ids: Iterable[str]) -> None:
        """These have changed: whoever reads them now sees it."""
        with self._lock:
            noted = list(track_ids)
            self._changes.extend(noted)
            self._count += len(noted)

    def since(self, number: int) -> tuple[int, frozenset[str] | None]:
        """The number of the last change, and the tracks that changed after this number; None if that is not known."""
        with self._lock:
            missing = self._count - number
            if not 0 <= missing <= len(self._changes):
                return self._count, None
            return self._count, frozenset(islice(reversed(self._changes), missing))
