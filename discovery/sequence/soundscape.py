"""All live tracks by what they sound like, in memory: which ones are near to some, or have a mood."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from discovery.sequence.item import fifths_of, tempo_of
from model.features import CONTRASTS, MFCCS, TIMBRE, Features

# How much each group of numbers counts, whatever their number: cepstra, their deviations, contrast, colours, energy.
_GROUPS = ((MFCCS, 1.0), (MFCCS, 0.5), (CONTRASTS, 0.5), (TIMBRE - 2 * MFCCS - CONTRASTS, 1.0), (1, 0.5))
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


class Soundscape:
    """The sounds of some tracks, on the scale of them all. Holds some 250 bytes a track."""

    def __init__(self, tracks: Iterable[tuple[str, Features]]) -> None:
        raw, energy, tempo, fifths = [], [], [], []
        self._ids: list[str] = []
        for track_id, features in tracks:
            self._ids.append(track_id)
            raw.append(np.array((*features.timbre, features.energy), np.float32))
            energy.append(features.energy)
            tempo.append(tempo_of(features) or np.nan)
            place = fifths_of(features)
            fifths.append(-1 if place is None else place)
        self._places: Mapping[str, int] = {track_id: place for place, track_id in enumerate(self._ids)}
        self._vectors = _unit(np.array(raw, np.float32).reshape(len(raw), TIMBRE + 1))
        self._energy, self._tempo, self._fifths = np.array(energy), np.array(tempo), np.array(fifths)

    def __len__(self) -> int:
        return len(self._ids)

    def of(self, track_id: str) -> Sounds | None:
        """What a track sounds like; None if that is not known."""
        place = self._places.get(track_id)
        if place is None:
            return None
        tempo, fifths = float(self._tempo[place]), int(self._fifths[place])
        return Sounds(
            vector=tuple(self._vectors[place].tolist()),
            energy=float(self._energy[place]),
            tempo_bpm=None if np.isnan(tempo) else tempo,
            fifths=None if fifths < 0 else fifths,
        )

    def near(self, track_ids: Sequence[str], limit: int) -> list[tuple[str, float, str]]:
        """The tracks that are most like any of these: each with how much, from 0 to 1, and which of these it is."""
        seeds = [place for track_id in track_ids if (place := self._places.get(track_id)) is not None]
        if not seeds:
            return []
        alike = (self._vectors @ self._vectors[seeds].T + 1) / 2
        best = alike.max(axis=1)
        return [
            (self._ids[place], float(best[place]), self._ids[seeds[int(alike[place].argmax())]])
            for place in self._best(best, limit)
        ]

    def in_mood(self, energy: float | None, tempo_bpm: float | None, limit: int) -> list[tuple[str, float]]:
        """The tracks that fit a mood best: each with how well, from 0 to 1."""
        if not (self._ids and (energy is not None or tempo_bpm is not None)):
            return []
        fit = np.ones(len(self._ids))
        if energy is not None:
            fit *= np.exp(-0.5 * ((self._energy - energy) / _ENERGY) ** 2)
        if tempo_bpm is not None:
            octaves = np.abs(np.log2(np.nan_to_num(self._tempo, nan=1.0) / tempo_bpm)) % 1
            octaves = np.minimum(octaves, 1 - octaves)
            fit *= np.where(np.isnan(self._tempo), 0, np.exp(-0.5 * (octaves / _TEMPO_OCTAVES) ** 2))
        return [(self._ids[place], float(fit[place])) for place in self._best(fit, limit)]

    def _best(self, worth: NDArray[np.floating], limit: int) -> list[int]:
        """The places of the best, in order; those that are worth the same by track id."""
        if limit < len(worth):
            least = np.partition(worth, -limit)[-limit]
            some = np.flatnonzero(worth >= least)
        else:
            some = np.arange(len(worth))
        order = sorted(some.tolist(), key=lambda place: (-round(float(worth[place]), 6), self._ids[place]))
        return order[:limit]


def _unit(raw: Array) -> Array:
    """Rows on the scale of all of them, with length 1."""
    if not len(raw):
        return raw
    scaled = (raw - raw.mean(axis=0)) / np.maximum(raw.std(axis=0), _DEVIATION_MIN)
    weights = np.concatenate([np.full(count, np.sqrt(weight / count)) for count, weight in _GROUPS])
    scaled = np.clip(scaled, -_FAR, _FAR) * weights.astype(np.float32)
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    return np.asarray(scaled / np.where(lengths > 0, lengths, 1), np.float32)
