"""Where the candidates of a mix come from: what is played together, what sounds alike, the same artists and genres, a
mood; else chance.

Every call blocks for a moment: call it through asyncio.to_thread. Raises CatalogError.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from catalog.schema import TrackRow, album_artist_of
from catalog.shelves import Shelves
from catalog.store import Catalog
from discovery.sequence.choice import Candidate
from discovery.sequence.item import Item
from discovery.sequence.reasons import (
    Reason,
    by_chance,
    fits_mood,
    played_with,
    same_artist,
    same_genre,
    similar_to,
)
from discovery.sequence.sounds import CatalogSounds
from discovery.sequence.soundscape import Soundscape
from discovery.sequence.together import Together
from discovery.sequence.wish import Wish
from model.album import artist_id_of
from model.track import TRACK_ID_LENGTH, digest_of

_NEAR_MAX, _TOGETHER_MAX = 250, 120
_OF_ARTIST_MAX, _SEEDS_OF_ARTIST = 60, 12
_OF_GENRE_MAX, _GENRES_OF_SEED = 300, 2
_MOOD_MAX, _MOOD_MIN = 2_000, 0.1
_ENOUGH = 120  # candidates: below, chance adds some
_PLACES, _AT_PLACE = 24, 8
_ARTIST, _GENRE, _CHANCE = 0.75, 0.55, 0.2  # how well these fit, where nothing else is known
_TOGETHER = 0.4  # what is played together with a seed now and then; always: 1
_MORE = 0.08  # for each other reason


@dataclass(frozen=True, slots=True)
class Found:
    """The tracks that were asked for, as far as they are live, and what goes with them."""

    first: tuple[Item, ...]
    candidates: tuple[Candidate, ...]


_ByArtist = Mapping[str, Sequence[TrackRow]]  # the tracks of each artist that was asked for


class Candidates(Protocol):
    """Who knows what goes with what is asked for."""

    def find(self, wish: Wish, most: int | None = None) -> Found:
        """What goes with it, at most so many candidates. Blocking."""
        ...


def no_plays() -> Together | None:
    """Where there is no model."""
    return None


class CatalogCandidates:
    """Candidates by plays, sound, tags and chance, out of a catalog."""

    def __init__(
        self, catalog: Catalog, sounds: CatalogSounds, together: Callable[[], Together | None] = no_plays
    ) -> None:
        """`together` is asked for every mix: None as long as there is no model."""
        self._catalog = catalog
        self._shelves = Shelves(catalog)
        self._sounds = sounds
        self._together = together

    def find(self, wish: Wish, most: int | None = None) -> Found:
        """As Candidates has it."""
        sounds, together = self._sounds.now(), self._together()
        rows = self._catalog.rows_of(wish.track_ids)
        seeds = [rows[each] for each in wish.track_ids if each in rows and rows[each].live]
        by_artist = {each: self._shelves.tracks_by(each, _OF_ARTIST_MAX) for each in wish.artist_ids}
        gathered = _Gathered()
        if together is not None:
            self._by_plays(gathered, seeds, by_artist, together)
        self._by_sound(gathered, seeds, by_artist, sounds)
        self._by_names(gathered, wish, seeds, by_artist)
        moody = wish.energy is not None or wish.tempo_bpm is not None
        if moody:
            gathered.keep_mood(sounds.in_mood(wish.energy, wish.tempo_bpm, _MOOD_MAX))
        if not (moody or wish.genres) and len(gathered) < _ENOUGH:
            for row in self._by_chance(wish):
                gathered.add(row.track_id, _CHANCE, by_chance())
        known = self._catalog.rows_of(gathered.best(most))
        tastes = together.tastes({*known, *rows}) if together else {}
        items = {each: _item(row, sounds, tastes.get(each, ())) for each, row in known.items() if row.live}
        return Found(
            first=tuple(_item(each, sounds, tastes.get(each.track_id, ())) for each in seeds),
            candidates=tuple(gathered.candidates(items)),
        )

    def _by_plays(
        self, gathered: "_Gathered", seeds: Sequence[TrackRow], by_artist: _ByArtist, together: Together
    ) -> None:
        asked = [([row.track_id], played_with(row.title, row.track_id)) for row in seeds]
        asked += [
            ([row.track_id for row in rows], played_with(album_artist_of(rows[0])))
            for rows in by_artist.values()
            if rows
        ]
        for track_ids, reason in asked:
            for track_id, near in together.near(track_ids, _TOGETHER_MAX):
                gathered.add(track_id, _TOGETHER + (1 - _TOGETHER) * near, reason)

    def _by_sound(
        self, gathered: "_Gathered", seeds: Sequence[TrackRow], by_artist: _ByArtist, sounds: Soundscape
    ) -> None:
        named = {row.track_id: similar_to(row.title, row.track_id) for row in seeds}
        for rows in by_artist.values():
            for row in rows[:_SEEDS_OF_ARTIST]:
                named.setdefault(row.track_id, similar_to(row.title, row.track_id))
        for track_id, fit, like in sounds.near(tuple(named), _NEAR_MAX):
            gathered.add(track_id, fit, named[like])

    def _by_names(self, gathered: "_Gathered", wish: Wish, seeds: Sequence[TrackRow], by_artist: _ByArtist) -> None:
        artists = dict(by_artist)
        for artist_id in (*wish.artist_ids, *(artist_id_of(album_artist_of(row)) for row in seeds)):
            if artist_id not in artists:
                artists[artist_id] = self._shelves.tracks_by(artist_id, _OF_ARTIST_MAX)
            for row in artists[artist_id]:
                gathered.add(row.track_id, _ARTIST, same_artist(album_artist_of(row)))
        for genre in (*wish.genres, *(genre for row in seeds for genre in row.genres[:_GENRES_OF_SEED])):
            for track_id in self._shelves.track_ids_of_genre(genre, _OF_GENRE_MAX):
                gathered.add(track_id, _GENRE, same_genre(genre))

    def _by_chance(self, wish: Wish) -> Iterable[TrackRow]:
        """Tracks from places that chance says, the same ones for the same wish."""
        for number in range(_PLACES):
            place = digest_of("mix", repr(wish), str(number), length=TRACK_ID_LENGTH)
            yield from self._catalog.live_from(place, _AT_PLACE) or self._catalog.live_from("", _AT_PLACE)


class _Gathered:
    """Candidates as they are found: the best reason counts, each other one a little."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[float, float, Reason]] = {}

    def __len__(self) -> int:
        return len(self._found)

    def best(self, most: int | None) -> list[str]:
        """The ids of those that fit best; of all without a number."""
        if most is None or len(self._found) <= most:
            return list(self._found)
        found = sorted((-min(1.0, fit + more), track_id) for track_id, (fit, more, _) in self._found.items())
        return [track_id for _, track_id in found[:most]]

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


def _item(row: TrackRow, sounds: Soundscape, taste: tuple[float, ...]) -> Item:
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
        taste=taste,
    )
