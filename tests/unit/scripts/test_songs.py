"""The computed songs, as data and as notes."""

from dataclasses import replace

import numpy as np
import pytest

from scripts.songs import SONGS, Section, Song, perform
from scripts.synth import RATE_HZ, ROOM_S, Desk, Samples, electric_piano, hertz, kick

SHORT = Song(
    title="Short", seed=5, tempo_bpm=120, swing=0.2, tonic=60, chords=("Am9", "Bb"), peak_dbfs=-3.0,
    sections=(Section(name="all", bars=2, players="piano strings bass beat hats arpeggio melody"),),
)  # fmt: skip


def level_dbfs(music: Samples) -> float:
    """The root mean square of the samples."""
    return float(10 * np.log10(np.mean(np.square(music, dtype=np.float64))))


def test_album_is_about_ten_minutes_and_its_first_song_short() -> None:
    """The demo's first track is live soon, and the whole album within minutes."""
    assert SONGS[0].duration_s < 120
    assert 7 * 60 < sum(song.duration_s for song in SONGS) < 10 * 60


def test_a_song_is_the_same_every_time() -> None:
    """The same song gives the same samples, so the same track id."""
    assert np.array_equal(perform(SHORT), perform(SHORT))


def test_a_song_lasts_as_long_as_its_bars_and_peaks_where_it_should() -> None:
    """Two bars at 120 beats a minute are four seconds, and then the room fades."""
    music = perform(SHORT)
    assert music.shape == (int((4 + ROOM_S) * RATE_HZ), 2)
    assert np.max(np.abs(music)) == pytest.approx(10 ** (-3 / 20), rel=1e-3)
    assert np.max(np.abs(music[-480:])) < 0.01


def test_a_chorus_is_louder_than_an_intro() -> None:
    """Structure is to be heard: the band comes in, by at least 3 dB."""
    intro = Section(name="intro", bars=2, players="piano")
    music = perform(replace(SHORT, sections=(intro, *SHORT.sections)))
    start = int(4 * RATE_HZ)
    assert level_dbfs(music[start : 2 * start]) > level_dbfs(music[:start]) + 3


def test_notes_are_in_tune() -> None:
    """The strongest frequency of a note is its own, within a quarter of a semitone."""
    note = 69
    spectrum = np.abs(np.fft.rfft(electric_piano(note, 2.0)))
    loudest_hz = float(np.argmax(spectrum)) / 2.0
    assert loudest_hz == pytest.approx(hertz(note), rel=2 ** (0.25 / 12) - 1)


def test_panning_keeps_the_power() -> None:
    """A sound is equally strong wherever it stands."""
    powers = []
    for pan in (-1.0, 0.0, 0.4):
        desk = Desk(0.5)
        desk.add(kick(), 0, 0.5, pan=pan)
        powers.append(level_dbfs(desk._dry))
    assert powers == pytest.approx([powers[0]] * 3, abs=0.01)
