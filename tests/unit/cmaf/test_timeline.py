"""Where tracks are cut: every promise of the grid, for every length."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cmaf.timeline import NOMINAL_UNITS, RAMP_UNITS, SAMPLE_RATE_HZ, TAIL_TICKS_MIN, UNIT_TICKS, segment_durations
from model.timebase import cumulative_microseconds, rounded_seconds

THREE_HOURS = 3 * 3600 * SAMPLE_RATE_HZ
RAMP_TICKS = sum(RAMP_UNITS) * UNIT_TICKS
SEGMENT_TICKS = NOMINAL_UNITS * UNIT_TICKS
LENGTHS = st.integers(1, 60 * SAMPLE_RATE_HZ) | st.integers(1, THREE_HOURS)


@given(LENGTHS)
@example(1)
@example(TAIL_TICKS_MIN - 1)
@example(RAMP_UNITS[0] * UNIT_TICKS + 1)
@example(RAMP_UNITS[0] * UNIT_TICKS + TAIL_TICKS_MIN - 1)
@example(RAMP_TICKS - 1)
@example(RAMP_TICKS + 1)
@example(RAMP_TICKS + SEGMENT_TICKS - 1)
@example(RAMP_TICKS + SEGMENT_TICKS + 1)
@example(RAMP_TICKS + SEGMENT_TICKS + TAIL_TICKS_MIN - 1)
@example(THREE_HOURS)
@example(THREE_HOURS + 1)
def test_the_grid_keeps_its_promises(total_ticks: int) -> None:
    """Nothing lost, whole units but for the last, no tiny tail, nothing longer than the nominal 6.08 s."""
    durations = segment_durations(total_ticks)
    assert sum(durations) == total_ticks
    assert all(each > 0 and each % UNIT_TICKS == 0 for each in durations[:-1])
    assert durations[-1] >= min(TAIL_TICKS_MIN, total_ticks)
    assert max(durations) <= SEGMENT_TICKS


@given(LENGTHS)
def test_the_start_is_a_ramp(total_ticks: int) -> None:
    """About 1, 2 and 3 s first, so that playing starts soon; only the end of a short track departs from it."""
    durations = segment_durations(total_ticks)
    for number, ticks in enumerate(durations[:-2]):
        units = RAMP_UNITS[number] if number < len(RAMP_UNITS) else NOMINAL_UNITS
        assert ticks == units * UNIT_TICKS


@given(LENGTHS)
def test_no_segment_rounds_to_more_than_six_seconds(total_ticks: int) -> None:
    """EXT-X-TARGETDURATION is at most 6, so that all tracks of a playlist can share it."""
    micros = cumulative_microseconds(segment_durations(total_ticks), SAMPLE_RATE_HZ)
    assert max(rounded_seconds(each) for each in micros) <= 6


@pytest.mark.parametrize(
    ("seconds", "cut"),
    [
        (0.1, [0.1]),
        (0.96, [0.96]),
        (1.3, [1.3]),  # the first segment has nothing to lend, so the tail joins it
        (1.5, [0.96, 0.54]),
        (2.96, [0.96, 1.28, 0.72]),  # the second lends 0.64 s
        (5.76, [0.96, 1.92, 2.88]),
        (20, [0.96, 1.92, 2.88, 6.08, 6.08, 2.08]),
        (18.0, [0.96, 1.92, 2.88, 6.08, 5.44, 0.72]),
    ],
)
def test_tracks_are_cut_like_this(seconds: float, cut: list[float]) -> None:
    """Examples, in seconds."""
    durations = segment_durations(round(seconds * SAMPLE_RATE_HZ))
    assert [each / SAMPLE_RATE_HZ for each in durations] == pytest.approx(cut)


@pytest.mark.parametrize("total_ticks", [0, -1])
def test_a_track_has_a_duration(total_ticks: int) -> None:
    """There is nothing to cut in nothing."""
    with pytest.raises(ValueError, match="duration"):
        segment_durations(total_ticks)
