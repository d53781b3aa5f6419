import random
from collections import Counter

import numpy as np

from discovery.recommend.choose import POOL, Shelf, chosen, head_of
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


def test_of_many_items_those_are_chosen_that_one_after_another_would_be() -> None:
    """Beside the rule as it is written: the best first, each asked whether its artist and the head have room."""
    luck = random.Random(5)
    for _ in range(40):
        count, limit = luck.choice((30, 700, 5000)), luck.choice((1, 7, 40))
        artist_max, head_max = luck.choice((0, 1, 3)), luck.choice((None, 0, 2, 20))
        scores: Floats = np.array([luck.choice((luck.random(), 0.5)) for _ in range(count)], dtype=np.float32)
        artists = np.array([luck.randrange(-1, luck.choice((3, 50))) for _ in range(count)], dtype=np.int32)
        head = np.array([luck.random() < 0.2 for _ in range(count)], dtype=np.bool_)
        without = luck.sample(range(count), 9)
        shelf = Shelf(artists=artists, head=head)
        found = chosen(scores, limit, shelf, without=without, artist_max=artist_max, head_max=head_max)
        order = sorted(set(range(count)) - set(without), key=lambda item: (-scores[item], item))[: POOL * limit]
        taken, passed, of_artist, heads = list[int](), list[int](), Counter[int](), 0
        for item in order:
            full = artist_max and artists[item] >= 0 and of_artist[int(artists[item])] >= artist_max
            if full or (head[item] and head_max is not None and heads >= head_max):
                passed.append(item)
            else:
                taken.append(item)
                of_artist[int(artists[item])] += 1
                heads += int(head[item])
        assert found == (taken + passed)[:limit]
