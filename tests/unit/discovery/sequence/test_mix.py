"""Mixes: who is in them, why, and that nothing comes too often."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from discovery.sequence.choice import Candidate, chosen
from discovery.sequence.item import Item
from discovery.sequence.mix import block, mixed, programme
from discovery.sequence.pairs import likenesses
from discovery.sequence.reasons import Because, by_chance, transitions
from tests.unit.discovery.sequence.catalogue import candidates, tracks


def test_a_mix_begins_with_what_was_chosen_and_says_why() -> None:
    """Then come others, each once and with a reason; later ones also say what they keep."""
    items = tracks(200)
    mix = mixed(candidates(items), 40, seed="x", first=items[:2])
    ids = [each.item.track_id for each in mix]
    assert ids[:2] == [items[0].track_id, items[1].track_id]
    assert len(set(ids)) == len(ids) == 40
    assert [each.reasons[0].because for each in mix[:2]] == [Because.CHOSEN] * 2
    assert all(each.reasons[0].because is Because.CHANCE for each in mix[2:])
    assert all(reason.of == before.item.track_id for before, each in pairwise(mix) for reason in each.reasons[1:])
    assert any(len(each.reasons) > 1 for each in mix)


def test_no_artist_has_more_than_a_quarter() -> None:
    """However well its tracks fit."""
    items = [replace(item, artist="Often" if n >= 100 else item.artist) for n, item in enumerate(tracks(200))]
    counts = Counter(each.item.artist for each in mixed(candidates(items), 40, seed="x"))
    assert max(counts.values()) == 10


def test_what_was_played_lately_is_left_out() -> None:
    """So is the same recording on another release, and the same song by the same artist."""
    items = tracks(20)
    again = replace(items[0], track_id=items[1].track_id)
    live = replace(items[0], track_id=items[2].track_id, recording_id=items[2].recording_id)
    taken = chosen(
        candidates([items[0], again, live, items[3], items[4]]), 9, seed="x", left_out={items[4].track_id}, share=1
    )
    ids = [each.item.track_id for each in taken]
    assert len(ids) == 2 and items[3].track_id in ids


def test_better_candidates_come_first_and_likes_give_way() -> None:
    """Of two equally good tracks the one that is unlike what is chosen already."""
    one, two, other = (replace(item, artist=f"A {n}") for n, item in enumerate(tracks(3)))
    two = replace(two, vector=one.vector)
    other = replace(other, vector=tuple(-each for each in one.vector))
    alike = likenesses([one, two, other])
    assert alike[0][1] == pytest.approx(1) and alike[0][2] == pytest.approx(-1)
    given = [
        Candidate(item=item, relevance=fit, reason=by_chance()) for item, fit in ((one, 1.0), (two, 0.5), (other, 0.5))
    ]
    taken = {seed: [each.item for each in chosen(given, 3, seed=seed, share=1)] for seed in "abcdefgh"}
    assert all(each[0] == one for each in taken.values())
    assert sum(each[1] == other for each in taken.values()) > 4


def test_the_same_seed_is_the_same_mix() -> None:
    """On every machine, in whatever order the candidates come."""
    given = candidates(tracks(100))
    assert mixed(given, 30, seed="x") == mixed(given[::-1], 30, seed="x") != mixed(given, 30, seed="y")


@pytest.mark.parametrize("count", [0, 1, 3, 500])
def test_a_mix_is_as_long_as_there_is_something(count: int) -> None:
    """Few candidates make a short mix; none make none."""
    given = candidates(tracks(24, artists=24))
    assert len(mixed(given, count, seed="x")) <= min(count, 24)
    assert mixed([], count, seed="x") == []


def test_blocks_go_on_without_repeating() -> None:
    """Each block knows what was played before it."""
    given: list[Candidate] = candidates(tracks(160))
    lately: list[Item] = []
    for number in range(4):
        following = block(given, 20, seed=str(number), lately=lately)
        lately += [each.item for each in following]
    ids = [each.track_id for each in lately]
    assert len(ids) == len(set(ids)) == 80


def test_a_programme_is_told_by_its_number_alone() -> None:
    """Nothing comes twice within a turn, nor in two periods one after the other; all of the pool has its turn."""
    given = candidates(tracks(100))
    periods = [{each.track_id for each in programme(given, 20, number, seed="s")} for number in range(40)]
    assert all(not one & other for one, other in pairwise(periods))
    assert len(set().union(*periods[:5])) == 100
    assert programme(given[::-1], 20, 7, seed="s") == programme(given, 20, 7, seed="s")
    assert programme(given, 20, 7, seed="s") != programme(given, 20, 12, seed="s")


def test_a_programme_of_few_tracks_is_all_of_them() -> None:
    """Again and again, in another order."""
    given = candidates(tracks(6))
    assert [len(programme(given, 20, number, seed="s")) for number in range(3)] == [6, 6, 6]
    assert programme([], 20, 3, seed="s") == []


def test_what_two_tracks_share_is_said() -> None:
    """Tempo (half and double, too), key, energy, level; nothing of what is not known."""
    one = tracks(1)[0]
    twice = replace(one, tempo_bpm=2 * (one.tempo_bpm or 0))
    found = [each.because for each in transitions(one, twice)]
    assert found == [Because.KEEPS_TEMPO, Because.KEEPS_KEY, Because.KEEPS_ENERGY, Because.KEEPS_LEVEL]
    assert transitions(one, replace(one, tempo_bpm=None, fifths=None, energy=None, level_lufs=None)) == ()
