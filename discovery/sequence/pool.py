"""Where the candidates of a mix come from: what sounds alike, the same artists and genres, a mood; else chance.

Every call blocks for a moment: call it through asyncio.to_thread. Raises CatalogError.
"""

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from catalog.schema import TrackRow, album_artist_of
from catalog.shelves import Shelves
from catalog.store import Catalog
from discovery.sequence.choice import Candidate
from discovery.sequence.item import Item
from discovery.sequence.reasons import Reason, by_chance, fits_mood, same_artist, same_genre, similar_to
from discovery.sequence.soundscape import Soundscape
from discovery.sequence.wish import Wish
from model.album import artist_id_of
from model.track import TRACK_ID_LENGTH, digest_of

FRESH_S = 120.0  # a soundscape that is older is made anew by who asks next
_NEAR_MAX = 250
_OF_ARTIST_MAX, _SEEDS_OF_ARTIST = 60, 12
_OF_GENRE_MAX, _GENRES_OF_SEED = 300, 2
_MOOD_MAX, _MOOD_MIN = 2_000, 0.1
_ENOUGH = 120  # candidates: below, chance adds some
_PLACES, _AT_PLACE = 24, 8
_ARTIST, _GENRE, _CHANCE = 0.75, 0.55, 0.2  # how well these fit, where nothing else is known
_MORE = 0.08  # for each other reason


@dataclass(frozen=True, slots=True)
class Found:
    """The tracks that were asked for, as far as they are live, and what goes with them."""

    first: tuple[Item, ...]
    candidates: tuple[Candidate, ...]


class Candidates(Protocol):
    """Who knows what goes with what is asked for."""

    def find(self, wish: Wish) -> Found:
        """What goes with it. Blocking."""
        ...


class ContentCandidates:
    """Candidates by sound, tags and chance, out of a catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._shelves = Shelves(catalog)
        self._lock = threading.Lock()
        self._made_s = -FRESH_S
        self._soundscape: Soundscape | None = None

    def find(self, wish: Wish) -> Found:
        """As Candidates has it."""
        sounds = self._sounds()
        rows = self._catalog.rows_of(wish.track_ids)
        seeds = [rows[each] for each in wish.track_ids if each in rows and rows[each].live]
        gathered = _Gathered()
        self._by_sound(gathered, wish, seeds, sounds)
        self._by_names(gathered, wish, seeds)
        moody = wish.energy is not None or wish.tempo_bpm is not None
        if moody:
            gathered.keep_mood(sounds.in_mood(wish.energy, wish.tempo_bpm, _MOOD_MAX))
        if not (moody or wish.genres) and len(gathered) < _ENOUGH:
            for row in self._by_chance(wish):
                gathered.add(row.track_id, _CHANCE, by_chance())
        known = self._catalog.rows_of(gathered.track_ids)
        items = {track_id: _item(row, sounds) for track_id, row in known.items() if row.live}
        return Found(
            first=tuple(_item(each, sounds) for each in seeds),
            candidates=tuple(gathered.candidates(items)),
        )

    def _by_sound(self, gathered: "_Gathered", wish: Wish, seeds: Sequence[TrackRow], sounds: Soundscape) -> None:
        named = {row.track_id: similar_to(_item(row, sounds)) for row in seeds}
        for artist_id in wish.artist_ids:
            for row in self._shelves.tracks_by(artist_id, _SEEDS_OF_ARTIST):
                named.setdefault(row.track_id, similar_to(_item(row, sounds)))
        for track_id, fit, like in sounds.near(tuple(named), _NEAR_MAX):
            gathered.add(track_id, fit, named[like])

    def _by_names(self, gathered: "_Gathered", wish: Wish, seeds: Sequence[TrackRow]) -> None:
        for artist_id in (*wish.artist_ids, *(artist_id_of(album_artist_of(row)) for row in seeds)):
            for row in self._shelves.tracks_by(artist_id, _OF_ARTIST_MAX):
                gathered.add(row.track_id, _ARTIST, same_artist(album_artist_of(row)))
        for genre in (*wish.genres, *(genre for row in seeds for genre in row.genres[:_GENRES_OF_SEED])):
            for row in self._shelves.tracks_of_genre(genre, 0, _OF_GENRE_MAX):
                gathered.add(row.track_id, _GENRE, same_genre(genre))

    def _by_chance(self, wish: Wish) -> Iterable[TrackRow]:
        """Tracks from places that chance says, the same ones for the same wish."""
        for number in range(_PLACES):
            place = digest_of("mix", repr(wish), str(number), length=TRACK_ID_LENGTH)
            yield from self._catalog.live_from(place, _AT_PLACE) or self._catalog.live_from("", _AT_PLACE)

    def _sounds(self) -> Soundscape:
        """The soundscape of now or of a little earlier; one thread makes it anew, the others go on with the old one."""
        if time.monotonic() - self._made_s < FRESH_S or not self._lock.acquire(blocking=self._soundscape is None):
            return self._soundscape or Soundscape(())
        try:
            if time.monotonic() - self._made_s >= FRESH_S:
                self._soundscape = Soundscape(self._catalog.live_features())
                self._made_s = time.monotonic()
            return self._soundscape or Soundscape(())
        finally:
            self._lock.release()


class _Gathered:
    """Candidates as they are found: the best reason counts, each other one a little."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[float, float, Reason]] = {}

    def __len__(self) -> int:
        return len(self._found)

    @property
    def track_ids(self) -> tuple[str, ...]:
        return tuple(self._found)

    def add(self, track_id: str, fit: float, reason: Reason) -> None:
        best, more, why = self._found.get(track_id, (-1.0, -_MORE, reason))
        more += _MORE
        self._found[track_id] = (fit, more, reason) if fit > best else (best, more, why)

    def keep_mood(self, fits: Sequence[tuple[str, float]]) -> None:
        """Only what has the mood stays; if nothing was asked for but a mood, all that has it."""
        asked = self._found or {track_id: (1.0, 0.0, fits_mood()) for track_id, _ in fits}
        self._found = {
            track_id: (asked[track_id][0] * fit, asked[track_id][1], asked[track_id][2])
            for track_id, fit in fits
            if track_id in asked and fit >= _MOOD_MIN
        }

    def candidates(self, items: dict[str, Item]) -> Iterable[Candidate]:
        for track_id, (fit, more, reason) in self._found.items():
            if track_id in items:
                yield Candidate(item=items[track_id], relevance=min(1.0, fit + more), reason=reason)


def _item(row: TrackRow, sounds: Soundscape) -> Item:
    heard = sounds.of(row.track_id)
    return Item(
        track_id=row.track_id,
        recording_id=row.recording_id,
        title=row.title,
        artist=row.artist,
        album=row.album,
        duration_s=row.duration_s,
        genres=row.genres,
        level_lufs=row.level_lufs,
        energy=heard.energy if heard else None,
        tempo_bpm=heard.tempo_bpm if heard else None,
        fifths=heard.fifths if heard else None,
        vector=heard.vector if heard else (),
    )
