"""Made-up tracks with made-up sounds: a few artists have most of them, as in life."""

import math
import random

from discovery.sequence.choice import Candidate
from discovery.sequence.item import Item
from discovery.sequence.reasons import by_chance
from model.track import digest_of


def tracks(count: int, *, seed: int = 1, artists: int | None = None) -> list[Item]:
    """So many tracks. Their artists are uneven; what they sound like goes by album and a little by chance."""
    chance = random.Random(seed)
    shares = [1 / (number + 1) for number in range(artists or max(8, count // 3))]
    found = []
    for number in range(count):
        artist = chance.choices(range(len(shares)), shares)[0]
        album = chance.randrange(3)
        own = random.Random(f"{seed} {artist} {album}")
        vector = [own.gauss(0, 1) + chance.gauss(0, 0.5) for _ in range(12)]
        length = math.sqrt(sum(each**2 for each in vector))
        found.append(
            Item(
                track_id=track_id(number, seed),
                recording_id=track_id(number, -seed),
                title=f"Song {number}",
                artist=f"Artist {artist}",
                album=f"Album {artist} {album}",
                duration_s=chance.uniform(120, 360),
                level_lufs=-14 + chance.gauss(0, 1.5),
                energy=min(1.0, max(0.0, own.random() + chance.gauss(0, 0.1))),
                tempo_bpm=round(chance.uniform(70, 170), 1),
                fifths=chance.randrange(12),
                vector=tuple(each / length for each in vector),
            )
        )
    return found


def track_id(number: int, seed: int = 1) -> str:
    """The id of a made-up track."""
    return digest_of("made up", str(seed), str(number), length=20)


def candidates(items: list[Item]) -> list[Candidate]:
    """All of them, as good as each other but for a little."""
    return [
        Candidate(item=item, relevance=0.5 + 0.5 * number / len(items), reason=by_chance())
        for number, item in enumerate(items)
    ]
