"""A track as it is put in order: who it is by, and what it sounds like. Pure."""

import hashlib
import math
from dataclasses import dataclass
from typing import Protocol

from model.features import KeyMode

_TEMPO_SURE, _KEY_SURE = 0.1, 0.1  # below, it is no more than a guess
_FIFTHS = 7  # semitones
_RELATIVE = 3  # semitones from a minor key up to the major key with the same notes
_CHANCE_BYTES = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A live track. `vector` is what it sounds like among all others, of length 1; empty where nobody knows.

    `level_lufs` is the one that players get. `fifths` is the place of its key on the circle of fifths, that of a minor
    key is its relative major key's. What is not known, or not sure, is None. `taste` is the same of who listens to it.
    """

    track_id: str
    recording_id: str
    title: str
    artist: str
    album: str
    duration_s: float
    genres: tuple[str, ...] = ()
    level_lufs: float | None = None
    energy: float | None = None
    tempo_bpm: float | None = None
    fifths: int | None = None
    vector: tuple[float, ...] = ()
    taste: tuple[float, ...] = ()


class Told(Protocol):
    """What features tell of tempo and key."""

    @property
    def tempo_bpm(self) -> float | None: ...
    @property
    def tempo_confidence(self) -> float: ...
    @property
    def key(self) -> int | None: ...
    @property
    def mode(self) -> str | None: ...
    @property
    def key_confidence(self) -> float: ...


def tempo_of(told: Told) -> float | None:
    """Its tempo, where that is more than a guess."""
    return told.tempo_bpm if told.tempo_confidence >= _TEMPO_SURE else None


def fifths_of(told: Told) -> int | None:
    """The place of its key on the circle of fifths, where the key is more than a guess."""
    if told.key is None or told.key_confidence < _KEY_SURE:
        return None
    major = told.key + (_RELATIVE if told.mode == KeyMode.MINOR else 0)
    return major * _FIFTHS % 12


def tempo_step(one: float, other: float) -> float:
    """How many octaves apart two tempos are; half and double go together."""
    octaves = abs(math.log2(one / other)) % 1
    return min(octaves, 1 - octaves)


def fifths_step(one: int, other: int) -> int:
    """How many fifths apart two keys are, from 0 to 6."""
    around = abs(one - other) % 12
    return min(around, 12 - around)


def chance(*words: str) -> float:
    """From 0 to 1, as if by chance, but always the same for the same words, on every machine."""
    digest = hashlib.sha256("\0".join(words).encode()).digest()
    return int.from_bytes(digest[:_CHANCE_BYTES]) / (1 << 8 * _CHANCE_BYTES)
