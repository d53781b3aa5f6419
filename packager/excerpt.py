"""Excerpts: the surroundings of some places in a mezzanine, played as one. Pure arithmetic.

All is cut on the timeline's units of 15,360 samples: there FLAC is cut without loss, and frames of AAC are in step with
those of the whole.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from cmaf.timeline import UNIT_TICKS

PLACES_PER_UNIT = 15  # a place is 1,024 samples, as a frame of AAC, a unit of the timeline 15,360


@dataclass(frozen=True, slots=True)
class Window:
    """From unit `first` up to, not including, `end` of a mezzanine, around `places` (numbers of 1,024 samples)."""

    first: int
    end: int
    places: tuple[int, ...]

    @property
    def units(self) -> int:
        """How long it is."""
        return self.end - self.first

    def samples(self, of: int) -> int:
        """How long it is in samples, in a mezzanine of so many: the last unit may be a part of one."""
        return min(UNIT_TICKS * self.end, of) - UNIT_TICKS * self.first


def windows_around(places: Iterable[int], samples: int) -> list[Window]:
    """The units in which these places are, and one before and after each; what touches is one window."""
    units = -(-samples // UNIT_TICKS)
    found: list[Window] = []
    for place in sorted(places):
        unit = min(place // PLACES_PER_UNIT, units - 1)
        first, end = max(0, unit - 1), min(units, unit + 2)
        if found and first <= found[-1].end:
            last = found.pop()
            found.append(Window(last.first, end, (*last.places, place)))
        else:
            found.append(Window(first, end, (place,)))
    return found


def shifts(windows: Sequence[Window]) -> list[int]:
    """How many places later than in its mezzanine each window plays in the excerpt; negative if earlier."""
    ends = accumulate(each.units for each in windows)
    return [PLACES_PER_UNIT * (end - each.end) for end, each in zip(ends, windows, strict=True)]
