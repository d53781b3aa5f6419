"""S3Store with the limits of `segue serve`, while the service is in trouble: an answer or an error, in time."""

import asyncio
import hashlib
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

from model.errors import ObjectNotFound, StorageDenied, StorageUnavailable
from segue.opened import serving_limits
from storage.address import S3Address, S3Credentials
from storage.base import ByteRange
from storage.s3 import S3Store
from tests.support.bad_server import HANG, HANG_UP, BadServer, Paced, Reply, Reset, answer, bad_server, s3_error, stored

DEADLINE_S = 2.0  # connecting may take 0.3 s, each wait 0.6 s, all tries together 1.8 s
ROOMY_S = 10.0  # where an answer comes: a busy machine may take two seconds for it
BUSY_S = 20.0  # more, on a machine that is busy with other tests
LATE_S = (
    60.0  # what comes then does not come in a test, however slow the machine; a server that is closed waits no more
)
BODY = bytes(range(250)) * 400
GOOD = answer("200 OK", BODY, stored(BODY))
TRICKLE_BYTES = len(GOOD) // 600  # every tenth of a second: a minute for all of it
HALF = answer("200 OK", BODY[:50_000], stored(BODY), claim=len(BODY))
SLOW_DOWN = s3_error("503 Slow Down", "SlowDown")
FAULTS: dict[str, Reply] = {
    "no-first-byte": HANG,
    "late-first-byte": Paced(data=GOOD, delay_s=LATE_S),
    "trickle": Paced(data=GOOD, step=TRICKLE_BYTES, pause_s=0.1),
    "stall": Paced(data=GOOD, step=60_000, pause_s=LATE_S),
    "truncated": HALF,
    "truncated-by-reset": Reset(HALF),
    "reset": Reset(),
    "hang-up": HANG_UP,
    "500": s3_error("500 Internal Server Error", "InternalError"),
    "502": answer("502 Bad Gateway", b"<html>proxy</html>"),
    "503": answer("503 Service Unavailable"),
    "slow-down": SLOW_DOWN,
    "429": answer("429 Too Many Requests"),
    "too-long-a-length": answer("200 OK", BODY, stored(BODY), claim=len(BODY) + 9),
    "too-short-a-length": answer("200 OK", BODY, stored(BODY), claim=len(BODY) - 9),
    "no-http": b"\x16\x03\x01\x02\x00 hello",
}


@pytest.fixture(autouse=True)
def _the_loop_is_never_blocked() -> Iterator[None]:
    """Reading is all asynchronous: whatever blocks raises."""
    with blockbuster_ctx(["storage"]):
        yield


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> Iterator[None]:
    """No thread and no connection outlives a test."""
    threads, sockets = threading.active_count(), _tcp_sockets()
    yield
    assert threading.active_count() <= threads
    assert _tcp_sockets() <= sockets


def _tcp_sockets() -> int:
    rows = (Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()).splitlines()
    known = {f"socket:[{fields[9]}]" for row in rows if (fields := row.split())[0] != "sl"}
    links = [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sum(link in known for link in links)


@asynccontextmanager
async def _serving(port: int, deadline_s: float = DEADLINE_S) -> AsyncIterator[S3Store]:
    address = S3Address(bucket="bucket", endpoint=f"127.0.0.1:{port}", secure=False)
    keys = S3Credentials(access_key="a", secret_key="s")
    store = S3Store(address, keys, limits=serving_limits(deadline_s))
    try:
        yield store
    finally:
        await store.close()


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_a_fault_that_stays_is_told_within_the_deadline(fault: Reply) -> None:
    """StorageUnavailable with a hint, before the origin's own deadline, in a bounded number of requests."""
    with bad_server(fault) as server:
        async with _serving(server.port) as store:
            began = time.monotonic()
            with pytest.raises(StorageUnavailable) as caught:
                await store.read("a")
            assert time.monotonic() - began < DEADLINE_S + BUSY_S
            assert caught.value.hint
        assert len(server.requests) <= 6  # on a busy machine none may have got there in time


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_a_fault_that_passes_is_not_noticed(fault: Reply) -> None:
    """The next try brings the object. Only what trickles uses up the time of all tries."""
    with bad_server(fault, GOOD) as server:
        async with _serving(server.port, ROOMY_S) as store:
            if isinstance(fault, Paced) and fault.step == TRICKLE_BYTES:
                with pytest.raises(StorageUnavailable):
                    await store.read("a")
            else:
                assert (await store.read("a")).data == BODY


@pytest.mark.parametrize("head_bytes", [300, (16 << 10) - 1, 16 << 10, (16 << 10) + 1, 20_000])
@pytest.mark.parametrize("step", [1 << 20, 16 << 10, 5_000])
async def test_it_is_read_wherever_its_head_ends(head_bytes: int, step: int) -> None:
    """Of each answer only so much is taken in at first: not always all of its head, or any of its body."""
    head, _, body = GOOD.partition(b"\r\n\r\n")
    for number in range(6):
        room = min(head_bytes - len(head) - 4, 4_000)
        head += b"\r\nX-%d: %s" % (number, b"x" * (room - 7)) if room >= 7 else b""
    assert len(head) + 4 == head_bytes or head_bytes == 300
    with bad_server(Paced(data=head + b"\r\n\r\n" + body, step=step, pause_s=0.01)) as server:
        async with _serving(server.port, ROOMY_S) as store:
            assert (await store.read("a")).data == BODY
            async with store.open("a", ByteRange(30_000, 90_000)) as stream:  # of all, which the service sends
                assert b"".join([chunk async for chunk in stream.chunks]) == BODY[30_000:90_000]


async def test_a_long_error_is_an_error() -> None:
    """However much the service has to say."""
    with bad_server(
        answer("403 Forbidden", b"<Error><Code>AccessDenied</Code>" + b" " * 100_000 + b"</Error>")
    ) as server:
        async with _serving(server.port, ROOMY_S) as store:
            with pytest.raises(StorageDenied):
                await store.read("a")


async def test_a_service_that_flaps_is_read() -> None:
    """Every other answer is bad, in every way; every read is good."""
    flapping = [each for fault in FAULTS.values() if not isinstance(fault, Paced) for each in (fault, GOOD)]
    with bad_server(*flapping) as server:
        async with _serving(server.port, ROOMY_S) as store:
            for _ in range(len(flapping) // 2):
                assert (await store.read("a")).data == BODY


async def test_a_service_that_is_not_there_is_told_at_once() -> None:
    """Refused three times, with short pauses between."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with _serving(port) as store:
        began = time.monotonic()
        with pytest.raises(StorageUnavailable, match="did not answer"):
            await store.read("a")
        assert time.monotonic() - began < 1 + BUSY_S


@pytest.mark.parametrize("fault", [HALF, Reset(HALF), Paced(data=GOOD, step=60_000, pause_s=LATE_S)])
async def test_a_stream_gives_what_comes_and_then_the_error(fault: Reply) -> None:
    """The first bytes are good; the end is StorageUnavailable, after one wait at the longest."""
    with bad_server(fault) as server:
        async with _serving(server.port) as store:
            got, began = b"", time.monotonic()
            with pytest.raises(StorageUnavailable):
                async with store.open("a") as stream:
                    async for chunk in stream.chunks:
                        got += chunk
            assert time.monotonic() - began < DEADLINE_S + BUSY_S
            assert got == BODY[: len(got)]
            assert bool(got) or isinstance(fault, Reset)  # a reset may throw away what had come


async def test_the_first_chunk_comes_before_the_last_is_sent() -> None:
    """Nothing is collected on the way."""
    with bad_server(Paced(data=GOOD, step=10_000, pause_s=0.4)) as server:
        async with _serving(server.port, 4 * ROOMY_S) as store, store.open("a") as stream:
            assert stream.info.sha256 == hashlib.sha256(BODY).hexdigest()
            first = await anext(stream.chunks)
            assert not server.answered.is_set()
            assert first + b"".join([chunk async for chunk in stream.chunks]) == BODY


async def test_who_leaves_a_stream_hangs_up() -> None:
    """Cancelled amid a slow answer: the connection is closed at once, and nothing is asked again."""
    with bad_server(Paced(data=GOOD, step=TRICKLE_BYTES, pause_s=0.1), GOOD) as server:
        async with _serving(server.port, ROOMY_S) as store:
            task = asyncio.create_task(_all_of(store))
            assert await asyncio.to_thread(server.asked.wait, 5)
            await asyncio.sleep(0.3)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            assert await asyncio.to_thread(_is_left, server)
            assert len(server.requests) == 1


async def _all_of(store: S3Store) -> bytes:
    async with store.open("a") as stream:
        return b"".join([chunk async for chunk in stream.chunks])


def _is_left(server: BadServer) -> bool:
    """Whether the server can send no more before its answer is over."""
    while not server.hung_up_on.is_set() and not server.answered.is_set():
        time.sleep(0.01)
    return not server.answered.is_set()


async def test_a_throttled_read_waits_as_long_as_it_is_asked_to() -> None:
    """Retry-After is kept, where there is time for it."""
    throttled = s3_error("503 Slow Down", "SlowDown", {"Retry-After": "1"})
    with bad_server(throttled, GOOD) as server:
        async with _serving(server.port, ROOMY_S) as store:
            began = time.monotonic()
            assert (await store.read("a")).data == BODY
            assert time.monotonic() - began >= 1


@pytest.mark.parametrize("value", ["60", "999999"])
async def test_who_is_asked_to_wait_too_long_says_so_at_once(value: str) -> None:
    """No second request, and the error tells how long."""
    with bad_server(answer("429 Too Many Requests", headers={"Retry-After": value})) as server:
        async with _serving(server.port) as store:
            began = time.monotonic()
            with pytest.raises(StorageUnavailable) as caught:
                await store.read("a")
            assert time.monotonic() - began < 1 + BUSY_S
            assert caught.value.retry_after_s == float(value)
        assert len(server.requests) == 1


@pytest.mark.parametrize("value", ["", "soon", "-5", "1e9", "9" * 30, "Fri, 31 Dec 1999 23:59:59 GMT"])
async def test_a_retry_after_that_is_no_number_is_ignored(value: str) -> None:
    """The usual pause then."""
    with bad_server(s3_error("503 Slow Down", "SlowDown", {"Retry-After": value}), GOOD) as server:
        async with _serving(server.port, ROOMY_S) as store:
            assert (await store.read("a")).data == BODY


async def test_a_service_that_is_down_keeps_one_waiting_and_no_more() -> None:
    """After five failures in a row all fail at once but one, which finds out when the service is back."""
    with bad_server(HANG) as server:
        async with _serving(server.port, ROOMY_S) as store:
            down = await asyncio.gather(*(store.read("a") for _ in range(5)), return_exceptions=True)
            assert {type(each) for each in down} == {StorageUnavailable}
            asked = len(server.requests)
            probe = asyncio.create_task(store.read("a"))
            assert await asyncio.to_thread(server.asked_times, asked + 1)
            for _ in range(50):
                with pytest.raises(StorageUnavailable, match="down"):
                    await store.read("b")
                with pytest.raises(StorageUnavailable, match="down"):
                    async with store.open("b", ByteRange(0, 5)):
                        raise AssertionError("opened")
            assert not probe.done()  # nobody waited for it
            server.answers = [GOOD]
            assert (await probe).data == BODY
            assert len(server.requests) == asked + 2
            together = await asyncio.gather(*(store.read("a") for _ in range(20)))
            assert all(body.data == BODY for body in together)


async def test_what_is_missing_is_no_failure_of_the_service() -> None:
    """Any number of answers 404 leaves it open; a probe that is cancelled lets the next one try."""
    missing = s3_error("404 Not Found", "NoSuchKey")
    with bad_server(missing) as server:
        async with _serving(server.port, ROOMY_S) as store:
            for _ in range(12):
                with pytest.raises(ObjectNotFound):
                    await store.read("a")
            server.answers = [HANG]
            await asyncio.gather(*(store.read("a") for _ in range(5)), return_exceptions=True)
            asked = len(server.requests)
            probe = asyncio.create_task(store.read("a"))
            assert await asyncio.to_thread(server.asked_times, asked + 1)
            probe.cancel()
            await asyncio.wait([probe])
            server.answers = [missing]
            for _ in range(3):
                with pytest.raises(ObjectNotFound):
                    await store.read("a")


KEPT = GOOD.replace(b"Connection: close\r\n", b"")


@asynccontextmanager
async def _answering(*replies: bytes) -> AsyncIterator[tuple[int, list[int]]]:
    """A server that keeps its connections: each request gets the next of the replies, an empty one the end of its
    connection. Its port, and for each request the number of its connection."""
    left, asked, connections = list(replies), list[int](), list[asyncio.StreamWriter]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        number = len(connections)
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                asked.append(number)
                reply = left.pop(0)
                if not reply:
                    break
                writer.write(reply)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], asked
    finally:
        server.close()
        for each in connections:
            each.close()
            with suppress(OSError):
                await each.wait_closed()


async def test_a_kept_connection_that_is_gone_costs_no_try() -> None:
    """The service ends it just when it is used again: the request goes to the next one, and at last to a new one."""
    async with _answering(KEPT, KEPT, b"", b"", KEPT) as (port, asked), _serving(port) as store:
        bodies = await asyncio.gather(store.read("a"), store.read("b"))
        assert sorted(asked) == [1, 2]
        again = await store.read("c")
        assert [body.data for body in (*bodies, again)] == [BODY] * 3
        assert sorted(asked) == [1, 1, 2, 2, 3]


async def test_a_connection_is_used_again_and_one_that_was_left_is_not() -> None:
    """Read to the end, also that of an error, it is as good as new; left amid an answer it is closed."""
    half = KEPT[:-40_000]
    missing = s3_error("404 Not Found", "NoSuchKey").replace(b"Connection: close\r\n", b"")
    async with _answering(KEPT, missing, half, KEPT) as (port, asked), _serving(port) as store:
        assert (await store.read("a")).data == BODY
        with pytest.raises(ObjectNotFound):
            await store.read("b")
        async with store.open("c") as stream:
            assert await anext(aiter(stream.chunks))
        assert (await store.read("d")).data == BODY
        assert asked == [1, 1, 1, 2]


async def test_a_hastened_read_is_the_read() -> None:
    """Asked for once, on a kept connection, and `open` or `read` takes the answer; without one nothing is sent."""
    part = ByteRange(0, len(BODY))
    async with _answering(KEPT, KEPT, KEPT) as (port, asked), _serving(port) as store:
        assert store.hasten("b", part) is None
        assert (await store.read("a")).data == BODY
        give_up = store.hasten("b", part)
        assert give_up is not None
        assert store.hasten("b", part) is None  # it is on its way
        async with store.open("b", part) as stream:
            give_up()  # which has no answer to give up any more
            assert await _taken(stream.chunks) == BODY
        give_up = store.hasten("c")
        assert give_up is not None
        assert (await store.read("c")).data == BODY
        give_up()
        assert asked == [1, 1, 1]


async def test_a_hastened_read_that_nobody_comes_for_is_given_up() -> None:
    """Its connection is closed, for an answer is on its way there; the next read is one of its own."""
    async with _answering(KEPT, KEPT, KEPT) as (port, asked), _serving(port) as store:
        assert (await store.read("a")).data == BODY
        give_up = store.hasten("b", ByteRange(0, len(BODY)))
        assert give_up is not None
        give_up()
        give_up()
        assert (await store.read("b", ByteRange(0, len(BODY)))).data == BODY
        assert asked[-1] == 2


async def test_a_hastened_read_on_a_connection_that_is_gone_costs_no_try() -> None:
    """It goes to another one."""
    part = ByteRange(0, len(BODY))
    async with _answering(KEPT, b"", KEPT) as (port, asked), _serving(port) as store:
        assert (await store.read("a")).data == BODY
        give_up = store.hasten("b", part)
        assert give_up is not None
        assert (await store.read("b", part)).data == BODY
        give_up()
        assert asked == [1, 1, 2]


async def test_a_service_that_is_down_is_not_hastened() -> None:
    """Then one read at a time finds out."""
    async with _answering(KEPT, *[s3_error("503 Slow Down", "SlowDown")] * 20) as (port, _), _serving(port) as store:
        assert (await store.read("a")).data == BODY
        await asyncio.gather(*(store.read("a") for _ in range(5)), return_exceptions=True)
        assert store.hasten("b", ByteRange(0, 5)) is None


async def test_closing_the_store_ends_reads_that_wait() -> None:
    """They raise at once; nobody is left waiting for bytes that nobody will read."""
    async with _answering(KEPT[:-40_000]) as (port, _), _serving(port) as store, store.open("a") as stream:
        waiting = asyncio.ensure_future(_taken(stream.chunks))
        await asyncio.sleep(0.1)
        await store.close()
        with pytest.raises(StorageUnavailable):
            await asyncio.wait_for(waiting, 5)


async def _taken(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])
