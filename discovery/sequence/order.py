"""In which order: artists and albums spread, then the smoothest of the next few that keeps them apart. Pure.

Greedy smoothness alone would leave the awkward tracks for the end; spreading alone is as rough as chance.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence

from discovery.sequence.item import Item, chance, fifths_step, likeness, tempo_step
from discovery.sequence.spacing import Spacing

WINDOW = 24  # tracks among which the next one is
_UNKNOWN = 0.6  # of a step: between a smooth one and a rough one
_LEVEL_LU, _TEMPO_OCTAVES, _FIFTHS, _ENERGY = 3.0, 0.2, 3.0, 0.25  # a step of 1
_WEIGHTS = (0.8, 1.0, 0.8, 1.0, 0.6)  # of level, tempo, key, energy, sound
_STEP_MAX = 2.0


def in_order(items: Sequence[Item], *, seed: str, after: Sequence[Item] = ()) -> list[Item]:
    """All items, once each. `after` is what comes before them, the last one last: it keeps its distance, too."""
    rest = spread(items, seed=seed)
    spacing = Spacing([_artist(each) for each in rest], [_artist(each) for each in after])
    before = after[-1] if after else None
    placed: list[Item] = []
    while rest:
        before = _next(rest, before, spacing)
        rest.remove(before)
        spacing.came(_artist(before))
        placed.append(before)
    return placed


def step(one: Item, other: Item) -> float:
    """How rough it is to go from one track to another: 0 is not to be noticed."""
    level, tempo, key, energy, sound = _WEIGHTS
    return (
        level * _part(one.level_lufs, other.level_lufs, _level_step)
        + tempo * _part(one.tempo_bpm, other.tempo_bpm, _tempo_step)
        + key * _part(one.fifths, other.fifths, _key_step)
        + energy * _part(one.energy, other.energy, _energy_step)
        + sound * (1 - likeness(one, other) if one.vector and other.vector else _UNKNOWN)
    )


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


def _next(rest: Sequence[Item], before: Item | None, spacing: Spacing) -> Item:
    """The smoothest of the next few after which all others can keep their distance; of another album, if it can be."""
    free = [each for each in rest if spacing.is_free(_artist(each))]
    for some in ([each for each in free if before is None or _album(each) != _album(before)], free):
        judged: dict[str, bool] = {}
        for each in sorted(some[:WINDOW], key=lambda each: step(before, each)) if before else some:
            artist = _artist(each)
            if artist not in judged:
                judged[artist] = spacing.may_come(artist)
            if judged[artist]:
                return each
    urgent = spacing.most_left([_artist(each) for each in free])
    return next(each for each in free if _artist(each) == urgent)


def _part(one: float | None, other: float | None, apart: Callable[[float, float], float]) -> float:
    return _UNKNOWN if one is None or other is None else min(_STEP_MAX, apart(one, other))


def _level_step(one: float, other: float) -> float:
    return abs(one - other) / _LEVEL_LU


def _tempo_step(one: float, other: float) -> float:
    return tempo_step(one, other) / _TEMPO_OCTAVES


def _key_step(one: float, other: float) -> float:
    return fifths_step(int(one), int(other)) / _FIFTHS


def _energy_step(one: float, other: float) -> float:
    return abs(one - other) / _ENERGY


def _artist(item: Item) -> str:
    return item.artist.casefold() or item.track_id


def _album(item: Item) -> str:
    return item.album.casefold() or item.track_id
