"""What the trained tables and vectors are, by definitions that are slower and plainer."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from discovery.recommend.plays import Floats, gathered, row_of
from discovery.recommend.scorers import HALF_LIVES, Neighbours, Spread, to_scale
from discovery.recommend.train_factors import als, ials
from discovery.recommend.train_neighbours import cosine, ease, matrix_of, rp3beta
from tests.support.listening import listening

PLAYS = gathered([(who, track, min(listens, 3), at) for who, track, listens, at in listening()[:260]])
PLAYED = matrix_of(PLAYS).toarray().astype(np.float64)
ITEMS = PLAYED.shape[1]


def dense(table: Neighbours) -> Floats:
    found = np.zeros((ITEMS, ITEMS), dtype=np.float32)
    for item in range(ITEMS):
        own = slice(table.starts[item], table.starts[item + 1])
        found[item, table.targets[own]] = table.weights[own]
    return found


def without_own(weights: Floats) -> Floats:
    np.fill_diagonal(weights, 0)
    return weights


def test_ease_by_listeners_is_ease_by_items() -> None:
    inverse = np.linalg.inv(PLAYED.T @ PLAYED + 50 * np.eye(ITEMS))
    expected = without_own(-inverse / np.diag(inverse)[None, :])
    assert_allclose(dense(ease(PLAYS, ridge=50.0, kept=ITEMS)), expected, atol=1e-5)


def test_cosine_is_the_cosine_of_columns() -> None:
    lengths = np.linalg.norm(PLAYED, axis=0)
    expected = without_own((PLAYED.T @ PLAYED) / lengths[:, None] / lengths[None, :])
    assert_allclose(dense(cosine(PLAYS, kept=ITEMS)), expected, atol=1e-5)


def test_rp3beta_is_a_walk_of_three_steps() -> None:
    of_item, of_listener = PLAYED.sum(axis=0), PLAYED.sum(axis=1)
    there, back = (PLAYED / of_item).T ** 0.6, (PLAYED / of_listener[:, None]) ** 0.6
    expected = without_own(there @ back / np.maximum(of_item, 1)[None, :] ** 0.4)
    assert_allclose(dense(rp3beta(PLAYS, kept=ITEMS)), expected, rtol=1e-4, atol=1e-6)


def test_of_each_item_the_largest_weights_are_kept() -> None:
    whole, cut = dense(cosine(PLAYS, kept=ITEMS)), dense(cosine(PLAYS, kept=5))
    assert ((cut != 0).sum(axis=0) <= 5).all()
    assert_allclose(np.sort(cut, axis=0)[-5:], np.sort(whole, axis=0)[-5:], atol=1e-6)


def test_a_table_scores_what_its_rows_say_and_tells_which_said_it() -> None:
    table = ease(PLAYS, half_life=2.0)
    row = row_of([3, 8, 1], [1, 10, 1])
    strengths = row.strengths(2.0)
    expected = strengths @ dense(table)[row.items]
    assert_allclose(table.lines([row])[0], expected, atol=1e-6)
    target = int(expected.argmax())
    assert_allclose(table.said(row, [target])[0], strengths * dense(table)[row.items, target], atol=1e-6)
    assert not table.lines([row_of([])]).any()


def test_of_a_long_row_the_last_items_speak() -> None:
    table = ease(PLAYS, half_life=1.0)
    row = row_of(list(range(20)))
    last = row.strengths(1.0)[-HALF_LIVES:] @ dense(table)[row.items[-HALF_LIVES:]]
    assert_allclose(table.lines([row])[0], last, atol=1e-6)
    target = int(last.argmax())
    [said] = table.said(row, [target])
    assert not said[:-HALF_LIVES].any()
    assert said.sum() == pytest.approx(last[target], abs=1e-6)


@pytest.mark.parametrize("make", [ials, als])
def test_a_folded_row_is_the_least_squares_solution(make: object) -> None:
    """The gradient of what is minimised is zero at the vector of a row."""
    factors = ials(PLAYS, factors=8, unseen=0.05, ridge=0.03) if make is ials else als(PLAYS, factors=8)
    row = row_of([1, 5, 9], [2, 1, 4])
    [vector], strengths = factors.folded([row]), row.strengths()
    error = strengths - factors.vectors[row.items] @ vector * strengths
    held = factors.ridge + factors.ridge_each * len(row.items)
    gradient = factors.vectors[row.items].T @ error - factors.gram @ vector - held * vector
    assert_allclose(gradient, 0, atol=1e-3)


def test_equal_seeds_give_equal_vectors() -> None:
    first, second = (ials(PLAYS, factors=8, rounds=3, seed=5).vectors for _ in range(2))
    assert (first == second).all()


def test_numbers_are_scaled_to_deviation_one_and_equals_to_nothing() -> None:
    lines = np.array([[1, 5, 2], [3, 3, 3]], dtype=np.float32)
    found = to_scale(lines.mean(axis=1), (lines**2).mean(axis=1))
    assert found.tolist() == pytest.approx([1 / np.std([1, 5, 2]), 0])


def test_deviations_along_a_way_are_known_without_going_through_all() -> None:
    luck = np.random.default_rng(3)
    vectors, ways = (luck.normal(1, 2, (count, 4)).astype(np.float32) for count in (50, 3))
    assert_allclose((vectors @ Spread(vectors).even(ways).T).std(axis=0), 1, atol=1e-5)


def test_ease_refuses_more_listeners_than_it_is_for() -> None:
    many = gathered((f"listener{number:05}", "track", 1, 0) for number in range(10_001))
    with pytest.raises(ValueError, match="at most 10000 listeners"):
        ease(many)
