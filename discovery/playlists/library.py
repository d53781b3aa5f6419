"""What playlists mean: entries and the tracks that they are now, rules worked out, files taken in and given out."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from catalog.playlists import ENTRIES_MAX, EntryRow, PlaylistRow, Playlists
from catalog.rule_choice import tracks_by_rules
from catalog.rules import Known
from catalog.schema import TrackRow
from catalog.store import Catalog
from discovery.playlists.entries import NAME_CHARS_MAX, Entry, EntryList, clean, clean_lines
from discovery.playlists.match import LookUps, matched, track_in, track_uri
from discovery.playlists.nsp import RulePlaylist, read_rules
from model.errors import PlaylistRefused, PlaylistUnknown
from model.track import derived_id

FRESH_S = 10.0  # as long as what rules chose is good at least: they may go through all of a catalog
REST = 100.0  # and so many times as long as it took: some 4 s for a million tracks
CHOSEN_MAX = 256  # rule playlists whose tracks are kept so
WITHIN_MAX = 20  # playlists that one is made from
_ROWS = 500  # that are asked for at a time
_NAMELESS = "Playlist"


class Listening(Protocol):
    """What rules may ask of a listener: the tracks they heard (how often, when last in ms), their favourites (since
    when in ms), and what they rated (stars, when in ms). Each blocks for a moment."""

    def heard(self, listener_id: str, /) -> Sequence[tuple[str, int, int]]: ...
    def loved(self, listener_id: str, /) -> Sequence[tuple[str, int]]: ...
    def rated(self, listener_id: str, /) -> Sequence[tuple[str, int, int]]: ...


class NothingHeard:
    """Where no plays are kept."""

    def heard(self, _: str, /) -> Sequence[tuple[str, int, int]]:
        """None."""
        return ()

    def loved(self, _: str, /) -> Sequence[tuple[str, int]]:
        """None."""
        return ()

    def rated(self, _: str, /) -> Sequence[tuple[str, int, int]]:
        """None."""
        return ()


@dataclass(frozen=True, slots=True)
class Shown:
    """An entry as it is now: with its track, None if that is not live or was never found."""

    entry: EntryRow
    track: TrackRow | None


@dataclass(frozen=True, slots=True)
class Imported:
    """A playlist that was taken in, and the entries of its file for which there is no track, by their place from 0."""

    playlist: PlaylistRow
    missing: Mapping[int, Entry]


@dataclass(frozen=True, slots=True)
class TrackChoice:
    """The live tracks of a playlist, in order. Equal ones have equal versions; `changed_s` is the playlist's own."""

    name: str
    track_ids: tuple[str, ...]
    version: str
    changed_s: int = 0


@dataclass(slots=True, kw_only=True)
class Library:
    """Playlists over a catalog.

    Every call blocks for a moment: call it through asyncio.to_thread. Safe to use from several threads at once. Raises
    what Playlists does, RuleInvalid, PlaylistFileInvalid, and CatalogError.
    """

    catalog: Catalog
    playlists: Playlists
    listening: Listening = field(default_factory=NothingHeard)
    clock_s: Callable[[], float] = time.time  # since 1970
    _chosen: dict[tuple[str, int], tuple[float, list[str]]] = field(default_factory=dict)

    def track_choice(self, playlist_id: str, reader: str | None = None) -> TrackChoice:
        """The live tracks of a playlist that this listener (None: anybody) may read."""
        row = self.playlists.get(playlist_id, reader)
        every = self._track_ids(row)
        rows = self._live(every)
        track_ids = tuple(each for each in every if each in rows)
        return TrackChoice(row.name, track_ids, derived_id(row.name, *track_ids), row.changed_s)

    def shown(self, row: PlaylistRow, *, offset: int = 0, limit: int = ENTRIES_MAX) -> tuple[list[Shown], int]:
        """Some entries of a playlist, and how many there are in all. What rules chose has numbers from 1 for ids."""
        if not row.rules:
            entries, total = self.playlists.entries(row.playlist_id, offset=offset, limit=limit), row.entries
        else:
            chosen = self._by_rules(row)
            numbered = list(enumerate(chosen, 1))[offset : offset + limit]
            entries = [EntryRow(entry_id=number, track_id=track_id) for number, track_id in numbered]
            total = len(chosen)
        rows = self._live([entry.track_id for entry in entries])
        return [Shown(entry, rows.get(entry.track_id)) for entry in entries], total

    def entries_of(self, track_ids: Sequence[str]) -> list[EntryRow]:
        """Entries for these tracks. Raises PlaylistRefused if one is not there."""
        rows = self._live(track_ids)
        for n, track_id in enumerate(track_ids):
            if track_id not in rows:
                raise PlaylistRefused("no such track", subject=f"track_ids[{n}]")
        return [_entry_of(rows[track_id]) for track_id in track_ids]

    def take_in(self, listener_id: str, found: EntryList, look_ups: LookUps, *, name: str = "") -> Imported:
        """A new playlist of what a file says, in its order. What is not found stays, as an entry without a track."""
        rows = matched(found.entries, look_ups)
        pairs = zip(found.entries, rows, strict=True)
        entries = [_entry_of(row, entry) if row else _missing(entry) for entry, row in pairs]
        playlist = self.playlists.create(
            listener_id, name=playlist_name(found.name or name), comment=found.comment, entries=entries
        )
        return Imported(playlist, {n: found.entries[n] for n, row in enumerate(rows) if row is None})

    def take_in_rules(self, listener_id: str, found: RulePlaylist, *, name: str = "") -> PlaylistRow:
        """A new playlist that rules make."""
        return self.playlists.create(
            listener_id,
            name=playlist_name(found.name or name),
            comment=found.comment,
            public=found.public,
            rules=found.text,
        )

    def give_out(self, row: PlaylistRow, *, base_url: str = "") -> EntryList:
        """The playlist as files have it, with URLs under `base_url`; one that rules make with the tracks of now."""
        entries = tuple(_given(each, base_url) for each in self.shown(row)[0])
        return EntryList(name=clean(row.name), comment=clean_lines(row.comment), entries=entries)

    def _track_ids(self, row: PlaylistRow) -> list[str]:
        return self._by_rules(row) if row.rules else [each.track_id for each in self.playlists.entries(row.playlist_id)]

    def _live(self, track_ids: Sequence[str]) -> dict[str, TrackRow]:
        """The live ones of these."""
        wanted = sorted(set(track_ids) - {""})
        rows: dict[str, TrackRow] = {}
        for at in range(0, len(wanted), _ROWS):
            rows |= self.catalog.rows_of(wanted[at : at + _ROWS])
        return {track_id: row for track_id, row in rows.items() if row.live}

    def _by_rules(self, row: PlaylistRow) -> list[str]:
        key, now_s = (row.playlist_id, row.version), self.clock_s()
        kept = self._chosen.get(key)
        if kept is not None and now_s < kept[0]:
            return kept[1]
        chosen = self._work_out(row, now_s, {})
        while len(self._chosen) >= CHOSEN_MAX:
            self._chosen.pop(next(iter(self._chosen)), None)
        self._chosen[key] = (now_s + max(FRESH_S, REST * (self.clock_s() - now_s)), chosen)
        return chosen

    def _work_out(self, row: PlaylistRow, now_s: float, within: dict[str, list[str] | None]) -> list[str]:
        """The tracks that rules choose. `within` has those of all playlists on the way here, None for those that are
        being worked out."""
        within[row.playlist_id] = None
        rules = read_rules(row.rules)
        tables = rules.tables()
        known = Known(
            now_ms=int(1000 * now_s),
            seed=row.playlist_id,
            heard=self.listening.heard(row.listener_id) if "heard" in tables else (),
            loved=self.listening.loved(row.listener_id) if "loved" in tables else (),
            rated=self.listening.rated(row.listener_id) if "rated" in tables else (),
            playlists={each: self._of_other(each, row, now_s, within) for each in sorted(rules.playlists())},
            features=self.catalog.features,
        )
        return tracks_by_rules(self.catalog.database, rules, known, most=ENTRIES_MAX)

    def _of_other(
        self, playlist_id: str, row: PlaylistRow, now_s: float, within: dict[str, list[str] | None]
    ) -> list[str]:
        """The tracks of a playlist that another one's rules name, none if its owner may not read it."""
        try:
            other = self.playlists.get(playlist_id, row.listener_id)
        except PlaylistUnknown:
            return []
        if (found := within.get(playlist_id)) is not None:
            return found
        if playlist_id in within or len(within) >= WITHIN_MAX:
            why = f"it is made from itself, or from more than {WITHIN_MAX} others"
            raise PlaylistRefused(why, subject=playlist_id, hint="change its rules")
        found = self._work_out(other, now_s, within) if other.rules else self._track_ids(other)
        within[playlist_id] = found
        return found


def playlist_name(text: str) -> str:
    """A name that a playlist can have."""
    return clean(text, NAME_CHARS_MAX) or _NAMELESS


def _entry_of(row: TrackRow, entry: Entry | None = None) -> EntryRow:
    """An entry of a track, with what it is called now and where a file said it is."""
    return EntryRow(
        track_id=row.track_id,
        title=clean(row.title),
        artist=clean(row.artist),
        album=clean(row.album),
        track_number=row.track_number,
        duration_s=row.duration_s,
        uris=entry.uris if entry else (),
    )


def _missing(entry: Entry) -> EntryRow:
    """An entry without a track that is there; one of ours that a URI names may come, or come back."""
    return EntryRow(
        track_id=next(filter(None, map(track_in, entry.uris)), ""),
        title=entry.title,
        artist=entry.artist,
        album=entry.album,
        track_number=entry.track_number,
        duration_s=entry.duration_s,
        uris=entry.uris,
    )


def _given(shown: Shown, base_url: str) -> Entry:
    """An entry as files have it: by our own names for its track, if there is one, and as it was told to us if not."""
    entry, track = shown.entry, shown.track
    entry = _entry_of(track) if track else entry
    own = [f"{base_url}/tracks/{track.track_id}/index.m3u8"] if track else []
    named = [track_uri(entry.track_id)] if entry.track_id else []
    return Entry(
        title=entry.title,
        artist=entry.artist,
        album=entry.album,
        track_number=entry.track_number or None,
        duration_s=round(entry.duration_s, 3) or None if entry.duration_s else None,
        uris=tuple(dict.fromkeys([*own, *entry.uris, *named])),
    )
