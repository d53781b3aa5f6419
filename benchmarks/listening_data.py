"""Listening data of others, read as plays: FOLDER has the files as they are handed out, nothing of them is kept here.

- `LastFM.txt` or `LastFM.txt.gz` (S3-Rec, CIKM 2020): a line for each listener: its number, then artists in the order
  of time. How often each was played is not in it.
- `user_artists.dat` (hetrec2011-lastfm-2k): a line for each listener and artist, tab-separated, with plays, after a
  heading. In no order of time.

Last.fm's data are for non-commercial research; cite last.fm and Cantador et al., HetRec 2011.
"""

import gzip
import random
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from discovery.recommend.plays import Played, Plays, gathered
from model.features import FEATURES, TIMBRE, Features
from model.track import TRACK_ID_LENGTH, digest_of

SEQUENCES, COUNTS = "LastFM.txt", "user_artists.dat"
SCENES, SECOND_SCENE = 40, 0.3
ROW_MAX = 1_000_000  # all of a row: nothing is cut off in a comparison


def sequences(folder: Path) -> Plays | None:
    """The plays in the order of time; None if the folder has none."""
    for name, opened in ((SEQUENCES, open), (f"{SEQUENCES}.gz", gzip.open)):
        if (folder / name).is_file():
            with opened(folder / name, "rt", encoding="ascii") as lines:
                return gathered(_in_order(lines), row_max=ROW_MAX)
    return None


def _in_order(lines: Iterator[str]) -> Iterator[Played]:
    for line in lines:
        listener, *items = line.split()
        for place, item in enumerate(items):
            yield listener, item.zfill(9), 1, place


def counts(folder: Path) -> Plays | None:
    """The plays with how many they are; None if the folder has none."""
    if not (folder / COUNTS).is_file():
        return None
    with (folder / COUNTS).open(encoding="ascii") as lines:
        next(lines)
        fields = [line.split("\t") for line in lines]
    return gathered(((user, artist.zfill(9), int(plays), 0) for user, artist, plays in fields), row_max=ROW_MAX)


def made_up(tracks: int, listeners: int, *, seed: int = 7) -> tuple[dict[str, str], dict[str, int], list[Played]]:
    """A library, as the artist of each track and the first scene of each artist, and what was played of it, as it comes
    about.

    Artists belong to one of forty scenes, some to two, and are uneven: a few are played by most. A listener has one to
    four scenes, likes some artists of them more than others, plays the better known tracks of an artist more, and now
    and then what everybody plays. How many tracks it has and how often it played each is as uneven as in life.
    """
    luck = np.random.default_rng(seed)
    artists = max(SCENES, tracks // 12)
    fame = luck.pareto(1.1, artists) + 0.1
    scenes = [luck.choice(SCENES, 1 + int(luck.random() < SECOND_SCENE), replace=False) for _ in range(artists)]
    by_artist = np.sort(luck.choice(artists, tracks, p=fame**0.5 / (fame**0.5).sum()))
    bounds = np.searchsorted(by_artist, np.arange(artists + 1))
    ids = [digest_of("made up", str(number), length=TRACK_ID_LENGTH) for number in range(tracks)]
    in_scene = [np.array([a for a in range(artists) if scene in scenes[a]], np.int64) for scene in range(SCENES)]
    chances = [fame[each] / fame[each].sum() for each in in_scene]
    everywhere = fame / fame.sum()
    played: list[Played] = []
    for number in range(listeners):
        name = digest_of("listener", str(number), length=TRACK_ID_LENGTH)
        own = luck.choice(SCENES, int(luck.integers(1, 5)), replace=False)
        share = luck.dirichlet(np.ones(len(own)))
        count = int(np.clip(luck.lognormal(3.6, 0.8), 5, 1000))
        parts = zip(own, luck.multinomial(count, share), strict=True)
        picks = [luck.choice(in_scene[s], part, p=chances[s]) for s, part in parts if len(in_scene[s])]
        picks.append(luck.choice(artists, max(1, count // 10), p=everywhere))
        heard: dict[int, int] = {}
        for artist in luck.permutation(np.concatenate(picks)).tolist():
            size = int(bounds[artist + 1] - bounds[artist])
            if size:
                track = int(bounds[artist]) + int(size * luck.random() ** 2)
                heard[track] = heard.get(track, 0) + 1 + int(luck.pareto(1.2))
        played += [(name, ids[track], listens, at) for at, (track, listens) in enumerate(heard.items())]
    artist_of = {ids[track]: f"Artist {artist}" for track, artist in enumerate(by_artist.tolist())}
    return artist_of, {f"Artist {artist}": int(each[0]) for artist, each in enumerate(scenes)}, played


def made_up_sounds(artist_of: Mapping[str, str], scene_of: Mapping[str, int]) -> dict[str, Features]:
    """What such tracks sound like: somewhat like their scene, like their artist, and by themselves, a third each."""
    found = {}
    for track_id, artist in artist_of.items():
        parts = (random.Random(f"{scene_of[artist]}"), random.Random(artist), random.Random(track_id))
        found[track_id] = Features(
            recording_id=track_id, format=FEATURES, level_lufs=-14.0, range_lu=6.0, energy=0.5, tempo_bpm=None,
            tempo_confidence=0.0, key=None, mode=None, key_confidence=0.0,
            timbre=tuple(sum(part.gauss(0, 1) for part in parts) for _ in range(TIMBRE)),
        )  # fmt: skip
    return found
