"""Who played what, and how often, as arrays: what models are made from, and what they are asked with."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Indices = NDArray[np.int32]
Played = tuple[str, str, int, int]  # listener, track, listens, and the last time in milliseconds since the epoch

POPULAR_HALF_LIFE_MS = 30 * 86_400_000  # after a month a play makes a track half as popular
ITEMS_MAX = 100_000  # tracks in a model: scoring all of them takes some milliseconds
ROW_MAX = 500  # tracks of one listener that count, the last played: longer rows say little more and cost more


@dataclass(frozen=True)
class Row:
    """What one listener played: items of a model, the last played at the end, and how often each."""

    items: Indices
    listens: Floats

    def strengths(self, half_life: float = 0.0) -> Floats:
        """How much each counts: with the logarithm of its listens, and half as much for every `half_life` items that
        were played after it (0: however long ago)."""
        return self._damped * _falling(len(self.items), half_life) if half_life else self._damped

    @cached_property
    def _damped(self) -> Floats:
        counted = np.maximum(self.listens, 1)
        # Of 32 bits, makes of processors differ in the last of them.
        return np.asarray(1 + np.log10(counted, dtype=np.float64), dtype=np.float32)


@lru_cache
def _falling(length: int, half_life: float) -> Floats:
    """How much each of so many items counts by its place, the last one as it is."""
    return np.asarray(0.5 ** (np.arange(length)[::-1] / half_life), dtype=np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plays:
    """The rows of all listeners, one after another. `starts` has one more than there are listeners."""

    tracks: tuple[str, ...]
    popularity: Floats
    starts: NDArray[np.int64]
    items: Indices
    listens: Floats

    @property
    def listeners(self) -> int:
        """How many there are."""
        return len(self.starts) - 1

    def row(self, listener: int) -> Row:
        """What the listener of this number played."""
        own = slice(self.starts[listener], self.starts[listener + 1])
        return Row(self.items[own], self.listens[own])

    def rows(self) -> Iterator[Row]:
        """Every listener's."""
        return map(self.row, range(self.listeners))

    def counts(self) -> NDArray[np.int64]:
        """How many listeners each item has."""
        return np.bincount(self.items, minlength=len(self.tracks))


def row_of(items: Sequence[int], listens: Sequence[float] | None = None) -> Row:
    """A row of these items, the last played at the end; once each, if nothing is said."""
    times = np.ones(len(items)) if listens is None else np.asarray(listens)
    return Row(np.asarray(items, dtype=np.int32), times.astype(np.float32))


def rows_joined(rows: Sequence[Row], tracks: Sequence[str], popularity: Floats | None = None) -> Plays:
    """Plays of these rows, whose items are indices of `tracks`. Items are as popular as they have listeners, if
    nothing is said."""
    lengths = [len(row.items) for row in rows]
    empty = row_of([])
    items = np.concatenate([empty.items, *(row.items for row in rows)])
    return Plays(
        tracks=tuple(tracks),
        popularity=np.bincount(items, minlength=len(tracks)).astype(np.float32) if popularity is None else popularity,
        starts=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        items=items,
        listens=np.concatenate([empty.listens, *(row.listens for row in rows)]),
    )


def gathered(played: Iterable[Played], *, items_max: int = ITEMS_MAX, row_max: int = ROW_MAX) -> Plays:
    """Plays of what was played, in any order, each pair of listener and track once.

    Of more than `items_max` tracks those with the most listeners are taken, of a listener's more than `row_max` the
    last played. Nothing of who a listener is remains: they have numbers, in no order that says anything.
    """
    of_listener: dict[str, list[tuple[int, str, int]]] = {}
    for listener, track, listens, last_ms in played:
        if listens > 0:
            of_listener.setdefault(listener, []).append((last_ms, track, listens))
    latest = [sorted(each)[-row_max:] for _, each in sorted(of_listener.items())]
    counts = Counter(track for each in latest for _, track, _ in each)
    tracks = sorted(sorted(counts, key=lambda track: (-counts[track], track))[:items_max])
    index = {track: item for item, track in enumerate(tracks)}
    newest_ms = max((last_ms for each in latest for last_ms, _, _ in each), default=0)
    popularity = np.zeros(len(tracks), dtype=np.float32)
    rows = []
    for each in latest:
        known = [(index[track], listens) for _, track, listens in each if track in index]
        for last_ms, track, listens in each:
            if track in index:
                age = min((newest_ms - last_ms) / POPULAR_HALF_LIFE_MS, 100)
                popularity[index[track]] += math.log1p(listens) * 0.5**age
        rows.append(row_of([item for item, _ in known], [listens for _, listens in known]))
    return rows_joined([row for row in rows if len(row.items)], tracks, popularity)
