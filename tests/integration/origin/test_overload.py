"""More than can be done: what is cheap is done, what is not is refused at once, and nothing is left behind."""

import asyncio
import time
from collections import Counter

import pytest

from origin.metrics_table import CONNECTIONS_CUT, SHED, Cut
from origin.settings import OriginSettings
from origin.state import METRICS
from tests.integration.origin.asking import Client, Tally
from tests.integration.origin.conftest import Running, Start, until
from tests.integration.origin.published import Published, publish
from tests.integration.origin.slow import get, slow_connection
from tests.integration.origin.watched_store import WatchedStore

CROWD = 400
FETCHES = 16
HOT_ASKED = 100
HOT_SLOWEST_S = 10.0  # on a busy machine; the store takes for ever
LONG_SEGMENTS = 42

Place = tuple[str, int]  # a rendition, a segment
Begun = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def test_misses_are_shed_and_hot_answers_flow(start: Start, track: Published, store: WatchedStore) -> None:
    """The store hangs under a crowd of misses: a few wait, the others get 503 at once, and what is in memory is served
    as ever. When the store is back, so is everything, at once."""
    hot = f"{track.package_base}/aac-64/0.mp4"
    async with start(fetches_max=FETCHES, store_deadline_s=100.0) as origin:
        assert await _ask(origin, hot) == 200
        store.gate.clear()
        tally = Tally()
        crowd = [asyncio.create_task(_once(origin.port, _cold(number), tally)) for number in range(CROWD)]
        await until(lambda: tally.statuses[503] == CROWD - FETCHES)
        slowest_s = 0.0
        for _ in range(HOT_ASKED):
            began_s = time.monotonic()
            assert await _ask(origin, hot) == 200
            slowest_s = max(slowest_s, time.monotonic() - began_s)
        assert slowest_s < HOT_SLOWEST_S
        assert store.reads.total() <= FETCHES + 2  # the two that made the hot one hot
        store.gate.set()
        await asyncio.gather(*crowd)
        assert (tally.statuses, tally.lost) == (Counter({503: CROWD - FETCHES, 404: FETCHES}), 0)
        assert origin.app[METRICS].counted(SHED) == {("fetches",): CROWD - FETCHES}
        assert await _ask(origin, f"{track.package_base}/aac-256/0.mp4") == 200


async def test_slow_readers_in_many_places_hold_up_nobody(start: Start, store: WatchedStore) -> None:
    """Each wants what nobody else does, twice as many as may be read at a time. Half are read for, the others told to
    come again; when they do they are served, though nobody of the first has taken more than a head: what a reader is
    slow to take holds no read. In the end everybody has all, each byte was read once, and nothing is left."""
    track = await publish(store, "wide", segments=LONG_SEGMENTS)
    places = [("flac", number) for number in range(3, LONG_SEGMENTS, 2)]  # past the ramp: each is a read with the next
    half = len(places) // 2
    async with start(fetches_max=half, send_buffer_bytes=32_768) as origin:
        assert await _ask(origin, f"{track.package_base}/aac-256.m3u8") == 200
        store.gate.clear()
        asking = {place: asyncio.create_task(_begun(origin, track, place)) for place in places}
        await until(lambda: origin.app[METRICS].counted(SHED) == {("fetches",): len(places) - half})
        store.gate.set()
        begun: dict[Place, Begun] = {}
        while asking:
            answers = zip(asking, await asyncio.gather(*asking.values()), strict=True)
            begun |= {place: answer for place, answer in answers if answer is not None}
            asking = {each: asyncio.create_task(_begun(origin, track, each)) for each in places if each not in begun}
        assert origin.app[METRICS].requests_in_progress == len(places)
        for place, (reader, writer) in reversed(begun.items()):
            segment = track.segment_of(*place)
            assert await reader.readexactly(len(segment)) == segment
            writer.close()
        await until(lambda: origin.app[METRICS].requests_in_progress == 0)
    assert store.bytes_read < 1.1 * len(track.media["flac"])


async def test_waiters_for_one_thing_are_bounded_too(start: Start, track: Published, store: WatchedStore) -> None:
    """They share one read, but each of them is memory: beyond the limit, 503."""
    async with start(waiters_max=50, store_deadline_s=100.0) as origin:
        store.gate.clear()
        tally = Tally()
        crowd = [asyncio.create_task(_once(origin.port, f"{track.base}/package.json", tally)) for _ in range(80)]
        await until(lambda: tally.statuses[503] == 30)
        store.gate.set()
        await asyncio.gather(*crowd)
        assert tally.statuses == {503: 30, 200: 50}
        assert origin.app[METRICS].counted(SHED) == {("waiters",): 30}


async def test_a_refusal_says_when_to_come_again(start: Start, track: Published, store: WatchedStore) -> None:
    """503 `overloaded`, kept by nobody, with Retry-After; health and metrics are answered all the same."""
    async with start(requests_max=1, idle_grace_s=0.0) as origin:
        store.gate.clear()
        first = asyncio.create_task(_ask(origin, f"{track.base}/index.m3u8"))
        await until(lambda: origin.app[METRICS].requests_in_progress == 1)
        async with origin.client.get(f"{track.base}/art.jpg") as response:
            assert (response.status, await response.json()) == (503, {"error": "overloaded"})
            assert response.headers["Cache-Control"] == response.headers["CDN-Cache-Control"] == "no-store"
            assert int(response.headers["Retry-After"]) > 0
        assert await _ask(origin, "/healthz") == 200
        async with origin.client.get("/metrics") as response:
            assert 'segue_shed_total{limit="requests"} 1' in await response.text()
        store.gate.set()
        assert await first == 200


async def test_shedding_is_said_once_and_not_for_each_request(
    start: Start, store: WatchedStore, caplog: pytest.LogCaptureFixture
) -> None:
    """A line for each would be work when there is too much of it."""
    async with start(fetches_max=1) as origin:
        store.gate.clear()
        waits = asyncio.create_task(_ask(origin, _cold(0)))
        await until(lambda: store.reads.total() == 1)
        for number in range(1, 20):
            assert await _ask(origin, _cold(number)) == 503
        store.gate.set()
        await waits
    assert [record.message for record in caplog.records].count("shedding load") == 1
    assert "request failed" not in [record.message for record in caplog.records]


async def test_idle_connections_make_room(start: Start, track: Published) -> None:
    """At the limit the one that has been idle for longest goes; who comes is served."""
    async with start(connections_max=10, idle_grace_s=0.2) as origin:
        tally = Tally()
        held = [Client(origin.port, tally) for _ in range(9)]
        for client in held:
            await client.ask("/healthz")
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.2)
        more = [Client(origin.port, tally) for _ in range(3)]
        for client in more:
            assert await client.ask(f"{track.package_base}/aac-64/0.mp4") == track.segment_of("aac-64", 0)
        assert origin.app[METRICS].counted(CONNECTIONS_CUT) == {(Cut.EVICTED,): 2}
        await asyncio.gather(*(client.ask("/healthz") for client in held[3:]))
        assert (tally.lost, tally.closed) == (0, 0)
        for client in (*held, *more):
            client.close()


async def test_with_no_room_a_connection_is_told_so(start: Start, store: WatchedStore) -> None:
    """All are busy: 503 and the end, at once; with room again, everything is as before."""
    track = await publish(store, "long", segments=LONG_SEGMENTS)
    async with start(connections_max=5) as origin:
        busy = [await slow_connection(origin.port) for _ in range(5)]
        for reader, writer in busy:
            writer.write(get(f"{track.package_base}/aac-256.mp4"))
            await reader.readuntil(b"\r\n\r\n")
        reader, writer = await asyncio.open_connection("127.0.0.1", origin.port)
        writer.write(get("/healthz"))
        answer = await asyncio.wait_for(reader.read(), 50)
        assert answer.startswith(b"HTTP/1.1 503 ") and answer.endswith(b'{"error": "overloaded"}\n')
        assert b"Retry-After: 2\r\n" in answer and b"Connection: close\r\n" in answer
        assert b"\r\nCache-Control: no-store\r\n" in answer and b"\r\nCDN-Cache-Control: no-store\r\n" in answer
        writer.close()
        for _, writer in busy:
            writer.transport.abort()
        await until(lambda: origin.app[METRICS].requests_in_progress == 0)
        assert await _ask(origin, "/healthz") == 200
        assert origin.app[METRICS].counted(SHED) == {("connections",): 1}


def test_limits_are_at_least_one() -> None:
    """A limit of nothing would refuse everything."""
    with pytest.raises(ValueError, match="connections_max must be at least 1"):
        OriginSettings(connections_max=0)


async def _begun(origin: Running, track: Published, place: Place) -> Begun | None:
    """A slow connection on which a segment has begun to come, and of which nothing more is read; None if refused."""
    reader, writer = await slow_connection(origin.port)
    writer.write(get(f"{track.package_base}/{place[0]}/{place[1]}.mp4"))
    head = await reader.readuntil(b"\r\n\r\n")
    if head.startswith(b"HTTP/1.1 200 "):
        return reader, writer
    assert head.startswith(b"HTTP/1.1 503 ") and b"\r\nRetry-After: " in head
    writer.close()
    return None


def _cold(number: int) -> str:
    """The playlist of a track that nobody asked for yet, and that does not exist."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    return f"/tracks/{letters[number % 26]}{letters[number // 26]}{'a' * 18}/index.m3u8"


async def _ask(origin: Running, path: str) -> int:
    async with origin.client.get(path) as response:
        await response.read()
        return response.status


async def _once(port: int, path: str, tally: Tally) -> None:
    client = Client(port, tally)
    await client.ask(path)
    client.close()
