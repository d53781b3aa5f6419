"""What is near in sound, on the scale of all tracks."""

import random
from dataclasses import replace

import pytest

from catalog.feature_rows import SoundRow, sound_row
from discovery.sequence.pairs import likenesses
from discovery.sequence.soundscape import OF_ARTIST_MAX, Soundscape
from model.features import TIMBRE, Features
from tests.unit.discovery.sequence.catalogue import track_id, tracks
from tests.unit.model.test_features import SOME


def features(kind: int, number: int) -> Features:
    """Of one of a few kinds of sound, a little off."""
    whole, own = random.Random(kind), random.Random(number)
    timbre = tuple(whole.gauss(0, 20) + own.gauss(0, 2) for _ in range(TIMBRE))
    return replace(
        SOME, timbre=timbre, energy=(kind + 0.5) / 5, tempo_bpm=80.0 + 10 * kind, key=kind, tempo_confidence=0.9
    )


@pytest.fixture(scope="module")
def soundscape() -> Soundscape:
    """A hundred tracks of five kinds."""
    return Soundscape(map(row, range(100)))


def row(number: int) -> SoundRow:
    """A track of one of five kinds, of an artist of its own."""
    return sound_row(track_id(number), track_id(number), features(number % 5, number))


def test_what_is_near_is_of_its_kind(soundscape: Soundscape) -> None:
    """The track itself first, then the nineteen others; each names the seed that it is like."""
    found = soundscape.near([track_id(3), track_id(4)], 40)
    assert {each for each, *_ in found[:2]} == {track_id(3), track_id(4)}
    assert {each for each, *_ in found} == {track_id(n) for n in range(100) if n % 5 in (3, 4)}
    assert all(
        like == track_id(3 if track in {track_id(n) for n in range(3, 100, 5)} else 4) for track, _, like in found
    )
    assert all(0 <= fit <= 1 for _, fit, _ in found)
    assert [fit for _, fit, _ in found] == sorted((fit for _, fit, _ in found), reverse=True)


def test_a_mood_has_an_energy_and_a_tempo(soundscape: Soundscape) -> None:
    """Half and double the tempo will do."""
    assert {soundscape.of(each).energy for each, _ in soundscape.in_mood(0.9, None, 20)} == {0.9}  # type: ignore[union-attr]
    assert {soundscape.of(each).tempo_bpm for each, _ in soundscape.in_mood(None, 45, 20)} == {90.0}  # type: ignore[union-attr]
    assert soundscape.in_mood(0.1, 120, 1)[0][1] < 0.1
    assert soundscape.in_mood(None, None, 9) == []


def test_who_is_not_known_is_near_nobody(soundscape: Soundscape) -> None:
    """And neither is anybody in an empty catalog, or a catalog of one."""
    assert soundscape.near([track_id(500)], 9) == []
    assert soundscape.of(track_id(500)) is None
    assert Soundscape(()).near([track_id(1)], 9) == []
    assert Soundscape(()).in_mood(0.5, 100, 9) == []
    alone = Soundscape([sound_row(track_id(1), "a", SOME)])
    assert [each for each, *_ in alone.near([track_id(1)], 9)] == [track_id(1)]


def test_what_is_a_guess_is_not_told(soundscape: Soundscape) -> None:
    """No tempo where the confidence is low."""
    unsure = Soundscape([sound_row(track_id(1), "a", replace(SOME, tempo_confidence=0.0, key=None, mode=None))])
    found = unsure.of(track_id(1))
    assert found is not None and (found.tempo_bpm, found.fifths) == (None, None)
    assert unsure.in_mood(None, 120, 9) == [(track_id(1), 0.0)]


@pytest.mark.parametrize("gone", [[], [0], [1, 50, 99], list(range(100))])
def test_what_changed_is_as_if_it_had_been_so_from_the_start(gone: list[int]) -> None:
    """To the last bit: every node says the same, however it came to know."""
    before = Soundscape(map(row, range(100)))
    again = {7: 8, 120: 120, 3000: 1, 5: 5}  # another sound, and new ones
    rows = [row(sound)._replace(track_id=track_id(number)) for number, sound in again.items()]
    after = before.changed({track_id(number) for number in gone}, rows)
    kept = [row(number) for number in range(100) if number not in {*gone, *again}]
    fresh = Soundscape([*rows, *kept])
    ids = sorted(each.track_id for each in [*rows, *kept])
    assert len(after) == len(fresh) == len(ids)
    assert [after.of(each) for each in ids] == [fresh.of(each) for each in ids]
    assert after.near(ids[:3], 50) == fresh.near(ids[:3], 50)
    assert before.of(track_id(7)) is not None and len(before) == 100


def test_nobody_fills_what_is_near() -> None:
    """However many tracks of an artist are alike, there is room for those of others."""
    mine = [row(5 * number)._replace(artist_id="much") for number in range(100)]
    others = [row(5 * number)._replace(track_id=track_id(number, 9)) for number in range(100)]
    found = Soundscape([*mine, *others]).near([mine[0].track_id], 120)
    much = {each.track_id for each in mine}
    assert len(found) == 120 and sum(each in much for each, *_ in found) == OF_ARTIST_MAX


def test_likeness_is_of_sound_and_of_listeners() -> None:
    """Half each; one alone where the other is not known."""
    one, two, three = tracks(3)
    both = [replace(one, taste=(1.0, 0.0)), replace(one, taste=(0.0, 1.0)), replace(two, vector=(), taste=(1.0, 0.0))]
    alike = likenesses([*both, replace(three, vector=())])
    assert alike[0][1] == pytest.approx(0.5) and alike[0][2] == pytest.approx(1.0) and alike[0][3] == 0
    assert likenesses([]) == []
