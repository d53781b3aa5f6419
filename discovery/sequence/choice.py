"""Which tracks: the best of what fits, with no artist too often and not all alike. Pure."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from discovery.sequence.item import Item, chance
from discovery.sequence.pairs import likenesses
from discovery.sequence.reasons import Reason

RELEVANCE = 0.9  # the λ of maximal marginal relevance: below 0.7 nothing more is gained
ARTIST_SHARE = 4  # no artist has more than a quarter
POOL_MAX = 128  # candidates that are compared with each other
_JITTER = 0.08  # of relevance, so that another seed is another mix
_SAME_ARTIST = 0.5  # of what makes two tracks alike


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A track that may be chosen: how well it fits, from 0 to 1, and why."""

    item: Item
    relevance: float
    reason: Reason


def chosen(
    candidates: Sequence[Candidate],
    count: int,
    *,
    seed: str,
    beside: Sequence[Item] = (),
    left_out: Collection[str] = (),
    share: int = ARTIST_SHARE,
) -> list[Candidate]:
    """At most `count` of the candidates, the best first: maximal marginal relevance, in which who a track is by counts.

    No track in `left_out`, no recording and no song of an artist twice, and no artist with more than one part in
    `share` of what is wanted; what they are chosen `beside` counts.
    """
    by, most = Counter(map(_by, beside)), max(1, (count + len(beside)) // share)
    pool = _best(_unique(candidates, left_out, seed, beside), by, most)
    alike = likenesses([each.item for each in pool])
    worth, who = [_worth(each, seed) for each in pool], [_by(each.item) for each in pool]
    nearest = [0.0] * len(pool)  # how alike each is to the most alike of those chosen
    gain = [RELEVANCE * each for each in worth]
    left, taken = list(range(len(pool))), list[Candidate]()
    while left and len(taken) < count:
        best = max(left, key=gain.__getitem__)
        taken.append(pool[best])
        own, near_to = who[best], alike[best]
        by[own] += 1
        full = by[own] >= most
        left = [each for each in left if each != best and not (full and who[each] == own)]
        for each in left:
            near = (1 - _SAME_ARTIST) * near_to[each]
            if who[each] == own:
                near = max(0.0, near) + _SAME_ARTIST
            if near > nearest[each]:
                nearest[each] = near
                gain[each] = RELEVANCE * worth[each] - (1 - RELEVANCE) * near
    return taken


def _best(pool: Sequence[Candidate], by: Counter[str], most: int) -> list[Candidate]:
    """The best POOL_MAX, of no artist more than may be chosen."""
    left = Counter(by)
    found: list[Candidate] = []
    for each in pool:
        left[_by(each.item)] += 1
        if left[_by(each.item)] <= most and len(found) < POOL_MAX:
            found.append(each)
    return found


def most_of_each(candidates: Sequence[Candidate], *, share: int) -> list[Candidate]:
    """The best of them, none twice, and no artist with more than one part in `share` of all, if there are others."""
    pool = _unique(candidates, (), "")
    counts = Counter(_by(each.item) for each in pool)
    most = max(1, len(pool) // share)
    while counts and len(counts) > share and sum(min(most, each) for each in counts.values()) < share * most:
        most -= 1
    taken = Counter[str]()
    found = []
    for each in pool:
        taken[_by(each.item)] += 1
        if taken[_by(each.item)] <= most or len(counts) <= share:
            found.append(each)
    return found


def _unique(
    candidates: Sequence[Candidate], left_out: Collection[str], seed: str, beside: Sequence[Item] = ()
) -> list[Candidate]:
    """Without what is left out, and no recording and no song of an artist twice; the best first."""
    gone, seen, found = {*left_out, *(each.track_id for each in beside)}, set[object](), list[Candidate]()
    for item in beside:
        seen |= {item.recording_id, _song(item)}
    for each in sorted(candidates, key=lambda one: (-_worth(one, seed), one.item.track_id)):
        item = each.item
        if item.track_id in gone or item.recording_id in seen or _song(item) in seen:
            continue
        seen |= {item.recording_id, _song(item)}
        gone.add(item.track_id)
        found.append(each)
    return found


def _worth(candidate: Candidate, seed: str) -> float:
    return candidate.relevance + _JITTER * chance("worth", seed, candidate.item.track_id)


def _song(item: Item) -> tuple[str, str]:
    return item.artist.casefold(), item.title.casefold()


def _by(item: Item) -> str:
    """Who it is by; what is by nobody is by itself."""
    return item.artist.casefold() or item.track_id
