"""Mixes and endless programmes of a catalog, whoever asks for them. Every call blocks for a moment."""

from collections.abc import Collection
from statistics import mean

from discovery.sequence.choice import ARTIST_SHARE, Candidate, most_of_each
from discovery.sequence.item import Item
from discovery.sequence.mix import Placed, mixed, programme
from discovery.sequence.pool import Candidates, Found
from discovery.sequence.reasons import chosen_by_you
from discovery.sequence.wish import Wish

COUNT_MAX = 200
_CANDIDATES_MAX = 256  # of a mix: twice as many as are compared, for artists who have too many
_SPARE = 1.3  # of a period: to choose the last track from


class Mixer:
    """Makes mixes of what `candidates` find."""

    def __init__(self, candidates: Candidates) -> None:
        self._candidates = candidates

    def mix(self, wish: Wish, count: int, *, variation: str = "", left_out: Collection[str] = ()) -> list[Placed]:
        """At most `count` live tracks; another `variation` (any words) is another mix of the same kind."""
        found = self._candidates.find(wish, _CANDIDATES_MAX)
        seed = f"{wish!r} {variation}"
        return mixed(found.candidates, count, seed=seed, first=found.first, left_out=left_out)

    def programme(self, wish: Wish, period: int, period_s: float) -> list[Item]:
        """What a station of this wish plays in a period of so many seconds, and some more; nothing if there is nothing.

        It follows from wish and period alone, as far as all know the same tracks.
        """
        pool = _pool(self._candidates.find(wish))
        if not pool:
            return []
        count = round(_SPARE * period_s / max(1.0, mean(each.item.duration_s for each in pool))) + 1
        return programme(pool, count, period, seed=repr(wish))


def _pool(found: Found) -> list[Candidate]:
    """What a station goes round in: what was asked for and what fits, no artist with more than its share."""
    first = [Candidate(item=each, relevance=1.0, reason=chosen_by_you()) for each in found.first]
    return most_of_each([*first, *found.candidates], share=ARTIST_SHARE)
