"""Stations of mixes, as the origin asks for them."""

from collections.abc import Iterator

import pytest

from catalog.listener_open import open_listeners
from catalog.playlists import Playlists
from catalog.store import Catalog
from discovery.playlists.library import Library
from discovery.sequence.wish import Wish, station_id_of
from model.errors import ObjectNotFound
from model.schedule import SEGMENT_MS, SLOT_SEGMENTS
from segue.track_lists import CatalogLists
from tests.integration.discovery.test_mixer import row, sound
from tests.unit.discovery.sequence.catalogue import track_id


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    """300 tracks, one of them protected, so of no use in a stream that all share."""
    with Catalog() as made:
        rows = [row(number, protected=number == 8) for number in range(300)]
        made.apply(rows, [], {each.track_id: sound(number) for number, each in enumerate(rows)})
        yield made


def _lists(catalog: Catalog) -> CatalogLists:
    """Of a catalog, and no playlists."""
    return CatalogLists(catalog, Library(catalog=catalog, playlists=Playlists(open_listeners())))


async def test_a_mix_station_fills_every_slot(catalog: Catalog) -> None:
    """With live tracks that can be joined, the same ones whoever is asked."""
    station_id = station_id_of(Wish(track_ids=(track_id(3),), artist_ids=()))
    for slot in (5, 6, 7):
        programme = await _lists(catalog).station(station_id, slot)
        assert programme == await _lists(catalog).station(station_id, slot)
        assert not programme.loops
        assert 240 * len(programme.tracks) >= SLOT_SEGMENTS * SEGMENT_MS / 1000
        assert track_id(8) not in {each.track_id for each in programme.tracks}


async def test_what_is_no_station_is_not_found(catalog: Catalog) -> None:
    """Whatever is written into the URL; and a mix of nothing plays nothing."""
    for name in ("mix-", "mix-x", "mix-tzzz", "mixed"):
        with pytest.raises(ObjectNotFound):
            await _lists(catalog).station(name, 1)
    with Catalog() as empty:
        programme = await _lists(empty).station("mix-e50", 1)
    assert programme.tracks == ()
