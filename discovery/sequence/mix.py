"""A mix: chosen, put in order, and explained. Pure; the same for the same seed, on every machine."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

from discovery.sequence.choice import Candidate, chosen
from discovery.sequence.item import Item
from discovery.sequence.order import in_order, spread
from discovery.sequence.reasons import Reason, chosen_by_you, transitions

CHUNKS_MIN = 3  # of a pool that goes round


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A track of a mix, and why it is in it and where it is; the first reason says why at all."""

    item: Item
    reasons: tuple[Reason, ...]


def mixed(
    candidates: Sequence[Candidate],
    count: int,
    *,
    seed: str,
    first: Sequence[Item] = (),
    left_out: Collection[str] = (),
) -> list[Placed]:
    """At most `count` tracks: those that were asked for (`first`) begin, each once, and are no more than the mix."""
    begin = list({each.track_id: each for each in first if each.track_id not in left_out}.values())[:count]
    picked = chosen(candidates, count - len(begin), seed=seed, beside=begin, left_out=left_out)
    why = {each.item.track_id: each.reason for each in picked}
    items = [*begin, *in_order([each.item for each in picked], seed=seed, after=begin)]
    return _explained(items, why)


def block(
    candidates: Sequence[Candidate],
    count: int,
    *,
    seed: str,
    lately: Sequence[Item] = (),
    left_out: Collection[str] = (),
) -> list[Placed]:
    """The next tracks of an endless mix, after what was played `lately`, of which nothing comes again."""
    gone = {*left_out, *(each.track_id for each in lately)}
    picked = chosen(candidates, count, seed=seed, left_out=gone)
    why = {each.item.track_id: each.reason for each in picked}
    return _explained(in_order([each.item for each in picked], seed=seed, after=lately), why, lately)


def programme(candidates: Sequence[Candidate], count: int, number: int, *, seed: str) -> list[Item]:
    """What an endless mix plays in the period `number`, told by nothing but the number: any node says the same.

    The pool goes round: each turn it is cut anew into chunks of `count`, and a period plays one. So nothing comes again
    within a turn, and what ends a turn does not begin the next, if there is enough for CHUNKS_MIN chunks.
    """
    pool = sorted((each.item for each in candidates), key=lambda item: item.track_id)
    chunks = max(1, len(pool) // max(1, count))
    turn, place = divmod(number, chunks)
    items = _turn(pool, turn, chunks, seed)[place]
    return in_order(items, seed=f"{seed} {number}")


def _turn(pool: Sequence[Item], turn: int, chunks: int, seed: str) -> list[list[Item]]:
    """The chunks of a turn. What would come again from the end of the turn before waits for the second."""
    cut = _cut(pool, turn, chunks, seed)
    if chunks >= CHUNKS_MIN and turn:
        ended = {each.track_id for each in _cut(pool, turn - 1, chunks, seed)[-1]}
        early = [each for each in cut[0] if each.track_id in ended]
        late = [each for each in cut[1] if each.track_id not in ended][: len(early)]
        cut[0] = [each for each in cut[0] if each not in early] + late
        cut[1] = [each for each in cut[1] if each not in late] + early
    return cut


def _cut(pool: Sequence[Item], turn: int, chunks: int, seed: str) -> list[list[Item]]:
    """The pool in chunks, each with its share of every artist."""
    order = spread(pool, seed=f"{seed} turn {turn}")
    bounds = [len(order) * number // chunks for number in range(chunks + 1)]
    return [order[start:end] for start, end in pairwise(bounds)]


def _explained(items: Sequence[Item], why: dict[str, Reason], lately: Sequence[Item] = ()) -> list[Placed]:
    before = lately[-1] if lately else None
    placed = []
    for item in items:
        reasons = (why.get(item.track_id) or chosen_by_you(), *(transitions(before, item) if before else ()))
        placed.append(Placed(item=item, reasons=reasons))
        before = item
    return placed
