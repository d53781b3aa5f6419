"""What is on the air follows from the clock and a list."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.rendition import Codec
from model.schedule import (
    EPOCH_MS,
    SEGMENT_MS,
    SEGMENT_TICKS,
    SLOT_SEGMENTS,
    Schedule,
    segment_at,
    segment_frames,
    segment_start_ms,
    slot_of,
)

some_lengths = st.lists(st.integers(1, 900), min_size=1, max_size=8)


@given(lengths=some_lengths, first=st.integers(0, 10**9), frames=st.integers(1, 2000), base=st.integers(0, 10**6))
def test_slices_tile_the_time(lengths: list[int], first: int, frames: int, base: int) -> None:
    """No frame is missing or twice, each is of the thing that is on then, and slices say where that began."""
    schedule = Schedule(lengths, base_frame=base)
    at = base + first
    for each in schedule.slices(base + first, frames):
        assert each.began_frame + each.first == at
        assert 0 <= each.first < each.end <= lengths[each.index]
        began = (each.began_frame - base) % sum(lengths)
        assert began == sum(lengths[: each.index])
        at += each.end - each.first
    assert at == base + first + frames


@given(lengths=some_lengths, cut=st.integers(1, 999))
def test_who_asks_for_less_hears_the_same(lengths: list[int], cut: int) -> None:
    """Two segments are what one of both lengths would be."""
    schedule = Schedule(lengths)

    def heard(first: int, frames: int) -> list[tuple[int, int]]:
        return [(s.index, at) for s in schedule.slices(first, frames) for at in range(s.first, s.end)]

    assert heard(0, cut) + heard(cut, 1000 - cut) == heard(0, 1000)


def test_a_schedule_has_something_to_play_from_its_base_on() -> None:
    """Nothing, and things of no length, cannot be played; nothing was on before."""
    for lengths in ([], [3, 0]):
        with pytest.raises(ValueError, match="has something to play"):
            Schedule(lengths)
    with pytest.raises(ValueError, match="before the schedule begins"):
        list(Schedule([10], base_frame=5).slices(4, 1))


def test_the_grid_is_whole_milliseconds_and_whole_periods() -> None:
    """So that dates, numbers and times need no rounding, and no segment lies in two slots."""
    assert SEGMENT_MS * 48 == SEGMENT_TICKS
    assert SLOT_SEGMENTS * SEGMENT_TICKS == 4 * 3600 * 48_000
    assert segment_frames(Codec.AAC) * 1024 == segment_frames(Codec.OPUS) * 960 == SEGMENT_TICKS
    with pytest.raises(ValueError, match="no one length"):
        segment_frames(Codec.FLAC)


@given(now_ms=st.integers(EPOCH_MS + 10**6, EPOCH_MS + 10**12))
def test_a_segment_is_on_from_its_beginning_to_the_next(now_ms: int) -> None:
    """And its slot is that of its beginning."""
    number = segment_at(now_ms)
    assert segment_start_ms(number) <= now_ms < segment_start_ms(number + 1)
    assert slot_of(number) == (segment_start_ms(number) - EPOCH_MS) // (4 * 3600 * 1000)
