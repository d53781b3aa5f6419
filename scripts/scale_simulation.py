"""Caches over a Zipf catalogue, simulated with libcachesim: how much of what is asked for each tier answers.

    make scale        # the same as: .cache/scale-venv/bin/python -m scripts.scale_simulation

Writes benchmarks/scale_simulation.json (from one seed) and docs/images/scale-policies.svg. Two questions. Policies: one
cache of growing size before plays of a catalogue. Tiers: caches at the edge, whose misses meet in a shield, whose
misses meet in the origin's memory, then on its disk, of the sizes in `TIERS`. The catalogue is small;
`scripts/scale_che.py` carries the result to a large one, and its figures stand beside the simulated ones so that one
can see by how much it is off.

All tracks are of one size, and a play asks for a whole track. Everybody likes the same: popularity does not differ by
place and does not change; what is new, or local, is asked for more often than here, and found more often.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import libcachesim
import numpy as np

from scripts.quality_numbers import Estimate
from scripts.quality_plots import Axes, Line, lines_panel, picture
from scripts.scale_che import chain, through, zipf

RESULTS = Path("benchmarks/scale_simulation.json")
IMAGES = Path("docs/images")
SEED = 6
TRACKS = 100_000
BLOCK_BYTES = 1_000  # one size for all: only shares count
EXPONENTS = (0.7, 0.9, 1.1)
POLICIES = ("LRU", "S3FIFO", "WTinyLFU")
SHARES = (0.001, 0.003, 0.01, 0.03, 0.1)  # of the catalogue
PLAYS = 1_000_000  # half of them to warm up
_TABLE_BITS = 17  # of the library's hash table; by its default each of many caches would take 128 MB
EDGES = 16
TIERS = (
    0.003,
    0.01,
    0.02,
    0.05,
)  # share of the catalogue in each edge, in the shield, in the origin's memory, on its disk
NAMES = ("edge", "shield", "origin's memory", "origin's disk")
_COLOURS = ("#3b75af", "#c33", "#3a8f3a")


@dataclass(slots=True)
class Cache:
    """One cache of libcachesim: asked by number, filled when it misses."""

    look: Callable[[int], bool]

    @classmethod
    def of(cls, policy: str, share: float) -> "Cache":
        """An empty cache for this share of the catalogue."""
        cache = getattr(libcachesim, policy)(cache_size=round(share * TRACKS) * BLOCK_BYTES, hashpower=_TABLE_BITS)
        request = libcachesim.Request()
        request.obj_size = BLOCK_BYTES

        def look(number: int) -> bool:
            request.obj_id = number
            return bool(cache.get(request))

        return cls(look)


def plays(exponent: float, count: int, seed: int) -> Iterator[int]:
    """Tracks by number, the most popular first, as listeners ask for them."""
    weights = np.arange(1, TRACKS + 1, dtype=np.float64) ** -exponent
    ends = np.cumsum(weights)
    luck = np.random.default_rng(seed).random(count) * ends[-1]
    yield from np.searchsorted(ends, luck).tolist()


def hits(policy: str, share: float, asked: Sequence[int]) -> float:
    """The share of hits in the second half of what is asked."""
    look = Cache.of(policy, share).look
    half = len(asked) // 2
    for number in asked[:half]:
        look(number)
    return sum(map(look, asked[half:])) / (len(asked) - half)


def tiers(policy: str, exponent: float) -> list[float]:
    """The share of hits of each tier, of what it is asked for itself, in the second half."""
    edges = [Cache.of(policy, TIERS[0]) for _ in range(EDGES)]
    behind = [Cache.of(policy, share) for share in TIERS[1:]]
    place = np.random.default_rng(SEED + 1).integers(0, EDGES, PLAYS).tolist()
    asked, answered = [0] * len(TIERS), [0] * len(TIERS)
    for count, (number, edge) in enumerate(zip(plays(exponent, PLAYS, SEED), place, strict=True)):
        for tier, cache in enumerate((edges[edge], *behind)):
            hit = cache.look(number)
            if 2 * count >= PLAYS:
                asked[tier] += 1
                answered[tier] += hit
            if hit:
                break
    return [round(hit / max(1, all_), 4) for hit, all_ in zip(answered, asked, strict=True)]


def simulated() -> dict[str, object]:
    """All results, with Che's figures beside them."""
    by_size: list[dict[str, float | str]] = []
    for exponent in EXPONENTS:
        asked = list(plays(exponent, PLAYS, SEED))
        for share in SHARES:
            row = {name: round(hits(name, share, asked), 4) for name in POLICIES}
            che = round(through(zipf(TRACKS, exponent), share * TRACKS).hits, 4)
            by_size.append({"exponent": exponent, "share": share, **row, "Che": che})
    behind = [
        {
            "exponent": exponent,
            **{name: tiers(name, exponent) for name in POLICIES},
            "Che": [round(tier.hits, 4) for tier in chain(zipf(TRACKS, exponent), [share * TRACKS for share in TIERS])],
        }
        for exponent in EXPONENTS
    ]
    catalogue = {"tracks": TRACKS, "plays": PLAYS, "seed": SEED, "edges": EDGES, "shares": TIERS, "names": NAMES}
    return {"catalogue": catalogue, "policies": by_size, "tiers": behind}


def draw(found: dict[str, object]) -> str:
    """A panel for each exponent: hits over the logarithm of the size, a line for each policy."""
    rows: list[dict[str, float]] = found["policies"]  # type: ignore[assignment]
    panels = []
    for exponent in EXPONENTS:
        axes = Axes(
            title=f"Zipf {exponent}, {TRACKS:,} tracks",
            x_name="log10 of the cache's share of the catalogue",
            y_name="hits",
            x_ticks=(-3.0, -2.0, -1.0),
            y_ticks=(0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
        )
        mine = [row for row in rows if row["exponent"] == exponent]
        panels.append(
            lines_panel(axes, [_line(name, colour, mine) for name, colour in zip(POLICIES, _COLOURS, strict=True)])
        )
    return picture(panels)


def _line(name: str, colour: str, rows: Sequence[dict[str, float]]) -> Line:
    points = [
        (float(np.log10(row["share"])), Estimate(mean=row[name], low=row[name], high=row[name], count=1))
        for row in rows
    ]
    return Line(name=name, colour=colour, points=points)


def main() -> None:
    """Simulate, write the results and draw them."""
    found = simulated()
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    (IMAGES / "scale-policies.svg").write_text(draw(found))


if __name__ == "__main__":
    main()
