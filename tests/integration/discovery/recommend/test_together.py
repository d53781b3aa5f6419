"""Mixes with a model: what is played together is in them, counts as likeness, and says so."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.store import Catalog
from discovery.recommend.current import CurrentModel
from discovery.recommend.files import write_model
from discovery.recommend.plays import gathered
from discovery.recommend.recipe import Kind, Known, TrainSettings
from discovery.recommend.together import ModelTogether
from discovery.recommend.train import train
from discovery.sequence.mixer import Mixer
from discovery.sequence.pool import CatalogCandidates
from discovery.sequence.reasons import Because
from discovery.sequence.sounds import CatalogSounds
from discovery.sequence.wish import Wish
from model.album import artist_id_of
from tests.integration.discovery.recommend.world import NEW, NOW, everybody, filled_catalog, rows
from tests.support.listening import taste_of, track_of

KNOWN = {row.track_id: Known(row.artist) for row in rows()}


@pytest.fixture(scope="module")
def current(tmp_path_factory: pytest.TempPathFactory) -> CurrentModel:
    """A model of what everybody heard, out of its files."""
    folder = tmp_path_factory.mktemp("models")
    made = train(gathered(everybody()), TrainSettings(factors=8), KNOWN)
    write_model(folder, made, made_ms=NOW, kind="blend", facts={})
    found = CurrentModel(folder)
    found.look()
    return found


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    """The world's; nobody knows what its tracks sound like."""
    with Catalog() as made:
        filled_catalog(made)
        yield made


def mixer(catalog: Catalog, current: CurrentModel) -> Mixer:
    """Over both."""
    return Mixer(CatalogCandidates(catalog, CatalogSounds(catalog), lambda: current.together))


def test_a_mix_has_what_is_played_together(catalog: Catalog, current: CurrentModel) -> None:
    """By the same listeners as its seed, who are known to no name and no sound; each says so, and names the seed."""
    seed = track_of(2, 3)
    mix = mixer(catalog, current).mix(Wish(track_ids=(seed,)), 20)
    together = [each for each in mix if each.reasons[0].because is Because.PLAYED_TOGETHER]
    assert len(together) >= 12
    assert sum(taste_of(each.item.track_id) == 2 for each in together) >= 2 / 3 * len(together)  # by chance a quarter
    assert {each.reasons[0].of for each in together} == {seed}
    assert together[0].reasons[0].words == "because you chose Song 2 3: played by the same listeners"


def test_a_mix_of_an_artist_has_what_its_listeners_play(catalog: Catalog, current: CurrentModel) -> None:
    """With the artist's name in the reason."""
    mix = mixer(catalog, current).mix(Wish(artist_ids=(artist_id_of("Artist 1 2"),)), 20)
    together = [each for each in mix if each.reasons[0].because is Because.PLAYED_TOGETHER]
    assert len(together) >= 8 and sum(taste_of(each.item.track_id) == 1 for each in together) >= 2 / 3 * len(together)
    assert together[0].reasons[0].words == "because you chose Artist 1 2: played by the same listeners"


def test_the_same_model_makes_the_same_mix(catalog: Catalog, current: CurrentModel, tmp_path: Path) -> None:
    """Whoever asks, and again after it was written and read; another model makes another, none makes one without it."""
    wish = Wish(track_ids=(track_of(0, 4),))
    mix = mixer(catalog, current).mix(wish, 30)
    assert current.model is not None
    write_model(tmp_path, current.model, made_ms=NOW + 1, kind="blend", facts={})
    again = CurrentModel(tmp_path)
    again.look()
    assert mixer(catalog, again).mix(wish, 30) == mix
    other = ModelTogether(train(gathered(everybody()), TrainSettings(kind=Kind.COSINE), KNOWN))
    by_other = Mixer(CatalogCandidates(catalog, CatalogSounds(catalog), lambda: other)).mix(wish, 30)
    assert by_other != mix and any(each.reasons[0].because is Because.PLAYED_TOGETHER for each in by_other)
    without = Mixer(
        CatalogCandidates(catalog, CatalogSounds(catalog), lambda: CurrentModel(tmp_path / "none").together)
    )
    kinds = {each.reasons[0].because for each in without.mix(wish, 30)}
    assert Because.PLAYED_TOGETHER not in kinds


def test_what_nobody_played_is_played_with_nothing(catalog: Catalog, current: CurrentModel) -> None:
    """Neither by itself nor of others; and it is no error."""
    together = current.together
    assert together is not None
    assert together.near([NEW[0], "x" * 20], 9) == []
    assert together.tastes([NEW[0], "x" * 20]) == {}
    found = dict(together.near([track_of(1, 2)], 500))
    assert found and not {*NEW, track_of(1, 2)} & set(found) and max(found.values()) == 1
    mix = mixer(catalog, current).mix(Wish(track_ids=(NEW[0],)), 10)
    assert mix[0].item.track_id == NEW[0] and len(mix) == 10
