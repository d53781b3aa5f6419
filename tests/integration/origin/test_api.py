"""The list of live tracks over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from catalog.listener_database import ListenerDatabase
from catalog.listeners import Listeners
from catalog.store import Catalog
from discovery.frame import Frame
from discovery.library import Library
from discovery.rates import Rates
from discovery.web import DiscoverySettings, add_routes
from model.errors import StorageUnavailable
from model.protection import Protection, ProtectionMethod
from model.records import to_json
from protection.keys import MasterKey
from storage.filesystem import FilesystemStore
from storage.keys import current_key, package_key, track_key
from tests.integration.origin.conftest import Running, Start
from tests.integration.origin.published import publish, put
from tests.integration.origin.watched_store import WatchedStore
from tests.unit.catalog.test_schema import ROW

Listing = Callable[[], AbstractAsyncContextManager[Running]]
INTERVAL_S = 0.05


@pytest.fixture
def files(tmp_path: Path) -> FilesystemStore:
    """A store with no tracks but this test's."""
    return FilesystemStore(tmp_path / "store")


@pytest.fixture
def listing(start: Start, store: WatchedStore, catalog: Catalog, listeners: ListenerDatabase) -> Listing:
    """Start an origin with the API, whose catalog follows the store closely."""

    @asynccontextmanager
    async def starting() -> AsyncIterator[Running]:
        settings = DiscoverySettings(sync_interval_s=INTERVAL_S)
        async with start(
            lambda app: add_routes(app, catalog=catalog, listeners=listeners, store=store, settings=settings)
        ) as running:
            yield running

    return starting


async def test_an_artist_is_its_albums_and_tracks(listing: Listing, store: WatchedStore) -> None:
    """By its name, however that is written; one that nobody has is not there."""
    track = await publish(store, "one")
    async with listing() as origin:
        answer = await _get(origin, "/api/v1/artists/named?artist=sOMEBODY")
        assert answer["artist"] == "Somebody"
        assert [each["track_id"] for each in answer["tracks"]] == [track.track_id]
        (album,) = answer["albums"]
        assert (await _get(origin, f"/api/v1/albums/{album['album_id']}"))["album"] == "Album"
        async with origin.client.get("/api/v1/artists/named?artist=Nobody") as response:
            assert response.status == 404


async def test_genres_are_counted_in_all_of_the_catalog(
    start: Start, catalog: Catalog, listeners: ListenerDatabase
) -> None:
    """The most frequent first, a page at a time; what changes is counted anew. (No store is followed here.)"""
    rows = [
        replace(ROW, track_id=f"{letter}" * 20, album=f"Album {letter}", genres=genres)
        for letter, genres in (("a", ("Jazz",)), ("b", ("jazz", "Rock")), ("c", ("Folk", "Rock")), ("d", ("Rock",)))
    ]
    frame = Frame(Listeners(listeners), Rates(0.0))
    async with start(lambda app: frame.add(app, Library(catalog).served)) as origin:
        await asyncio.to_thread(catalog.apply, rows[:3], [])
        answer = await _get(origin, "/api/v1/genres?limit=2")
        assert answer["genres"][0] == {"genre": "Jazz", "tracks_total": 2, "albums_total": 2}
        assert ([each["genre"] for each in answer["genres"]], answer["total"]) == (["Jazz", "Rock"], 3)
        assert [each["genre"] for each in (await _get(origin, "/api/v1/genres?offset=2"))["genres"]] == ["Folk"]
        await asyncio.to_thread(catalog.apply, rows[3:], [])
        assert (await _get(origin, "/api/v1/genres?limit=1"))["genres"][0]["genre"] == "Rock"


async def test_a_live_track_is_listed_with_all_a_player_needs(listing: Listing, store: WatchedStore) -> None:
    """As soon as the origin is ready, with URLs that answer."""
    track = await publish(store, "one")
    async with listing() as origin:
        answer = await _get(origin, "/api/v1/tracks")
        base = track.base
        assert answer == {
            "total": 1,
            "tracks": [
                {
                    "track_id": track.track_id,
                    "recording_id": track.package.recording_id,
                    "package_id": track.package.package_id,
                    "title": "Song one",
                    "artist": "Somebody",
                    "album": "Album",
                    "track_number": 1,
                    "disc_number": None,
                    "year": None,
                    "genres": [],
                    "duration_s": pytest.approx(track.package.media_samples / 48_000),
                    "level_lufs": -14.0,
                    "playlists": {
                        "aac": f"{base}/index.m3u8",
                        "opus": f"{base}/opus.m3u8",
                        "lossless": f"{base}/lossless.m3u8",
                    },
                    "mpd": f"{base}/index.mpd",
                    "protected": False,
                    "art": f"{track.art_base}/640.jpg",
                    "art_sizes": {str(side): f"{track.art_base}/{side}.jpg" for side in (160, 640, 1280)},
                }
            ],
        }
        playlists = answer["tracks"][0]["playlists"].values()
        for url in (*playlists, f"{base}/index.mpd", *(f"{track.art_base}/{side}.jpg" for side in track.art)):
            async with origin.client.get(url) as response:
                assert response.status == 200


async def test_a_family_that_a_track_lacks_is_not_listed(listing: Listing, store: WatchedStore) -> None:
    """A master that was not lossless has no lossless playlist."""
    track = await publish(store, "one")
    lossy = replace(track.package, renditions=track.package.renditions[:2])
    key = package_key(lossy.recording_id, lossy.package_id, "package.json")
    await put(store, key, to_json(lossy))
    async with listing() as origin:
        (listed,) = (await _get(origin, "/api/v1/tracks"))["tracks"]
        assert listed["playlists"] == {"aac": f"{track.base}/index.m3u8"}


async def test_a_protected_track_is_listed_as_what_it_is(listing: Listing, store: WatchedStore) -> None:
    """It has no DASH presentation, so none is named."""
    master = MasterKey(bytes(32))
    protection = Protection(
        method=ProtectionMethod.AES_128, key_set=master.key_set, key_id=master.key_id_of("00" * 32), rotation_segments=0
    )
    track = await publish(store, "one", protection=protection)
    async with listing() as origin:
        (listed,) = (await _get(origin, "/api/v1/tracks"))["tracks"]
        assert (listed["protected"], listed["mpd"]) == (True, None)
        async with origin.client.get(f"{track.base}/index.mpd") as response:
            assert response.status == 404


async def test_pages_are_slices_of_one_order(listing: Listing, store: WatchedStore) -> None:
    """Any offset and limit give that slice; past the end there is nothing; total counts all."""
    for name in "cab":
        await publish(store, name)
    async with listing() as origin:
        everything = await _get(origin, "/api/v1/tracks")
        titles = [track["title"] for track in everything["tracks"]]
        assert titles == ["Song a", "Song b", "Song c"]
        for offset, limit in ((0, 2), (1, 1), (2, 5), (3, 1)):
            page = await _get(origin, f"/api/v1/tracks?offset={offset}&limit={limit}")
            assert [track["title"] for track in page["tracks"]] == titles[offset : offset + limit]
            assert page["total"] == 3


async def test_the_list_follows_the_store(listing: Listing, store: WatchedStore) -> None:
    """What is published or taken down while the origin runs shows by itself."""
    async with listing() as origin:
        assert (await _get(origin, "/api/v1/tracks"))["total"] == 0
        track = await publish(store, "late")
        await _until_total(origin, 1)
        await store.delete(current_key(track.track_id))
        await _until_total(origin, 0)


async def test_a_changed_tag_alone_shows(listing: Listing, store: WatchedStore) -> None:
    """A new `track.json` is enough; the package stays the one it was."""
    track = await publish(store, "one")
    async with listing() as origin:
        renamed = replace(track.track, tags=replace(track.track.tags, title="Renamed"))
        await put(store, track_key(track.track_id), to_json(renamed))
        await _until(origin, lambda answer: answer["tracks"][0]["title"] == "Renamed")
        (listed,) = (await _get(origin, "/api/v1/tracks"))["tracks"]
        assert listed["package_id"] == track.package.package_id


async def test_a_store_that_fails_does_not_stop_the_start(
    listing: Listing, store: WatchedStore, caplog: pytest.LogCaptureFixture
) -> None:
    """The origin comes up, warns, and lists what there is once the store answers."""
    await publish(store, "one")
    store.error = StorageUnavailable("down")
    async with listing() as origin:
        assert (await _get(origin, "/api/v1/tracks"))["total"] == 0
        assert any(record.levelname == "WARNING" for record in caplog.records)
        store.error = None
        await _until_total(origin, 1)


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=501", "limit=-1", "limit=1.5", "limit=", "limit=x", "limit=٣", "limit=1&limit=2",
     "offset=-1", "offset=10000001", "offset=" + "9" * 5000, "offset=0x10", "offset=%00"],
)  # fmt: skip
async def test_queries_are_checked(listing: Listing, query: str) -> None:
    """400 with a code for anything but whole numbers in range; never a 500, never kept."""
    async with listing() as origin, origin.client.get(f"/api/v1/tracks?{query}") as response:
        assert (response.status, (await response.json())["error"]) == (400, "query-invalid")
        assert response.headers["Cache-Control"] == "no-store"


async def test_an_unchanged_list_is_not_sent_again(listing: Listing, store: WatchedStore) -> None:
    """304 for a known tag; a new track makes a new tag."""
    await publish(store, "one")
    async with listing() as origin:
        async with origin.client.get("/api/v1/tracks") as response:
            tag = {"If-None-Match": response.headers["ETag"]}
        async with origin.client.get("/api/v1/tracks", headers=tag) as response:
            assert response.status == 304
        await publish(store, "two")
        await _until_total(origin, 2)
        async with origin.client.get("/api/v1/tracks", headers=tag) as response:
            assert response.status == 200


async def test_the_follower_ends_with_the_origin(listing: Listing, store: WatchedStore) -> None:
    """Nothing reads the store after the end."""
    async with listing():
        pass
    await publish(store, "after")
    await asyncio.sleep(3 * INTERVAL_S)
    assert store.reads.total() == 0


async def _get(origin: Running, path: str) -> dict[str, Any]:
    async with origin.client.get(path, headers={"Accept-Encoding": "identity"}) as response:
        assert response.status == 200
        found: dict[str, Any] = await response.json()
        return found


async def _until_total(origin: Running, total: int) -> None:
    await _until(origin, lambda answer: answer["total"] == total)


async def _until(origin: Running, condition: Callable[[dict[str, Any]], bool]) -> None:
    for _ in range(400):
        if condition(await _get(origin, "/api/v1/tracks")):
            return
        await asyncio.sleep(INTERVAL_S)
    raise AssertionError("the list never became so")
