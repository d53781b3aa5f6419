"""What albums, playlists and stations hold, out of the catalog."""

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest

from catalog.listener_database import ListenerDatabase
from catalog.listener_open import open_listeners
from catalog.listeners import Listeners
from catalog.playlists import EntryRow, Playlists
from catalog.schema import TrackRow
from catalog.store import Catalog
from discovery.playlists.library import Library
from model.album import album_id_of
from model.errors import ObjectNotFound
from model.track import digest_of
from segue.track_lists import CatalogLists
from tests.unit.catalog.test_schema import ROW

OWNER = "o" * 20
SLOT_S = 4 * 3600


def row(number: int, **changes: object) -> TrackRow:
    """A live track of an album, three minutes long or so."""
    known = replace(
        ROW, track_id=digest_of("track", str(number), length=20), title=f"Song {number}", artist="Somebody",
        album_artist="", album="Album", track_number=number, disc_number=1, duration_s=150.0 + number % 100,
        package_id="p" * 16, families="aac opus flac", protected=False,
    )  # fmt: skip
    return replace(known, **changes)  # type: ignore[arg-type]


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    """An empty catalog in memory."""
    with Catalog() as opened:
        yield opened


@pytest.fixture
def database() -> Iterator[ListenerDatabase]:
    """With one listener."""
    with open_listeners() as opened:
        with opened.writing() as db:
            db.execute("INSERT INTO listeners VALUES (?, ?, '', 0)", (OWNER, b"key"))
        yield opened


@pytest.fixture
def playlists(database: ListenerDatabase) -> Playlists:
    """Playlists of that one, none yet."""
    return Playlists(database)


@pytest.fixture
def lists(catalog: Catalog, playlists: Playlists) -> CatalogLists:
    """The lists of both."""
    return CatalogLists(catalog, Library(catalog=catalog, playlists=playlists))


async def test_an_album_is_its_live_tracks_in_their_order(catalog: Catalog, lists: CatalogLists) -> None:
    """With names and packages; an album that nobody has is not found."""
    catalog.apply([row(3), row(1), row(2, package_id=None), row(4, album="Other")], [])
    found = await lists.album(album_id_of("Somebody", "Album"))
    assert (found.title, found.artist) == ("Album", "Somebody")
    assert [each.title for each in found.tracks] == ["Song 1", "Song 3"]
    assert found.tracks[0].package_id == "p" * 16
    with pytest.raises(ObjectNotFound):
        await lists.album(album_id_of("Somebody", "Nothing"))


async def test_a_playlist_is_for_everybody_or_not_there(
    catalog: Catalog, playlists: Playlists, lists: CatalogLists
) -> None:
    """Its live tracks, as often as it has them; private ones do not exist for strangers."""
    rows = [row(1), row(2, package_id=None), row(3)]
    catalog.apply(rows, [])
    entries = [EntryRow(track_id=rows[at].track_id) for at in (2, 0, 1, 2)]
    shown = playlists.create(OWNER, name="Mine", public=True, entries=entries)
    hidden = playlists.create(OWNER, name="Secret", entries=entries)
    found = await lists.playlist(shown.playlist_id)
    assert [each.title for each in found.tracks] == ["Song 3", "Song 1", "Song 3"]
    for playlist_id in (hidden.playlist_id, "n" * 20):
        with pytest.raises(ObjectNotFound):
            await lists.playlist(playlist_id)
        with pytest.raises(ObjectNotFound):
            await lists.station(f"playlist-{playlist_id}", 1)
    station = await lists.station(f"playlist-{shown.playlist_id}", 7)
    assert (station.tracks, station.loops, station.title) == (found.tracks, True, "Mine")


async def test_a_mix_is_those_named_tracks_that_are_live(catalog: Catalog, lists: CatalogLists) -> None:
    """In the order in which they are named."""
    catalog.apply([row(1), row(2), replace(row(3), package_id=None, families="")], [])
    found = await lists.mix([row(2).track_id, row(3).track_id, "n" * 20, row(1).track_id])
    assert [each.track_id for each in found.tracks] == [row(2).track_id, row(1).track_id]
    with pytest.raises(ObjectNotFound):
        await lists.mix([row(3).track_id])


async def test_a_private_playlist_is_for_those_who_may_read_it(
    catalog: Catalog, playlists: Playlists, lists: CatalogLists, database: ListenerDatabase
) -> None:
    """Its owner, and whoever was invited for as long as that holds."""
    catalog.apply([row(1)], [])
    listeners = Listeners(database)
    owner, friend, stranger = (listeners.add()[0] for _ in range(3))
    hidden = playlists.create(owner.listener_id, name="Secret", entries=[EntryRow(track_id=row(1).track_id)])
    assert [each.title for each in (await lists.playlist_for(hidden.playlist_id, owner.listener_id)).tracks] == [
        "Song 1"
    ]
    playlists.invite(hidden.playlist_id, owner.listener_id, friend.listener_id)
    assert (await lists.playlist_for(hidden.playlist_id, friend.listener_id)).title == "Secret"
    playlists.part(hidden.playlist_id, owner.listener_id, friend.listener_id)
    for other in (friend, stranger):
        with pytest.raises(ObjectNotFound):
            await lists.playlist_for(hidden.playlist_id, other.listener_id)


async def test_there_are_no_other_stations(lists: CatalogLists) -> None:
    """Whatever they are called; an empty library plays nothing."""
    for station_id in ("nothing", "album-", "track-abc", "album-" + "n" * 20):
        with pytest.raises(ObjectNotFound):
            await lists.station(station_id, 1)
    assert (await lists.station("library", 1)).tracks == ()


async def test_the_library_fills_four_hours_with_tracks_by_chance(catalog: Catalog, lists: CatalogLists) -> None:
    """Others each time, none twice, nor again in the next four hours; everybody gets the same."""
    rows = {each.track_id: each for each in map(row, range(2000))}
    catalog.apply(random.sample(list(rows.values()), len(rows)), [])
    programmes = [[each.track_id for each in (await lists.station("library", slot)).tracks] for slot in range(1, 5)]
    for before, after in pairwise(programmes):
        assert not set(before) & set(after)
    for found in programmes:
        assert len(set(found)) == len(found) > 50
        lengths = [rows[track_id].duration_s for track_id in found]
        assert sum(lengths[:-1]) < SLOT_S <= sum(lengths)
        assert sum(lengths) - SLOT_S < 150  # what the last one loses is little, for it was chosen
    assert [each.track_id for each in (await lists.station("library", 3)).tracks] == programmes[2]


async def test_a_track_that_comes_or_goes_changes_little(catalog: Catalog, lists: CatalogLists) -> None:
    """Of the picks of chance those in its own place; the others stay, in their order."""
    catalog.apply(map(row, range(2000)), [])
    before = [each.track_id for each in (await lists.station("library", 5)).tracks]
    catalog.apply(map(row, range(2000, 2010)), [row(number).track_id for number in range(10)])
    after = [each.track_id for each in (await lists.station("library", 5)).tracks]
    assert len(set(before) & set(after)) > 0.8 * len(before)


async def test_a_small_library_is_played_again(catalog: Catalog, lists: CatalogLists) -> None:
    """All of it once: the station begins anew when it is through. What cannot be joined is not picked."""
    others = [row(7, protected=True), row(8, families="opus"), row(9, duration_s=0.5)]
    catalog.apply([*map(row, range(5)), *others], [])
    found = (await lists.station("library", 1)).tracks
    assert sorted(each.title for each in found) == [f"Song {number}" for number in range(5)]
