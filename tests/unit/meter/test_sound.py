"""Tempo, key and timbre of sounds whose answers are known."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from meter.gating import report
from meter.meter import Meter
from meter.sound import Hearing, Sound, SoundMeter, features_of
from model.features import FEATURES, TIMBRE, Features, KeyMode
from model.loudness import LoudnessReport

RATE = 16_000
Samples = NDArray[np.float32]
SILENT = LoudnessReport(integrated_lufs=None)


def heard(*channels: Samples, rate: int = RATE, pieces: int = 32_768) -> Sound:
    """What is heard of one stream."""
    hearing, samples = Hearing(rate), np.vstack(channels).astype(np.float32)
    for at in range(0, samples.shape[1], pieces):
        hearing.take(samples[:, at : at + pieces])
    return hearing.end()


def described(samples: Samples, rate: int = RATE) -> Features:
    """The features of a mono stream."""
    meter = Meter(sample_rate_hz=rate, channels=1, hearing=Hearing(rate))
    meter.take(samples.reshape(-1, 1).astype(np.float32))
    found = meter.result()
    assert found.sound is not None
    return features_of("r" * 20, found.sound, found.loudness)


def clicks(bpm: float, seconds: float = 24, rate: int = RATE) -> Samples:
    """A short tick on every beat, nothing between."""
    at = np.arange(round(0.02 * rate)) / rate
    tick = np.sin(2 * np.pi * 1000 * at) * np.exp(-at / 0.004)
    track = np.zeros(round(seconds * rate))
    for start in np.arange(0.3 * rate, len(track) - len(tick), 60 / bpm * rate).astype(int):
        track[start : start + len(tick)] += tick
    return track.astype(np.float32)


def tone(semitones: float, seconds: float, rate: int = RATE) -> Samples:
    """A note with six harmonics, so many semitones above middle C."""
    at = np.arange(round(seconds * rate)) / rate
    hertz = 440 * 2 ** ((semitones - 9) / 12)
    fade = np.clip(np.minimum(at, seconds - at) * 50, 0, 1)
    wave = sum(np.sin(2 * np.pi * hertz * n * at + n) / n for n in range(1, 7))
    return np.asarray(0.1 * wave * fade, np.float32)


def chords(key: int, roots_and_thirds: Sequence[tuple[int, int]]) -> Samples:
    """One triad after another."""
    return np.concatenate(
        [sum(tone(key + root + step, 1.0) for step in (0, third, 7)) for root, third in roots_and_thirds]
    )


def scale(key: int, steps: Sequence[int]) -> Samples:
    """Up and down, from tonic to tonic."""
    return np.concatenate([tone(key + step, 0.4) for step in (*steps, *reversed(steps))])


def noise(seconds: float, level: float, seed: int = 1) -> Samples:
    """White noise."""
    return (level * np.random.default_rng(seed).standard_normal(round(seconds * RATE))).astype(np.float32)


def drums(bpm: float, seconds: float = 24, level: float = 0.8) -> Samples:
    """Bursts of noise: strong on the beat, weak between."""
    track, burst = np.zeros(round(seconds * RATE)), noise(0.12, 1.0) * np.exp(-np.arange(round(0.12 * RATE)) / 400)
    for number, start in enumerate(np.arange(0, len(track) - len(burst), 30 / bpm * RATE).astype(int)):
        track[start : start + len(burst)] += level * burst * (0.4 if number % 2 else 1.0)
    return track.astype(np.float32)


def pad(seconds: float = 24) -> Samples:
    """A soft chord that only swells."""
    at = np.arange(round(seconds * RATE)) / RATE
    swell = 0.02 * (1.2 + np.sin(2 * np.pi * at / 8))
    return np.asarray(swell * sum(np.sin(2 * np.pi * hertz * at) for hertz in (110, 164.8, 220)), np.float32)


@pytest.mark.parametrize("bpm", [60, 66, 75, 84, 90, 97.5, 108, 120, 132, 144, 160, 170, 180])
def test_a_click_track_has_its_tempo(bpm: float) -> None:
    """Within 2 %, and not half or double of it."""
    found = heard(clicks(bpm))
    assert found.tempo_bpm == pytest.approx(bpm, rel=0.02)
    assert found.tempo_confidence > 0.3


@pytest.mark.parametrize("bpm", [84, 100, 126, 170])
def test_drums_with_weaker_strokes_between_keep_their_beat(bpm: float) -> None:
    """The strokes between are not taken for the beat."""
    assert heard(drums(bpm)).tempo_bpm == pytest.approx(bpm, rel=0.02)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000])
def test_the_same_beat_is_found_at_every_sample_rate(rate: int) -> None:
    """Frames are as long in time, whatever the rate."""
    assert heard(clicks(110, 12, rate), rate=rate).tempo_bpm == pytest.approx(110, rel=0.02)


def test_what_could_be_half_or_double_is_less_sure() -> None:
    """Even strokes at 180 may be counted at 90; at 120 there is no such doubt."""
    assert heard(clicks(180)).tempo_confidence < heard(clicks(120)).tempo_confidence


@pytest.mark.parametrize("mode, third, steps", [
    (KeyMode.MAJOR, 4, (0, 2, 4, 5, 7, 9, 11, 12)), (KeyMode.MINOR, 3, (0, 2, 3, 5, 7, 8, 11, 12)),
])  # fmt: skip
@pytest.mark.parametrize("key", range(12))
def test_triads_cadences_and_scales_have_their_key(key: int, mode: KeyMode, third: int, steps: Sequence[int]) -> None:
    """All twelve keys, both modes."""
    other = 4 if mode is KeyMode.MAJOR else 3
    sounds = [
        chords(key, [(0, third)]),
        chords(key, [(0, third), (5, other), (7, 4), (0, third)]),
        scale(key, steps),
    ]
    assert [(each.key, each.mode) for each in map(heard, sounds)] == [(key, mode)] * 3


def test_instruments_tuned_lower_play_in_the_same_key() -> None:
    """A third of a semitone flat."""
    found = heard(scale(7 - 0.33, (0, 2, 4, 5, 7, 9, 11, 12)))  # type: ignore[arg-type]  # between two keys
    assert (found.key, found.mode) == (7, KeyMode.MAJOR)


def test_noise_has_neither_beat_nor_key() -> None:
    """Nothing stands out."""
    found = heard(noise(30, 0.2))
    assert (found.tempo_bpm, found.key, found.mode) == (None, None, None)


@pytest.mark.parametrize("count", [0, 1, 2, 319, 320, 641, 3_000, RATE])
@pytest.mark.parametrize("make", [np.zeros, np.ones, lambda n: np.resize([1e9, -1e9], n), lambda n: np.full(n, 1e-38)])
def test_streams_of_any_length_have_features(make: Callable[[int], NDArray[np.float64]], count: int) -> None:
    """Silence, DC, the largest and the smallest samples; too short for a tempo in any case."""
    found = features_of("r" * 20, heard(np.asarray(make(count), np.float32)), SILENT)
    assert found.tempo_bpm is None
    assert len(found.timbre) == TIMBRE
    assert found.energy == 0


def test_silence_is_all_zeros() -> None:
    """And has no key, no tempo, no level."""
    found = described(np.zeros(5 * RATE, np.float32))
    assert (found.level_lufs, found.energy, found.tempo_bpm, found.key) == (None, 0, None, None)
    assert set(found.timbre) == {0.0}


@given(
    kinds=st.lists(st.sampled_from(["noise", "clipped", "dc", "silence", "impulse", "loud"]), max_size=4),
    seed=st.integers(0, 99),
    rate=st.sampled_from([1_000, 8_000, 44_100, 96_000]),
    pieces=st.integers(200, 40_000),
)
def test_any_sound_has_features(kinds: list[str], seed: int, rate: int, pieces: int) -> None:
    """Whatever comes, in whatever pieces, valid features come out."""
    random = np.random.default_rng(seed)
    parts = [np.zeros(0)]
    for kind in kinds:
        count = int(random.integers(0, 9_000))
        wave = random.standard_normal(count)
        parts.append(
            {
                "noise": 0.1 * wave,
                "clipped": np.clip(9 * wave, -1, 1),
                "dc": np.full(count, 0.5),
                "silence": np.zeros(count),
                "impulse": np.where(np.arange(count) == count // 2, 1.0, 0.0),
                "loud": 1e8 * wave,
            }[kind]
        )
    samples = np.concatenate(parts).astype(np.float32)
    assert features_of("r" * 20, heard(samples, samples[::-1], rate=rate, pieces=pieces), SILENT).format == FEATURES


@pytest.mark.parametrize("make", [lambda: drums(126), lambda: scale(4, (0, 2, 3, 5, 7, 8, 11, 12)), pad])
def test_a_gain_changes_nothing_but_the_level(make: Callable[[], Samples]) -> None:
    """Tempo, key and timbre are those of the same sound 20 dB lower."""
    loud, soft = described(make()), described(make() * np.float32(0.1))
    assert soft.level_lufs == pytest.approx((loud.level_lufs or 0) - 20, abs=0.1)
    assert (soft.tempo_bpm, soft.key, soft.mode) == (loud.tempo_bpm, loud.key, loud.mode)
    assert soft.timbre == pytest.approx(loud.timbre, abs=0.02)
    assert soft.energy <= loud.energy


def test_loud_drums_have_more_energy_than_a_quiet_pad() -> None:
    """At the same level, too: energy is more than loudness."""
    quiet, loud = described(pad()), described(drums(130))
    assert quiet.energy + 0.3 < loud.energy
    gain = 10 ** (((loud.level_lufs or 0) - (quiet.level_lufs or 0)) / 20)
    assert described(pad() * np.float32(gain)).energy < loud.energy


def test_a_bright_sound_is_brighter() -> None:
    """The centroid is in octaves above 1 kHz."""
    low, high = heard(tone(-12, 2)), heard(tone(24, 2))
    assert high.timbre[47] > low.timbre[47] + 1


def test_mono_and_the_same_on_two_channels_sound_the_same() -> None:
    """What is heard is what both channels have in common."""
    assert heard(drums(100)) == heard(drums(100), drums(100))


def test_a_second_sample_rate_tells_nearly_the_same() -> None:
    """Features of a source and of its mezzanine can be compared."""
    low, high = heard(clicks(90, 12, 44_100), rate=44_100), heard(clicks(90, 12, 48_000), rate=48_000)
    assert low.timbre == pytest.approx(high.timbre, abs=1.5)


def test_the_same_stream_in_other_pieces_of_bytes_is_heard_the_same() -> None:
    """How the decoder hands it over does not count."""
    data = np.repeat(drums(100, 8)[:, np.newaxis], 2, axis=1).astype("<f4").tobytes()
    found = []
    for step in (len(data), 65_536, 1_001):
        meter = SoundMeter(sample_rate_hz=RATE, channels=2)
        for at in range(0, len(data), step):
            meter.take_bytes(data[at : at + step])
        found.append(meter.result())
    assert found[0] == found[1] == found[2]


def test_the_loudness_of_silence_gives_no_energy() -> None:
    """Even if something was heard that is too short to be loud."""
    assert features_of("r" * 20, heard(noise(0.2, 0.1)), report([], [])).energy == 0


class Deaf:
    """Hears, but cannot make sense of it."""

    def take(self, samples: Samples) -> None:
        """Fail at once."""
        raise ZeroDivisionError(math.nan)

    def end(self) -> Sound:
        """Never asked."""
        raise AssertionError


def test_who_cannot_hear_costs_nobody_the_loudness() -> None:
    """The meter goes on without the sound."""
    meter = Meter(sample_rate_hz=RATE, channels=1, hearing=Deaf())
    meter.take(noise(1, 0.1).reshape(-1, 1))
    found = meter.result()
    assert found.sound is None
    assert found.samples == RATE and not found.loudness.silent
