"""JSPF: XSPF in JSON, as ListenBrainz and others write it. Pure."""

import json
from collections.abc import Mapping

from discovery.playlists.entries import (
    URIS_MAX,
    Entry,
    EntryList,
    PlaylistFileInvalid,
    check_count,
    check_size,
    clean,
    clean_lines,
    clean_uri,
    number_of,
    seconds_of,
)
from discovery.playlists.xspf import parted_uris

_URIS = ("location", "identifier")


def read_jspf(data: bytes) -> EntryList:
    """The playlist that a file has. Raises PlaylistFileInvalid."""
    check_size(data)
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise PlaylistFileInvalid("not JSON") from error
    playlist = document.get("playlist") if isinstance(document, dict) else None
    if not isinstance(playlist, dict):
        raise PlaylistFileInvalid("no playlist in it", hint='JSPF is {"playlist": {"track": […]}}')
    tracks = playlist.get("track", [])
    if not (isinstance(tracks, list) and all(isinstance(track, dict) for track in tracks)):
        raise PlaylistFileInvalid("its tracks are not a list of objects")
    check_count(len(tracks))
    return EntryList(
        name=clean(_text(playlist, "title")),
        comment=clean_lines(_text(playlist, "annotation")),
        entries=tuple(map(_entry, tracks)),
    )


def write_jspf(playlist: EntryList) -> bytes:
    """The playlist as JSPF."""
    said = {"title": playlist.name, "annotation": playlist.comment}
    tracks = [_track(entry) for entry in playlist.entries]
    document = {"playlist": {key: text for key, text in said.items() if text} | {"track": tracks}}
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()


def _entry(track: Mapping[str, object]) -> Entry:
    uris = [uri for key in _URIS for each in _list(track.get(key))[:URIS_MAX] if (uri := clean_uri(each))]
    milliseconds = _number(track.get("duration"))
    number = _number(track.get("trackNum"))
    return Entry(
        title=clean(_text(track, "title")),
        artist=clean(_text(track, "creator")),
        album=clean(_text(track, "album")),
        track_number=number_of(number),
        duration_s=seconds_of(milliseconds / 1000 if milliseconds is not None else None),
        uris=tuple(dict.fromkeys(uris))[:URIS_MAX],
    )


def _track(entry: Entry) -> dict[str, object]:
    locations, identifiers = parted_uris(entry)
    said: dict[str, object] = {
        "location": locations,
        "identifier": identifiers,
        "title": entry.title,
        "creator": entry.artist,
        "album": entry.album,
        "trackNum": entry.track_number,
        "duration": None if entry.duration_s is None else round(1000 * entry.duration_s),
    }
    return {key: value for key, value in said.items() if value}


def _text(of: Mapping[str, object], key: str) -> str:
    value = of.get(key)
    return value if isinstance(value, str) else ""


def _list(value: object) -> list[str]:
    """One URI or several: both are found in files."""
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, str)]


def _number(value: object) -> int | None:
    """A whole number, spelled as one or as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return int(value) if abs(float(value)) < 1e12 else None
    except (ValueError, OverflowError):
        return None
