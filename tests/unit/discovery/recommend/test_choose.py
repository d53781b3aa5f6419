import numpy as np

from discovery.recommend.choose import Shelf, chosen, head_of
from discovery.recommend.plays import Floats

SCORES: Floats = np.array([9, 8, 7, 6, 5, 4], dtype=np.float32)
ANY = Shelf(artists=np.full(6, -1, dtype=np.int32), head=np.zeros(6, dtype=np.bool_))


def test_the_best_come_first_and_the_refused_not_at_all() -> None:
    assert chosen(SCORES, 3, ANY, without=[1]) == [0, 2, 3]
    assert chosen(SCORES, 100, ANY) == [0, 1, 2, 3, 4, 5]
    assert chosen(SCORES, 0, ANY) == []


def test_an_artist_or_the_head_waits_until_all_others_had_their_turn() -> None:
    shelf = Shelf(
        artists=np.array([7, 7, 7, 1, 2, 3], dtype=np.int32), head=np.array([1, 0, 0, 1, 0, 0], dtype=np.bool_)
    )
    assert chosen(SCORES, 4, shelf, artist_max=1) == [0, 3, 4, 5]
    assert chosen(SCORES, 4, shelf, head_max=1) == [0, 1, 2, 4]
    assert chosen(SCORES, 6, shelf, artist_max=1, head_max=1) == [0, 4, 5, 1, 2, 3]


def test_the_head_are_the_most_popular_that_have_a_fifth_of_all_plays() -> None:
    assert head_of(np.array([1, 10, 1, 8, 80], dtype=np.float32)).tolist() == [False, False, False, False, True]
    assert head_of(np.array([1, 1, 1, 1, 1, 1, 1, 1, 1, 1], dtype=np.float32)).sum() == 2
    assert not head_of(np.zeros(3, dtype=np.float32)).any()
