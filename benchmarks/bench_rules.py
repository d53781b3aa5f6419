"""What rule playlists cost: typical rules over a catalogue that this makes up, as a listener with some plays has them.

    python -m benchmarks.bench_rules [--tracks 100000] [--rounds 5]

CPU milliseconds to work out the tracks that rules choose, the median of the rounds; and how much of it, at most, goes
to one question to the catalog, for which others in that process wait. JSON on stdout.
"""

import argparse
import json
import platform
import time
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from benchmarks.bench_sequence import catalogue
from catalog.database import Database
from catalog.rule_choice import tracks_by_rules
from catalog.rules import DAY_MS, Known
from catalog.store import Catalog
from discovery.playlists.entries import ENTRIES_MAX
from discovery.playlists.nsp import rule_playlist

NOW_MS = 20_000 * DAY_MS
HEARD = 5_000
RULES: Mapping[str, dict[str, object]] = {
    "a genre, by chance": {"all": [{"is": {"genre": "Genre 3"}}], "sort": "random", "limit": 500},
    "lively and fast, of some artists": {
        "all": [
            {"gt": {"energy": 0.6}},
            {"inTheRange": {"bpm": [110, 140]}},
            {"any": [{"contains": {"artist": "7"}}, {"startsWith": {"album": "Album 1"}}]},
        ],
        "sort": "-energy,title",
    },
    "never played": {"all": [{"is": {"playcount": 0}}], "sort": "random", "limit": 1000},
    "often played, not lately": {
        "all": [{"gt": {"playcount": 3}}, {"notInTheLast": {"lastplayed": 30}}],
        "sort": "-playcount",
    },
    "all, by title": {"all": [{"isPresent": {"title": True}}], "sort": "title"},
    "a tenth of all, by chance": {"all": [{"gt": {"duration": 1}}], "sort": "random", "limitPercent": 10},
}


class Timed:
    """A database, and how long each question takes it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.cpu_ms: list[float] = []

    def select_beside(
        self, tables: Mapping[str, tuple[str, Iterable[Sequence[object]]]], query: str, values: Sequence[object] = ()
    ) -> list[tuple[Any, ...]]:
        """What the database says."""
        began = time.process_time()
        found = self._database.select_beside(tables, query, values)
        self.cpu_ms.append(1000 * (time.process_time() - began))
        return found


def main() -> None:
    """Make the catalogue, choose, measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    costs = {}
    with Catalog() as catalog:
        made = list(catalogue(arguments.tracks))
        catalog.apply([row for row, _ in made], [], {row.track_id: features for row, features in made})
        heard = [(row.track_id, n % 9, NOW_MS - n % 90 * DAY_MS) for n, (row, _) in enumerate(made[:HEARD])]
        known = Known(now_ms=NOW_MS, seed="bench", heard=heard)
        for name, document in RULES.items():
            rules, times, timed = rule_playlist(document).rules, [], Timed(catalog.database)
            for _ in range(arguments.rounds):
                began = time.process_time()
                found = tracks_by_rules(timed, rules, known, most=ENTRIES_MAX)
                times.append(1000 * (time.process_time() - began))
            longest = round(max(timed.cpu_ms), 1)
            costs[name] = {"cpu_ms": round(median(times), 1), "longest_ms": longest, "tracks": len(found)}
    about = {"benchmark": "rules", "python": platform.python_version(), "tracks": arguments.tracks}
    print(json.dumps({**about, "rules": costs}, indent=2))


if __name__ == "__main__":
    main()
