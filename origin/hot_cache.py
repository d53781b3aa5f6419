"""A cache's order of going: never more than it may hold, and no long scan empties it.

S3-FIFO, by weight: what is new waits in a short queue, and only what is used again while it waits, or comes back soon
after it went, gets into the long one. So the first play of a rare track passes through the short queue alone. Before
both is a queue for what was read ahead and has not been used yet: those who will play it are under way. Each operation
takes constant time, averaged over many. Why so, and why these shares: docs/decisions/0021-tiers.md.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")

AHEAD_SHARE = 0.5  # of the weight, for what was read ahead
NEW_SHARE = 0.1  # and for what was used, but not often enough to stay
_USES_MAX = 3  # more are not counted: what was loved once must be able to go
_USES_TO_STAY = 2  # after the first
_GONE_MAX = 65_536  # keys remembered


class _Entry(Generic[Value]):
    __slots__ = ("uses", "value", "weight")

    def __init__(self, value: Value, weight: int, uses: int = 0) -> None:
        self.value = value
        self.weight = weight
        self.uses = uses


class _Queue(Generic[Value]):
    """Entries in the order in which they came, and their weight together."""

    __slots__ = ("entries", "weight")

    def __init__(self) -> None:
        self.entries: OrderedDict[Hashable, _Entry[Value]] = OrderedDict()
        self.weight = 0

    def add(self, key: Hashable, entry: _Entry[Value]) -> None:
        self.entries[key] = entry
        self.weight += entry.weight

    def take(self, key: Hashable) -> _Entry[Value]:
        entry = self.entries.pop(key)
        self.weight -= entry.weight
        return entry

    def take_oldest(self) -> tuple[Hashable, _Entry[Value]]:
        key, entry = self.entries.popitem(last=False)
        self.weight -= entry.weight
        return key, entry


class HotCache(Generic[Value]):
    """Values under keys, each with a weight; the sum of the weights never passes `weight_max`.

    For things that never change under their key, or that the caller can tell to be out of date. `on_drop` hears of
    each key whose value had to go for others.
    """

    def __init__(
        self, weight_max: int, *, ahead_share: float = AHEAD_SHARE, new_share: float = NEW_SHARE,
        on_drop: Callable[[Hashable], None] = lambda _: None,
    ) -> None:  # fmt: skip
        self._weight_max = weight_max
        self._ahead_max = int(weight_max * ahead_share)
        self._new_max = int(weight_max * new_share)
        self._on_drop = on_drop
        self._ahead: _Queue[Value] = _Queue()
        self._new: _Queue[Value] = _Queue()
        self._proven: _Queue[Value] = _Queue()
        self._gone: OrderedDict[Hashable, bool] = OrderedDict()  # from the first two queues; whether they were used

    def __contains__(self, key: Hashable) -> bool:
        """Whether a value is held. Asking is no use of it."""
        return self._queue_of(key) is not None

    def __len__(self) -> int:
        return len(self._ahead.entries) + len(self._new.entries) + len(self._proven.entries)

    @property
    def weight(self) -> int:
        """The sum of the weights held now."""
        return self._ahead.weight + self._new.weight + self._proven.weight

    def get(self, key: Hashable) -> Value | None:
        """The value, used once more; None if it is not held."""
        entry = self._proven.entries.get(key) or self._new.entries.get(key)
        if entry is None:
            if key not in self._ahead.entries:
                return None
            entry = self._ahead.take(key)
            self._new.add(key, entry)
        elif entry.uses < _USES_MAX:
            entry.uses += 1
        return entry.value

    def put(self, key: Hashable, value: Value, *, weight: int, ahead: bool = False) -> None:
        """Hold a value, in place of the one before; others go for it. One that is too heavy alone is not held.

        `ahead`: nobody has asked for it yet.
        """
        queue, uses = self._queue_of(key), 0
        if queue is not None:
            uses = queue.take(key).uses
        elif self._gone.pop(key, False):
            queue = self._proven  # it was used, it went, and it is wanted again
        elif ahead:
            queue = self._ahead
        if weight > self._weight_max:
            return
        while self.weight + weight > self._weight_max:
            self._make_room()
        (queue or self._new).add(key, _Entry(value, weight, uses))

    def discard(self, key: Hashable) -> None:
        """Hold it no more, if it is held; `on_drop` does not hear of it."""
        queue = self._queue_of(key)
        if queue is not None:
            queue.take(key)

    def went_unused(self, key: Hashable) -> bool:
        """Whether what was read ahead had to go lately before anybody used it: reading ahead brings nothing now."""
        return not self._gone.get(key, True)

    def _queue_of(self, key: Hashable) -> _Queue[Value] | None:
        for queue in (self._proven, self._new, self._ahead):
            if key in queue.entries:
                return queue
        return None

    def _make_room(self) -> None:
        """Let the oldest entry of one queue go, or on to where it has longer."""
        if self._ahead.weight > self._ahead_max:
            self._drop(*self._ahead.take_oldest(), used=False)
        elif self._new.entries and (self._new.weight > self._new_max or not self._proven.entries):
            key, entry = self._new.take_oldest()
            if entry.uses >= _USES_TO_STAY:
                self._proven.add(key, entry)
                entry.uses = 0
            else:
                self._drop(key, entry, used=True)
        elif self._proven.entries:
            key, entry = self._proven.take_oldest()
            if entry.uses:
                entry.uses -= 1
                self._proven.add(key, entry)
            else:
                self._on_drop(key)
        else:
            self._drop(*self._ahead.take_oldest(), used=False)

    def _drop(self, key: Hashable, _: _Entry[Value], *, used: bool) -> None:
        self._gone[key] = used
        # As many as are held: what went longer ago would not have been held by a cache of twice the size either.
        while len(self._gone) > min(_GONE_MAX, len(self) + 1):
            self._gone.popitem(last=False)
        self._on_drop(key)
