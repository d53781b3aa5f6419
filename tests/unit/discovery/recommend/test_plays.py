import numpy as np

from discovery.recommend.plays import gathered, row_of

DAY_MS = 86_400_000


def test_rows_are_in_the_order_of_time_and_say_nothing_of_who_it_was() -> None:
    plays = gathered([("b", "t2", 1, 20), ("b", "t1", 3, 10), ("a", "t1", 1, 5)])
    assert plays.tracks == ("t1", "t2")
    assert [row.items.tolist() for row in plays.rows()] == [[0], [0, 1]]
    assert plays.row(1).listens.tolist() == [3, 1]
    assert plays.counts().tolist() == [2, 1]


def test_of_too_many_tracks_those_with_the_most_listeners_are_taken() -> None:
    played = [("a", "rare", 9, 1), ("a", "often", 1, 2), ("b", "often", 1, 1)]
    plays = gathered(played, items_max=1)
    assert plays.tracks == ("often",)
    assert plays.listeners == 2


def test_of_a_long_row_the_last_played_are_taken() -> None:
    plays = gathered([("a", f"t{number}", 1, number) for number in range(5)], row_max=2)
    assert plays.tracks == ("t3", "t4")


def test_what_nobody_listened_to_the_end_of_is_nobodys_play() -> None:
    assert gathered([("a", "t", 0, 1)]).listeners == 0


def test_what_was_played_long_ago_is_less_popular() -> None:
    plays = gathered([("a", "new", 1, 60 * DAY_MS), ("b", "old", 1, 0)])
    new, old = plays.popularity.tolist()
    assert old == np.float32(new / 4)  # two half-lives


def test_listens_count_by_their_logarithm_and_older_ones_less() -> None:
    row = row_of([4, 5, 6], [1, 1, 100])
    assert row.strengths().tolist() == [1, 1, 3]
    assert row.strengths(half_life=1).tolist() == [0.25, 0.5, 3]
    assert row_of([]).strengths(half_life=1).tolist() == []
