"""Which track an entry of a playlist file is: by our own id in a URI, by its file, or by artist, title and duration.

A wrong track is worse than none: names have to be the same but for case, accents, what stands in brackets and slips of
a finger, and durations must not tell of another version. Pure but for what it is given to look things up with.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import partial
from urllib.parse import unquote

from catalog.schema import TrackRow
from discovery.playlists.entries import Entry
from discovery.search_text import QUERY_CHARS_MAX, plain

TRACK_SCHEME = "segue:track:"
SEARCHES_MAX = 500  # of one file, unless said otherwise: each may take tens of milliseconds
_OWN = re.compile(r"(?:^segue:track:|^(?:https?://[^/?#]+)?/(?:t/[^/]+/)?tracks/)([a-z2-7]{16,26})(?:$|[/?#])")
_BRACKETS = re.compile(r"[(\[][^)\]]*[)\]]|\s-\s.*(?:remaster|version|edit|mono|stereo).*$", re.IGNORECASE)
_FEATURING = re.compile(r"\s(?:feat|ft|featuring)\b.*$|[,;&/].*$", re.IGNORECASE)
_NUMBERED = re.compile(r"^\d{1,3}(?:[-.]\d{1,3})?[\s._-]+")
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,5}$")
_SPLIT = " - "
_ALIKE = 0.88  # of two titles, or artists, that differ by a slip
_SAME_S = 10.0  # between durations of one recording, where names are the same
_NEAR_S = 4.0  # where they are not quite

Search = Callable[[str], Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUps:
    """What tracks can be found by: rows by their ids, live tracks of an album artist (else artist), track ids for what
    is typed into search, and the track that a file is ("" for none)."""

    rows_of: Callable[[Collection[str]], Mapping[str, TrackRow]]
    of_artist: Callable[[str], Sequence[TrackRow]]
    search: Search
    track_of_file: Callable[[str], str] = lambda uri: ""
    searches_max: int = SEARCHES_MAX


def track_uri(track_id: str) -> str:
    """What names a track wherever it is served."""
    return f"{TRACK_SCHEME}{track_id}"


def track_in(uri: str) -> str:
    """The track that a URI of ours names, "" for any other: of its playlists, or `segue:track:` and its id."""
    found = _OWN.search(uri)
    return found[1] if found else ""


def matched(entries: Sequence[Entry], look_ups: LookUps) -> list[TrackRow | None]:
    """The live track that each entry is, None where there is none or it is not sure."""
    named = [_named(entry, look_ups) for entry in entries]
    known = _rows(look_ups, [track_id for each in named for track_id in each])
    artists: dict[str, Sequence[TrackRow]] = {}
    left = look_ups.searches_max
    found: list[TrackRow | None] = []
    for entry, track_ids in zip(entries, named, strict=True):
        row = next((known[each] for each in track_ids if each in known), None)
        guesses = [] if row else list(_guesses(entry))
        for guess in guesses:
            near = artists.setdefault(guess.artist, look_ups.of_artist(guess.artist) if guess.artist else ())
            row = row or _best(guess, near)
        if row is None and left > 0 and guesses:
            left -= 1
            row = _searched(guesses, look_ups)
        found.append(row)
    return found


def _named(entry: Entry, look_ups: LookUps) -> list[str]:
    """The tracks that its URIs name."""
    return [track_id for uri in entry.uris if (track_id := track_in(uri) or look_ups.track_of_file(uri))]


def _rows(look_ups: LookUps, track_ids: Sequence[str]) -> dict[str, TrackRow]:
    """The live ones of these."""
    rows: dict[str, TrackRow] = {}
    for at in range(0, len(track_ids), 500):  # SQLite takes 999 values or more
        rows |= look_ups.rows_of(track_ids[at : at + 500])
    return {track_id: row for track_id, row in rows.items() if row.live}


def _searched(guesses: Sequence[Entry], look_ups: LookUps) -> TrackRow | None:
    for guess in guesses[:2]:
        track_ids = look_ups.search(f"{guess.artist} {guess.title}"[:QUERY_CHARS_MAX])
        rows = _rows(look_ups, track_ids)
        if row := _best(guess, [rows[each] for each in track_ids if each in rows]):
            return row
    return None


def _guesses(entry: Entry) -> Iterator[Entry]:
    """What it may be called: as it says; split elsewhere, for names have dashes; else as its file is called."""
    if not entry.title:
        entry = next(map(partial(_from_path, entry), entry.uris), entry)
    if not entry.title:
        return
    yield entry
    words = f"{entry.artist}{_SPLIT if entry.artist else ''}{entry.title}".split(_SPLIT)
    for at in range(1, min(len(words), 5)):
        guess = replace(entry, artist=_SPLIT.join(words[:at]).strip(), title=_SPLIT.join(words[at:]).strip())
        if guess != entry and guess.title:
            yield guess


def _from_path(entry: Entry, uri: str) -> Entry:
    """`Artist/Album/01 - Title.flac`, as most collections are kept."""
    parts = [part for part in re.split(r"[/\\]", unquote(uri.partition("?")[0])) if part]
    title = _NUMBERED.sub("", _SUFFIX.sub("", parts[-1])) if parts else ""
    artist = parts[-3] if len(parts) >= 3 and _SPLIT not in title else ""
    return replace(entry, title=title.replace("_", " "), artist=entry.artist or artist)


def _best(entry: Entry, rows: Sequence[TrackRow]) -> TrackRow | None:
    judged = [(score, row) for row in rows if (score := _score(entry, row)) is not None]
    return max(judged, key=lambda pair: (pair[0], pair[1].track_id))[1] if judged else None


def _score(entry: Entry, row: TrackRow) -> tuple[int, int, bool, float] | None:
    """How sure it is that this is the track: sameness of title and artist, album, duration; None if it is not."""
    title = _sameness(entry.title, row.title, _BRACKETS)
    artist = max(_sameness(entry.artist, each, _FEATURING) for each in (row.artist, row.album_artist))
    apart = abs(entry.duration_s - row.duration_s) if entry.duration_s is not None else None
    if not title or (entry.artist and not artist):
        return None
    same = title == 3 and artist >= 2
    if apart is None and not same:
        return None
    if apart is not None and apart > (_SAME_S if same else _NEAR_S):
        return None
    album = bool(entry.album) and plain(entry.album) == plain(row.album)
    return title, artist, album, -(apart or 0.0)


def _sameness(one: str, other: str, beside: re.Pattern[str]) -> int:
    """3: the same words. 2: but for what stands beside the name. 1: but for a slip. 0: another name."""
    if not (one and other):
        return 0
    if plain(one) == plain(other):
        return 3
    if (bare := plain(beside.sub("", one))) and bare == plain(beside.sub("", other)):
        return 2
    return int(SequenceMatcher(None, plain(one), plain(other), autojunk=False).ratio() >= _ALIKE)
