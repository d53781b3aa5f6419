"""Odd, broken and hostile requests over a raw socket: refused with a 4xx, in few words, and the origin lives on."""

import asyncio
import re

import pytest

from tests.integration.origin.conftest import Running
from tests.integration.origin.published import Published

TRACK = "a" * 20
RECORDING = f"/recordings/{'c' * 20}"
PACKAGE = f"{RECORDING}/{'b' * 16}"
SEGMENT = f"{PACKAGE}/aac-64/0.mp4"

ODD_TARGETS = [
    "/../../../../etc/passwd",
    "/tracks/../../etc/passwd",
    f"/tracks/{TRACK}/../../../etc/passwd",
    f"/tracks/{TRACK}/%2e%2e/%2e%2e/etc/passwd",
    f"/tracks/{TRACK}/..%2f..%2fetc%2fpasswd",
    f"/tracks/{TRACK}%2findex.m3u8",
    f"/tracks/{TRACK}/index.m3u8%00.mp4",
    f"/tracks/{TRACK}/index.m3u8/",
    f"/tracks//{TRACK}/index.m3u8",
    f"/%74racks/{TRACK}/index.m3u8/x",
    f"/tracks/{TRACK.upper()}/index.m3u8",
    f"/tracks/{TRACK}/current.json",
    f"/tracks/{TRACK}/track.json",
    f"/tracks/{TRACK}/art-161.jpg",
    f"/tracks/{TRACK}/{'b' * 16}/aac-64/0.mp4",
    f"{RECORDING}/analysis.json",
    f"{RECORDING}/mezzanine/{'b' * 16}.mp4",
    f"{RECORDING}/mezzanine/{'b' * 16}.json",
    f"{RECORDING}/mezzanine/{'b' * 16}.m3u8",
    f"{RECORDING}/mezzanine/{'b' * 16}/0.mp4",
    f"{RECORDING}/%6dezzanine/{'b' * 16}.mp4",
    f"{RECORDING}/{'b' * 16}/../mezzanine/{'b' * 16}.mp4",
    f"{PACKAGE}/package.json",
    f"{PACKAGE}/aac-64/00.mp4",
    f"{PACKAGE}/aac-64/-1.mp4",
    f"{PACKAGE}/aac-64/{'9' * 400}.mp4",
    f"{PACKAGE}/aac_64/0.mp4",
    f"{PACKAGE}/{'a' * 1000}/0.mp4",
    f"/art/{'b' * 16}/161.jpg",
    f"/art/{'b' * 16}/../{'b' * 16}/x.jpg",
    "/vendor/../index.html",
    "/vendor/%2e%2e/index.html",
    "/index.html%00",
    "/\\..\\..\\etc\\passwd",
    "//etc/passwd",
    "http://elsewhere.example/etc/passwd",
    "*",
]


@pytest.mark.parametrize("target", ODD_TARGETS)
async def test_odd_targets_are_not_found(origin: Running, target: str) -> None:
    """Whatever is not exactly a URL of ours names nothing: 4xx, and no read of the store."""
    status, body = await _exchange(origin, f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert 400 <= status < 500
    _check_silent(body)
    assert origin.store.reads.total() == 0


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "PROPFIND", "get", "G@T"])
async def test_other_methods_are_refused(origin: Running, track: Published, method: str) -> None:
    """405 with Allow, or 400 for what is no method at all."""
    target = f"{track.base}/index.m3u8" if method != "CONNECT" else "x:80"
    status, body = await _exchange(origin, f"{method} {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert status in (400, 404, 405)
    assert status != 405 or b"Allow: GET, HEAD, OPTIONS\r\n" in body
    _check_silent(body)


BROKEN = {
    "a NUL in the target": b"GET /tracks/\x00/index.m3u8 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a raw control character": b"GET /tracks/\x1b[31m HTTP/1.1\r\nHost: x\r\n\r\n",
    "a NUL in a header": b"GET / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
    "a header without a colon": b"GET / HTTP/1.1\r\nHost x\r\n\r\n",
    "a space before the colon": b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
    "a folded header": b"GET / HTTP/1.1\r\nHost: x\r\n X: y\r\nA: b\x00\r\n\r\n",
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    "no protocol": b"GET /\r\n\r\n",
    "HTTP/3 in text": b"GET / HTTP/3.0\r\nHost: x\r\n\r\n",
    "an overlong target": b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "an overlong header": b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
    "too many headers": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 500 + b"\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na",
    "length and chunks": b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
    "a negative length": b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
}


@pytest.mark.parametrize("what", BROKEN)
async def test_broken_requests_are_refused(origin: Running, what: str) -> None:
    """A 4xx that repeats nothing of the request, and the connection is closed."""
    status, body = await _exchange(origin, BROKEN[what])
    assert 400 <= status < 500
    _check_silent(body)
    async with origin.client.get("/healthz") as response:
        assert response.status == 200


async def test_junk_in_every_header_we_read_is_survived(origin: Running, track: Published) -> None:
    """Conditions, ranges, codings and request ids of pure junk: a plain answer."""
    names = ("Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "Accept-Encoding", "X-Request-Id")
    for junk in (b"\xff\xfe", b'"', b"bytes=\xc3\xa9-", b"," * 4000, b"9" * 5000, b"gzip;q=nan"):
        lines = b"".join(name.encode() + b": " + junk + b"\r\n" for name in names if name != "If-Match")
        head = f"GET {track.base}/index.m3u8 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n".encode()
        status, answer = await _exchange(origin, head + lines + b"\r\n")
        assert status == 200
        assert re.search(rb"X-Request-Id: [0-9a-f]{16}\r\n", answer)


async def test_a_good_request_id_is_passed_on(origin: Running) -> None:
    """So that one id follows a request through all tiers."""
    async with origin.client.get("/healthz", headers={"X-Request-Id": "edge-42.a_B"}) as response:
        assert response.headers["X-Request-Id"] == "edge-42.a_B"


async def test_pipelined_requests_are_answered_in_order(origin: Running, track: Published) -> None:
    """Two requests in one packet: two answers, the first one's first."""
    requests = b"".join(f"GET {track.base}/{n} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for n in ("art.jpg", "x"))
    status, answer = await _exchange(origin, requests, answers=2)
    assert status == 200
    assert 0 < answer.index(track.art[640]) < answer.index(b"HTTP/1.1 404")


async def _exchange(origin: Running, request: bytes, *, answers: int = 1) -> tuple[int, bytes]:
    """The status of the first answer, and the bytes of all."""
    reader, writer = await asyncio.open_connection("127.0.0.1", origin.port)
    got = b""
    try:
        async with asyncio.timeout(60):
            writer.write(request)
            for _ in range(answers):
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"Content-Length: (\d+)\r\n", head)
                got += head + await reader.readexactly(int(length[1]) if length else 0)
    finally:
        writer.close()
    found = re.match(rb"HTTP/\d\.\d (\d{3}) ", got)
    assert found, got[:200]
    return int(found[1]), got


def _check_silent(answer: bytes) -> None:
    body = answer.partition(b"\r\n\r\n")[2]
    assert len(body) < 100
    assert b"/" not in body and b"Traceback" not in body and b"aiohttp" not in answer
