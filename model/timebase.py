"""Media time as integer ticks over a timescale, and its exact decimal text."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate

MICROSECONDS = 1_000_000


def microseconds(ticks: int, timescale: int) -> int:
    """`ticks / timescale` seconds in whole microseconds, rounded half up. No floats on the way."""
    if timescale <= 0:
        raise ValueError(f"timescale must be positive, got {timescale}")
    return (2 * ticks * MICROSECONDS + timescale) // (2 * timescale)


def decimal_seconds(micros: int) -> str:
    """Microseconds as decimal seconds with six places: 6080000 -> `6.080000`."""
    if micros < 0:
        raise ValueError(f"a duration cannot be negative, got {micros}")
    return f"{micros // MICROSECONDS}.{micros % MICROSECONDS:06d}"


def cumulative_microseconds(durations: Iterable[int], timescale: int) -> Iterator[int]:
    """Each duration in microseconds, such that every prefix sum is within half a microsecond of the truth.

    Rounding each duration by itself would let the error grow with the number of segments
    (Apple HLS authoring rule 8.1: the sum of any run must match the media).
    """
    before = 0
    for ticks in accumulate(durations):
        now = microseconds(ticks, timescale)
        yield now - before
        before = now


def rounded_seconds(micros: int) -> int:
    """Seconds to the nearest integer, half up (RFC 8216 §4.3.3.1: EXTINF against EXT-X-TARGETDURATION)."""
    return (micros + MICROSECONDS // 2) // MICROSECONDS


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc_text(date_ms: int) -> str:
    """Milliseconds since the epoch as HLS writes dates: 1767225600000 -> `2026-01-01T00:00:00.000Z`."""
    text = (_EPOCH + timedelta(milliseconds=date_ms)).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def utc_ms(text: str) -> int:
    """The milliseconds since the epoch of a date of ISO 8601 that has a time zone. Raises ValueError for anything
    else."""
    date = datetime.fromisoformat(text)
    if date.tzinfo is None:
        raise ValueError(f"no time zone: {text[:40]!a}")
    return (date - _EPOCH) // timedelta(milliseconds=1)
