"""The tiers over a real S3 server whose connections are cut, delayed, refused and hung: what listeners get."""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from origin.blocks import GUESS
from origin.metrics_table import CACHE_REQUESTS, COALESCED_WAITS, Cache, Tier
from origin.state import METRICS
from scripts.s3_server import S3Server
from storage.retry import RetryPolicy
from storage.s3 import S3Store
from storage.s3_limits import S3Limits
from tests.integration.origin.conftest import Running, Start, until
from tests.integration.origin.published import Published, publish
from tests.integration.origin.watched_store import WatchedStore
from tests.support.faulty_proxy import FaultyProxy, faulty_proxy

LIMITS = S3Limits(retry=RetryPolicy(attempts=2, total_s=30.0, first_pause_s=0.01, pause_max_s=0.02))


@pytest.fixture
async def proxy(s3_server: S3Server) -> AsyncIterator[FaultyProxy]:
    """What stands between the origin and the server."""
    async with faulty_proxy(s3_server.endpoint) as made:
        yield made


@pytest.fixture
async def store(s3_server: S3Server, proxy: FaultyProxy) -> AsyncIterator[WatchedStore]:
    """A store of one's own on the server, reached through the proxy. The origin of `start` stands on it."""
    address = replace(s3_server, endpoint=proxy.endpoint).address(f"tiers/{uuid.uuid4().hex}")
    made = S3Store(address, s3_server.writer, limits=LIMITS)
    yield WatchedStore(made)
    await made.close()


@pytest.fixture
async def track(store: WatchedStore) -> Published:
    """A track of half a minute."""
    return await publish(store, uuid.uuid4().hex)


@pytest.fixture
async def known(start: Start, track: Published) -> AsyncIterator[Running]:
    """An origin that has the records of the track in memory, and none of its media."""
    async with start(pointer_ttl_s=0.2, stale_wait_s=0.3, stale_retry_s=0.2, store_deadline_s=20.0) as origin:
        async with origin.client.get(f"{track.base}/index.m3u8") as response:
            assert response.status == 200
        yield origin


async def test_the_first_byte_does_not_wait_for_the_last(known: Running, track: Published, proxy: FaultyProxy) -> None:
    """The answer begins while most of the segment has not yet left the store, and is whole in the end."""
    proxy.delay_s, before = 0.1, proxy.answered_bytes
    async with known.client.get(f"{track.package_base}/aac-256/7.mp4") as response:
        first = await response.content.readany()
        segment = track.segment_of("aac-256", 7)
        assert first and proxy.answered_bytes - before < len(segment) / 2
        assert response.headers["Cache-Status"] == "segue; fwd=uri-miss; stored"
        assert response.headers["Content-Length"] == str(len(segment))
        proxy.heal()
        assert first + await response.read() == segment


async def test_the_store_is_asked_while_the_request_is_on_its_way(
    known: Running, track: Published, store: WatchedStore
) -> None:
    """On a connection that is kept, before the application hears of the request; it is that request's read, and no
    other."""
    store.reads.clear()
    store.hastened = 0
    for number in (3, 6):
        async with known.client.get(f"{track.package_base}/aac-64/{number}.mp4") as response:
            assert response.headers["Cache-Status"] == "segue; fwd=uri-miss; stored"
            assert await response.read() == track.segment_of("aac-64", number)
    assert (store.reads.total(), store.hastened) == (2, 2)
    assert known.app[METRICS].value(COALESCED_WAITS) == 0


@pytest.mark.parametrize("rendition_id", ["aac-64", "flac"])
async def test_the_start_is_read_beside_the_record(
    start: Start, track: Published, store: WatchedStore, rendition_id: str
) -> None:
    """Of a track that nothing is known of, the first 256 KiB are asked for with the record; and of FLAC, which lies
    elsewhere, the first segment once the record says where."""
    other = await publish(store, uuid.uuid4().hex)
    async with start() as origin:
        await asyncio.gather(*(_get(origin, f"{other.package_base}/{name}/7.mp4") for name in ("aac-256", "flac")))
        store.ranges.clear()
        store.hastened = 0
        assert await _get(origin, f"{track.package_base}/{rendition_id}/0.mp4") == track.segment_of(rendition_id, 0)
        assert store.hastened >= 2 and store.ranges[0] is None
        assert (store.ranges[1:] == [GUESS]) == (rendition_id == "aac-64")
        assert await _get(origin, f"{track.package_base}/{rendition_id}/1.mp4") == track.segment_of(rendition_id, 1)
        assert len(store.ranges) == (2 if rendition_id == "aac-64" else 3)


@pytest.mark.parametrize(("breaks_after", "goes_on_at"), [(400, 1_000), (60_000, 60_000), (200_000, None)])
async def test_a_start_that_breaks_off_is_taken_up_again(
    start: Start, track: Published, store: WatchedStore, breaks_after: int, goes_on_at: int | None
) -> None:
    """Before the first segment, and amid those after it, it goes on where it ended; not for what was only guessed."""
    other = await publish(store, uuid.uuid4().hex)
    async with start() as origin:
        await asyncio.gather(*(_get(origin, f"{other.package_base}/{name}/7.mp4") for name in ("aac-256", "flac")))
        store.ranges.clear()
        store.breaks_after = breaks_after
        assert await _get(origin, f"{track.package_base}/aac-256/0.mp4") == track.segment_of("aac-256", 0)
        assert await _get(origin, f"{track.package_base}/aac-256/1.mp4") == track.segment_of("aac-256", 1)
        await until(lambda: store.breaks_after is None)
        assert store.ranges[:2] == [None, GUESS]
        again = [each.start for each in store.ranges[2:] if each is not None]
        assert again == ([] if goes_on_at is None else [goes_on_at])


async def test_many_follow_one_read_as_it_comes(
    known: Running, track: Published, proxy: FaultyProxy, store: WatchedStore
) -> None:
    """One who asks first, and fifty who come while it is under way: one read, each gets every byte; the first may
    leave."""
    store.reads.clear()
    proxy.delay_s = 0.02
    url, segment = f"{track.package_base}/aac-256/7.mp4", track.segment_of("aac-256", 7)

    async def body() -> tuple[str, bytes]:
        async with known.client.get(url) as response:
            return response.headers["Cache-Status"], await response.read()

    async with known.client.get(url) as first:
        await first.content.readany()
        proxy.hanging = True
        others = [asyncio.create_task(body()) for _ in range(50)]
        await until(lambda: known.app[METRICS].value(COALESCED_WAITS) >= 50)
        first.close()
        proxy.heal()
    answers = await asyncio.gather(*others)
    assert {data for _, data in answers} == {segment}
    assert "segue; fwd=uri-miss; stored; collapsed" in {told for told, _ in answers}
    assert store.reads.total() == 1


@pytest.mark.parametrize("gently", [True, False])
async def test_a_read_that_breaks_off_is_taken_up_again(
    known: Running, track: Published, proxy: FaultyProxy, store: WatchedStore, gently: bool
) -> None:
    """The connection to the store ends amid a segment: nobody in front of the origin sees anything of it."""
    store.ranges.clear()
    proxy.cut_after_bytes, proxy.gently, proxy.delay_s = 150_000, gently, 0.01
    async with known.client.get(f"{track.package_base}/aac-256/5.mp4") as response:
        part = await response.content.readany()
        while proxy.cut_after_bytes:
            part += await response.content.readany()
        proxy.heal()
        assert part + await response.read() == track.segment_of("aac-256", 5)
    one, two = store.ranges
    assert one is not None and two is not None
    assert one.start < two.start < one.end == two.end


async def test_a_store_that_stays_away_breaks_the_answer_off(
    known: Running, track: Published, proxy: FaultyProxy
) -> None:
    """The length was promised; so the connection ends short of it. Then 503, and when it is back, the whole."""
    url = f"{track.package_base}/aac-256/5.mp4"
    reader, writer = await asyncio.open_connection("127.0.0.1", known.port)
    proxy.delay_s = 0.05
    writer.write(f"GET {url} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    await reader.readexactly(1000)
    await proxy.refuse()
    try:
        rest = await reader.read(1 << 20)
        while data := await reader.read(1 << 20):
            rest += data
    except ConnectionResetError:
        rest = b""
    assert 1000 + len(rest) < len(track.segment_of("aac-256", 5))
    writer.close()
    async with known.client.get(url) as response:
        assert (response.status, await response.json()) == (503, {"error": "storage-unavailable"})
        assert response.headers["Cache-Status"] == "segue; fwd=uri-miss"
    proxy.heal()
    await proxy.accept()
    async with known.client.get(url) as response:
        assert (response.status, await response.read()) == (200, track.segment_of("aac-256", 5))


async def test_playlists_outlive_the_store(known: Running, track: Published, proxy: FaultyProxy) -> None:
    """Refused connections: what was known is served with its age, and says why; what never was, is 503, kept by
    nobody. When the store is back, so is freshness."""
    async with known.client.get(f"{track.base}/index.m3u8") as response:
        playlist = await response.read()
    await proxy.refuse()
    await asyncio.sleep(1.2)
    for name in ("index.m3u8", "opus.m3u8", "index.mpd", "package.json"):
        async with known.client.get(f"{track.base}/{name}") as response:
            assert response.status == 200
            assert name != "index.m3u8" or await response.read() == playlist
            assert int(response.headers["Age"]) >= 1
            failed = r"fwd=stale; fwd-status=503; ttl=-\d+; detail=storage-unavailable"
            assert re.fullmatch(rf"segue; ({failed}|hit; ttl=-\d+; detail=memory)", response.headers["Cache-Status"])
    assert known.app[METRICS].value(CACHE_REQUESTS, Tier.STALE, Cache.POINTER, "hit") >= 4
    for unknown in (f"/tracks/{'a' * 20}/index.m3u8", f"{track.package_base}/aac-64/0.mp4"):
        async with known.client.get(unknown) as response:
            assert response.status == 503
            assert response.headers["Cache-Control"] == response.headers["CDN-Cache-Control"] == "no-store"
            assert int(response.headers["Retry-After"]) > 0 and "Age" not in response.headers
    await proxy.accept()
    told = ""
    async with asyncio.timeout(60):
        while told != "segue; fwd=stale; stored":
            await asyncio.sleep(0.3)
            async with known.client.get(f"{track.base}/index.m3u8") as response:
                told = response.headers["Cache-Status"]
    assert "Age" not in response.headers


async def test_a_store_that_flaps_is_a_nuisance_and_no_more(
    known: Running, track: Published, proxy: FaultyProxy
) -> None:
    """It goes and comes back again and again. What is known is served all the time; what is not is there whole, or is
    503 that nobody keeps; once the store stays, all is well at once."""
    known_url, good = f"{track.base}/index.m3u8", set()
    async with known.client.get(known_url) as response:
        playlist = await response.read()
    for number in range(12):
        await (proxy.refuse() if number % 2 else proxy.accept())
        segment = number % 8
        async with known.client.get(f"{track.package_base}/aac-256/{segment}.mp4") as response:
            if response.status == 200:
                assert await response.read() == track.segment_of("aac-256", segment)
                good.add(segment)
            else:
                assert (response.status, response.headers["Cache-Control"]) == (503, "no-store")
                assert segment not in good
        await asyncio.sleep(0.25)  # past the life of the pointer
        async with known.client.get(known_url) as response:
            assert (response.status, await response.read()) == (200, playlist)
            assert int(response.headers.get("Age", "0")) <= 12
    await proxy.accept()
    for segment in range(8):
        async with known.client.get(f"{track.package_base}/aac-256/{segment}.mp4") as response:
            assert (response.status, await response.read()) == (200, track.segment_of("aac-256", segment))


async def test_a_store_that_hangs_delays_one_listener_a_little(
    start: Start, track: Published, proxy: FaultyProxy
) -> None:
    """The first waits `stale_wait_s`, those after it nothing; what nobody knows gets 504 after the deadline."""
    async with start(pointer_ttl_s=0.2, stale_wait_s=0.5, stale_retry_s=60.0, store_deadline_s=3.0) as origin:
        async with origin.client.get(f"{track.base}/index.m3u8") as response:
            assert response.status == 200
        proxy.hanging = True
        await asyncio.sleep(0.3)
        told, took_s = [], []
        clock = asyncio.get_running_loop().time
        for _ in range(4):
            began_s = clock()
            async with origin.client.get(f"{track.base}/index.m3u8") as response:
                assert response.status == 200
                told.append(response.headers["Cache-Status"])
            took_s.append(clock() - began_s)
        assert re.fullmatch(r"segue; fwd=stale; fwd-status=504; ttl=-\d+; detail=deadline", told[0])
        assert all(re.fullmatch(r"segue; hit; ttl=-\d+; detail=memory", each) for each in told[1:])
        assert took_s[0] > 0.45 and min(took_s[1:]) < 0.45
        async with origin.client.get(f"{track.package_base}/aac-64/0.mp4") as response:
            assert (response.status, await response.json()) == (504, {"error": "deadline"})
            assert response.headers["Cache-Control"] == "no-store" and int(response.headers["Retry-After"]) > 0


async def _get(origin: Running, path: str) -> bytes:
    async with origin.client.get(path) as response:
        return await response.read()
