"""When the store fails: the right status, nothing kept, nothing revealed, and health that means it."""

import asyncio
from collections.abc import Callable

import pytest
from aiohttp import web

from model.errors import ObjectNotFound, StorageDenied, StorageUnavailable
from origin.serve import expecting
from origin.state import HEALTH
from storage.keys import current_key, package_key, track_key
from tests.integration.origin.conftest import Running, Start, until
from tests.integration.origin.published import Published, publish, put
from tests.integration.origin.watched_store import WatchedStore

Of = Callable[[Published], str]
RECORDS: tuple[tuple[Of, Of], ...] = (  # the key of a record, and a URL that needs it
    (lambda of: package_key(of.package.recording_id, of.package.package_id, "package.json"),
     lambda of: f"{of.package_base}/aac-64/0.mp4"),
    (lambda of: track_key(of.track_id), lambda of: f"{of.base}/art.jpg"),
    (lambda of: track_key(of.track_id), lambda of: f"{of.base}/index.m3u8"),
    (lambda of: current_key(of.track_id), lambda of: f"{of.base}/package.json"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (StorageUnavailable("no answer", subject="/srv/music/secret"), 503, "storage-unavailable"),
        (StorageDenied("bad key", subject="/srv/music/secret"), 502, "storage-denied"),
        (ZeroDivisionError("/srv/music/secret"), 500, "internal"),
    ],
)
async def test_a_failure_of_the_store_is_answered_and_not_kept(
    origin: Running, track: Published, store: WatchedStore, error: Exception, status: int, code: str
) -> None:
    """Its status, a code and nothing else, no-store, Retry-After; and the next request is a new try."""
    url = f"{track.package_base}/aac-64/0.mp4"
    store.error = error
    for _ in range(2):
        async with origin.client.get(url) as response:
            assert (response.status, await response.json()) == (status, {"error": code})
            assert response.headers["Cache-Control"] == response.headers["CDN-Cache-Control"] == "no-store"
            assert int(response.headers["Retry-After"]) > 0
            assert response.headers["Access-Control-Allow-Origin"] == "*"
    store.error = None
    async with origin.client.get(url) as response:
        assert (response.status, await response.read()) == (200, track.segment_of("aac-64", 0))


async def test_no_class_of_resource_keeps_a_failure(origin: Running, track: Published, store: WatchedStore) -> None:
    """Whatever is asked for of a store that is down: 503 for nobody's cache, with no validators and no purge keys."""
    store.error = StorageUnavailable("down")
    of_track = [f"{track.base}/{name}" for name in ("index.m3u8", "index.mpd", "package.json", "art.jpg")]
    of_package = [f"{track.package_base}/{name}" for name in ("aac-64.m3u8", "aac-64/init.mp4", "aac-64/0.mp4")]
    for url in (*of_track, *of_package, f"{track.package_base}/aac-64.mp4", f"{track.art_base}/640.jpg"):
        for asked in ({}, {"Range": "bytes=0-9"}, {"If-None-Match": "*"}):
            async with origin.client.get(url, headers=asked) as response:
                assert response.status == 503
                assert response.headers["Cache-Control"] == response.headers["CDN-Cache-Control"] == "no-store"
                assert int(response.headers["Retry-After"]) > 0
                assert response.headers["Cache-Status"] == "segue; fwd=uri-miss"
                described = {"ETag", "Last-Modified", "Age", "Surrogate-Key", "Edge-Cache-Tag", "CMSD-Static"}
                assert not described & set(response.headers)


async def test_a_store_that_hangs_meets_the_deadline(start: Start, track: Published, store: WatchedStore) -> None:
    """504 after the deadline; the hung read is ended, not left behind."""
    async with start(store_deadline_s=1.0) as origin:
        store.gate.clear()
        async with origin.client.get(f"{track.base}/index.m3u8") as response:
            assert (response.status, await response.json()) == (504, {"error": "deadline"})
        store.gate.set()
        async with origin.client.get(f"{track.base}/index.m3u8") as response:
            assert response.status == 200


async def test_a_warm_origin_stays_ready_without_its_store(start: Start, track: Published, store: WatchedStore) -> None:
    """What it holds is served while the store is down: an outage takes no origin out, and none is restarted."""
    async with start(pointer_ttl_s=0.0) as origin:
        url = f"{track.package_base}/aac-64/0.mp4"
        async with origin.client.get(url) as response:
            held = await response.read()
        assert await _ready(origin) == (200, {"status": "ready", "store_failing": False})
        store.error = StorageUnavailable("down")
        async with origin.client.get(f"{track.base}/index.m3u8") as response:
            assert response.status == 503
        assert await _ready(origin) == (200, {"status": "ready", "store_failing": True})
        assert await _alive(origin)
        async with origin.client.get(url) as response:
            assert (response.status, await response.read()) == (200, held)
        store.error = None
        async with origin.client.get(f"{track.base}/index.m3u8") as response:
            assert response.status == 200
        assert await _ready(origin) == (200, {"status": "ready", "store_failing": False})


async def test_an_empty_origin_is_not_ready_until_its_store_answers(start: Start, store: WatchedStore) -> None:
    """It has nothing to offer: 503, but alive; and ready by itself once the store is back."""
    store.error = StorageUnavailable("down")
    async with start(probe_every_s=0.05) as origin:
        assert await _ready(origin) == (503, {"status": "store-failing", "store_failing": True})
        assert await _alive(origin)
        store.error = None
        async with asyncio.timeout(50):
            while await _ready(origin) != (200, {"status": "ready", "store_failing": False}):  # noqa: ASYNC110 - a probe is no event
                await asyncio.sleep(0.05)


async def test_readiness_asks_the_store_once_for_all_and_waits_a_little(start: Start, store: WatchedStore) -> None:
    """A hundred probes of a store that hangs: one question, and each has its answer within its time."""
    store.gate.clear()
    async with start(probe_wait_s=0.3) as origin:
        began_s = asyncio.get_running_loop().time()
        said = await asyncio.gather(*(_ready(origin) for _ in range(100)))
        took_s = asyncio.get_running_loop().time() - began_s
        assert {status for status, _ in said} == {503}
        assert 0.3 <= took_s < origin.settings.store_deadline_s  # 8 s: nobody waited for the store
        assert store.heads == 1
        store.gate.set()
        await until(lambda: not origin.app[HEALTH].store_failing)
        assert (await _ready(origin))[0] == 200
        assert store.heads == 1


async def test_an_origin_is_not_ready_before_what_it_expects(start: Start, track: Published) -> None:
    """The list of tracks, say: an empty one would be a lie, and caches in front shall keep none."""

    async def listed(_: web.Request) -> web.Response:
        return web.json_response([])

    async def album(_: web.Request) -> web.Response:
        raise ObjectNotFound("no such album")

    def extend(app: web.Application) -> None:
        app.router.add_get("/api/list", listed)
        app.router.add_get("/albums/any/index.m3u8", album)

    async with start(extend) as origin:
        arrived = expecting(origin.app, "tracks")
        assert await _ready(origin) == (503, {"status": "starting", "store_failing": False})
        assert await _alive(origin)
        assert await _kept(origin, "/api/list", "/api/none") == {200: ("no-store",) * 2, 404: ("no-store",) * 2}
        assert await _kept(origin, "/albums/any/index.m3u8") == {503: ("no-store",) * 2}
        arrived()
        assert (await _ready(origin))[0] == 200
        assert await _kept(origin, "/albums/any/index.m3u8") == {404: ("public, max-age=5", "max-age=5")}
        assert {browser for browser, _ in (await _kept(origin, "/api/list", "/api/none")).values()} == {
            "public, max-age=5"
        }


async def _kept(origin: Running, *paths: str) -> dict[int, tuple[str, str]]:
    """By status, for how long browsers and CDNs may keep an answer."""
    found = {}
    for path in paths:
        async with origin.client.get(path) as response:
            found[response.status] = (response.headers["Cache-Control"], response.headers["CDN-Cache-Control"])
    return found


async def test_a_missing_track_is_no_failure(origin: Running) -> None:
    """404 says nothing of the store's health."""
    async with origin.client.get(f"/tracks/{'a' * 20}/index.m3u8") as response:
        assert (response.status, await response.json()) == (404, {"error": "object-not-found"})
        assert response.headers["Cache-Control"] == "public, max-age=5"
    assert not origin.app[HEALTH].store_failing


@pytest.mark.parametrize("junk", [b"", b"{}", b"[1]", b"\xff", b'{"track_id": 5, "package_id": "x"}'])
async def test_a_damaged_record_is_an_error_and_no_crash(start: Start, store: WatchedStore, junk: bytes) -> None:
    """500 with its code, for a pointer, a report or a package record that is not one."""
    async with start(pointer_ttl_s=0.0, stale_if_error_s=0.0) as origin:
        for key_of, url_of in RECORDS:
            track = await publish(store, "damaged")
            await put(store, key_of(track), junk)
            async with origin.client.get(url_of(track)) as response:
                assert (response.status, await response.json()) == (500, {"error": "record-malformed"})


async def test_records_of_another_track_are_refused(start: Start, store: WatchedStore) -> None:
    """A record in the wrong place must not show one track's music or cover under another's name."""
    async with start(pointer_ttl_s=0.0, stale_if_error_s=0.0) as origin:
        for key_of, url_of in RECORDS:
            one, two = await publish(store, "mixed"), await publish(store, "up", release="Other")
            await put(store, key_of(one), (await store.read(key_of(two))).data)
            async with origin.client.get(url_of(one)) as response:
                assert (response.status, await response.json()) == (500, {"error": "record-malformed"})


async def test_a_track_file_that_is_not_its_packages_is_not_served(origin: Running, store: WatchedStore) -> None:
    """Its tags would lie, for a year: 500 instead, for a segment and for the whole file."""
    track = await publish(store, "swapped")
    key = package_key(track.package.recording_id, track.package.package_id, "aac-64.mp4")
    await put(store, key, bytes(len(track.media["aac-64"])))
    for name in ("aac-64/0.mp4", "aac-64.mp4"):
        async with origin.client.get(f"{track.package_base}/{name}") as response:
            assert (response.status, await response.json()) == (500, {"error": "storage-error"})


async def test_a_failure_amid_a_download_breaks_it_off(start: Start, track: Published, store: WatchedStore) -> None:
    """The length was promised: the connection ends short of it, so no client takes the part for the whole."""
    async with start(read_ahead_bytes=20_000) as origin:
        await origin.client.head(f"{track.package_base}/aac-64.mp4")
        store.error, store.fail_after = StorageUnavailable("down"), 3
        reader, writer = await asyncio.open_connection("127.0.0.1", origin.port)
        writer.write(f"GET {track.package_base}/aac-64.mp4 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        try:
            answer = await reader.read()
        except ConnectionResetError:
            answer = b""
        writer.close()
        assert len(answer) < len(track.media["aac-64"])
        assert answer.count(b"HTTP/1.1") <= 1


async def _ready(origin: Running) -> tuple[int, dict[str, object]]:
    async with origin.client.get("/readyz") as response:
        assert response.headers["Cache-Control"] == "no-store"
        assert ("Retry-After" in response.headers) == (response.status == 503)
        return response.status, await response.json()


async def _alive(origin: Running) -> bool:
    async with origin.client.get("/healthz") as response:
        assert response.headers["Cache-Control"] == "no-store"
        return (response.status, await response.json()) == (200, {"status": "ok"})
