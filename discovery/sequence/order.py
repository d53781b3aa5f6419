"""In which order: artists and albums spread, then the smoothest of the next few that keeps them apart. Pure.

Greedy smoothness alone would leave the awkward tracks for the end; spreading alone is as rough as chance.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence

from discovery.sequence.item import Item, chance
from discovery.sequence.pairs import steps
from discovery.sequence.spacing import Spacing

WINDOW = 24  # tracks among which the next one is


def in_order(items: Sequence[Item], *, seed: str, after: Sequence[Item] = ()) -> list[Item]:
    """All items, once each. `after` is what comes before them, the last one last: it keeps its distance, too."""
    every = [*spread(items, seed=seed), *after[-1:]]
    artists = [*map(_artist, every)]
    spacing = Spacing(artists[: len(items)], [*map(_artist, after)])
    ordering = _Ordering(every, artists, spacing, len(items))
    before = len(items) if after else None
    placed: list[Item] = []
    while ordering.left:
        before = ordering.next(before)
        placed.append(every[before])
    return placed


def spread(items: Sequence[Item], *, seed: str) -> list[Item]:
    """Artists evenly over the whole, and within an artist albums, each a little off by chance."""
    return _spread(sorted(items, key=lambda each: each.track_id), (_artist, _album), seed)


def _spread(items: list[Item], keys: Sequence[Callable[[Item], str]], seed: str) -> list[Item]:
    if not keys:
        return sorted(items, key=lambda each: (chance("place", seed, each.track_id), each.track_id))
    first, *others = keys
    groups: defaultdict[str, list[Item]] = defaultdict(list)
    for each in items:
        groups[first(each)].append(each)
    placed = []
    for name, group in groups.items():
        begin = chance("begin", seed, name)
        for number, each in enumerate(_spread(group, others, seed)):
            off = (chance("off", seed, each.track_id) - 0.5) / 2
            placed.append(((number + begin + off) / len(group), each.track_id, each))
    return [each for *_, each in sorted(placed, key=lambda one: one[:2])]


class _Ordering:
    """Some tracks, by their place in a list, of which one after the other is taken."""

    def __init__(self, every: Sequence[Item], artists: Sequence[str], spacing: Spacing, count: int) -> None:
        self.left = list(range(count))
        self._artists, self._albums = artists, [*map(_album, every)]
        self._steps = steps(every)
        self._spacing = spacing

    def next(self, before: int | None) -> int:
        """Take what follows best."""
        best = self._best(before)
        self.left.remove(best)
        self._spacing.came(self._artists[best])
        return best

    def _best(self, before: int | None) -> int:
        """The smoothest of the next few after which all others can keep their distance; of another album, if it can
        be."""
        artists, albums = self._artists, self._albums
        free = [each for each in self.left if self._spacing.is_free(artists[each])]
        for some in ([each for each in free if before is None or albums[each] != albums[before]], free):
            judged: dict[str, bool] = {}
            for each in some if before is None else sorted(some[:WINDOW], key=self._steps[before].__getitem__):
                artist = artists[each]
                if artist not in judged:
                    judged[artist] = self._spacing.may_come(artist)
                if judged[artist]:
                    return each
        urgent = self._spacing.most_left([artists[each] for each in free])
        return next(each for each in free if artists[each] == urgent)


def _artist(item: Item) -> str:
    return item.artist.casefold() or item.track_id


def _album(item: Item) -> str:
    return item.album.casefold() or item.track_id
