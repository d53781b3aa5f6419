"""Play events as players tell them: each checked by itself, so that a bad one costs nothing but itself. Pure.

A *play* is one time that somebody started a track. Its events may come in any order, late, and more than once.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from model.errors import PipelineError, RequestError
from model.track import is_id

EVENTS_MAX = 500  # in one batch
PLAYED_MS_MAX = 24 * 3_600_000  # longer than any track
AT_MS_MAX = 1 << 45  # in a thousand years
_KEY = re.compile(r"[A-Za-z0-9_-]{8,64}")
_SOURCE = re.compile(r"[a-z]{1,16}(:[A-Za-z0-9_-]{1,64})?")
_REASON = re.compile(r"[a-z][a-z-]{0,31}")


class Kind(StrEnum):
    """What happened in a play: it began, it goes on, it was ended before its end, or it was heard to its end."""

    START = "start"
    PROGRESS = "progress"
    SKIP = "skip"
    COMPLETE = "complete"


class EventInvalid(RequestError):
    """A play event, or a batch of them, is not what it must be."""

    code = "event-invalid"
    http_status = 422


class EventTooOld(RequestError):
    """A play event is older than what is kept, so it cannot be told any more whether it came before."""

    code = "event-too-old"
    http_status = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayEvent:
    """One event. `at_ms` is the player's clock, since the epoch; `played_ms` is how much of the play was heard so far,
    `position_ms` where in the track that was. `source`: from where, as `album:ID`, `station:ID`, `search`."""

    event_id: str
    play_id: str
    track_id: str
    kind: Kind
    at_ms: int
    position_ms: int = 0
    played_ms: int = 0
    source: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """An event that was not taken: which of the batch, its id if it had one, and why."""

    index: int
    event_id: str
    error: PipelineError


@dataclass(frozen=True, slots=True)
class Batch:
    """The good events with their places in what was sent, and the bad ones. `sent_at_ms`: the player's clock then."""

    sent_at_ms: int | None
    events: tuple[tuple[int, PlayEvent], ...]
    refused: tuple[Refused, ...]


def read_batch(value: object) -> Batch:
    """The batch that parsed JSON holds: `{"sent_at_ms": 1, "events": [...]}`. Fields that we do not know are ignored.

    Raises EventInvalid if it is no batch at all; a bad event is told in the result.
    """
    if not isinstance(value, Mapping):
        raise EventInvalid("must be an object", subject="body")
    events = value.get("events")
    if not (isinstance(events, Sequence) and not isinstance(events, str) and 1 <= len(events) <= EVENTS_MAX):
        raise EventInvalid(f"must be a list of 1 to {EVENTS_MAX}", subject="events")
    sent_at_ms = _number(value, "sent_at_ms", AT_MS_MAX) if value.get("sent_at_ms") is not None else None
    good, bad = [], []
    for index, each in enumerate(events):
        try:
            good.append((index, read_event(each)))
        except EventInvalid as error:
            bad.append(Refused(index, _named(each), error))
    return Batch(sent_at_ms, tuple(good), tuple(bad))


def read_event(value: object) -> PlayEvent:
    """The event that parsed JSON holds. Raises EventInvalid, with the field as its subject."""
    if not isinstance(value, Mapping):
        raise EventInvalid("must be an object", subject="event")
    track_id = value.get("track_id")
    if not (isinstance(track_id, str) and is_id(track_id)):
        raise EventInvalid("must be the id of a track", subject="track_id")
    kind = value.get("kind")
    if not (isinstance(kind, str) and kind in set(Kind)):
        raise EventInvalid(f"must be one of {', '.join(Kind)}", subject="kind")
    return PlayEvent(
        event_id=_text(value, "event_id", _KEY, "8 to 64 letters, digits, - and _"),
        play_id=_text(value, "play_id", _KEY, "8 to 64 letters, digits, - and _"),
        track_id=track_id,
        kind=Kind(kind),
        at_ms=_number(value, "at_ms", AT_MS_MAX),
        position_ms=_number(value, "position_ms", PLAYED_MS_MAX, default=0),
        played_ms=_number(value, "played_ms", PLAYED_MS_MAX, default=0),
        source=_text(value, "source", _SOURCE, "a word, or word:ID", default=""),
        reason=_text(value, "reason", _REASON, "a word of small letters and -", default=""),
    )


def _named(value: object) -> str:
    event_id = value.get("event_id") if isinstance(value, Mapping) else None
    return event_id if isinstance(event_id, str) and _KEY.fullmatch(event_id) else ""


def _text(value: Mapping[object, object], name: str, form: re.Pattern[str], said: str, default: str = "no") -> str:
    """The text of a field. A default that is empty says that the field may be left out, or be empty."""
    found = value.get(name, default)
    if not (isinstance(found, str) and (form.fullmatch(found) or (found == default == ""))):
        raise EventInvalid(f"must be {said}", subject=name)
    return found


def _number(value: Mapping[object, object], name: str, most: int, default: int = -1) -> int:
    found = value.get(name, default)
    if type(found) is not int or not 0 <= found <= most:  # True is an int, too
        raise EventInvalid(f"must be a whole number from 0 to {most}", subject=name)
    return found
