"""Where a track is cut: one grid for every codec, a short ramp at the start, no tiny tail.

All cuts are multiples of 15,360 samples at 48 kHz (0.32 s: 15 AAC frames, 16 Opus frames of 20 ms, 4 FLAC blocks of
3,840), so that playlists can join tracks and every codec is cut at whole frames. Start-up waits for the whole first
segment, so the first ones are short. hls.js never ends a stream whose last segment is about as short as the priming.
"""

SAMPLE_RATE_HZ = 48_000
UNIT_TICKS = 15_360
RAMP_UNITS = (3, 6, 9)  # 0.96, 1.92 and 2.88 s
NOMINAL_UNITS = 19  # 6.08 s
TAIL_TICKS_MIN = SAMPLE_RATE_HZ // 2
_BORROWED_UNITS = 2  # 0.64 s, from the segment before a tail that is too short
_LENDER_UNITS_MIN = 4


def segment_durations(total_ticks: int) -> tuple[int, ...]:
    """The durations of the segments of a track of `total_ticks` at 48 kHz, priming included; they sum to it.

    Every duration but the last is a whole number of units. The last is at least 0.5 s, unless the track is shorter.
    """
    if total_ticks <= 0:
        raise ValueError(f"a track has a duration, got {total_ticks}")
    durations: list[int] = []
    left = total_ticks
    while left > 0:
        units = RAMP_UNITS[len(durations)] if len(durations) < len(RAMP_UNITS) else NOMINAL_UNITS
        durations.append(min(units * UNIT_TICKS, left))
        left -= durations[-1]
    return _without_tiny_tail(durations)


def _without_tiny_tail(durations: list[int]) -> tuple[int, ...]:
    """A tail under 0.5 s takes 0.64 s from the segment before it, or joins it where that has none to give."""
    if len(durations) < 2 or durations[-1] >= TAIL_TICKS_MIN:
        return tuple(durations)
    *head, lender, tail = durations
    if lender < _LENDER_UNITS_MIN * UNIT_TICKS:
        return (*head, lender + tail)
    lent = _BORROWED_UNITS * UNIT_TICKS
    return (*head, lender - lent, tail + lent)
