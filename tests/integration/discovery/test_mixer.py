"""Mixes out of a catalog: by sound, by names, by mood, by chance; and stations that every node makes alike."""

import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest

from catalog.schema import TrackRow
from catalog.store import Catalog
from discovery.sequence.mixer import Mixer
from discovery.sequence.pool import CatalogCandidates
from discovery.sequence.reasons import Because
from discovery.sequence.sounds import CatalogSounds
from discovery.sequence.wish import Wish
from model.album import artist_id_of
from model.features import Features
from model.track import derived_id
from tests.unit.discovery.sequence.catalogue import track_id
from tests.unit.discovery.sequence.test_soundscape import features

KINDS = 5


def row(number: int, **changes: object) -> TrackRow:
    """A live track of 4 minutes; every twentieth is by the same artist."""
    made = TrackRow(
        track_id=track_id(number), ingest_version="1", current_version="1", recording_id=track_id(number, 2),
        package_id=derived_id("p", str(number)), art_id=derived_id("art"), title=f"Song {number}",
        artist=f"Artist {number % 20}", album=f"Album {number % 40}", album_artist="", track_number=None,
        disc_number=None, duration_s=240.0, level_lufs=-14.0, families="aac", protected=False,
        genres=("Dub",) if number % 4 == 0 else (),
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]  # of many types


def sound(number: int) -> Features:
    """Five kinds of sounds."""
    return features(number % KINDS, number)


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    """200 tracks; the last is not live."""
    with Catalog() as made:
        rows = [row(number) for number in range(199)] + [row(199, package_id=None, current_version=None, families="")]
        made.apply(rows, [], {each.track_id: sound(number) for number, each in enumerate(rows)})
        yield made


@pytest.fixture
def mixer(catalog: Catalog) -> Mixer:
    """Over that catalog."""
    return Mixer(CatalogCandidates(catalog, CatalogSounds(catalog)))


def kinds(ids: list[str]) -> list[int]:
    """Of which kind of sound they are."""
    places = {track_id(number): number for number in range(200)}
    return [places[each] % KINDS for each in ids]


def test_a_mix_of_a_track_sounds_like_it(mixer: Mixer) -> None:
    """It begins with the track; most others are of its kind, and say so."""
    mix = mixer.mix(Wish(track_ids=(track_id(3),)), 20)
    ids = [each.item.track_id for each in mix]
    assert ids[0] == track_id(3) and len(ids) == 20
    assert kinds(ids).count(3) >= 15
    assert mix[0].reasons[0].because is Because.CHOSEN
    assert {each.reasons[0].because for each in mix[1:]} <= {Because.SIMILAR_SOUND, Because.SAME_ARTIST}
    similar = next(each for each in mix if each.reasons[0].because is Because.SIMILAR_SOUND)
    assert similar.reasons[0].words == "because you chose Song 3: similar sound"


def test_a_mix_of_an_artist_has_the_artist_and_its_like(mixer: Mixer) -> None:
    """But no more than a quarter of it is by the artist."""
    mix = mixer.mix(Wish(artist_ids=(artist_id_of("artist 7"),)), 20)
    by = [each.item.artist for each in mix]
    assert 1 <= by.count("Artist 7") <= 5
    assert kinds([each.item.track_id for each in mix]).count(2) >= 12


def test_a_genre_and_a_mood_narrow_each_other(mixer: Mixer) -> None:
    """Only what is of the genre, and of about the energy."""
    mix = mixer.mix(Wish(genres=("dub",)), 20)
    assert all(each.item.genres == ("Dub",) for each in mix)
    calm = mixer.mix(Wish(genres=("Dub",), energy=0.1), 9)
    assert calm and all(each.item.genres == ("Dub",) and (each.item.energy or 1) <= 0.3 for each in calm)
    moody = mixer.mix(Wish(energy=0.9, tempo_bpm=120), 20)
    assert len(moody) == 20 and set(kinds([each.item.track_id for each in moody])) == {4}
    assert {each.reasons[0].because for each in moody} == {Because.MOOD}


def test_nothing_asked_for_is_the_library_by_chance(mixer: Mixer) -> None:
    """As many as there are wanted."""
    mix = mixer.mix(Wish(), 50)
    assert len(mix) == 50 and len({each.item.artist for each in mix}) == 20


def test_what_is_not_there_is_no_error(mixer: Mixer) -> None:
    """Unknown seeds leave the library; what is not live is not played."""
    assert len(mixer.mix(Wish(track_ids=(track_id(999), track_id(199))), 10)) == 10
    ids = {each.item.track_id for each in mixer.mix(Wish(), 200)}
    assert track_id(199) not in ids
    with Catalog() as empty:
        nothing = Mixer(CatalogCandidates(empty, CatalogSounds(empty)))
        assert nothing.mix(Wish(), 10) == []
        assert nothing.programme(Wish(energy=0.5), 3, 1000.0) == []


def test_tracks_without_features_are_found_by_their_names() -> None:
    """A library that nobody has listened to yet still has mixes."""
    with Catalog() as catalog:
        catalog.apply([row(number) for number in range(100)], [])
        mix = Mixer(CatalogCandidates(catalog, CatalogSounds(catalog))).mix(Wish(track_ids=(track_id(4),)), 12)
    assert [each.item.artist for each in mix].count("Artist 4") == 3
    assert sum(each.item.genres == ("Dub",) for each in mix) >= 8


def test_every_node_makes_the_same_station(catalog: Catalog) -> None:
    """Period after period, from its name and the clock; nothing of a period comes in the next."""
    wish = Wish(track_ids=(track_id(3),))
    one, other = (Mixer(CatalogCandidates(catalog, CatalogSounds(catalog))) for _ in range(2))
    periods = [one.programme(wish, number, 3600.0) for number in range(6)]
    assert periods == [other.programme(wish, number, 3600.0) for number in range(6)]
    for before, after in itertools.pairwise(periods):
        assert not {each.track_id for each in before} & {each.track_id for each in after}
    assert all(sum(each.duration_s for each in period) >= 3600 for period in periods)


def test_what_changes_in_the_catalog_is_taken_up_at_the_next_look(catalog: Catalog) -> None:
    """New sounds, others, and what is gone; without reading all that stayed."""
    sounds = CatalogSounds(catalog)
    before = sounds.now()
    catalog.apply([row(300)], [track_id(0)], {track_id(300): sound(3), track_id(5): sound(1)})
    catalog.apply([row(1, package_id=None, current_version=None, families="")], [])
    assert sounds.now() is before
    sounds.look()
    after = sounds.now()
    fresh = CatalogSounds(catalog).now()
    ids = [track_id(number) for number in (*range(200), 300)]
    assert [after.of(each) for each in ids] == [fresh.of(each) for each in ids]
    assert after.of(track_id(0)) is None and after.of(track_id(1)) is None and after.of(track_id(300)) is not None
    sounds.look()
    assert sounds.now() is after


def test_a_mix_has_enough_of_others_where_one_artist_has_most_that_is_near() -> None:
    """And so all its artists can be kept apart."""
    with Catalog() as catalog:
        many = [replace(row(number), artist="Most") for number in range(600)]
        others = [row(number) for number in range(600, 1200)]
        made = [*many, *others]
        catalog.apply(made, [], {each.track_id: features(1, number) for number, each in enumerate(made)})
        mix = Mixer(CatalogCandidates(catalog, CatalogSounds(catalog))).mix(Wish(track_ids=(track_id(0),)), 50)
    places = [place for place, each in enumerate(mix) if each.item.artist == "Most"]
    assert len(mix) == 50 and all(later - one >= 4 for one, later in itertools.pairwise(places))
