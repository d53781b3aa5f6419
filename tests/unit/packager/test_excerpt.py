"""Excerpts: whole units around each frame, none twice, and where each of them plays."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from cmaf.timeline import UNIT_TICKS
from meter.true_peak import PLACE_SAMPLES
from packager import graft, mend
from packager.dip import FRAME_SAMPLES
from packager.excerpt import Window, shifts, windows_around


@given(
    frames=st.sets(st.integers(0, 2_000), min_size=1),
    per_unit=st.sampled_from([mend.FRAMES_PER_UNIT, graft.FRAMES_PER_UNIT]),
    before=st.integers(0, 300),
    after=st.integers(0, 300),
    more=st.integers(1, 40 * UNIT_TICKS),
)
def test_every_frame_is_inside_one_window_with_its_surroundings(
    frames: set[int], per_unit: int, before: int, after: int, more: int
) -> None:
    """With as many before and after as are asked for, as far as there are; windows are in order, and do not touch."""
    samples = max(frames) * UNIT_TICKS // per_unit + more
    units = -(-samples // UNIT_TICKS)
    windows = windows_around(frames, samples, per_unit=per_unit, before=before, after=after)
    assert sorted(frame for each in windows for frame in each.frames) == sorted(frames)
    assert all(0 <= each.first < each.end <= units for each in windows)
    assert all(one.end < other.first for one, other in pairwise(windows))
    for each in windows:
        for frame in each.frames:
            assert per_unit * each.first <= max(0, frame - before)
            assert per_unit * each.end > min(units * per_unit - 1, frame + after)
        if len(each.frames) == 1:
            assert each.units <= (before + after) // per_unit + 2


def test_a_unit_is_whole_frames() -> None:
    """So that a window begins with a frame, of AAC and of Opus; of AAC it is one of those in which peaks are noted."""
    assert mend.FRAMES_PER_UNIT * PLACE_SAMPLES == UNIT_TICKS
    assert graft.FRAMES_PER_UNIT * FRAME_SAMPLES == UNIT_TICKS


def test_a_frame_in_what_the_encoder_padded_belongs_to_the_last_unit() -> None:
    """What is decoded may be longer than the music by most of a frame."""
    assert windows_around([30], 2 * UNIT_TICKS, per_unit=15, before=15, after=15) == [Window(0, 2, (30,))]


def test_windows_play_one_after_the_other() -> None:
    """Each is so many units later or earlier than in its mezzanine."""
    windows = [Window(2, 5, (50,)), Window(9, 12, (160,)), Window(20, 22, (307,))]
    assert shifts(windows) == [-2, 3 - 9, 6 - 20]
    assert shifts([]) == []
