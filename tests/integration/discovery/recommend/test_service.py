"""What is recommended: with a model, without one, and with nothing at all."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.listener_database import ListenerDatabase
from catalog.listener_open import open_listeners
from catalog.plays import Plays
from catalog.store import Catalog
from discovery.recommend.alike import ARTIST_MAX
from discovery.recommend.current import CurrentModel
from discovery.recommend.files import write_model
from discovery.recommend.plays import gathered
from discovery.recommend.recipe import Known, TrainSettings
from discovery.recommend.service import SHELF, Recommender, ShelfKind
from discovery.recommend.train import train
from model.errors import TrackUnknown
from tests.integration.discovery.recommend.world import ANN, NEW, add_plays, everybody, filled_catalog, of_ann, rows
from tests.support.listening import taste_of, track_of


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of what everybody heard."""
    folder = tmp_path_factory.mktemp("models")
    known = {row.track_id: Known(row.artist) for row in rows()}
    write_model(folder, train(gathered(everybody()), TrainSettings(factors=16), known), made_ms=1, kind="x", facts={})
    return folder


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    """All tracks."""
    with Catalog() as opened:
        filled_catalog(opened)
        yield opened


@pytest.fixture
def database() -> Iterator[ListenerDatabase]:
    """What everybody heard."""
    with open_listeners() as opened:
        add_plays(opened, everybody())
        yield opened


def recommender(catalog: Catalog, database: ListenerDatabase, models: Path | None) -> Recommender:
    made = Recommender(catalog, Plays(database), CurrentModel(models) if models else None)
    made.look()
    return made


def test_a_listener_is_given_its_taste_and_told_why(catalog: Catalog, database: ListenerDatabase, models: Path) -> None:
    add_plays(database, of_ann(2, 6))
    found = recommender(catalog, database, models).for_listener(ANN, 10)
    assert len(found) == 10
    assert sum(taste_of(each.track.track_id) == 2 for each in found if each.track.track_id not in NEW) >= 9
    heard = {track for _, track, *_ in of_ann(2, 6)}
    assert not heard & {each.track.track_id for each in found}
    reasons = {because.track_id for each in found for because in each.because}
    assert reasons and reasons <= heard
    artists = [each.track.artist for each in found]
    assert max(map(artists.count, artists)) <= ARTIST_MAX


def test_what_was_heard_comes_where_it_is_wanted_and_what_was_skipped_never(
    catalog: Catalog, database: ListenerDatabase, models: Path
) -> None:
    add_plays(database, of_ann(2, 6), skipped=[track_of(2, 9)])
    made = recommender(catalog, database, models)
    everything = [each.track.track_id for each in made.for_listener(ANN, 100, seen=True)]
    assert track_of(2, 3) in everything and track_of(2, 9) not in everything
    assert track_of(2, 9) not in [each.track.track_id for each in made.for_listener(ANN, 100)]


def test_who_heard_nothing_gets_what_everybody_plays(
    catalog: Catalog, database: ListenerDatabase, models: Path
) -> None:
    found = recommender(catalog, database, models).for_listener(ANN, 5)
    assert found[0].track.track_id == track_of(0, 0)


@pytest.mark.parametrize("trained", [True, False])
def test_a_list_is_as_long_as_the_catalog_allows(
    catalog: Catalog, database: ListenerDatabase, models: Path, trained: bool
) -> None:
    """What no model knows of comes, too, in the end."""
    made = recommender(catalog, database, models if trained else None)
    found = [each.track.track_id for each in made.for_listener(ANN, 500)]
    assert sorted(found) == sorted(row.track_id for row in rows())


def test_without_a_model_the_popular_is_recommended(catalog: Catalog, database: ListenerDatabase) -> None:
    add_plays(database, of_ann(2, 6))
    made = recommender(catalog, database, None)
    assert made.for_listener(ANN, 5)[0].track.track_id == track_of(0, 0)
    kinds = [shelf.kind for shelf in made.home(ANN)]
    assert {ShelfKind.FOR_YOU, ShelfKind.RECENT, ShelfKind.NEW, ShelfKind.POPULAR} <= set(kinds)


def test_a_service_without_plays_shows_what_is_new(catalog: Catalog) -> None:
    with open_listeners() as nobody:
        made = recommender(catalog, nobody, None)
        assert {each.track.track_id for each in made.for_listener(ANN, 2)} == set(NEW)
        assert [shelf.kind for shelf in made.home("")] == [ShelfKind.NEW, ShelfKind.POPULAR]
        assert len(made.similar(track_of(1, 1), 7)) == 7
        assert "Newcomer" in made.similar_artists("Artist 1 1", 5)


def test_an_empty_service_answers_with_nothing() -> None:
    with open_listeners() as nobody, Catalog() as nothing:
        made = recommender(nothing, nobody, None)
        assert (made.for_listener(ANN, 5), made.home(ANN), made.similar_artists("X", 5)) == ([], (), [])


def test_similar_tracks_are_of_one_taste(catalog: Catalog, database: ListenerDatabase, models: Path) -> None:
    made = recommender(catalog, database, models)
    found = made.similar(track_of(3, 4), 8)
    assert [taste_of(row.track_id) for row in found].count(3) >= 7
    assert track_of(3, 4) not in [row.track_id for row in found]
    assert made.similar(NEW[0], 5)[0].track_id == NEW[1]  # nobody played it: by its artist
    with pytest.raises(TrackUnknown):
        made.similar("z" * 20, 5)


def test_similar_artists_are_of_one_taste(catalog: Catalog, database: ListenerDatabase, models: Path) -> None:
    found = recommender(catalog, database, models).similar_artists("Artist 1 2", 4)
    assert [name for name in found if name.startswith("Artist 1 ")] and "Artist 1 2" not in found
    assert sum(name.startswith("Artist 1 ") for name in found) >= 3


def test_tracks_that_vanished_are_shown_nowhere(catalog: Catalog, database: ListenerDatabase, models: Path) -> None:
    add_plays(database, of_ann(2, 6))
    made = recommender(catalog, database, models)
    gone = {each.track.track_id for each in made.for_listener(ANN, 5)} | {track_of(2, 6), track_of(0, 0)}
    catalog.apply([], gone)
    shown = {each.track.track_id for shelf in made.home(ANN) for each in shelf.tracks}
    shown |= {each.track.track_id for each in made.for_listener(ANN, 50, seen=True)}
    assert shown and not shown & gone


def test_a_home_page_has_a_mix_for_each_taste(catalog: Catalog, database: ListenerDatabase, models: Path) -> None:
    add_plays(database, [*of_ann(1, 6), *of_ann(3, 6)])
    page = recommender(catalog, database, models).home(ANN)
    mixes = [shelf for shelf in page if shelf.kind is ShelfKind.MIX]
    tastes = [[taste_of(each.track.track_id) for each in mix.tracks] for mix in mixes]
    assert {max(set(each), key=each.count) for each in tastes} == {1, 3}
    assert all(mix.about and len(mix.tracks) == SHELF for mix in mixes)
    recent = next(shelf for shelf in page if shelf.kind is ShelfKind.RECENT)
    assert {each.track.track_id for each in recent.tracks[:2]} == {track_of(1, 6), track_of(3, 6)}
    because = [shelf for shelf in page if shelf.kind is ShelfKind.BECAUSE]
    assert len(because) == 2 and because[0].about[1].startswith("Artist")
    new = next(shelf for shelf in page if shelf.kind is ShelfKind.NEW)
    heard = {track for _, track, *_ in [*of_ann(1, 6), *of_ann(3, 6)]}
    assert not heard & {each.track.track_id for each in new.tracks}
    artists = next(shelf for shelf in page if shelf.kind is ShelfKind.ARTISTS)
    assert artists.about[0] not in artists.artists and artists.artists


def test_a_home_page_is_kept_until_what_it_is_made_of_changes(
    catalog: Catalog, database: ListenerDatabase, models: Path
) -> None:
    add_plays(database, of_ann(2, 6))
    made = recommender(catalog, database, models)
    page = made.home(ANN)
    assert made.home(ANN) is page
    add_plays(database, of_ann(1, 6))
    played = made.home(ANN)
    assert played != page
    gone = played[0].tracks[0].track.track_id
    catalog.apply([], {gone})
    assert gone not in {each.track.track_id for shelf in made.home(ANN) for each in shelf.tracks}
    Plays(database).withdraw(ANN)
    assert {shelf.kind for shelf in made.home(ANN)} == {ShelfKind.NEW, ShelfKind.POPULAR}


def test_a_home_page_is_made_anew_with_a_new_model(
    catalog: Catalog, database: ListenerDatabase, tmp_path: Path
) -> None:
    """Also where it says much the same."""
    known = {row.track_id: Known(row.artist) for row in rows()}
    model = train(gathered(everybody()), TrainSettings(factors=16), known)
    write_model(tmp_path, model, made_ms=1, kind="x", facts={})
    add_plays(database, of_ann(2, 6))
    made = recommender(catalog, database, tmp_path)
    page = made.home(ANN)
    write_model(tmp_path, model, made_ms=2, kind="x", facts={})
    made.look()
    assert made.home(ANN) is not page
    assert made.home(ANN) == page


def test_what_is_made_ready_before_somebody_asks_changes_no_page(
    catalog: Catalog, database: ListenerDatabase, models: Path
) -> None:
    add_plays(database, of_ann(2, 6))
    ready, other = (recommender(catalog, database, models) for _ in range(2))
    while ready.fill():
        pass
    page = ready.home(ANN)
    assert page == other.home(ANN)
    gone = {each.track.track_id for shelf in page if shelf.kind is ShelfKind.BECAUSE for each in shelf.tracks}
    catalog.apply([], gone)
    assert not ready.fill()
    assert gone and ready.home(ANN) == other.home(ANN) != page


def test_a_listener_who_withdrew_is_a_stranger(catalog: Catalog, database: ListenerDatabase, models: Path) -> None:
    add_plays(database, of_ann(2, 6))
    Plays(database).withdraw(ANN)
    made = recommender(catalog, database, models)
    assert {shelf.kind for shelf in made.home(ANN)} == {ShelfKind.NEW, ShelfKind.POPULAR}
    assert ANN not in {listener for listener, *_ in Plays(database).all_plays()}
