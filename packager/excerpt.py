"""Excerpts: the surroundings of some frames in a mezzanine, played as one. Pure arithmetic.

All is cut on the timeline's units of 15,360 samples: there FLAC is cut without loss, and frames of AAC and Opus are
in step with those of the whole.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from cmaf.timeline import UNIT_TICKS


@dataclass(frozen=True, slots=True)
class Window:
    """From unit `first` up to, not including, `end` of a mezzanine, around `frames` (numbers of an encoder's)."""

    first: int
    end: int
    frames: tuple[int, ...]

    @property
    def units(self) -> int:
        """How long it is."""
        return self.end - self.first

    def numbers(self, per_unit: int) -> range:
        """The numbers of all its frames, where a unit has so many."""
        return range(per_unit * self.first, per_unit * self.end)

    def samples(self, of: int) -> int:
        """How long it is in samples, in a mezzanine of so many: the last unit may be a part of one."""
        return min(UNIT_TICKS * self.end, of) - UNIT_TICKS * self.first


def windows_around(frames: Iterable[int], samples: int, *, per_unit: int, before: int, after: int) -> list[Window]:
    """The units in which these frames are, and so many `before` and `after` each; what touches is one window.

    `per_unit` says how many frames of the encoder a unit has.
    """
    units = -(-samples // UNIT_TICKS)
    found: list[Window] = []
    for frame in sorted(frames):
        inside = min(frame, units * per_unit - 1)
        first, end = max(0, (inside - before) // per_unit), min(units, (inside + after) // per_unit + 1)
        if found and first <= found[-1].end:
            last = found.pop()
            found.append(Window(last.first, end, (*last.frames, frame)))
        else:
            found.append(Window(first, end, (frame,)))
    return found


def shifts(windows: Sequence[Window]) -> list[int]:
    """How many units later than in its mezzanine each window plays in the excerpt; negative if earlier."""
    ends = accumulate(each.units for each in windows)
    return [end - each.end for end, each in zip(ends, windows, strict=True)]
