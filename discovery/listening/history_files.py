"""What somebody played elsewhere, as files have it: play events as our API takes them, or the export of ListenBrainz.

One JSON value a line, or one list of them. Pure.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from discovery.listening.events import AT_MS_MAX, EventInvalid, PlayEvent, read_event
from discovery.playlists.entries import Entry, clean
from model.errors import UsageError

_SECONDS_MAX = 86_400


class HistoryFileInvalid(UsageError):
    """A file of play events or listens cannot be read."""

    code = "history-file-invalid"


@dataclass(frozen=True, slots=True)
class Listen:
    """A track that was listened to, by its names, and when that began."""

    entry: Entry
    at_ms: int


@dataclass(frozen=True, slots=True)
class Line:
    """What stands in one place of a file, counted from 1: an event, a listen, or what is wrong with it."""

    number: int
    found: PlayEvent | Listen | EventInvalid


def read_history(data: bytes) -> Iterator[Line]:
    """All that a file has. Raises HistoryFileInvalid for what is no text, or a list that is cut off."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise HistoryFileInvalid("not UTF-8", hint="JSON lines, or the export of ListenBrainz unpacked") from error
    if text.lstrip().startswith("["):
        yield from _of_list(text)
        return
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield Line(number, _of_line(line))


def _of_list(text: str) -> Iterator[Line]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise HistoryFileInvalid(f"not a list of JSON values ({error})") from error
    for number, value in enumerate(values, 1):
        yield Line(number, _found(value))


def _of_line(line: str) -> PlayEvent | Listen | EventInvalid:
    try:
        return _found(json.loads(line))
    except (ValueError, RecursionError):
        return EventInvalid("not JSON", subject="line")


def _found(value: object) -> PlayEvent | Listen | EventInvalid:
    try:
        if isinstance(value, Mapping) and "listened_at" in value:
            return _listen(value)
        return read_event(value)
    except EventInvalid as error:
        return error


def _listen(value: Mapping[object, object]) -> Listen:
    """A listen of ListenBrainz: when it began, in seconds, and the names that it was told with."""
    at_s, track = value["listened_at"], value.get("track_metadata")
    if type(at_s) is not int or not 0 < at_s <= AT_MS_MAX // 1000:
        raise EventInvalid("must be seconds since the epoch", subject="listened_at")
    if not isinstance(track, Mapping) or not _text(track, "track_name"):
        raise EventInvalid("must name a track", subject="track_metadata")
    more = track.get("additional_info")
    seconds = _seconds(more) if isinstance(more, Mapping) else None
    entry = Entry(
        title=_text(track, "track_name"),
        artist=_text(track, "artist_name"),
        album=_text(track, "release_name"),
        duration_s=seconds,
    )
    return Listen(entry, at_s * 1000)


def _text(track: Mapping[object, object], name: str) -> str:
    found = track.get(name)
    return clean(found) if isinstance(found, str) else ""


def _seconds(more: Mapping[object, object]) -> float | None:
    for name, unit in (("duration_ms", 1000), ("duration", 1)):
        found = more.get(name)
        if isinstance(found, int | float) and 0 < found / unit <= _SECONDS_MAX:
            return found / unit
    return None
