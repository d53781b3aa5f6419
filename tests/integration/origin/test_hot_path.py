"""The hot path gives the answers of the normal way, byte for byte, and nothing else; on both event loops."""

import asyncio
import random
import re
import socket
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from catalog.listener_database import ListenerDatabase
from catalog.listener_open import open_listeners
from catalog.store import Catalog
from discovery.web import DiscoverySettings, add_routes
from origin.hot_path import HOT
from origin.metrics_table import CACHE_REQUESTS, REQUESTS, SENT_BYTES, Cache, Tier
from origin.settings import Auth
from origin.state import HEALTH, METRICS
from origin.tokens import Grant, mint, path_prefix
from protection.keys import KeyRing
from storage.filesystem import FilesystemStore
from tests.integration.origin.conftest import Running, Start, starting, until
from tests.integration.origin.published import Published, publish
from tests.integration.origin.test_contract import MASTER, PROTECTION, RESOURCES, SIGNING, STATUSES, named
from tests.integration.origin.watched_store import WatchedStore

KEYS = KeyRing((MASTER,))
SETTINGS: dict[str, Any] = {"keys": KEYS, "token_keys": (SIGNING,), "pointer_ttl_s": 10_000.0, "negative_ttl_s": 0.0}
on_one_loop = pytest.mark.asyncio(loop_scope="module")  # for those that share a pair


@dataclass(frozen=True, slots=True)
class Pair:
    """The same origin twice: with the hot path, and without."""

    on: Running
    off: Running

    async def equal(self, *packets: bytes) -> bytes:
        """What both answer to these packets, which is the same. Where one of them had still to read what the other
        had read ahead, its Cache-Status says so: then they are asked again."""
        for _ in range(3):
            both = await asyncio.gather(_exchange(self.on, *packets), _exchange(self.off, *packets))
            on, off = map(_normalised, both)
            assert _wherever_from(on) == _wherever_from(off)
            if on == off:
                break
        assert on == off
        return both[0]


@pytest.fixture
async def pair(
    start: Start, store: WatchedStore, catalog: Catalog, listeners: ListenerDatabase, locked: Published
) -> AsyncIterator[Pair]:
    """Two origins over one store, which trust the pointers of tracks for as long as a test may take. All tracks are
    there before they start: both list the same."""

    def extend(app: web.Application) -> None:
        add_routes(app, catalog=catalog, listeners=listeners, store=store, settings=DiscoverySettings())

    async with start(extend, **SETTINGS) as on, start(extend, ready_cache_bytes=0, **SETTINGS) as off:
        yield Pair(on, off)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lasting_pair(shelf: tuple[Path, Published], locked: Published) -> AsyncIterator[Pair]:
    """The same for many tests: those for which it does not matter what was asked before."""
    files = FilesystemStore(shelf[0])
    store = WatchedStore(files)
    with Catalog() as catalog, open_listeners() as listeners:

        def extend(app: web.Application) -> None:
            add_routes(app, catalog=catalog, listeners=listeners, store=store, settings=DiscoverySettings())

        plain = starting(store, extend, ready_cache_bytes=0, **SETTINGS)
        async with starting(store, extend, **SETTINGS) as on, plain as off:
            yield Pair(on, off)
    await files.close()


@pytest.fixture(scope="module")
def locked(shelf: tuple[Path, Published]) -> Published:
    """A protected track."""

    async def published() -> Published:
        store = FilesystemStore(shelf[0])
        try:
            return await publish(store, "locked", protection=PROTECTION)
        finally:
            await store.close()

    return asyncio.run(published())


async def test_every_line_of_the_contract(pair: Pair, track: Published, locked: Published) -> None:
    """Thrice on one connection: as it comes, again, and when it is ready if it ever will be."""
    for row in (*RESOURCES, *STATUSES):
        method, _, url = named(row.get("request", f"GET {row.get('path')}"), track, locked).partition(" ")
        if url == "/metrics":  # tells of each origin by itself
            continue
        conditions = row.get("with", "")
        if "{etag}" in conditions:
            head = await pair.equal(_request(url, ("Accept-Encoding", "gzip"), method="HEAD"))
            conditions = conditions.replace("{etag}", _etag(head))
        fields = re.findall(r"([A-Za-z-]+): ([^;]+)", conditions)
        request = _request(url, ("Accept-Encoding", "gzip"), *fields, method=method)
        await pair.equal(request, request, request)


@on_one_loop
@pytest.mark.parametrize(
    "path",
    ["{p}/aac-64/0.mp4", "{p}/aac-64/init.mp4", "{p}/aac-64.m3u8", "{t}/index.m3u8", "{t}/opus.m3u8", "{t}/index.mpd"],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_what_is_asked_again_is_ready(lasting_pair: Pair, track: Published, method: str, path: str) -> None:
    """Media and playlists, plain, coded, and as a 304; each variant with its own answer."""
    url = path.format(p=track.package_base, t=track.base)
    first = await lasting_pair.equal(_request(url, method=method))
    known = ("If-None-Match", _etag(first))
    since = ("If-Modified-Since", "Mon, 01 Jan 2035 00:00:00 GMT")
    for fields in ([], [("Accept-Encoding", "gzip")], [known], [since]):
        request = _request(url, *fields, method=method)
        await lasting_pair.equal(request)
        before = _sent(lasting_pair.on)
        answer = await lasting_pair.equal(request, request, request)
        # What may change is made anew when its Age does.
        assert before + (1 if path.startswith("{t}") else 3) <= _sent(lasting_pair.on) <= before + 3
        assert answer.startswith(b"HTTP/1.1 304" if fields and fields[0][0].startswith("If-") else b"HTTP/1.1 200")
    assert _sent(lasting_pair.off) == 0


@on_one_loop
async def test_a_request_in_pieces(lasting_pair: Pair, track: Published) -> None:
    """Cut at every byte, with a whole one before and after it on the same connection."""
    request = _request(f"{track.package_base}/aac-64/init.mp4", ("Accept-Encoding", "gzip"))
    await lasting_pair.equal(request, request)
    for cut in range(1, len(request)):
        await lasting_pair.equal(request, request[:cut], request[cut:], request)


@on_one_loop
async def test_requests_in_one_packet(lasting_pair: Pair, track: Published) -> None:
    """Answered in order, by whichever way; also when the second is in the next packet's first half."""
    ready = _request(f"{track.package_base}/aac-64/0.mp4")
    others = [_request(f"{track.base}/x"), _request(f"{track.package_base}/aac-64.mp4", ("Range", "bytes=5-9"))]
    await lasting_pair.equal(ready, ready)
    for packets in (
        [ready + ready],
        [ready, ready + others[0]],
        [others[0] + ready, ready],
        [ready + others[0] + ready + others[1]],
        [ready + others[1][:30], others[1][30:], ready],
        [b"\r\n" + ready, ready],
        [ready + b"\r\n", ready],
        [_request(f"{track.base}/x", ("Content-Length", "3"), method="POST") + b"abc" + ready],
        [_request("/healthz", ("Upgrade", "h2c"), ("Connection", "Upgrade")), ready],
    ):
        await lasting_pair.equal(*packets)


@on_one_loop
async def test_junk(lasting_pair: Pair, track: Published) -> None:
    """Requests with bytes changed, lost, doubled or put in, followed by a good one: the same, whatever it is."""
    request = _request(f"{track.package_base}/aac-64/init.mp4", ("Accept-Encoding", "gzip"), ("Via", "1.1 edge"))
    last = _request(f"{track.package_base}/aac-64/init.mp4", ("Connection", "close"))
    await lasting_pair.equal(request, request)
    chance = random.Random(8)
    cases, two = [_mutated(request, chance) for _ in range(200)], (lasting_pair.on, lasting_pair.off)
    for at in range(0, len(cases), 50):
        batch = cases[at : at + 50]
        both = (_until_closed(running, case, last) for case in batch for running in two)
        answers = await asyncio.gather(*both)
        for case, ours, normal in zip(batch, answers[::2], answers[1::2], strict=True):
            if ours != normal:  # a busy machine may have cut one of them short
                again = (
                    _until_closed(running, case, last, patience_s=20.0)
                    for running in (lasting_pair.on, lasting_pair.off)
                )
                ours, normal = await asyncio.gather(*again)
            assert ours == normal, case


@on_one_loop
async def test_header_lines_that_matter(lasting_pair: Pair, track: Published) -> None:
    """Each with a ready answer at hand."""
    url = f"{track.package_base}/aac-64/0.mp4"
    await lasting_pair.equal(_request(url), _request(url))
    for field in (
        ("Range", "bytes=0-9"),
        ("Range", "bytes=99999999-"),
        ("If-Match", '"other"'),
        ("If-Range", '"x"'),
        ("If-None-Match", "*"),
        ("If-None-Match", 'W/"x", "y"'),
        ("If-Unmodified-Since", "Mon, 01 Jan 1990 00:00:00 GMT"),
        ("Expect", "100-continue"),
        ("Cookie", "a=b"),
        ("Authorization", "Basic eA=="),
        ("X-Forwarded-For", "1.2.3.4"),
        ("Host", "again"),
        ("Accept-Encoding", "gzip;q=0, identity"),
    ):
        await lasting_pair.equal(_request(url, field), _request(url, field))


async def test_what_players_tell_in_the_query_is_heard_and_hinders_nothing(
    pair: Pair, track: Published, caplog: pytest.LogCaptureFixture
) -> None:
    """Ready answers are for all, whatever each tells (CMCD), and it is counted and logged; any other query goes the
    normal way."""
    for path in (f"{track.package_base}/aac-64/0.mp4", f"{track.package_base}/aac-64.m3u8"):
        await pair.equal(_request(f"{path}?CMCD=ot%3Da"), _request(f"{path}?CMCD=ot%3Da"))
        before = _sent(pair.on)
        told = [f"{path}?CMCD=bl%3D{number}00%2Cot%3Da%2Csid%3D%22x%22" for number in range(5)]
        with caplog.at_level("INFO", logger="origin.serve"):
            await pair.equal(*map(_request, told), _request(path))
        assert _sent(pair.on) == before + 6
        for query in ("CMCD=su&x=1", "x", "CMCD", "CMCD=%zz", "cmcd=su", "CMCD=su%2", "hdnts=x&CMCD=su", "CMCD=s#x"):
            await pair.equal(_request(f"{path}?{query}"))
        assert _sent(pair.on) == before + 6
    on, off = await _told(pair.on), await _told(pair.off)
    assert on == off and re.search(r'^segue_cmcd_requests_total\{[a-z_]+="a"\} 14$', on, re.MULTILINE)
    lines = [vars(each) for each in caplog.records if "cmcd" in vars(each)]
    assert len(lines) == 4 * 5  # of two origins
    assert all(each["cmcd"].keys() == {"bl", "ot"} and "CMCD" not in each["url_path"] for each in lines)


@on_one_loop
async def test_request_ids_are_passed_on(lasting_pair: Pair, track: Published) -> None:
    """A good one is repeated by a ready answer, too; another is replaced by a new one each time."""
    url = f"{track.package_base}/aac-64/init.mp4"
    seen = []
    for offered in ("", "edge-1", "edge-2", "a b", "x" * 65):
        request = _request(url, *([("X-Request-Id", offered)] if offered else []))
        answer = await _exchange(lasting_pair.on, request, request)
        found = re.findall(rb"X-Request-Id: (.*)\r\n", answer)
        assert found == [offered.encode()] * 2 or offered not in ("edge-1", "edge-2")
        seen += found if not offered.startswith("edge") else []
    assert len(set(seen)) == len(seen) == 6


async def test_idle_connections_are_closed_in_time(start: Start, track: Published) -> None:
    """The keep-alive timeout runs from the last answer, also for those that only ever had ready ones."""
    request = _request(f"{track.package_base}/aac-64/init.mp4")
    async with start(keepalive_timeout_s=2.0) as running:
        await _exchange(running, request, request)  # the first says that it was read, and is not sent again
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        for _ in range(5):
            writer.write(request)
            await _answer(reader)
            await asyncio.sleep(0.5)
        began_s = time.monotonic()
        async with asyncio.timeout(50):
            assert await reader.read() == b""
        assert time.monotonic() - began_s > 0.5
        assert _sent(running) == 5
        writer.close()


async def test_slow_readers_hold_no_more_than_an_answer(start: Start, track: Published) -> None:
    """Whoever asks on without reading gets nothing more until it has taken what there is; then everything, in order."""
    numbers = [n % 8 for n in range(60)]
    requests = [_request(f"{track.package_base}/flac/{n}.mp4") for n in numbers]
    async with start() as running:
        await _exchange(running, *requests[:8])
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.setblocking(False)
            await asyncio.get_running_loop().sock_connect(slow, ("127.0.0.1", running.port))
            reader, writer = await asyncio.open_connection(sock=slow, limit=4096)
            for request in requests:
                writer.write(request)
                await asyncio.sleep(0.002)
            assert sum(running.app[METRICS].counted(REQUESTS).values()) + _sent(running) < 8 + 5
            for number in numbers:
                assert (await _answer(reader)).endswith(b"\r\n\r\n" + track.segment_of("flac", number))
            writer.close()


async def test_draining_asks_clients_to_close(start: Start, track: Published) -> None:
    """Ready answers would not say so."""
    request = _request(f"{track.package_base}/aac-64/init.mp4")
    async with start() as running:
        await _exchange(running, request, request, request)
        running.app[HEALTH].draining = True
        answer = await _exchange(running, request)
        assert b"Connection: close\r\n" in answer
        assert _sent(running) == 1


async def test_tokens_are_asked_for(start: Start, track: Published) -> None:
    """With `--auth token` a ready answer is for those with a token that is good for it now."""
    path = f"{track.package_base}/aac-64/init.mp4"
    good, other = (mint(Grant(acl=(acl,), expires_s=int(time.time()) + 60), SIGNING) for acl in ("/*", "/tracks/*"))
    old = mint(Grant(acl=("/*",), expires_s=int(time.time()) - 1), SIGNING)
    async with start(auth=Auth.TOKEN, token_keys=(SIGNING,)) as running:
        admitted = _request(path_prefix(good) + path)
        answer = await _exchange(running, admitted, admitted, admitted, admitted)
        assert answer.count(b"HTTP/1.1 200 OK") == 4 and _sent(running) == 2
        for refused in (path, path_prefix(other) + path, path_prefix(old) + path, f"{path}?hdnts={old}"):
            assert (await _exchange(running, _request(refused))).startswith(b"HTTP/1.1 403"), refused
        assert _sent(running) == 2


async def test_media_is_held_once(start: Start, store: WatchedStore, track: Published) -> None:
    """A segment that the cache of media has dropped is not held by its ready answer: it is read again."""
    size = len(track.segment_of("flac", 5))
    async with start(media_cache_bytes=size + 1000, read_ahead_bytes=1) as running:
        for number in (5, 2, 5):
            before = store.reads.total()
            answer = await _exchange(running, _request(f"{track.package_base}/flac/{number}.mp4"))
            assert answer.endswith(track.segment_of("flac", number))
            assert store.reads.total() > before
        assert running.app[HOT].weight < 10_000


async def test_ready_answers_are_bounded(start: Start, track: Published) -> None:
    """Any number of variants weighs no more than it may."""
    async with start(ready_cache_bytes=20_000) as running:
        requests = [_request(f"{track.package_base}/aac-64.m3u8", ("Accept-Encoding", f"x{n}")) for n in range(200)]
        await _exchange(running, *requests)
        assert 10_000 < running.app[HOT].weight <= 20_000


async def test_a_live_playlist_is_ready_for_as_long_as_its_pointer_is_trusted(
    start: Start, store: WatchedStore, track: Published
) -> None:
    """Then the store is asked again."""
    request = _request(f"{track.base}/index.m3u8")
    async with start(pointer_ttl_s=1.5) as running:
        for wait_s in (1.6, 0):
            store.reads.clear()
            await _exchange(running, request, request, request)
            assert store.reads[f"tracks/{track.track_id}/current.json"] == 1
            await asyncio.sleep(wait_s)


async def test_ready_answers_are_counted_and_logged(
    start: Start, track: Published, caplog: pytest.LogCaptureFixture
) -> None:
    """As all others: requests, bytes, durations, and a line with the same fields."""
    request = _request(f"{track.package_base}/aac-64/0.mp4")
    async with start(log_listeners=True) as running:
        await _exchange(running, request)
        settled = running.app[METRICS].value(SENT_BYTES, "media")
        with caplog.at_level("INFO", logger="origin.serve"):
            answer = await _exchange(running, request, request, request)
            await until(lambda: len(caplog.records) >= 3)
        normal, *ready = (dict(record.__dict__) for record in caplog.records if record.message == "request served")
        for fields in ready:
            names = ("method", "url_path", "status", "resource", "sent_bytes", "remote")
            assert [fields[name] for name in names] == [normal[name] for name in names]
            assert 0 <= fields["duration_ms"] < 60_000 and len(fields["request_id"]) == 16
        async with running.client.get("/metrics") as response:
            told = await response.text()
        assert 'segue_requests_total{resource="media",status="200"} 4\n' in told
        assert f'segue_sent_bytes_total{{resource="media"}} {settled + 3 * normal["sent_bytes"]:.0f}\n' in told
        assert 'segue_request_duration_seconds_count{resource="media"} 4\n' in told
        assert len(answer) == 3 * normal["sent_bytes"]


def _request(url: str, *fields: tuple[str, str], method: str = "GET") -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in [("Host", "x"), *fields])
    return f"{method} {url} HTTP/1.1\r\n{lines}\r\n".encode()


def _etag(answer: bytes) -> str:
    found = re.search(rb'ETag: ("[^"]+")', answer)
    assert found is not None
    return found[1].decode()


async def _told(running: Running) -> str:
    async with running.client.get("/metrics") as response:
        return "".join(re.findall(r"^segue_cmcd_.*\n", await response.text(), re.MULTILINE))


def _sent(running: Running) -> int:
    running.app[HOT].settle()
    return int(running.app[METRICS].value(CACHE_REQUESTS, Tier.MEMORY, Cache.READY, "hit"))


async def _exchange(running: Running, *packets: bytes) -> bytes:
    """What an origin answers on one connection, but for dates and request ids. Each packet is sent when all requests
    before it are answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    sent = got = b""
    answers = 0
    try:
        async with asyncio.timeout(30):
            for packet in packets:
                writer.write(packet)
                sent += packet
                while answers < sent.count(b"\r\n\r\n"):
                    answer = await _answer(reader, bodiless=sent.startswith(b"HEAD "))
                    answers += not answer.startswith(b"HTTP/1.1 100 ")
                    got += answer
                await asyncio.sleep(0.001)  # so that the next bytes are a packet of their own
    except (asyncio.IncompleteReadError, ConnectionError):
        got += b"closed"
    finally:
        writer.close()
    return got


async def _answer(reader: asyncio.StreamReader, *, bodiless: bool = False) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"\r\nContent-Length: (\d+)\r\n", head)
    return head + (await reader.readexactly(int(length[1])) if length and not bodiless else b"")


async def _until_closed(running: Running, *packets: bytes, patience_s: float = 1.0) -> bytes:
    """All that an origin says until it closes the connection, or for as long as we have patience."""
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    got = b""
    with suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(patience_s):
            for packet in packets:
                writer.write(packet)
                await asyncio.sleep(0.005)
            while part := await reader.read(1 << 16):
                got += part
    writer.close()
    return _normalised(got)


def _wherever_from(answers: bytes) -> bytes:
    return re.sub(rb"(Cache-Status: segue); (hit; detail=memory|fwd=uri-miss)[^\r]*", rb"\1", answers)


def _normalised(answers: bytes) -> bytes:
    return re.sub(rb"(Date|X-Request-Id|Age): [^\r]*", rb"\1", answers)


def _mutated(request: bytes, chance: random.Random) -> bytes:
    made = bytearray(request)
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        at = chance.randrange(len(made))
        match chance.randrange(4):
            case 0:
                made[at] = chance.choice((0, 9, 10, 13, 32, 34, 37, 58, 63, 65, 127, 128, 255))
            case 1:
                del made[at : at + chance.randrange(1, 20)]
            case 2:
                made[at:at] = made[at : at + chance.randrange(1, 40)]
            case _:
                made[at:at] = chance.choice(
                    (b"\r\n", b"\n", b"\r", b" ", b":", b"%2e", b"..", b"/", b"\r\n\r\n", b"?x=1")
                )
        if not made:
            break
    return bytes(made)
