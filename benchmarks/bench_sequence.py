"""What a mix costs, and how much better its order is than chance: on a catalogue that this makes up.

    python -m benchmarks.bench_sequence [--tracks 10000] [--mixes 40]

Artists are uneven (a few have most tracks) and sounds go by album, as in life. Measured for mixes of 50 tracks, and
beside the same tracks shuffled: the smallest distance between two tracks of an artist, and of neighbours the step in
loudness (LU), tempo (octaves, half and double count as none), key (fifths) and energy; and for the choice how unlike
its tracks are (ILD: mean of 1 - cosine). JSON on stdout.
"""

import argparse
import json
import math
import platform
import random
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, pairwise
from operator import mul
from statistics import mean

from threadpoolctl import threadpool_limits

from catalog.schema import TrackRow
from catalog.store import Catalog
from discovery.sequence.item import Item, fifths_step, tempo_step
from discovery.sequence.mixer import Mixer
from discovery.sequence.pool import CatalogCandidates
from discovery.sequence.sounds import CatalogSounds
from discovery.sequence.spacing import GAP
from discovery.sequence.wish import Wish
from model.features import FEATURES, TIMBRE, Features, KeyMode
from model.track import digest_of

COUNT = 50


def catalogue(tracks: int) -> Iterator[tuple[TrackRow, Features]]:
    """Tracks with artists, albums and sounds."""
    chance = random.Random(7)
    artists = max(20, tracks // 12)
    weights = [1 / (number + 4) for number in range(artists)]
    for number in range(tracks):
        artist = chance.choices(range(artists), weights)[0]
        album = chance.randrange(4)
        own = random.Random(f"{artist} {album}")
        style = random.Random(artist % 40)
        track_id = digest_of("bench", str(number), length=20)
        level = own.gauss(-14, 1) + chance.gauss(0, 1)
        row = TrackRow(
            track_id=track_id, ingest_version="1", current_version="1",
            recording_id=digest_of("recording", str(number), length=20), package_id=digest_of("p", length=16),
            art_id=digest_of("art", length=16), title=f"Song {number}", artist=f"Artist {artist}",
            album=f"Album {artist} {album}", album_artist="", track_number=None, disc_number=None,
            duration_s=chance.uniform(150, 300), level_lufs=level, families="aac", protected=False,
            genres=(f"Genre {artist % 40}", f"Genre {artist % 7 + 40}"),
        )  # fmt: skip
        features = Features(
            recording_id=row.recording_id, format=FEATURES, level_lufs=level, range_lu=6.0,
            energy=min(1.0, max(0.0, style.random() + own.gauss(0, 0.15) + chance.gauss(0, 0.1))),
            tempo_bpm=max(45.0, style.uniform(70, 150) + own.gauss(0, 15) + chance.gauss(0, 10)), tempo_confidence=0.5,
            key=chance.randrange(12), mode=chance.choice(tuple(KeyMode)), key_confidence=0.5,
            timbre=tuple(style.gauss(0, 10) + own.gauss(0, 5) + chance.gauss(0, 5) for _ in range(TIMBRE)),
        )  # fmt: skip
        yield row, features


def steps(order: Sequence[Item], apart: Callable[[Item, Item], float | None]) -> float:
    """The mean step between neighbours, where it is known."""
    return mean(step for one, other in pairwise(order) if (step := apart(one, other)) is not None)


def gap(order: Sequence[Item]) -> int:
    """The fewest places between two tracks of an artist."""
    last: dict[str, int] = {}
    least = len(order)
    for place, item in enumerate(order):
        least = min(least, place - last.get(item.artist, -len(order)))
        last[item.artist] = place
    return least


def measures(order: Sequence[Item]) -> dict[str, float]:
    """All that is measured of one order."""
    return {
        "artist_gap_min": gap(order),
        "artist_share_max": max(sum(each.artist == item.artist for each in order) for item in order) / len(order),
        "loudness_step_lu": steps(order, lambda a, b: abs((a.level_lufs or 0) - (b.level_lufs or 0))),
        "tempo_step_octaves": steps(
            order, lambda a, b: tempo_step(a.tempo_bpm, b.tempo_bpm) if a.tempo_bpm and b.tempo_bpm else None
        ),
        "key_step_fifths": steps(order, lambda a, b: fifths_step(a.fifths or 0, b.fifths or 0)),
        "energy_step": steps(order, lambda a, b: abs((a.energy or 0) - (b.energy or 0))),
        "ild": mean(1 - sum(map(mul, a.vector, b.vector)) for a, b in combinations(order, 2)),
    }


def averaged(found: Sequence[dict[str, float]]) -> dict[str, float]:
    """The mean of each measure."""
    return {name: round(mean(each[name] for each in found), 3) for name in found[0]}


def main() -> None:
    """Make the catalogue, mix, measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=10_000)
    parser.add_argument("--mixes", type=int, default=40)
    arguments = parser.parse_args()
    with Catalog() as catalog:
        made = list(catalogue(arguments.tracks))
        catalog.apply([row for row, _ in made], [], {row.track_id: features for row, features in made})
        mixer = Mixer(CatalogCandidates(catalog, CatalogSounds(catalog)))
        began = time.process_time()
        mixer.mix(Wish(track_ids=(made[0][0].track_id,)), COUNT)
        first_s = time.process_time() - began
        mixes, times = [], []
        for number in range(arguments.mixes):
            wish = Wish(track_ids=(made[number * 7 % len(made)][0].track_id,))
            began = time.process_time()
            placed = mixer.mix(wish, COUNT, variation="a")
            times.append(1000 * (time.process_time() - began))
            assert placed == mixer.mix(wish, COUNT, variation="a")
            mixes.append([each.item for each in placed])
    shuffled = [random.Random(number).sample(mix, len(mix)) for number, mix in enumerate(mixes)]
    ours, chance = averaged([measures(each) for each in mixes]), averaged([measures(each) for each in shuffled])
    print(
        json.dumps(
            {
                "benchmark": "sequence",
                "python": platform.python_version(),
                "tracks": arguments.tracks,
                "mixes": arguments.mixes,
                "first_mix_cpu_s": round(first_s, 2),
                "mix_cpu_ms": {
                    "mean": round(mean(times), 1),
                    "p95": round(sorted(times)[math.ceil(0.95 * len(times)) - 1], 1),
                },
                "mix": ours,
                "shuffled": chance,
                "ratio": {name: round(ours[name] / chance[name], 2) for name in ours if chance[name]},
                "gap_kept": sum(gap(each) >= GAP for each in mixes) / len(mixes),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    with threadpool_limits(1, "blas"):  # as every command of segue
        main()
