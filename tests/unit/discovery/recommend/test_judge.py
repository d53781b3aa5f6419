from collections.abc import Sequence
from math import log2

import numpy as np
import pytest

from discovery.recommend.judge import hold_out, judge, leave_last, unheard_best
from discovery.recommend.plays import Row, row_of, rows_joined
from discovery.recommend.scorers import Popular
from tests.support.listening import plays

TRACKS = tuple("abcdefghijkl")
PLAYS = rows_joined([row_of([0, 1, 2]), row_of([2, 1, 0, 3]), row_of([5])], TRACKS)


def test_the_last_is_hidden_or_the_last_but_one_and_then_the_last_as_well() -> None:
    last, before = leave_last(PLAYS), leave_last(PLAYS, back=2)
    assert [row.items.tolist() for row in last.plays.rows()] == [[0, 1], [2, 1, 0]]
    assert [hidden.tolist() for hidden in last.hidden] == [[2], [3]]
    assert [row.items.tolist() for row in before.plays.rows()] == [[0], [2, 1]]
    assert [hidden.tolist() for hidden in before.hidden] == [[1], [0]]


def test_a_part_is_hidden_and_nothing_is_lost() -> None:
    whole = plays()
    split = hold_out(whole, 0.2, seed=1)
    for row, kept, hidden in zip(whole.rows(), split.plays.rows(), split.hidden, strict=True):
        assert len(hidden) == round(0.2 * len(row.items))
        assert sorted([*kept.items.tolist(), *hidden.tolist()]) == sorted(row.items.tolist())
    again, other = hold_out(whole, 0.2, seed=1), hold_out(whole, 0.2, seed=2)
    assert (again.plays.items == split.plays.items).all()
    assert (other.plays.items != split.plays.items).any()


def test_figures_are_those_of_the_definitions() -> None:
    """Hidden are c and d, found are: c in the second place; d in the first."""
    lists = {2: [4, 2, 5], 3: [3, 4, 5]}

    def recommend(rows: Sequence[Row], limit: int) -> Sequence[Sequence[int]]:
        assert limit == 20
        return [lists[len(row.items)] for row in rows]

    found = judge(recommend, leave_last(PLAYS))
    assert found.ndcg10 == pytest.approx((1 / log2(3) + 1) / 2)
    assert (found.hit10, found.recall20) == (1, 1)
    assert found.coverage10 == pytest.approx(4 / 12)
    assert found.novelty == 1  # c has one of two listeners; what has none counts as if it had one
    assert found.popularity == pytest.approx(1 / 6)


def test_what_a_row_has_is_not_in_its_list() -> None:
    recommend = unheard_best(Popular(np.arange(12, dtype=np.float32)))
    assert recommend([row_of([11, 9]), row_of([10])], 3) == [[10, 8, 7], [11, 9, 8]]
    everything = row_of(list(range(12)))
    assert [len(each) for each in recommend([row_of([11, 9]), everything], 20)] == [10, 0]
