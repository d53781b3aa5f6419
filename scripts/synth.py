"""A small synthesiser: notes and drums as arrays, and a mixing desk that places them in a stereo room.

Sounds are mono float32 at 48 kHz, at most about 1.0, and end in silence so that nothing clicks.
The same arguments give the same samples.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 48_000
ROOM_S = 2.2
FADE_S = 0.008

Samples = NDArray[np.float32]


def hertz(midi_note: int) -> float:
    """The frequency of a MIDI note, in equal temperament on A4 = 440 Hz."""
    return float(440.0 * 2.0 ** ((midi_note - 69) / 12))


@lru_cache(maxsize=512)
def electric_piano(note: int, seconds: float) -> Samples:
    """A tine piano: frequency modulation that is bright when struck and mellow after."""
    t = _time(seconds)
    phase = 2 * np.pi * hertz(note) * t
    body = np.sin(phase + 1.4 * np.exp(-3.5 * t) * np.sin(phase))
    tine = 0.12 * np.exp(-14 * t) * np.sin(14 * phase + 0.5 * np.sin(phase))
    return _faded((0.8 * body + tine) * np.exp(-1.6 * t))


@lru_cache(maxsize=512)
def strings(note: int, seconds: float) -> Samples:
    """A slow ensemble: two detuned players, harmonics that open up as the note goes on."""
    t = _time(seconds)
    opening = np.minimum(1.0, t / (0.45 * seconds))
    total = np.zeros_like(t)
    for detune in (0.9975, 1.0025):
        phase = 2 * np.pi * hertz(note) * detune * t
        for harmonic in range(1, 8):
            total += np.sin(harmonic * phase) / harmonic ** (2.4 - opening)
    swell = np.minimum(1.0, t / 0.35) * np.minimum(1.0, (seconds - t) / 0.3)
    return _faded(0.3 * total * swell)


@lru_cache(maxsize=512)
def bass(note: int, seconds: float) -> Samples:
    """A plucked bass: the upper harmonics die first, as behind a closing filter."""
    t = _time(seconds)
    phase = 2 * np.pi * hertz(note) * t
    total = sum(np.sin(n * phase) * np.exp(-(1.2 + 2.2 * (n - 1)) * t) / n for n in range(1, 10))
    return _faded(0.6 * np.asarray(total))


@lru_cache(maxsize=512)
def pluck(note: int, seconds: float) -> Samples:
    """A plucked string, for melodies and broken chords."""
    t = _time(seconds)
    phase = 2 * np.pi * hertz(note) * (t + 0.00006 * np.sin(2 * np.pi * 5.1 * t))
    total = sum(np.sin(n * phase) * np.exp(-(2.0 + 1.5 * n) * t) / n**1.15 for n in range(1, 9))
    return _faded(0.7 * np.asarray(total))


@lru_cache(maxsize=1)
def kick() -> Samples:
    """A bass drum: a sine that falls from 150 Hz to 48 Hz."""
    t = _time(0.42)
    phase = 2 * np.pi * (48 * t + 102 / 28 * (1 - np.exp(-28 * t)))
    return _faded(np.sin(phase) * np.exp(-8 * t) + 0.15 * np.exp(-400 * t))


@lru_cache(maxsize=1)
def snare() -> Samples:
    """A snare drum: a tuned shell under bright noise."""
    t = _time(0.26)
    shell = 0.45 * np.sin(2 * np.pi * 186 * t) * np.exp(-26 * t)
    return _faded(shell + 0.6 * _bright_noise(len(t), seed=2) * np.exp(-17 * t))


@lru_cache(maxsize=4)
def hat(seconds: float) -> Samples:
    """A hi-hat, closed when short and open when long."""
    t = _time(seconds)
    return _faded(0.5 * _bright_noise(len(t), seed=3) * np.exp(-5 / seconds * t))


@lru_cache(maxsize=1)
def cymbal() -> Samples:
    """A crash that rings for two seconds."""
    t = _time(2.2)
    return _faded(0.5 * _bright_noise(len(t), seed=4) * np.exp(-2.4 * t))


class Desk:
    """Stereo tracks of a fixed length, and one room that they share."""

    def __init__(self, seconds: float) -> None:
        length = int((seconds + ROOM_S) * RATE_HZ)
        self._dry: Samples = np.zeros((2, length), dtype=np.float32)
        self._room: Samples = np.zeros((2, length), dtype=np.float32)

    def add(self, sound: Samples, at_s: float, level: float, *, pan: float = 0.0, room: float = 0.0) -> None:
        """Place a sound: `pan` from -1 (left) to 1 (right), at constant power; `room` is its share of reverberation."""
        start = round(at_s * RATE_HZ)
        end = min(start + len(sound), self._dry.shape[1])
        angle = (pan + 1) * np.pi / 4
        for channel, gain in enumerate((np.cos(angle), np.sin(angle))):
            placed = sound[: end - start] * np.float32(level * gain)
            self._dry[channel, start:end] += placed
            if room:
                self._room[channel, start:end] += placed * np.float32(room)

    def mixed(self, peak_dbfs: float, drive: float) -> Samples:
        """The mix as (samples, 2), its sample peak at `peak_dbfs`; `drive` above 1 saturates it, as tape does."""
        total = self._dry + np.stack([_reverberated(self._room[channel], seed=channel) for channel in (0, 1)])
        total = np.tanh(total * np.float32(drive / np.max(np.abs(total))))
        total *= np.float32(10 ** (peak_dbfs / 20) / np.max(np.abs(total)))
        return np.ascontiguousarray(total.T)


def _reverberated(signal: Samples, seed: int) -> Samples:
    """The signal in a room of decaying noise; a seed per ear makes it wide."""
    t = _time(ROOM_S)
    response = np.random.default_rng(seed).standard_normal(len(t)).astype(np.float32) * np.exp(-3.2 * t)
    response = np.convolve(response, np.full(12, 1 / 12, dtype=np.float32), mode="same")  # distance dulls
    response /= np.sqrt(np.sum(response**2))
    size = 1 << (len(signal) + len(response) - 2).bit_length()
    wet = np.fft.irfft(np.fft.rfft(signal, size) * np.fft.rfft(response, size), size)
    return wet[: len(signal)].astype(np.float32)


def _bright_noise(length: int, seed: int) -> Samples:
    noise = np.random.default_rng(seed).standard_normal(length + 2).astype(np.float32)
    return np.diff(noise, n=2) / np.float32(4)


def _time(seconds: float) -> Samples:
    return np.arange(int(seconds * RATE_HZ), dtype=np.float32) / np.float32(RATE_HZ)


def _faded(sound: NDArray[np.floating]) -> Samples:
    """The sound with its last milliseconds faded out."""
    faded = sound.astype(np.float32)
    tail = min(len(faded), int(FADE_S * RATE_HZ))
    faded[-tail:] *= np.linspace(1, 0, tail, dtype=np.float32)
    return faded
