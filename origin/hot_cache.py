"""A memory cache that never holds more than it may: the least recently used goes first."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class HotCache(Generic[Value]):
    """Values under keys, each with a weight; the sum of the weights never passes `weight_max`.

    For things that never change under their key, or that the caller can tell to be out of date.
    """

    def __init__(self, weight_max: int) -> None:
        self._weight_max = weight_max
        self._weight = 0
        self._entries: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()

    @property
    def weight(self) -> int:
        """The sum of the weights held now."""
        return self._weight

    def get(self, key: Hashable) -> Value | None:
        """The value, now the most recently used; None if it is not held."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: Hashable, value: Value, *, weight: int) -> None:
        """Hold a value, dropping what was longest unused. A value that is too heavy alone is not held."""
        self._drop(key)
        if weight > self._weight_max:
            return
        self._entries[key] = (value, weight)
        self._weight += weight
        while self._weight > self._weight_max:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: Hashable) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._weight -= entry[1]
