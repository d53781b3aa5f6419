"""All live tracks by what they sound like, in memory: which ones are near to some, or have a mood."""

import bisect
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from catalog.feature_rows import SoundRow
from discovery.sequence.item import fifths_of, tempo_of
from model.features import CONTRASTS, MFCCS, TIMBRE

# How much each group of numbers counts, whatever their number: cepstra, their deviations, contrast, colours, energy.
_GROUPS = ((MFCCS, 1.0), (MFCCS, 0.5), (CONTRASTS, 0.5), (TIMBRE - 2 * MFCCS - CONTRASTS, 1.0), (1, 0.5))
OF_ARTIST_MAX = 60  # among the nearest: more than a quarter of the longest mix, so that there are enough of others
_DEPTH = 4  # times as many as are wanted are looked at for that
_DEVIATION_MIN = 1e-3
_FAR = 4.0  # deviations: what is further counts no more
_ENERGY, _TEMPO_OCTAVES = 0.15, 0.12  # so far from a mood is a fit of 0.6

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Sounds:
    """What a track sounds like among the others."""

    vector: tuple[float, ...]
    energy: float
    tempo_bpm: float | None
    fifths: int | None


@dataclass(frozen=True, slots=True)
class _Raw:
    """What is known of tracks, in the order of their ids: timbre and energy as they are, then tempo and key (-1: none)
    as far as they are sure."""

    numbers: Array
    tempo: NDArray[np.float64]
    fifths: NDArray[np.int64]
    artists: NDArray[np.str_]

    @classmethod
    def of(cls, rows: Sequence[SoundRow]) -> Self:
        timbre = np.frombuffer(b"".join(row.timbre for row in rows), "<f8").reshape(len(rows), TIMBRE)
        energy = np.array([row.energy for row in rows], np.float64).reshape(-1, 1)
        tempo = [tempo_of(row) or np.nan for row in rows]
        fifths = [-1 if (place := fifths_of(row)) is None else place for row in rows]
        numbers = np.concatenate([timbre, energy], axis=1).astype(np.float32)
        artists = np.array([row.artist_id for row in rows], np.str_)
        return cls(numbers, np.array(tempo, np.float64), np.array(fifths, np.int64), artists)

    def taken(self, places: NDArray[np.int64]) -> Self:
        return type(self)(self.numbers[places], self.tempo[places], self.fifths[places], self.artists[places])

    def joined(self, other: Self) -> Self:
        names = ("numbers", "tempo", "fifths", "artists")
        return type(self)(*(np.concatenate([getattr(self, each), getattr(other, each)]) for each in names))


class Soundscape:
    """The sounds of some tracks, on the scale of them all. Never changed; holds some 600 bytes a track."""

    def __init__(self, rows: Iterable[SoundRow]) -> None:
        told = sorted(rows)
        self._set([row.track_id for row in told], _Raw.of(told))

    def _set(self, ids: list[str], raw: _Raw) -> None:
        self._ids, self._raw = ids, raw
        self._places: Mapping[str, int] = {track_id: place for place, track_id in enumerate(ids)}
        self._vectors = _unit(raw.numbers)

    def changed(self, gone: Collection[str], rows: Iterable[SoundRow]) -> "Soundscape":
        """The same without some tracks and with others: just what would have been made of all of them together."""
        told = sorted(rows)
        new = {row.track_id for row in told}
        kept = [place for place, track_id in enumerate(self._ids) if track_id not in gone and track_id not in new]
        ids = [self._ids[place] for place in kept]
        at = np.array([bisect.bisect_left(ids, row.track_id) for row in told], np.int64)
        raw = self._raw.taken(np.array(kept, np.int64)).joined(_Raw.of(told))
        order = np.insert(np.arange(len(ids)), at, np.arange(len(ids), len(ids) + len(told)))
        ids += [row.track_id for row in told]
        made = object.__new__(Soundscape)
        made._set([ids[place] for place in order.tolist()], raw.taken(order))
        return made

    def __len__(self) -> int:
        return len(self._ids)

    def of(self, track_id: str) -> Sounds | None:
        """What a track sounds like; None if that is not known."""
        place = self._places.get(track_id)
        if place is None:
            return None
        tempo, fifths = float(self._raw.tempo[place]), int(self._raw.fifths[place])
        return Sounds(
            vector=tuple(self._vectors[place].tolist()),
            energy=round(float(self._raw.numbers[place, TIMBRE]), 6),
            tempo_bpm=None if np.isnan(tempo) else tempo,
            fifths=None if fifths < 0 else fifths,
        )

    def near(self, track_ids: Sequence[str], limit: int) -> list[tuple[str, float, str]]:
        """The tracks that are most like any of these, at most OF_ARTIST_MAX of one artist: each with how much, from 0
        to 1, and which of these it is."""
        seeds = [place for track_id in track_ids if (place := self._places.get(track_id)) is not None]
        if not seeds:
            return []
        alike = (self._vectors @ self._vectors[seeds].T + 1) / 2
        best = alike.max(axis=1)
        return [
            (self._ids[place], float(best[place]), self._ids[seeds[int(alike[place].argmax())]])
            for place in self._of_many(self._best(best, _DEPTH * limit))[:limit]
        ]

    def _of_many(self, places: Sequence[int]) -> list[int]:
        """Those of some places, in order, that are not of an artist who was there OF_ARTIST_MAX times."""
        of_artist, found = Counter[str](), []
        for place in places:
            artist = str(self._raw.artists[place])
            of_artist[artist] += 1
            if of_artist[artist] <= OF_ARTIST_MAX:
                found.append(place)
        return found

    def in_mood(self, energy: float | None, tempo_bpm: float | None, limit: int) -> list[tuple[str, float]]:
        """The tracks that fit a mood best: each with how well, from 0 to 1."""
        if not (self._ids and (energy is not None or tempo_bpm is not None)):
            return []
        fit = np.ones(len(self._ids))
        if energy is not None:
            fit *= np.exp(-0.5 * ((self._raw.numbers[:, TIMBRE].astype(np.float64) - energy) / _ENERGY) ** 2)
        if tempo_bpm is not None:
            octaves = np.abs(np.log2(np.nan_to_num(self._raw.tempo, nan=1.0) / tempo_bpm)) % 1
            octaves = np.minimum(octaves, 1 - octaves)
            fit *= np.where(np.isnan(self._raw.tempo), 0, np.exp(-0.5 * (octaves / _TEMPO_OCTAVES) ** 2))
        return [(self._ids[place], float(fit[place])) for place in self._best(fit, limit)]

    def _best(self, worth: NDArray[np.floating], limit: int) -> list[int]:
        """The places of the best, in order; those that are worth the same by track id."""
        if limit < len(worth):
            least = np.partition(worth, -limit)[-limit]
            some = np.flatnonzero(worth >= least)
        else:
            some = np.arange(len(worth))
        found: list[int] = some[np.lexsort((some, -worth[some].round(6)))][:limit].tolist()
        return found  # places go by track id


def _unit(raw: Array) -> Array:
    """Rows on the scale of all of them, with length 1."""
    if not len(raw):
        return raw
    scaled = (raw - raw.mean(axis=0)) / np.maximum(raw.std(axis=0), _DEVIATION_MIN)
    weights = np.concatenate([np.full(count, np.sqrt(weight / count)) for count, weight in _GROUPS])
    scaled = np.clip(scaled, -_FAR, _FAR) * weights.astype(np.float32)
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    return np.asarray(scaled / np.where(lengths > 0, lengths, 1), np.float32)
