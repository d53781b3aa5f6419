"""What counts as a listen, what as a skip, and when it was. Pure.

A listen is half of the track or four minutes, whichever is less, as ListenBrainz has it. A skip is a play that was
ended before thirty seconds of it were heard, and is no listen.
"""

from dataclasses import dataclass

from discovery.listening.events import EventTooOld, Kind, PlayEvent

LISTEN_MS_MAX = 4 * 60_000
SKIP_MS = 30_000
CLOCK_OFF_MS = 60_000  # clocks that differ by less are taken as they are: messages take time, too


def listen_ms(duration_ms: int) -> int:
    """How much of a track has to be heard. Never nothing, so that a start is no listen."""
    return max(1, min(duration_ms // 2, LISTEN_MS_MAX))


@dataclass(frozen=True, slots=True)
class Judged:
    """What one event says of its play. Of a play with several, any one that says listened makes it a listen; else any
    one that says skipped makes it a skip. So neither their order nor their number matters."""

    listened: bool
    skipped: bool


def judged(event: PlayEvent, duration_ms: int) -> Judged:
    """What an event says of its play of a track this long."""
    return Judged(
        listened=event.played_ms >= listen_ms(duration_ms),
        skipped=event.kind is Kind.SKIP and event.played_ms < SKIP_MS,
    )


def happened_at(event: PlayEvent, *, sent_at_ms: int | None, now_ms: int, kept_ms: int) -> int:
    """When an event happened, by our clock, in milliseconds.

    If the player said what its clock was when it sent the batch, a clock that is wrong is set right. What would still
    be in the future happened now. Raises EventTooOld for what is older than `kept_ms`.
    """
    at_ms = event.at_ms
    if sent_at_ms is not None and abs(now_ms - sent_at_ms) > CLOCK_OFF_MS:
        at_ms += now_ms - sent_at_ms
    if at_ms < now_ms - kept_ms:
        days = kept_ms // 86_400_000
        hint = "send `sent_at_ms` with each batch: a clock that is wrong is set right by it"
        raise EventTooOld(f"happened more than {days} days ago", subject="at_ms", hint=hint)
    return min(at_ms, now_ms)
