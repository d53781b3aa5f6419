"""The store is asked once for what many want, once for what comes next, and not again for what is known."""

import asyncio
import time
from typing import Any

import aiohttp
import m3u8
import pytest
from blockbuster import BlockingError

from model.errors import StorageUnavailable
from origin.blocks import rest_of_block
from origin.health import HealthState
from origin.metrics_table import COALESCED_WAITS, DISCONNECTS
from origin.settings import Auth
from origin.state import METRICS
from origin.tokens import TokenKey
from storage.base import ByteRange
from storage.keys import current_key, package_key, track_key
from tests.integration.origin.conftest import Running, Start, until
from tests.integration.origin.published import Published, publish, put
from tests.integration.origin.watched_store import WatchedStore

CROWD = 1000


async def test_the_detector_sees_a_blocked_loop() -> None:
    """The other tests of this folder rely on it: a call of ours that sleeps is an error."""

    def slow_clock() -> float:
        time.sleep(0.001)
        return 0.0

    blocking = HealthState(failure_memory_s=1.0, clock=slow_clock)
    with pytest.raises(BlockingError):
        blocking.store_failed()


async def test_a_crowd_on_a_cold_segment_is_one_read(start: Start, track: Published, store: WatchedStore) -> None:
    """1,000 at once on one segment nobody had: one read of the track file, one of the record, right bytes for all."""
    store.gate.clear()
    connector = aiohttp.TCPConnector(limit=0)
    async with start(store_deadline_s=100.0) as origin, aiohttp.ClientSession(origin.url, connector=connector) as crowd:
        url, expected = f"{track.package_base}/aac-64/3.mp4", track.segment_of("aac-64", 3)
        asking = [asyncio.create_task(_get(crowd, url)) for _ in range(CROWD)]
        await until(lambda: origin.app[METRICS].requests_in_progress == CROWD, timeout_s=60.0)
        store.gate.set()
        answers = await asyncio.gather(*asking)
    assert all(answer == (200, expected) for answer in answers)
    assert sorted(store.reads.values()) == [1, 1]


async def test_the_first_client_may_leave(origin: Running, track: Published, store: WatchedStore) -> None:
    """The one whose request began the read disconnects; the others get their answer from that same read."""
    await _get(origin.client, f"{track.package_base}/flac.m3u8")
    store.reads.clear()
    store.gate.clear()
    url = f"{track.package_base}/aac-64/3.mp4"
    first = await _raw_request(origin, url)
    await until(lambda: store.reads.total() == 1)
    others = [asyncio.create_task(_get(origin.client, url)) for _ in range(5)]
    await until(lambda: origin.app[METRICS].value(COALESCED_WAITS) == 5)
    first.transport.abort()
    await until(lambda: origin.app[METRICS].value(DISCONNECTS) == 1)
    store.gate.set()
    assert await asyncio.gather(*others) == [(200, track.segment_of("aac-64", 3))] * 5
    assert store.reads.total() == 1


async def test_a_cold_play_of_a_rendition_is_few_reads(start: Start, store: WatchedStore) -> None:
    """Four minutes, segment by segment: three reads, not forty-two, of 8 MB or 26 MB of FLAC; and each byte once. With
    the record of the package that is four."""
    track = await publish(store, "long", segments=42)
    for rendition_id, reads in (("aac-256", 3), ("flac", 3)):
        store.reads.clear()
        store.bytes_read = 0
        async with start() as origin:
            await _play(origin, track, rendition_id, 42)
        media = [key for key in store.reads if key.endswith(".mp4")]
        assert [store.reads[key] for key in media] == [reads]
        assert store.reads.total() == reads + 1
        assert store.bytes_read < 1.1 * len(track.media[rendition_id])


async def test_a_dash_player_shares_what_an_hls_player_read(origin: Running, store: WatchedStore) -> None:
    """Ranges of the track file and segments are the same pieces: read once for both, whoever came first."""
    track = await publish(store, "both")
    whole, base = track.media["aac-256"], f"{track.package_base}/aac-256"
    rendition = track.package.rendition("aac-256")
    assert rendition is not None
    for segment in rendition.segments:
        start, end = segment.offset_bytes, segment.offset_bytes + segment.size_bytes
        async with origin.client.get(f"{base}.mp4", headers={"Range": f"bytes={start}-{end - 1}"}) as response:
            assert (response.status, await response.read()) == (206, whole[start:end])
    before = store.reads.total()
    await _play(origin, track, "aac-256", 8)
    assert store.reads.total() == before + 1  # the init section, which lies before
    assert await _get(origin.client, f"{base}.mp4") == (200, whole)
    assert store.reads.total() <= before + 2  # and perhaps the index


async def test_who_jumps_back_reads_only_what_is_missing(origin: Running, store: WatchedStore) -> None:
    """A play from the middle, then from the start: each byte is read once, and the reads meet."""
    track = await publish(store, "jumped")
    await _get(origin.client, f"{track.package_base}/aac-256/4.mp4")
    await _play(origin, track, "aac-256", 8)
    ranges = sorted((wanted.start, wanted.end) for wanted in store.ranges if wanted is not None)
    assert [start for start, _ in ranges] == [0, *(end for _, end in ranges[:-1])]
    assert ranges[-1][1] == len(track.media["aac-256"])


@pytest.mark.parametrize("ask", [{"method": "HEAD"}, {"method": "GET", "headers": {"If-None-Match": "*"}}])
async def test_what_needs_no_bytes_reads_none(
    origin: Running, track: Published, store: WatchedStore, ask: dict[str, Any]
) -> None:
    """A question about a cold segment, or about a playlist: the track file is not read, not even in expectation."""
    for name in ("aac-64/3.mp4", "aac-64/3.mp4", "aac-64.m3u8"):  # the package is not known, and known
        async with origin.client.request(url=f"{track.package_base}/{name}", **ask) as response:
            assert (response.status, await response.read()) == (200 if ask["method"] == "HEAD" else 304, b"")
    assert not [key for key in store.reads if key.endswith(".mp4")]


async def test_who_may_not_come_in_has_nothing_read(start: Start, track: Published, store: WatchedStore) -> None:
    """Without a token, or with a wrong one, nothing is asked of the store."""
    async with start(auth=Auth.TOKEN, token_keys=(TokenKey(secret=b"signing key of tokens"),)) as origin:
        for front in ("", "/t/exp=1~hmac=00"):
            async with origin.client.get(f"{front}{track.package_base}/aac-64/3.mp4") as response:
                assert response.status in (401, 403)
        assert store.reads.total() == 0


async def test_who_is_told_where_a_play_begins_finds_it(origin: Running, store: WatchedStore) -> None:
    """The first segment is read with the media playlist; once, for it is given out again from memory. And a play is as
    many reads as before."""
    track = await publish(store, "told")
    playlist = f"{track.package_base}/aac-256.m3u8"
    for _ in range(3):
        assert (await _get(origin.client, playlist))[0] == 200
    await until(lambda: store.bytes_read > len(track.segment_of("aac-256", 0)))
    assert len(store.ranges) == 2 and store.ranges[-1] is not None and store.ranges[-1].start == 0
    async with origin.client.get(f"{track.package_base}/aac-256/0.mp4") as response:
        assert response.headers["Cache-Status"] == "segue; hit; detail=memory"
        assert await response.read() == track.segment_of("aac-256", 0)
    await _play(origin, track, "aac-256", 8)
    assert len(store.ranges) <= 4


async def test_who_jumps_waits_for_a_short_read(origin: Running, store: WatchedStore) -> None:
    """It brings the segment that he asked for and the next one, and that one brings what follows when it is asked
    for."""
    track = await publish(store, "alone")
    await _get(origin.client, f"{track.package_base}/aac-256/3.mp4")
    await _get(origin.client, f"{track.package_base}/aac-256/4.mp4")
    await until(lambda: len(store.ranges) == 3)
    (start, _), (_, end) = _place(track, 3), _place(track, 4)
    assert store.ranges[1:] == [ByteRange(start, end), ByteRange(end, len(track.media["aac-256"]))]


async def test_a_play_finds_the_next_block_on_its_way(start: Start, store: WatchedStore) -> None:
    """It is asked for when a listener gets to the last segment before it; not for one who only came to that segment."""
    track = await publish(store, "ahead")
    rendition = track.package.rendition("aac-256")
    assert rendition is not None
    async with start(read_ahead_bytes=400_000) as origin:
        for number in (3, 4):
            await _get(origin.client, f"{track.package_base}/aac-256/{number}.mp4")
        _, at = _place(track, 4)
        *_, last = rest_of_block(rendition, at - 1, bytes_max=400_000)
        number = next(n for n in range(8) if _place(track, n)[1] == last.end)
        assert 4 <= number < 7
        await _get(origin.client, f"{track.package_base}/aac-256/{number}.mp4")
        await until(lambda: store.ranges[-1] is not None and store.ranges[-1].start == last.end)


async def test_reading_ahead_fails_unheard(start: Start, store: WatchedStore) -> None:
    """The listener who has not got there yet gets what is held; the next one hears of it."""
    track = await publish(store, "unheard")
    async with start(read_ahead_bytes=1) as origin:
        await _get(origin.client, f"{track.package_base}/aac-256/3.mp4")
        store.error = StorageUnavailable("down")
        before = store.reads.total()
        expected = (200, track.segment_of("aac-256", 4))
        assert await _get(origin.client, f"{track.package_base}/aac-256/4.mp4") == expected
        await until(lambda: store.reads.total() == before + 1)
        assert (await _get(origin.client, f"{track.package_base}/aac-256/5.mp4"))[0] == 503
        store.error = None
        expected = (200, track.segment_of("aac-256", 5))
        assert await _get(origin.client, f"{track.package_base}/aac-256/5.mp4") == expected


async def test_a_second_play_asks_for_nothing(origin: Running, track: Published, store: WatchedStore) -> None:
    """What never changes is not read again, and the metrics say so."""
    await _play(origin, track, "aac-64", 8)
    before = store.reads.total()
    await _play(origin, track, "aac-64", 8)
    assert store.reads.total() == before
    samples = (await _get(origin.client, "/metrics"))[1].decode()
    assert f'segue_storage_reads_total{{result="ok"}} {before}' in samples
    assert 'segue_cache_requests_total{tier="memory",cache="media",result="hit"}' in samples


async def test_two_tracks_of_one_recording_share_its_media(origin: Running, store: WatchedStore) -> None:
    """A single and its album track: other playlists, but one URL for each byte of media, read once for both."""
    single = await publish(store, "hit", release="Single")
    album = await publish(store, "hit", release="Best of")
    assert single.track_id != album.track_id
    played = [await _first_media(origin, track) for track in (single, album)]
    assert played[0] == played[1]
    assert {count for key, count in store.reads.items() if key.startswith("recordings/")} == {1}


async def test_the_cache_keeps_within_its_bytes(start: Start, track: Published) -> None:
    """A cache of 100 kB holds at most that, and every answer is right all the same."""
    async with start(media_cache_bytes=100_000, read_ahead_bytes=60_000) as origin:
        await _play(origin, track, "aac-256", 8)
        samples = (await _get(origin.client, "/metrics"))[1].decode().splitlines()
    held = next(float(line.split()[1]) for line in samples if line.startswith('segue_cached_bytes{tier="memory"}'))
    records = len((await _read(origin.store, track)).encode()) * 10
    assert 0 < held <= 100_000 + records


async def test_the_pointer_is_trusted_for_a_while(origin: Running, track: Published, store: WatchedStore) -> None:
    """A crowd on a live playlist reads each mutable object of the track once in its time."""
    for _ in range(20):
        assert (await _get(origin.client, f"{track.base}/index.m3u8"))[0] == 200
    assert store.reads[current_key(track.track_id)] == store.reads[track_key(track.track_id)] == 1


async def test_what_is_missing_is_asked_for_once_by_a_crowd(origin: Running, store: WatchedStore) -> None:
    """A crowd on a track that is not there is one read, and 404 for all; and so it is for those who come after."""
    store.gate.clear()
    asking = [asyncio.create_task(_get(origin.client, f"/tracks/{'a' * 20}/index.m3u8")) for _ in range(50)]
    await until(lambda: origin.app[METRICS].requests_in_progress == 50)
    store.gate.set()
    assert {status for status, _ in await asyncio.gather(*asking)} == {404}
    async with origin.client.get(f"/tracks/{'a' * 20}/index.m3u8") as response:
        assert (response.status, response.headers["Cache-Status"]) == (404, "segue; hit; detail=negative")
    assert store.reads.total() == 1


async def test_what_is_missing_is_remembered_in_bounded_memory(start: Start, store: WatchedStore) -> None:
    """Somebody who asks for ever new names of nothing does not fill it: what came first is asked for anew."""
    names = [f"/tracks/{letter * 20}/index.m3u8" for letter in "abcdefghij"]
    async with start(negatives_max=3) as origin:
        for path in 2 * names:
            assert (await _get(origin.client, path))[0] == 404
    assert store.reads.total() >= 2 * len(names) - 3


async def test_a_publish_is_seen_in_time(start: Start, store: WatchedStore) -> None:
    """A track that was not there a moment ago is, after `negative_ttl_s`; a new edition after `pointer_ttl_s`."""
    track = await publish(store, "soon")
    url, pointer = f"{track.base}/index.m3u8", current_key(track.track_id)
    live = (await store.read(pointer)).data
    await store.delete(pointer)
    async with start(negative_ttl_s=1.0, pointer_ttl_s=1.0) as origin:
        asked_s = time.monotonic()
        assert (await _get(origin.client, url))[0] == 404
        await put(store, pointer, live)
        while (first := await _get(origin.client, url))[0] == 404:
            assert time.monotonic() - asked_s < 50
            await asyncio.sleep(0.02)
        assert first[0] == 200 and time.monotonic() - asked_s >= 1.0
        await publish(store, "soon", edition=2)
        await asyncio.sleep(1.0)
        status, second = await _get(origin.client, url)
        assert status == 200 and second != first[1]


def _place(track: Published, number: int) -> tuple[int, int]:
    """Where a segment of `aac-256` begins and ends in its track file."""
    rendition = track.package.rendition("aac-256")
    assert rendition is not None
    segment = rendition.segments[number]
    return segment.offset_bytes, segment.offset_bytes + segment.size_bytes


async def _first_media(origin: Running, track: Published) -> list[tuple[str, bytes]]:
    """Path and bytes of the init section and first segment that a track's multivariant playlist leads to."""
    url = f"{track.base}/index.m3u8"
    for _ in ("multivariant", "media"):
        async with origin.client.get(url, headers={"Accept-Encoding": "identity"}) as response:
            playlist = m3u8.loads(await response.text(), uri=url)
        url = next((each.absolute_uri for each in playlist.playlists), url)
    paths = [playlist.segment_map[0].absolute_uri, playlist.segments[0].absolute_uri]
    return [(path, (await _get(origin.client, path))[1]) for path in paths]


async def _play(origin: Running, track: Published, rendition_id: str, segments: int) -> None:
    base = f"{track.package_base}/{rendition_id}"
    assert (await _get(origin.client, f"{base}/init.mp4"))[1] == track.media[rendition_id][:800]
    for index in range(segments):
        assert await _get(origin.client, f"{base}/{index}.mp4") == (200, track.segment_of(rendition_id, index))


async def _get(client: aiohttp.ClientSession, path: str) -> tuple[int, bytes]:
    async with client.get(path) as response:
        return response.status, await response.read()


async def _read(store: WatchedStore, track: Published) -> str:
    body = await store.read(package_key(track.package.recording_id, track.package.package_id, "package.json"))
    return body.data.decode()


async def _raw_request(origin: Running, path: str) -> asyncio.StreamWriter:
    _, writer = await asyncio.open_connection("127.0.0.1", origin.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    await writer.drain()
    return writer
