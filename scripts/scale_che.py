"""Che's approximation of caches over a catalogue, for sizes that no simulation reaches. Pure.

An LRU keeps what was asked for within a time T, the same for all; so an object that is asked for at rate r is there
with probability 1 - exp(-rT), and T is such that what is expected to be there fills the cache (H. Che, Y. Tung,
Z. Wang, 2002). What one tier misses is taken to reach the next at random times again.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

_STEP = 1.05  # ranks are taken together in groups that are 5 % wide: a catalogue of 1e8 in about 350
_HALVINGS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """So many objects of one size, each of which is asked for at this rate."""

    count: float
    rate: float
    size: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """What a tier does: the share of requests that it answers, how long it keeps what is not asked for again, in units
    of one over the rate, and what it passes on."""

    hits: float
    keeps: float
    passed: tuple[Ranks, ...]


def zipf(tracks: int, exponent: float, *, knee: int = 0, tail: float = 0.0) -> tuple[Ranks, ...]:
    """A catalogue whose track of rank k is asked for in proportion to 1 / k^exponent, beyond rank `knee` (0: none) to
    1 / k^tail; the rates of all sum to 1."""
    groups: list[tuple[int, int, float]] = []
    first = 1
    while first <= tracks:
        last = min(tracks, max(first, int(first * _STEP)))
        rank = math.sqrt(first * last)
        bend = (rank / knee) ** (exponent - tail) if knee and rank > knee else 1.0
        groups.append((first, last, bend * rank**-exponent))
        first = last + 1
    total = sum((last - first + 1) * weight for first, last, weight in groups)
    return tuple(Ranks(count=last - first + 1, rate=weight / total) for first, last, weight in groups)


def through(asked: Sequence[Ranks], room: float) -> Tier:
    """A tier with `room` for some of the objects, in the unit of their sizes, but not for all."""
    low, high = 0.0, 1.0
    while _held(asked, high) < room:
        high *= 2.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if _held(asked, middle) < room else (low, middle)
    passed = tuple(replace(each, rate=each.rate * math.exp(-each.rate * high)) for each in asked)
    return Tier(hits=1.0 - rate_of(passed) / rate_of(asked), keeps=high, passed=passed)


def chain(asked: Sequence[Ranks], rooms: Sequence[float]) -> list[Tier]:
    """Tiers behind each other: each is asked for what the one before it misses."""
    tiers: list[Tier] = []
    for room in rooms:
        tiers.append(through(tiers[-1].passed if tiers else asked, room))
    return tiers


def rate_of(asked: Sequence[Ranks]) -> float:
    """How often anything is asked for."""
    return sum(each.count * each.rate for each in asked)


def _held(asked: Sequence[Ranks], time: float) -> float:
    return sum(-each.count * each.size * math.expm1(-each.rate * time) for each in asked)
