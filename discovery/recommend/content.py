"""What tracks sound like, as vectors: for tracks that nobody has played yet."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from discovery.recommend.plays import Floats, Row
from discovery.recommend.scorers import Spread
from model.features import PITCH_CLASSES, Features, KeyMode

WIDTH_MAX = 128  # numbers of one vector


@dataclass(frozen=True)
class Content:
    """A vector of length 1 for each item (0 where nothing is known), and the way from it to the item's factors."""

    vectors: Floats
    to_factors: Floats

    @property
    def known(self) -> Floats:
        """1 for each item that has a vector, else 0."""
        return np.asarray(self.vectors.any(axis=1), dtype=np.float32)

    @cached_property
    def spread(self) -> Spread:
        """How the vectors of all items lie."""
        return Spread(self.vectors)

    def ways(self, rows: Sequence[Row], folded: Floats | None) -> Floats:
        """For each row the way along which lies what sounds like it: items have deviation 1 along it; half of it, if
        the vectors of the rows are given, by the factors that its sound lets expect."""
        ways = self.spread.even(np.stack([row.strengths() @ self.vectors[row.items] for row in rows]))
        if folded is None:
            return ways
        return self.spread.even(ways + self.spread.even(folded @ self.to_factors.T))


def content_vectors(sounds: Sequence[Features | None]) -> Floats:
    """Vectors of length 1, in the order given: every number standardised over all that are known. Zeros for None."""
    known = [place for place, sound in enumerate(sounds) if sound is not None]
    numbers = [_numbers(sound) for sound in sounds if sound is not None]
    width = max(map(len, numbers), default=0)
    vectors = np.zeros((len(sounds), width), dtype=np.float32)
    if not known:
        return vectors
    raw = np.array([each if len(each) == width else [math.nan] * width for each in numbers])  # of another version
    usable = np.isfinite(raw).all(axis=1)
    raw = np.where(usable[:, None], raw, 0.0)
    scaled = (raw - raw[usable].mean(axis=0)) / np.maximum(raw[usable].std(axis=0), 1e-6)
    lengths = np.maximum(np.linalg.norm(scaled, axis=1), 1e-9)
    vectors[known] = np.where(usable[:, None], scaled / lengths[:, None], 0.0)
    return vectors


def _numbers(sound: Features) -> list[float]:
    """A key lies on a circle, and as far from its middle as it is sure; a tempo counts by octaves, and likewise."""
    tempo = math.log2(sound.tempo_bpm / 120) * sound.tempo_confidence if sound.tempo_bpm else 0.0
    angle = 2 * math.pi * (sound.key or 0) * 7 / PITCH_CLASSES  # by fifths: neighbours share most of their notes
    sure = sound.key_confidence if sound.key is not None else 0.0
    minor = sure if sound.mode is KeyMode.MINOR else 0.0
    level = -70.0 if sound.level_lufs is None else sound.level_lufs
    tones = [math.cos(angle) * sure, math.sin(angle) * sure, minor]
    return [level, sound.range_lu or 0.0, sound.energy, tempo, sound.tempo_confidence, *tones, *sound.timbre]


def to_factors(vectors: Floats, factors: Floats, trusted: NDArray[np.bool_], *, ridge: float = 1.0) -> Floats:
    """The linear way from vectors to factors, by ridge regression over the items that are trusted."""
    use = trusted & vectors.any(axis=1)
    own, wanted = vectors[use], factors[use]
    width = vectors.shape[1]
    if not len(own):
        return np.zeros((width, factors.shape[1]), dtype=np.float32)
    return np.linalg.solve(own.T @ own + ridge * np.eye(width), own.T @ wanted).astype(np.float32)
