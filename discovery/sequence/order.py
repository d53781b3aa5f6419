"""In which order: artists and albums spread, then the smoothest of the next few that keeps them apart. Pure.

Greedy smoothness alone would leave the awkward tracks for the end; spreading alone is as rough as chance.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence

from discovery.sequence.item import Item, chance, fifths_step, likeness, tempo_step

GAP = 4  # places between two tracks of an artist, where there are enough others
ALBUM_GAP = 2
WINDOW = 24  # tracks among which the next one is
_UNKNOWN = 0.6  # of a step: between a smooth one and a rough one
_LEVEL_LU, _TEMPO_OCTAVES, _FIFTHS, _ENERGY = 3.0, 0.2, 3.0, 0.25  # a step of 1
_WEIGHTS = (0.8, 1.0, 0.8, 1.0, 0.6)  # of level, tempo, key, energy, sound
_STEP_MAX = 2.0


def in_order(items: Sequence[Item], *, seed: str, after: Sequence[Item] = ()) -> list[Item]:
    """All items, once each. `after` is what comes before them, the last one last: it keeps its distance, too."""
    rest = spread(items, seed=seed)
    left = Counter(_artist(each) for each in rest)
    lately: deque[Item] = deque(after[-GAP + 1 :], maxlen=GAP - 1)
    placed: list[Item] = []
    while rest:
        following = _next(rest, lately, left)
        rest.remove(following)
        left[_artist(following)] -= 1
        lately.append(following)
        placed.append(following)
    return placed


def step(one: Item, other: Item) -> float:
    """How rough it is to go from one track to another: 0 is not to be noticed."""
    parts = (
        _part(one.level_lufs, other.level_lufs, lambda a, b: abs(a - b) / _LEVEL_LU),
        _part(one.tempo_bpm, other.tempo_bpm, lambda a, b: tempo_step(a, b) / _TEMPO_OCTAVES),
        _part(one.fifths, other.fifths, lambda a, b: fifths_step(int(a), int(b)) / _FIFTHS),
        _part(one.energy, other.energy, lambda a, b: abs(a - b) / _ENERGY),
        1 - likeness(one, other) if one.vector and other.vector else _UNKNOWN,
    )
    return sum(weight * part for weight, part in zip(_WEIGHTS, parts, strict=True))


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


def _next(rest: Sequence[Item], lately: Sequence[Item], left: Counter[str]) -> Item:
    """The smoothest of the next few that are far enough from their like; if there is none, the one that is furthest."""
    before = lately[-1] if lately else None
    near = {_artist(each) for each in lately}
    albums = {_album(each) for each in list(lately)[-ALBUM_GAP + 1 :]}
    apart = [each for each in rest if _artist(each) not in near and _album(each) not in albums]
    apart = apart or [each for each in rest if _artist(each) not in near]
    if not apart:
        places = {_artist(each): number for number, each in enumerate(lately)}
        return min(rest, key=lambda each: places[_artist(each)])
    some = (_urgent(apart, left, len(rest)) or apart)[:WINDOW]
    return min(some, key=lambda each: step(before, each)) if before else some[0]


def _urgent(apart: Sequence[Item], left: Counter[str], count: int) -> list[Item]:
    """Tracks of those who have the most left, if their distance is lost unless one of them comes now."""
    most = max(left.values())
    rivals = sum(each == most for each in left.values())
    if (most - 1) * GAP + rivals < count:
        return []
    return [each for each in apart if left[_artist(each)] == most]


def _part(one: float | None, other: float | None, apart: Callable[[float, float], float]) -> float:
    return _UNKNOWN if one is None or other is None else min(_STEP_MAX, apart(one, other))


def _artist(item: Item) -> str:
    return item.artist.casefold() or item.track_id


def _album(item: Item) -> str:
    return item.album.casefold() or item.track_id
