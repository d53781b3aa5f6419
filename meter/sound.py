"""What a stream sounds like: timbre, tempo and key, heard in one pass."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from meter.batches import Batches
from meter.frames import Frames
from meter.key import Pitches
from meter.tempo import Beats
from meter.timbre import Timbre, frame_and_hop
from model.features import CONTRASTS, MFCCS, Features, FeatureSet, KeyMode
from model.loudness import LoudnessReport

_PLACES = 3
_RATE_MIN_HZ = 40_000  # what has twice as many samples goes by means of neighbours: nothing is heard above 10 kHz
_CENTROID, _ONSET = 2 * MFCCS + CONTRASTS, 2 * MFCCS + CONTRASTS + 3  # places in a timbre
_LEVELS_LUFS = (-30.0, -6.0)
# From where to where centroids (octaves above 1 kHz) and onsets (dB) go in each set; librosa's fitted to ours on music
_SCALES = {
    FeatureSet.OWN: ((-3.0, 0.5), (0.0, 1.2)),
    FeatureSet.LIBROSA: ((-1.9, 2.7), (0.0, 8.0)),
}
_SHARES = (0.35, 0.25, 0.4)  # of level, brightness and onsets in energy


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """What `Features` tells that no gain changes."""

    tempo_bpm: float | None
    tempo_confidence: float
    key: int | None
    mode: KeyMode | None
    key_confidence: float
    timbre: tuple[float, ...]


class Hears(Protocol):
    """Who listens to a stream."""

    def take(self, samples: NDArray[np.float32], /) -> None:
        """The next samples (channels, n), none empty."""
        ...

    def end(self) -> Sound:
        """What was heard. Asked once."""
        ...


class Hearing:
    """Listens to one stream. Its memory does not grow."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._joined = 4 if sample_rate_hz >= 4 * _RATE_MIN_HZ else 2 if sample_rate_hz >= 2 * _RATE_MIN_HZ else 1
        sample_rate_hz //= self._joined
        self._frames = Frames(*frame_and_hop(sample_rate_hz))
        self._timbre = Timbre(sample_rate_hz)
        self._beats = Beats()
        self._pitches = Pitches(sample_rate_hz)

    def take(self, samples: NDArray[np.float32]) -> None:
        """The next samples (channels, n)."""
        middle = samples[0] if len(samples) == 1 else _mean(samples)
        if self._joined > 1:
            whole = np.pad(middle, (0, -len(middle) % self._joined)).reshape(-1, self._joined)
            middle = _mean(whole.T)
        self._beats.take(self._timbre.take(self._frames.take(middle)))
        self._pitches.take(middle)

    def end(self) -> Sound:
        """What was heard. Ask once."""
        self._beats.take(self._timbre.take(self._frames.end()))
        tempo_bpm, tempo_confidence, onset = self._beats.end()
        key, mode, key_confidence = self._pitches.end()
        return Sound(
            tempo_bpm=None if tempo_bpm is None else round(tempo_bpm, 1),
            tempo_confidence=_told(tempo_confidence),
            key=key,
            mode=mode,
            key_confidence=_told(key_confidence),
            timbre=tuple(_told(float(each)) for each in (*self._timbre.end(), onset)),
        )


class SoundMeter:
    """Hears a stream that comes as bytes, and measures nothing."""

    def __init__(self, *, sample_rate_hz: int, channels: int) -> None:
        self._hearing = Hearing(sample_rate_hz)
        self._batches = Batches(channels, lambda batch: self._hearing.take(batch.by_channel()))

    def take_bytes(self, data: bytes) -> None:
        """Interleaved 32-bit floats, little-endian. A frame that is cut waits for its rest."""
        self._batches.take(self._batches.whole_frames(data))

    def result(self) -> Sound:
        """What was heard. Ask once, at the end. Raises ValueError if the last frame is not whole."""
        self._batches.end()
        return self._hearing.end()


def features_of(
    recording_id: str, sound: Sound, loudness: LoudnessReport, *, heard_by: FeatureSet = FeatureSet.OWN
) -> Features:
    """The features of a recording that sounds so and is so loud, before any gain. Raises ValueError for nonsense."""
    level = loudness.integrated_lufs
    return Features(
        recording_id=recording_id,
        format=heard_by.version,
        level_lufs=level,
        range_lu=loudness.range_lu,
        energy=0.0 if level is None else _energy(level, sound.timbre, heard_by),
        tempo_bpm=sound.tempo_bpm,
        tempo_confidence=sound.tempo_confidence,
        key=sound.key,
        mode=sound.mode,
        key_confidence=sound.key_confidence,
        timbre=sound.timbre,
    )


def _mean(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    total = rows[0] + rows[1]
    for row in rows[2:]:
        total += row
    return np.asarray(total / np.float32(len(rows)))


def _energy(level_lufs: float, timbre: tuple[float, ...], heard_by: FeatureSet) -> float:
    centroids, onsets = _SCALES[heard_by]
    parts = (
        _within(level_lufs, _LEVELS_LUFS),
        _within(timbre[_CENTROID], centroids),
        _within(timbre[_ONSET], onsets),
    )
    return _told(sum(share * part for share, part in zip(_SHARES, parts, strict=True)))


def _within(value: float, bounds: tuple[float, float]) -> float:
    low, high = bounds
    return min(1.0, max(0.0, (value - low) / (high - low)))


def _told(value: float) -> float:
    return round(value, _PLACES) + 0.0  # never -0.0: that is another text in a record
