"""Both sets of features on sound whose tempo, key and scene are known: how often they are right, what they are worth
for tracks that nobody played, and what they cost. librosa has to be there:

    make librosa && .cache/librosa-venv/bin/python -m scripts.compare_features
"""

import json
import random
import time
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from benchmarks.bench_recommend import cold
from meter.librosa_child import heard
from meter.sound import Hearing, Sound, features_of
from model.features import PITCH_CLASSES, Features, FeatureSet, KeyMode
from model.loudness import LoudnessReport

RATE_HZ = 22_050
SECONDS = 6
TRACKS, LISTENERS = 300, 600
MEASURED_S = 180
_C3_HZ = 130.81

Samples = NDArray[np.float32]


def own(samples: Samples) -> Sound:
    """What we hear."""
    hearing = Hearing(RATE_HZ)
    hearing.take(samples[np.newaxis])
    return hearing.end()


READERS: Mapping[FeatureSet, Callable[[Samples], Sound]] = {
    FeatureSet.OWN: own,
    FeatureSet.LIBROSA: lambda samples: heard(samples.copy(), RATE_HZ),
}


def clicks(bpm: float, seconds: float, decay: float = 100.0) -> Samples:
    """Noise that fades, at every beat."""
    noise = np.random.default_rng(0).normal(0, 0.3, int(seconds * RATE_HZ))
    since = (np.arange(len(noise)) / RATE_HZ) % (60 / bpm)
    return np.asarray(noise * np.exp(-decay * since), np.float32)


def chord(root: float, mode: KeyMode, seconds: float, *, slope: float = 1.0) -> Samples:
    """A triad with harmonics, each as much weaker as its number says to the power of `slope`."""
    at = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    third = 3 if mode is KeyMode.MINOR else 4
    notes = [_C3_HZ * 2 ** ((root + step) / 12) for step in (0, third, 7)]
    waves = sum(np.sin(2 * np.pi * hertz * part * at) / part**slope for hertz in notes for part in range(1, 9))
    return np.asarray(0.1 * waves, np.float32)


def cadence(key: int, mode: KeyMode) -> Samples:
    """I, IV, V and I of a key."""
    steps = ((0, mode), (5, mode), (7, KeyMode.MAJOR), (0, mode))
    return np.concatenate([chord(key + step, of, 2) for step, of in steps])


def made_up_music(artist_of: Mapping[str, str], scene_of: Mapping[str, int]) -> dict[str, Samples]:
    """A beat and a chord for each track: somewhat those of its scene, of its artist, and its own, a third each."""
    found = {}
    for track_id, artist in artist_of.items():
        dice = (random.Random(f"{scene_of[artist]}"), random.Random(artist), random.Random(track_id))
        speed, root, slope, decay, share = (sum(each.gauss(0, 1) for each in dice) for _ in range(5))
        mode = KeyMode.MINOR if dice[0].random() < 0.5 else KeyMode.MAJOR
        beat = clicks(110 * 2 ** (0.2 * speed), SECONDS, 60 * 2 ** (0.5 * decay))
        found[track_id] = (
            0.5 * 2 ** (0.5 * share) * beat + chord(round(2 * root), mode, SECONDS, slope=1.2 * 2 ** (0.3 * slope))
        ).astype(np.float32)
    return found


def main() -> None:
    """Print it as JSON."""
    result: dict[str, object] = {}
    for name, reader in READERS.items():
        tempi = [(bpm, reader(clicks(bpm, 30)).tempo_bpm or 0.0) for bpm in range(60, 181, 10)]
        keys = [(key, mode, reader(cadence(key, mode))) for key in range(PITCH_CLASSES) for mode in KeyMode]
        long = clicks(120, MEASURED_S) + chord(9, KeyMode.MINOR, MEASURED_S)
        began_s = time.process_time()
        reader(long)
        cost_s = time.process_time() - began_s

        def sounds(artist_of: Mapping[str, str], scene_of: Mapping[str, int]) -> dict[str, Features]:
            loud = LoudnessReport(integrated_lufs=-14.0)
            music = made_up_music(artist_of, scene_of)
            return {
                track_id: features_of(track_id, reader(samples), loud, heard_by=name)  # noqa: B023 - called at once
                for track_id, samples in music.items()
            }

        result[name] = {
            "tempo_within_2_percent": sum(abs(found / bpm - 1) < 0.02 for bpm, found in tempi),
            "tempo_within_4_percent": sum(abs(found / bpm - 1) < 0.04 for bpm, found in tempi),
            "of_tempi": len(tempi),
            "keys_right": sum((sound.key, sound.mode) == (key, mode) for key, mode, sound in keys),
            "of_keys": len(keys),
            f"cpu_s_of_{MEASURED_S}_s": round(cost_s, 2),
            "cold_ndcg10": cold(TRACKS, LISTENERS, sounds),
        }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
