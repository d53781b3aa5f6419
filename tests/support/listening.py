"""Listening that has a structure to find: tastes, each with tracks of its own, and listeners who have one each."""

import random

from discovery.recommend.plays import Played, Plays, gathered
from model.features import FEATURES, TIMBRE, Features, KeyMode
from model.track import derived_id, track_id_of

TASTES, TRACKS_OF_TASTE, LISTENERS_OF_TASTE, PLAYED = 4, 30, 25, 12


def track_of(taste: int, number: int) -> str:
    """The id of a track."""
    return track_id_of(derived_id("recording", str(taste), str(number)), "release")


def taste_of(track_id: str) -> int:
    """Whose taste it is."""
    return _TASTE_OF[track_id]


_TASTE_OF = {track_of(taste, number): taste for taste in range(TASTES) for number in range(TRACKS_OF_TASTE)}


def listening(seed: int = 7) -> list[Played]:
    """Each listener plays tracks of its taste, and track 0 of taste 0, which everybody plays."""
    luck = random.Random(seed)
    played: list[Played] = []
    for taste in range(TASTES):
        for listener in range(LISTENERS_OF_TASTE):
            numbers = luck.sample(range(1, TRACKS_OF_TASTE), PLAYED)
            tracks = [track_of(taste, number) for number in numbers] + [track_of(0, 0)]
            name = f"listener{taste}x{listener}"
            played += [(name, track, luck.randint(1, 9), 1000 * at) for at, track in enumerate(tracks)]
    return played


def plays(seed: int = 7) -> Plays:
    """The same, gathered."""
    return gathered(listening(seed))


def sound_of(taste: int, luck: random.Random) -> Features:
    """What a track of a taste sounds like: like the others of it, and a little otherwise."""
    timbre = [(10.0 if place % TASTES == taste else 0.0) + luck.gauss(0, 1) for place in range(TIMBRE)]
    return Features(
        recording_id=derived_id("sound", str(taste), str(luck.random())),
        format=FEATURES,
        level_lufs=-14.0 + luck.gauss(0, 1),
        range_lu=6.0,
        energy=min(1.0, 0.2 + 0.2 * taste),
        tempo_bpm=80.0 + 20 * taste,
        tempo_confidence=0.8,
        key=(2 * taste) % 12,
        mode=KeyMode.MINOR if taste % 2 else KeyMode.MAJOR,
        key_confidence=0.7,
        timbre=tuple(timbre),
    )
