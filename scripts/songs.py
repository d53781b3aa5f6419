"""Four songs as data, and the band that plays them: chords, bass, drums and a melody that comes back."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from scripts.synth import Desk, Samples, bass, cymbal, electric_piano, hat, kick, pluck, snare, strings

STEPS_PER_BAR = 16
_SCALE = (0, 2, 3, 5, 7, 9, 10)  # dorian: minor, but not sad
_QUALITIES = {"": (0, 4, 7), "maj7": (0, 4, 7, 11), "m": (0, 3, 7), "m7": (0, 3, 7, 10), "m9": (0, 3, 10, 14)}
_ROOTS = {"C": 0, "Db": 1, "D": 2, "Eb": 3, "E": 4, "F": 5, "Gb": 6, "G": 7, "Ab": 8, "A": 9, "Bb": 10, "B": 11}
_PHRASES = ((0, 3, 6, 10), (0, 6, 8, 14), (2, 4, 8, 11, 14), (0, 4, 7, 12))


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Some bars and who plays in them: any of `piano strings bass beat hats arpeggio melody`."""

    name: str
    bars: int
    players: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Song:
    """One song. `swing` is how late every second eighth comes, as a share of an eighth; chords change every bar."""

    title: str
    seed: int
    tempo_bpm: float
    swing: float
    tonic: int
    chords: tuple[str, ...]
    sections: tuple[Section, ...]
    peak_dbfs: float
    drive: float = 1.0

    @property
    def bar_s(self) -> float:
        """Seconds per bar of four beats."""
        return 240 / self.tempo_bpm

    @property
    def duration_s(self) -> float:
        """Seconds from the first bar line to the last, without the room's tail."""
        return self.bar_s * sum(section.bars for section in self.sections)


def _sections(*written: str) -> tuple[Section, ...]:
    rows = (row.split(maxsplit=2) for row in written)
    return tuple(Section(name=name, bars=int(bars), players=players) for name, bars, players in rows)


# Levels differ on purpose: from a quiet, wide mix to a loud, saturated one.
SONGS = (
    Song(
        title="Morning Line", seed=11, tempo_bpm=82, swing=0.30, tonic=57,
        chords=("Am9", "Dm9", "Fmaj7", "Em7"),
        sections=_sections(
            "intro 4 piano",
            "verse 8 piano bass hats beat",
            "chorus 8 piano strings bass hats beat melody",
            "outro 4 piano bass melody",
        ),
        peak_dbfs=-6.0, drive=1.4,
    ),
    Song(
        title="Paper Lanterns", seed=23, tempo_bpm=118, swing=0.08, tonic=62,
        chords=("Dm7", "Bbmaj7", "Fmaj7", "C"),
        sections=_sections(
            "intro 8 arpeggio",
            "verse 12 arpeggio bass beat",
            "chorus 12 strings arpeggio bass beat hats melody",
            "bridge 8 piano strings",
            "chorus 12 strings arpeggio bass beat hats melody",
            "outro 8 strings arpeggio",
        ),
        peak_dbfs=-1.0, drive=1.2,
    ),
    Song(
        title="Night Tram", seed=37, tempo_bpm=100, swing=0.22, tonic=60,
        chords=("Cm7", "Abmaj7", "Ebmaj7", "Bb", "Fm9", "Abmaj7", "Gm7", "Gm7"),
        sections=_sections(
            "intro 8 piano hats",
            "verse 16 piano bass beat hats",
            "chorus 16 piano strings bass beat hats melody",
            "break 8 bass strings",
            "chorus 16 piano strings arpeggio bass beat hats melody",
            "outro 4 piano",
        ),
        peak_dbfs=-0.2, drive=3.5,
    ),
    Song(
        title="Slow Orbit", seed=53, tempo_bpm=68, swing=0.0, tonic=52,
        chords=("Em9", "Cmaj7", "Gmaj7", "D"),
        sections=_sections(
            "intro 4 strings",
            "verse 12 strings melody",
            "rise 8 strings arpeggio bass",
            "chorus 8 strings arpeggio bass hats melody",
            "outro 4 strings piano",
        ),
        peak_dbfs=-12.0,
    ),
)  # fmt: skip


def perform(song: Song) -> Samples:
    """The song as (samples, 2) at 48 kHz. The same song gives the same samples."""
    desk = Desk(song.duration_s)
    chance = np.random.default_rng(song.seed)
    melodies: dict[str, list[tuple[int, int]]] = {}
    bar = 0
    for section in song.sections:
        if "melody" in section.players and section.name not in melodies:
            melodies[section.name] = list(_melody(song, section, chance))
        for number in range(section.bars):
            last = number == section.bars - 1
            _play_bar(desk, song, section, bar + number, chance=chance, last=last)
        for step, note in melodies.get(section.name, []):
            at_s = _at(song, bar * STEPS_PER_BAR + step)
            desk.add(pluck(note, 1.1), at_s, 0.34 * _touch(chance), pan=0.18, room=0.35)
        if "beat" in section.players:
            desk.add(cymbal(), _at(song, bar * STEPS_PER_BAR), 0.16, pan=-0.3, room=0.3)
        bar += section.bars
    return desk.mixed(song.peak_dbfs, song.drive)


def _play_bar(desk: Desk, song: Song, section: Section, bar: int, *, chance: np.random.Generator, last: bool) -> None:
    chord = _notes(song.chords[bar % len(song.chords)])
    first = bar * STEPS_PER_BAR
    players = section.players.split()
    if "piano" in players:
        for step in (0, 6) if bar % 2 else (0, 10):
            for spread, note in enumerate(chord):
                at_s = _at(song, first + step) + 0.012 * spread  # a hand rolls its chords a little
                desk.add(electric_piano(note, 2.4), at_s, 0.17 * _touch(chance), pan=-0.35, room=0.25)
    if "strings" in players:
        for place, note in enumerate(chord):
            desk.add(strings(note, song.bar_s), _at(song, first), 0.11, pan=0.25 * place - 0.4, room=0.6)
    if "bass" in players:
        for step, shift in ((0, -24), (6, -24), (8, -17), (11, -24), (14, -12)):
            desk.add(bass(chord[0] + shift, 0.55), _at(song, first + step), 0.42 * _touch(chance))
    if "arpeggio" in players:
        for place, step in enumerate(range(0, STEPS_PER_BAR, 2)):
            note = chord[place % len(chord)] + 12 * (place // len(chord) % 2) + 12
            desk.add(pluck(note, 0.7), _at(song, first + step), 0.15 * _touch(chance), pan=0.5 - place / 7, room=0.3)
    if "hats" in players:
        for step in range(0, STEPS_PER_BAR, 2):
            length = 0.22 if step == 14 else 0.07
            desk.add(hat(length), _at(song, first + step), (0.13 if step % 4 else 0.2) * _touch(chance), pan=0.35)
    if "beat" in players:
        _play_beat(desk, song, first, chance=chance, fill=last)


def _play_beat(desk: Desk, song: Song, first: int, *, chance: np.random.Generator, fill: bool) -> None:
    for step in (0, 7, 10):
        desk.add(kick(), _at(song, first + step), 0.75 * _touch(chance))
    for step in (4, 11, 12, 13, 14, 15) if fill else (4, 12):
        level = (0.5 if step in (4, 12) else 0.3) * _touch(chance)
        desk.add(snare(), _at(song, first + step), level, pan=0.08, room=0.2)


def _melody(song: Song, section: Section, chance: np.random.Generator) -> Iterator[tuple[int, int]]:
    """Steps and notes: a phrase of two bars, played again with another ending. Strong beats get chord notes."""
    scale = [song.tonic + 12 * octave + degree for octave in (0, 1, 2) for degree in _SCALE]
    rhythm = [_PHRASES[index] for index in chance.integers(len(_PHRASES), size=4)]
    moves = chance.choice([-2, -1, -1, 0, 1, 1, 2], size=(4, 5))
    place = len(_SCALE) + 2
    for bar in range(section.bars):
        chord = {note % 12 for note in _notes(song.chords[bar % len(song.chords)])}
        turn = bar % 4 if bar % 8 == 7 else bar % 2
        for step, move in zip(rhythm[turn], moves[turn], strict=False):
            place = int(np.clip(place + move, 4, len(scale) - 5))
            if step % 8 == 0:
                place = min((at for at, note in enumerate(scale) if note % 12 in chord), key=lambda at: abs(at - place))
            yield bar * STEPS_PER_BAR + step, scale[place]


def _notes(chord: str) -> tuple[int, ...]:
    """A chord's notes in close position around middle C, its root first."""
    name = chord[:2] if chord[1:2] == "b" else chord[:1]
    root = 48 + _ROOTS[name]
    return tuple(root + interval for interval in _QUALITIES[chord[len(name) :]])


def _at(song: Song, step: int) -> float:
    """When a sixteenth is played: those of every second eighth come late by the swing."""
    late = song.swing * 2 if step % 4 == 2 else song.swing if step % 2 else 0.0
    return (step + late) * song.bar_s / STEPS_PER_BAR


def _touch(chance: np.random.Generator) -> float:
    """No two strokes are equally strong."""
    return float(chance.uniform(0.85, 1.0))
