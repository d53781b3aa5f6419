import random

import pytest
from numpy.testing import assert_allclose

from discovery.recommend.model import Model
from discovery.recommend.plays import gathered
from discovery.recommend.recipe import Kind, Known, TrainSettings
from discovery.recommend.train import train
from model.errors import PlaysTooFew
from tests.support.listening import TASTES, TRACKS_OF_TASTE, listening, plays, sound_of, taste_of, track_of

NEW = [f"{'abcd'[taste]}{'n' * 15}{'abc'[number]}aaa" for taste in range(TASTES) for number in range(3)]
LUCK = random.Random(3)
CATALOG = {
    track_of(taste, number): Known(f"artist {taste} {number % 5}", sound_of(taste, LUCK))
    for taste in range(TASTES)
    for number in range(TRACKS_OF_TASTE)
} | {track: Known("newcomer", sound_of("abcd".index(track[0]), LUCK)) for track in NEW}


@pytest.fixture(scope="module")
def trained() -> Model:
    """The product's model of all of it."""
    return train(plays(), TrainSettings(factors=16), CATALOG)


def of_taste(taste: int, count: int) -> list[tuple[str, int]]:
    return [(track_of(taste, number), 1) for number in range(1, count + 1)]


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_of_model_finds_a_listeners_taste(kind: Kind) -> None:
    model = train(plays(), TrainSettings(kind=kind, factors=16), {})
    row = model.row(of_taste(2, 5))
    found = [model.tracks[item] for item in model.recommended(row, 10)]
    assert len(found) == 10
    assert sum(taste_of(track) == 2 for track in found) >= 9
    assert not {track for track, _ in of_taste(2, 5)} & set(found)


def test_what_was_heard_is_there_where_it_is_wanted(trained: Model) -> None:
    row = trained.row(of_taste(1, 12))
    assert not set(row.items.tolist()) & set(trained.recommended(row, 100))
    assert set(row.items.tolist()) <= set(trained.recommended(row, 100, seen=True))


def test_who_played_nothing_gets_what_everybody_plays(trained: Model) -> None:
    best = trained.recommended(trained.row([]), 5)
    assert trained.tracks[best[0]] == track_of(0, 0)


def test_tracks_that_the_model_does_not_know_are_no_part_of_a_row(trained: Model) -> None:
    assert not len(trained.row([("a" * 20, 3)]).items)


def test_one_track_is_enough_to_be_understood(trained: Model) -> None:
    found = trained.recommended(trained.row(of_taste(3, 1)), 5)
    assert [taste_of(trained.tracks[item]) for item in found if trained.tracks[item] not in NEW].count(3) >= 3


def test_the_head_gets_no_more_than_its_part(trained: Model) -> None:
    """A listener who plays nothing popular is not given the popular alone, and one who does is given it."""
    popular = gathered([*listening(), *[(f"fan{n}", track_of(1, t), 9, n) for n in range(300) for t in range(2, 6)]])
    model = train(popular, TrainSettings(factors=16), {})
    head = {model.tracks[item] for item in range(len(model.tracks)) if model.shelf.head[item]}
    assert head <= {track_of(1, number) for number in range(2, 6)} | {track_of(0, 0)}
    odd = model.row([(track_of(1, number), 1) for number in range(10, 15)])
    fan = model.row([(track, 1) for track in sorted(head)])
    assert model.head_max(odd, 10) == 1
    assert model.head_max(fan, 10) == 10
    assert len({model.tracks[item] for item in model.recommended(odd, 10)} & head) <= 1


def test_no_artist_fills_a_list(trained: Model) -> None:
    found = trained.recommended(trained.row(of_taste(2, 5)), 10, artist_max=2)
    artists = [trained.artist_names[trained.artists[item]] for item in found]
    assert max(artists.count(each) for each in artists) <= 2


def test_a_track_that_nobody_played_is_found_by_its_sound(trained: Model) -> None:
    row = trained.row(of_taste(2, 8))
    scores = trained.scores(row)
    new = sorted((track for track in NEW), key=lambda track: -scores[trained.items[track]])
    assert {track[0] for track in new[:3]} == {"c"}
    alike = trained.scores(trained.row([(new[0], 1)]))
    best = max((item for item in range(len(alike)) if trained.tracks[item] not in NEW), key=lambda item: alike[item])
    assert taste_of(trained.tracks[best]) == 2


def test_several_rows_are_answered_as_one_after_another(trained: Model) -> None:
    rows = [trained.row(of_taste(taste, count)) for taste, count in ((2, 8), (1, 1), (0, 5))]
    assert_allclose(trained.lines(rows), [trained.scores(row) for row in rows], atol=1e-4)


def test_without_factors_sound_still_counts() -> None:
    model = train(plays(), TrainSettings(kind=Kind.RP3BETA), CATALOG)
    scores = model.scores(model.row(of_taste(2, 8)))
    assert max(NEW, key=lambda track: scores[model.items[track]])[0] == "c"


def test_reasons_are_of_the_row_and_of_its_taste(trained: Model) -> None:
    row = trained.row([*of_taste(2, 4), *of_taste(1, 4)])
    target = trained.items[track_of(2, 9)]
    [reasons] = trained.reasons(row, [target], 2)
    assert reasons
    assert {taste_of(trained.tracks[item]) for item in reasons} == {2}
    assert set(reasons) <= set(row.items.tolist())


def test_one_listener_is_not_enough_to_learn_from() -> None:
    with pytest.raises(PlaysTooFew, match="plays of 1 listeners"):
        train(gathered([("a", track_of(0, 1), 1, 1)]), TrainSettings(), {})


def test_two_listeners_with_one_track_are_enough() -> None:
    model = train(gathered([(who, track_of(0, 1), 1, 1) for who in "ab"]), TrainSettings(), {})
    assert model.recommended(model.row([(track_of(0, 1), 1)]), 5) == []
    assert model.recommended(model.row([]), 5) == [0]


def test_the_artists_items_are_theirs(trained: Model) -> None:
    assert {trained.tracks[item] for item in trained.artist_items["newcomer"]} == set(NEW)
