"""What is a listen, what a skip, and when an event happened."""

import pytest

from discovery.listening.events import EventTooOld, Kind, PlayEvent
from discovery.listening.listens import CLOCK_OFF_MS, LISTEN_MS_MAX, SKIP_MS, happened_at, judged, listen_ms

NOW = 1_790_000_000_000
DAY = 86_400_000


def _event(kind: Kind = Kind.PROGRESS, *, played_ms: int = 0, at_ms: int = NOW) -> PlayEvent:
    return PlayEvent(
        event_id="event-001", play_id="play-0001", track_id="t", kind=kind, at_ms=at_ms, played_ms=played_ms
    )


@pytest.mark.parametrize(
    ("duration_ms", "needed_ms"),
    [(200_000, 100_000), (480_000, 240_000), (480_002, 240_000), (3_600_000, 240_000), (7, 3), (1, 1), (0, 1)],
)
def test_half_the_track_or_four_minutes_is_a_listen(duration_ms: int, needed_ms: int) -> None:
    """Whichever is less; a start alone never is one."""
    assert listen_ms(duration_ms) == needed_ms <= LISTEN_MS_MAX
    assert judged(_event(played_ms=needed_ms), duration_ms).listened
    assert not judged(_event(played_ms=needed_ms - 1), duration_ms).listened


def test_what_was_heard_counts_and_not_how_it_ended() -> None:
    """Whoever jumps to the end has not listened; whoever heard half and went on has."""
    assert not judged(_event(Kind.COMPLETE, played_ms=5_000), 200_000).listened
    assert judged(_event(Kind.SKIP, played_ms=150_000), 200_000).listened


def test_a_skip_is_an_end_within_thirty_seconds() -> None:
    """Of what was heard, wherever in the track that was; and only if the play was ended."""
    assert judged(_event(Kind.SKIP, played_ms=SKIP_MS - 1), 200_000).skipped
    assert not judged(_event(Kind.SKIP, played_ms=SKIP_MS), 200_000).skipped
    assert not judged(_event(Kind.PROGRESS, played_ms=10), 200_000).skipped


def test_a_clock_that_is_right_is_believed() -> None:
    """Also for what is sent late, and if it is off by less than a message may take."""
    assert happened_at(_event(at_ms=NOW - 3 * DAY), sent_at_ms=NOW - 10, now_ms=NOW, kept_ms=30 * DAY) == NOW - 3 * DAY
    at_ms = NOW - 2 * CLOCK_OFF_MS
    assert happened_at(_event(at_ms=at_ms), sent_at_ms=NOW - CLOCK_OFF_MS, now_ms=NOW, kept_ms=DAY) == at_ms


@pytest.mark.parametrize("off_ms", [-20 * 365 * DAY, -DAY, CLOCK_OFF_MS + 1, 400 * DAY])
def test_a_clock_that_is_wrong_is_set_right(off_ms: int) -> None:
    """By what it said when the batch was sent: three minutes ago are three minutes ago."""
    event = _event(at_ms=NOW + off_ms - 180_000)
    assert happened_at(event, sent_at_ms=NOW + off_ms, now_ms=NOW, kept_ms=DAY) == NOW - 180_000


def test_nothing_happens_in_the_future() -> None:
    """It happened now, then."""
    assert happened_at(_event(at_ms=NOW + DAY), sent_at_ms=None, now_ms=NOW, kept_ms=DAY) == NOW


def test_what_is_older_than_what_is_kept_is_refused() -> None:
    """Nobody could tell any more whether it came before."""
    assert happened_at(_event(at_ms=NOW - DAY), sent_at_ms=None, now_ms=NOW, kept_ms=DAY) == NOW - DAY
    with pytest.raises(EventTooOld) as caught:
        happened_at(_event(at_ms=NOW - DAY - 1), sent_at_ms=None, now_ms=NOW, kept_ms=DAY)
    assert "1 days" in caught.value.message and caught.value.hint
