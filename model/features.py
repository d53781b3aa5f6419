"""What a recording sounds like, in a few numbers: what finds similar ones and puts them in a pleasant order."""

import math
from dataclasses import dataclass
from enum import StrEnum

from model.track import is_id

FEATURES = "features 1"  # changes whenever the same sound would give other numbers
LIBROSA_FEATURES = "librosa 1"  # likewise
MFCCS = 20
CONTRASTS = 7
TIMBRE = 2 * MFCCS + CONTRASTS + 4
PITCH_CLASSES = 12


class KeyMode(StrEnum):
    """The mode of a key."""

    MAJOR = "major"
    MINOR = "minor"


class FeatureSet(StrEnum):
    """Who heard: Segue itself, or librosa. The numbers of the one are not to be compared with those of the other."""

    OWN = "own"
    LIBROSA = "librosa"

    @property
    def version(self) -> str:
        """The version of its numbers."""
        return FEATURES if self is FeatureSet.OWN else LIBROSA_FEATURES


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """A recording's features. The object `recordings/<recording_id>/features.json`, or `features-librosa.json`.

    `format` is the version of the numbers: those of two versions are not to be compared. `level_lufs` and `range_lu`
    are those of the source, None for silence. `energy` goes from 0 (a pad, far away) to 1 (dense, bright, loud).
    `tempo_bpm` is None where nothing beats; `tempo_confidence` from 0 to 1 is low, too, where half or double would do.
    `key` counts semitones from C = 0; it and `mode` are None where no pitch stands out.

    `timbre` has TIMBRE numbers in a fixed order, unscaled: the means of the mel cepstrum from 1 to 20, their standard
    deviations, the spectral contrast of seven octaves in dB, then the spectral centroid (octaves above 1 kHz), its
    deviation, the flatness (log10), and the onset strength. All zeros for silence. Of all numbers only `level_lufs` and
    the part that it has in `energy` change with a gain.
    """

    recording_id: str
    format: str
    level_lufs: float | None
    range_lu: float | None
    energy: float
    tempo_bpm: float | None
    tempo_confidence: float
    key: int | None
    mode: KeyMode | None
    key_confidence: float
    timbre: tuple[float, ...]

    def __post_init__(self) -> None:
        if not is_id(self.recording_id):
            raise ValueError(f"malformed id: {self.recording_id!r}")
        for part in (self.energy, self.tempo_confidence, self.key_confidence):
            if not 0 <= part <= 1:
                raise ValueError(f"a part of 1 is from 0 to 1: {part}")
        if not all(math.isfinite(each) for each in (self.level_lufs or 0.0, self.range_lu or 0.0, *self.timbre)):
            raise ValueError("features are finite numbers")
        if self.tempo_bpm is not None and not 0 < self.tempo_bpm < math.inf:
            raise ValueError(f"a tempo is positive: {self.tempo_bpm}")
        if (self.key is None) != (self.mode is None) or not 0 <= (self.key or 0) < PITCH_CLASSES:
            raise ValueError(f"a key is from 0 to 11 and has a mode: {self.key} {self.mode}")
        if self.format in (FEATURES, LIBROSA_FEATURES) and len(self.timbre) != TIMBRE:
            raise ValueError(f"a timbre has {TIMBRE} numbers, not {len(self.timbre)}")
