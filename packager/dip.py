"""True peaks above the ceiling that an Opus encoder makes are taken out where they are: for a moment, what it gets is
softer. Pure arithmetic.

All frames depend on those before them, but not for long: a second after a dip, or three where music stands still, the
encoder writes what it wrote before, bit for bit. So what was below the ceiling stays there, and mostly no more than the
surroundings have to be encoded again (`packager.graft`).
"""

from collections.abc import Mapping, Sequence

from avtool.argv import Dip
from meter.true_peak import PLACE_SAMPLES

FRAME_SAMPLES = 960
PASSES_MAX = 8  # in hours of music there is always some place more
DEEPEST_DB = 1.2
DIPS_MAX = 256
PART_MAX = 32  # no more of the frames than one in so many: else it is not chance
_ALWAYS = 2  # so many dips may be in the shortest
_DEEPER_DB = 0.1  # than the peak is above the ceiling, and as much more each time: part of it is chance
_AROUND = 1  # so many frames before and after


def dips(
    places: Mapping[int, float],
    ceiling_dbtp: float,
    samples: int,
    before: Sequence[Dip] = (),
    *,
    again: int = 0,
) -> tuple[Dip, ...]:
    """The dips that bring these places below the ceiling, in an encoding of so many samples that has those of `before`,
    for the (`again` + 1)th time; none where that is no use, for a peak is too high or they are too many.

    What was made deeper again and again ends at `DEEPEST_DB`: what is left there is for the level of all.
    """
    deeper: dict[int, float] = {}
    for place, peak_dbtp in places.items():
        for frame in _frames(place):
            deeper[frame] = max(deeper.get(frame, 0.0), peak_dbtp - ceiling_dbtp + _DEEPER_DB * (again + 1))
    if again >= PASSES_MAX or max(deeper.values(), default=0.0) > DEEPEST_DB:
        return ()
    depth = _depth(before)
    depth |= {frame: min(DEEPEST_DB, round(depth.get(frame, 0.0) + more_db, 2)) for frame, more_db in deeper.items()}
    found = _spans(depth)
    few = len(found) <= _ALWAYS or len(depth) * PART_MAX * FRAME_SAMPLES <= samples
    return found if few and len(found) <= DIPS_MAX and found != tuple(before) else ()


def changed(before: Sequence[Dip], now: Sequence[Dip]) -> frozenset[int]:
    """The frames that are not as deep as they were."""
    return frozenset(at for at, _ in _depth(before).items() ^ _depth(now).items())


def _depth(dips_: Sequence[Dip]) -> dict[int, float]:
    return {frame: each.softer_db for each in dips_ for frame in range(each.first, each.end)}


def _frames(place: int) -> range:
    first, last = place * PLACE_SAMPLES // FRAME_SAMPLES, ((place + 1) * PLACE_SAMPLES - 1) // FRAME_SAMPLES
    return range(max(0, first - _AROUND), last + _AROUND + 1)


def _spans(depth: Mapping[int, float]) -> tuple[Dip, ...]:
    """Frames in a row that are as deep are one dip."""
    found: list[Dip] = []
    for frame in sorted(depth):
        last = found[-1] if found else None
        if last is not None and (last.end, last.softer_db) == (frame, depth[frame]):
            found[-1] = Dip(last.first, frame + 1, last.softer_db)
        else:
            found.append(Dip(frame, frame + 1, depth[frame]))
    return tuple(found)
