"""Which tracks of an album run into each other, and what each of them hears of its neighbours.

A resampler looks at what is before and after a sample. At the joint of two tracks that is the other track: so each is
resampled with its neighbours around it, on one grid for the whole run, and cut out. What has 48 kHz already needs none.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from avtool.argv import SAMPLE_RATE_HZ, Surroundings
from ingest.work import Heard

SILENCE_S_MAX = 0.02  # of music that goes on, no more than this is below −60 dBFS at a joint
PIECE_S_MIN = 2.0  # a shorter one may have too little to be heard before the next
RUN_S_MAX = 3 * 3600.0  # longer ones are cut: a run is encoded in one go
_AROUND_S = 0.1


def runs_of(tracks: Sequence[Heard]) -> list[tuple[int, ...]]:
    """The runs among the tracks of one album, as places in `tracks`: two or more in each, in playing order."""
    shelves = [_shelf(track) for track in tracks]
    unique = {shelf for shelf, count in Counter(shelves).items() if count == 1}
    order = sorted((place for place, shelf in enumerate(shelves) if shelf in unique), key=lambda place: shelves[place])
    runs: list[list[int]] = []
    length_s = 0.0
    for place in order:
        seconds = tracks[place].analysis.duration_s
        goes_on = bool(runs) and goes_into(tracks[runs[-1][-1]], tracks[place]) and length_s + seconds <= RUN_S_MAX
        if goes_on:
            runs[-1].append(place)
        else:
            runs.append([place])
        length_s = length_s + seconds if goes_on else seconds
    return [tuple(run) for run in runs if len(run) > 1]


def goes_into(track: Heard, following: Heard) -> bool:
    """Whether a track runs into the next one: they are neighbours on one disc, and there is sound up to the joint.

    They must lie in one folder and be alike in form, too: an album may be there twice, and of two forms no one signal
    can be made.
    """
    *place, number = _shelf(track)
    return (
        number > 0
        and _shelf(following) == (*place, number + 1)
        and min(track.analysis.duration_s, following.analysis.duration_s) >= PIECE_S_MIN
        and track.analysis.signs.silence_end_s <= SILENCE_S_MAX
        and following.analysis.signs.silence_start_s <= SILENCE_S_MAX
    )


def _shelf(track: Heard) -> tuple[bytes, str, int, int]:
    """Where a track stands: folder, form, disc and number; 0 for one that has no number."""
    info, tags = track.info, track.around.tags
    form = f"{info.container}, {info.codec}, {info.sample_rate_hz} Hz, {info.channels} channels, {info.channel_layout}"
    return track.stamp.path.rpartition(b"/")[0], form, tags.disc_number or 1, tags.track_number or 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a source is in its run: its neighbours, and how far past a point of both grids it begins.

    Points of both grids are samples at the source's rate that a sample at 48 kHz falls on: every 147th at 44.1 kHz.
    """

    before: Heard | None
    after: Heard | None
    past_grid: int

    @property
    def neighbours(self) -> tuple[Heard, ...]:
        """Those that there are."""
        return tuple(each for each in (self.before, self.after) if each is not None)

    @property
    def words(self) -> tuple[str, ...]:
        """All of it that decides how the mezzanine sounds."""
        ids = [each.recording_id if each else "silence" for each in (self.before, self.after)]
        return ("between", *ids, str(self.past_grid))


def places_of(run: Sequence[Heard]) -> list[Place | None]:
    """The place of each source of a run, None where it does not matter: what is not resampled hears no neighbours."""
    rate = run[0].info.sample_rate_hz
    if rate == SAMPLE_RATE_HZ:
        return [None] * len(run)
    starts = accumulate((each.analysis.samples for each in run[:-1]), initial=0)
    neighbours = zip([None, *run[:-1]], [*run[1:], None], starts, strict=True)
    return [
        Place(before=before, after=after, past_grid=start % _grid_step(rate)) for before, after, start in neighbours
    ]


def surroundings(source: Heard, place: Place) -> Surroundings:
    """What of the neighbours is heard, and what of the result is the source's own.

    A run has one grid at 48 kHz: its sample n is at n / 48000 s from the start of the run, and belongs to the source
    that is heard then. What is heard before a source begins at a point of both grids.
    """
    rate = source.info.sample_rate_hz
    about = math.ceil(_AROUND_S * rate)
    before, after = place.before, place.after
    lead = place.past_grid + about // _grid_step(rate) * _grid_step(rate) if before else 0
    skip = _at_48k(lead, rate)
    return Surroundings(
        before=str(before.source.path) if before else None,
        before_from=before.analysis.samples - lead if before else 0,
        after=str(after.source.path) if after else None,
        after_until=about if after else 0,
        skip=skip,
        keep=_at_48k(lead + source.analysis.samples, rate) - skip if after else None,
    )


def _grid_step(rate_hz: int) -> int:
    return rate_hz // math.gcd(rate_hz, SAMPLE_RATE_HZ)


def _at_48k(samples: int, rate_hz: int) -> int:
    """The first sample at 48 kHz that is not before this one."""
    return -(-samples * SAMPLE_RATE_HZ // rate_hz)
