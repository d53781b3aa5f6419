"""Listings into code-point order, page by page.

S3 lists by the bytes of the whole key. Some services list by path component instead: `a/b` before `a-b`, because
`a` comes before `a-b`. The two orders differ only around a folder and neighbours whose names continue its own with a
character below `/` (`-` and `.`). So it is enough to hold back one such group of neighbours at a time and sort it.
"""

from collections.abc import Iterable
from itertools import pairwise

from model.errors import StorageError
from storage.base import ObjectEntry


class KeyOrder:
    """Takes entries under a prefix in either order, gives them back in code-point order.

    Holds a page and one group: what lies under one name next below the prefix's folder (and the names that continue it
    with `-` or `.`). For `tracks/` that is one track; for an empty prefix it may be everything.
    """

    def __init__(self, prefix: str) -> None:
        self._start = prefix.rfind("/") + 1
        self._group: list[ObjectEntry] = []
        self._name = ""
        self._last_key = ""

    def feed(self, entries: Iterable[ObjectEntry]) -> list[ObjectEntry]:
        """Take what the service listed next; give what can be given already."""
        ready: list[ObjectEntry] = []
        for entry in entries:
            name = entry.key[self._start :].split("/", 1)[0]
            if not self._is_neighbour(name):
                ready += self.rest()
                self._name = name
            self._group.append(entry)
        return ready

    def rest(self) -> list[ObjectEntry]:
        """Give what was held back. Raises StorageError if the service's order was neither of the two."""
        group, self._group = sorted(self._group, key=lambda entry: entry.key), []
        keys = [self._last_key, *(entry.key for entry in group)]
        if any(earlier >= later for earlier, later in pairwise(keys)):
            hint = "the service cannot be used: it lists neither by key nor by path component"
            raise StorageError("objects are listed in no order", subject=keys[1], hint=hint)
        self._last_key = keys[-1]
        return group

    def _is_neighbour(self, name: str) -> bool:
        if not self._group:
            return False
        return name == self._name or (name.startswith(self._name) and name[len(self._name)] < "/")
