"""S3Store against a service that misbehaves at the socket: every fault is an error of ours, in bounded time."""

import asyncio
import hashlib
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from model.errors import (
    ObjectNotFound,
    RangeNotSatisfiable,
    StorageDenied,
    StorageError,
    StorageUnavailable,
)
from storage.address import S3Address, S3Credentials
from storage.base import ByteRange
from storage.retry import RetryPolicy
from storage.s3 import S3Store
from storage.s3_limits import S3Limits
from tests.support.bad_server import HANG, HANG_UP, answer, bad_server, s3_error, stored

BUSY_S = 20.0  # more, on a machine that is busy with other tests
ONCE = RetryPolicy(attempts=1)
THREE = RetryPolicy(attempts=3, first_pause_s=0.001)
SHA256 = hashlib.sha256(b"whole").hexdigest()
HEADERS = stored(b"whole")

Call = Callable[[S3Store, Path], Awaitable[object]]


async def _walk(store: S3Store) -> list[str]:
    return [entry.key async for entry in store.walk("")]


async def _stream(store: S3Store) -> bytes:
    async with store.open("a") as stream:
        return b"".join([chunk async for chunk in stream.chunks])


CALLS: dict[str, Call] = {
    "head": lambda store, _: store.head("a"),
    "read": lambda store, _: store.read("a"),
    "range": lambda store, _: store.read("a", ByteRange(0, 5)),
    "open": lambda store, _: _stream(store),
    "fetch": lambda store, folder: store.fetch("a", folder / "target"),
    "put": lambda store, _: store.put("a", b"body", media_type="x/y", cache_control="no-cache"),
    "walk": lambda store, _: _walk(store),
    "delete": lambda store, _: store.delete("a"),
}


def _store(port: int, retry: RetryPolicy = ONCE, *, wait_s: float = 20.0) -> S3Store:
    """Waits so long for an answer. What has to come in a test may need seconds on a busy machine."""
    address = S3Address(bucket="bucket", endpoint=f"127.0.0.1:{port}", secure=False)
    limits = S3Limits(connect_timeout_s=20.0, read_timeout_s=wait_s, retry=retry)
    return S3Store(address, S3Credentials(access_key="a", secret_key="s"), limits=limits)


async def _fails(
    port: int, call: Call, folder: Path, retry: RetryPolicy = ONCE, *, wait_s: float = 20.0
) -> StorageError:
    store = _store(port, retry, wait_s=wait_s)
    try:
        with pytest.raises(StorageError) as caught:
            await asyncio.wait_for(call(store, folder), 60)
    finally:
        await store.close()
    assert list(folder.iterdir()) == []
    return caught.value


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(
    "fault",
    [
        HANG,
        HANG_UP,
        b"HTTP/1.1 20",
        s3_error("503 Slow Down", "SlowDown"),
        s3_error("500 Internal Server Error", "InternalError"),
        answer("503 Service Unavailable"),
        answer("502 Bad Gateway", b"<html>proxy</html>", {"Content-Type": "text/html"}),
    ],
    ids=["hang", "hang-up", "half-a-line", "slow-down", "internal", "bare-503", "proxy-502"],
)
async def test_a_service_that_cannot_answer_is_unavailable(fault: bytes | None, call: Call, tmp_path: Path) -> None:
    """StorageUnavailable, with a hint, as often as it was allowed to try and within the time limits."""
    with bad_server(fault) as server:
        began = time.monotonic()
        error = await _fails(server.port, call, tmp_path, THREE, wait_s=0.2 if fault is HANG else 20.0)
        assert type(error) is StorageUnavailable
        assert error.hint
        await asyncio.to_thread(server.asked_times, 3)
        assert len(server.requests) in (3, 6)  # hung up on, the client of the reads asks once more: it may be idle
        assert time.monotonic() - began < 5 + BUSY_S


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_a_service_that_is_not_there_is_unavailable(call: Call, tmp_path: Path) -> None:
    """Connection refused: the hint points at the endpoint."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    error = await _fails(port, call, tmp_path)
    assert type(error) is StorageUnavailable
    assert "endpoint" in error.hint


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_what_will_not_change_is_not_tried_again(call: Call, tmp_path: Path) -> None:
    """A refusal is final: one request, StorageDenied."""
    with bad_server(s3_error("403 Forbidden", "AccessDenied")) as server:
        assert type(await _fails(server.port, call, tmp_path, THREE)) is StorageDenied
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (s3_error("404 Not Found", "NoSuchKey"), ObjectNotFound),
        (s3_error("404 Not Found", "NoSuchBucket"), StorageError),
        (s3_error("416 Range Not Satisfiable", "InvalidRange"), RangeNotSatisfiable),
        (s3_error("403 Forbidden", "RequestTimeTooSkewed"), StorageDenied),
        (s3_error("403 Forbidden", "SomethingNew"), StorageDenied),
        (s3_error("501 Not Implemented", "NotImplemented"), StorageError),
        (answer("404 Not Found", b"<html>nginx</html>", {"Content-Type": "text/html"}), StorageError),
        (answer("401 Unauthorized", b"proxy", {"Content-Type": "text/plain"}), StorageDenied),
        (answer("304 Not Modified"), StorageError),
        (answer("418 Teapot", b"<Err", {"Content-Type": "application/xml"}), StorageError),
        (answer("400 Bad Request", b"\xff\xfe", {"Content-Type": "application/xml"}), StorageError),
        (b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n", StorageUnavailable),
    ],
)
async def test_each_answer_has_its_error(fault: bytes, kind: type[StorageError], tmp_path: Path) -> None:
    """Whatever comes, it is the error that fits, and says what to do."""
    with bad_server(fault) as server:
        error = await _fails(server.port, CALLS["read"], tmp_path)
    assert type(error) is kind
    assert error.hint or kind is RangeNotSatisfiable


async def test_a_listing_that_is_no_xml_is_not_s3(tmp_path: Path) -> None:
    """A web server answers 200 to everything; the hint says to look at the endpoint."""
    with bad_server(answer("200 OK", b"<html><p>welcome", {"Content-Type": "text/html"})) as server:
        error = await _fails(server.port, CALLS["walk"], tmp_path)
    assert type(error) is StorageError
    assert "endpoint" in error.hint


@pytest.mark.parametrize("call", ["read", "fetch"])
async def test_a_body_that_ends_early_is_not_taken_for_whole(call: str, tmp_path: Path) -> None:
    """Fewer bytes than announced: tried again, then StorageUnavailable; no file is left."""
    with bad_server(answer("200 OK", b"half", HEADERS, claim=8)) as server:
        error = await _fails(server.port, CALLS[call], tmp_path, THREE)
        assert type(error) is StorageUnavailable
        assert len(server.requests) == 3


async def test_a_stream_that_ends_early_says_so_and_is_not_repeated() -> None:
    """What came before the end was passed on already; the error comes instead of the rest."""
    with bad_server(answer("200 OK", b"half", HEADERS, claim=8)) as server:
        store = _store(server.port, THREE)
        got = b""
        async with store.open("a") as stream:
            assert (stream.start, stream.end, stream.info.sha256) == (0, 8, SHA256)
            with pytest.raises(StorageUnavailable):
                async for chunk in stream.chunks:
                    got += chunk
        await store.close()
        assert (got, len(server.requests)) == (b"half", 1)


@pytest.mark.parametrize("call", ["read", "open", "fetch"])
async def test_a_whole_object_has_its_hash_checked(call: str, tmp_path: Path) -> None:
    """Bytes that are not those of the stored hash become no body, no stream's end and no file."""
    with bad_server(answer("200 OK", b"wrong bytes", HEADERS)) as server:
        error = await _fails(server.port, CALLS[call], tmp_path)
    assert type(error) is StorageUnavailable
    assert "hash" in str(error)


async def test_a_fault_that_passes_is_not_seen(tmp_path: Path) -> None:
    """The call is repeated and succeeds."""
    good = answer("200 OK", b"whole", HEADERS)
    with bad_server(HANG_UP, s3_error("503 Slow Down", "SlowDown"), good) as server:
        store = _store(server.port, THREE)
        body = await store.read("a")
        await store.close()
        assert len(server.requests) == 3
    assert body.data == b"whole"
    assert (body.info.sha256, body.info.modified_s) == (SHA256, 784_111_777)


async def test_a_service_that_ignores_ranges_still_gives_the_range() -> None:
    """200 with the whole object: the range is cut here; a start past the end is still an error."""
    with bad_server(answer("200 OK", b"0123456789", HEADERS)) as server:
        store = _store(server.port)
        body = await store.read("a", ByteRange(3, 6))
        assert (body.data, body.info.size_bytes) == (b"345", 10)
        with pytest.raises(RangeNotSatisfiable):
            await store.read("a", ByteRange(10, 11))
        await store.close()


@pytest.mark.parametrize("content_range", ["", "bytes 1-5/10", "bytes 0-3/10", "lines 0-4/10", "bytes 0-4/*"])
async def test_another_range_than_asked_for_is_refused(content_range: str, tmp_path: Path) -> None:
    """Bytes from the wrong place are never handed on."""
    fault = answer("206 Partial Content", b"01234", {"Content-Range": content_range, **HEADERS})
    with bad_server(fault) as server:
        store = _store(server.port)
        with pytest.raises(StorageError, match="another range"):
            await store.read("a", ByteRange(0, 5))
        await store.close()


async def test_a_read_larger_than_allowed_is_refused_before_its_bytes_come() -> None:
    """The announced size decides; nobody fills our memory."""
    with bad_server(answer("200 OK", b"", HEADERS, claim=1 << 40)) as server:
        store = _store(server.port)
        with pytest.raises(StorageError, match="at once"):
            await store.read("a")
        await store.close()


async def test_a_cancelled_read_goes_on_at_once_and_is_not_repeated() -> None:
    """Who waits for a reader that is gone? Nobody; the thread ends with its time limit."""
    with bad_server(HANG) as server:
        store = _store(server.port, THREE)
        task = asyncio.create_task(store.read("a"))
        assert await asyncio.to_thread(server.asked.wait, 5)
        began = time.monotonic()
        task.cancel()
        await asyncio.wait([task])
        assert time.monotonic() - began < BUSY_S
        await store.close()
        assert len(server.requests) == 1


async def test_a_cancelled_put_waits_for_its_end_and_is_not_repeated() -> None:
    """Cancelling is through when nothing can happen any more, after one time limit at most."""
    with bad_server(HANG) as server:
        store = _store(server.port, THREE, wait_s=2.0)
        task = asyncio.create_task(store.put("a", b"x", media_type="x/y", cache_control="no-cache"))
        assert await asyncio.to_thread(server.asked.wait, 5)
        task.cancel()
        await asyncio.wait([task], timeout=0.02)
        assert not task.done()  # the service may still take the object
        task.cancel()
        await asyncio.wait([task], timeout=60)
        assert task.cancelled()
        await store.close()
        assert len(server.requests) == 1
