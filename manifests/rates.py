"""Segment bit rates as RFC 8216 §4.1 defines them: container overhead counts, HTTP's does not. Integers throughout."""

from collections.abc import Sequence
from itertools import accumulate

from model.timebase import MICROSECONDS


def peak_rate_bps(sizes_bytes: Sequence[int], durations_us: Sequence[int], target_duration_s: int) -> int:
    """The largest rate of any run of segments that lasts 0.5 to 1.5 target durations, rounded up, in bit/s.

    Where no run does (a track shorter than half a second), the rate over everything. Costs one step for each run
    that is short enough: a few per segment at any sane segment length.
    """
    first, end = peak_run(sizes_bytes, durations_us, target_duration_s)
    return _rate_bps(sum(sizes_bytes[first:end]), sum(durations_us[first:end]))


def peak_run(sizes_bytes: Sequence[int], durations_us: Sequence[int], target_duration_s: int) -> tuple[int, int]:
    """The run that `peak_rate_bps` is the rate of: its first segment, and the one after its last."""
    shortest, longest = target_duration_s * MICROSECONDS // 2, target_duration_s * MICROSECONDS * 3 // 2
    ends_bytes = [0, *accumulate(sizes_bytes)]
    ends_us = [0, *accumulate(durations_us)]
    peak_bytes, peak_us, peak = 0, 1, (0, len(durations_us))
    for first in range(len(durations_us)):
        for end in range(first + 1, len(ends_us)):
            run_us = ends_us[end] - ends_us[first]
            if run_us > longest:
                break
            run_bytes = ends_bytes[end] - ends_bytes[first]
            if run_us >= shortest and run_bytes * peak_us > peak_bytes * run_us:
                peak_bytes, peak_us, peak = run_bytes, run_us, (first, end)
    return peak


def average_rate_bps(sizes_bytes: Sequence[int], durations_us: Sequence[int]) -> int:
    """All bytes over the whole duration, rounded up, in bit/s."""
    return _rate_bps(sum(sizes_bytes), sum(durations_us))


def _rate_bps(size_bytes: int, duration_us: int) -> int:
    return -(-8 * size_bytes * MICROSECONDS // duration_us)
