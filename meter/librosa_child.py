"""The child that hears with librosa, and the only module that imports it: a file of samples in, a `Sound` out as JSON.

All is made so that a gain changes nothing: levels are relative to the loudest, and what is far below it does not count.
"""

import math
import sys

import librosa
import numpy as np
from numpy.typing import NDArray

from meter.key import key_of
from meter.sound import Sound
from model.features import MFCCS, TIMBRE
from model.records import to_json

_FRAME, _HOP = 2_048, 512
_SHORTEST_S = 4.0  # less is padded, and is no beat
_FLOOR_DB = 80.0  # below the loudest
_HEARD = 1e-6  # of the power of the loudest frame
_TONAL_MIN = 0.1  # the deviation of the pitch classes, in means
_STEADY_MIN = 0.25  # noise has 0.17
_PLACES = 3

Array = NDArray[np.float32]


def main() -> None:
    """Arguments: a file of 32-bit floats, one channel, and their rate in Hz."""
    samples, rate_hz = np.fromfile(sys.argv[1], "<f4"), int(sys.argv[2])
    sys.stdout.buffer.write(to_json(heard(samples, rate_hz)))


def heard(samples: Array, rate_hz: int) -> Sound:
    """What it sounds like."""
    beats = len(samples) >= _SHORTEST_S * rate_hz
    samples = np.pad(samples, (0, max(0, math.ceil(_SHORTEST_S * rate_hz) - len(samples))))
    largest = float(np.abs(samples).max())
    if not largest > 0:
        silent = (0.0,) * TIMBRE
        return Sound(tempo_bpm=None, tempo_confidence=0, key=None, mode=None, key_confidence=0, timbre=silent)
    samples /= np.float32(largest)
    magnitudes = np.abs(librosa.stft(samples, n_fft=_FRAME, hop_length=_HOP))
    levels = librosa.feature.melspectrogram(S=magnitudes**2, sr=rate_hz)
    levels = librosa.power_to_db(levels, ref=np.max, top_db=_FLOOR_DB)
    onsets = librosa.onset.onset_strength(S=levels, sr=rate_hz)
    tempo_bpm, tempo_confidence = _tempo(onsets, rate_hz) if beats else (None, 0.0)
    classes = librosa.feature.chroma_cqt(
        y=samples, sr=rate_hz, hop_length=_HOP, norm=None, tuning=librosa.estimate_tuning(S=magnitudes, sr=rate_hz)
    ).mean(axis=1, dtype=np.float64)
    tonal = classes.std() > _TONAL_MIN * classes.mean()
    key, mode, key_confidence = key_of(classes) if tonal else (None, None, 0.0)
    return Sound(
        tempo_bpm=tempo_bpm,
        tempo_confidence=round(tempo_confidence, _PLACES),
        key=key,
        mode=mode,
        key_confidence=round(key_confidence, _PLACES),
        timbre=tuple(
            round(float(each), _PLACES) + 0.0 for each in (*_timbre(magnitudes, levels, rate_hz), onsets.mean())
        ),
    )


def _tempo(onsets: Array, rate_hz: int) -> tuple[float | None, float]:
    """librosa's tempo, and how alike what begins is one beat later: less if half or double would do as well."""
    tempo_bpm = float(librosa.feature.tempo(onset_envelope=onsets, sr=rate_hz, hop_length=_HOP)[0])
    even = onsets - onsets.mean()
    likeness = librosa.feature.tempogram(onset_envelope=even, sr=rate_hz, hop_length=_HOP, norm=None).mean(axis=1)
    if not likeness[0] > 0:
        return None, 0.0

    def fits(bpm: float) -> float:
        lag = 60 * rate_hz / _HOP / bpm
        near = likeness[max(1, math.floor(lag)) : math.ceil(lag) + 1]
        usual = math.exp(-0.5 * math.log2(bpm / 120) ** 2)
        return usual * float(near.max(initial=0.0) / likeness[0])

    own, other = fits(tempo_bpm), max(fits(tempo_bpm / 2), fits(tempo_bpm * 2))
    if own < _STEADY_MIN:
        return None, 0.0
    return round(tempo_bpm, 1), min(1.0, own) * min(1.0, max(0.0, 2 * (1 - other / own)))


def _timbre(magnitudes: Array, levels: Array, rate_hz: int) -> Array:
    """As Features has it, without the onsets."""
    power = (magnitudes**2).sum(axis=0)
    loud = power > _HEARD * power.max()
    magnitudes, levels = magnitudes[:, loud], levels[:, loud]
    cepstra = librosa.feature.mfcc(S=levels, n_mfcc=MFCCS + 1)[1:]
    contrast = librosa.feature.spectral_contrast(S=magnitudes, sr=rate_hz)
    centroid = np.log2(librosa.feature.spectral_centroid(S=magnitudes, sr=rate_hz)[0] / 1_000 + 1e-3)
    flatness = np.log10(librosa.feature.spectral_flatness(S=magnitudes)[0])
    colours = [centroid.mean(), centroid.std(), flatness.mean()]
    return np.concatenate([cepstra.mean(axis=1), cepstra.std(axis=1), contrast.mean(axis=1), colours])


if __name__ == "__main__":
    main()
