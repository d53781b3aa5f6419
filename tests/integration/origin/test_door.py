"""Requests that are no requests, at the door of an origin in a process of its own, with either of aiohttp's parsers.

What is hostile is refused with a 4xx or means exactly what a plain request means. After what could be read in two ways
the connection is closed: behind each case here comes a second request, which is answered only where there is no doubt.
"""

import asyncio
import json
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from storage.keys import mezzanine_key
from tests.integration.origin.published import Published
from tests.support.command import CHECKOUT

FUZZED = 1500  # requests for each parser: some ten seconds on two cores
AT_ONCE = 24
PATIENCE_S = 30.0
STATUSES = {200, 204, 206, 304, 400, 403, 404, 405, 412, 413, 416, 431}
ERROR = re.compile(rb'\{"error": "[a-z-]+"\}\n')
STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9]) [A-Za-z -]+")
FIELD = re.compile(rb"[A-Za-z-]+: [ -~]*")
SECOND = b"GET /second HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """An origin behind its door."""

    port: int
    parser: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, as it came."""

    status: int
    fields: dict[str, str]
    body: bytes


@pytest.fixture(scope="module", params=["C", "Python"])
def door(request: pytest.FixtureRequest, shelf: tuple[Path, Published]) -> Iterator[Door]:
    """The origin; at its end it has had no trouble, and read nothing but what is public."""
    command = [sys.executable, "-m", "tests.integration.origin.door_program", str(shelf[0])]
    environment = os.environ | ({"AIOHTTP_NO_EXTENSIONS": "1"} if request.param == "Python" else {})
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=CHECKOUT, env=environment, text=True, **pipes) as process:  # type: ignore[call-overload]
        assert process.stdout
        said = json.loads(process.stdout.readline())
        assert said["parser"] == request.param
        yield Door(port=int(said["url"].rstrip("/").rpartition(":")[2]), parser=said["parser"])
        process.send_signal(signal.SIGTERM)
        last, complaints = process.communicate(timeout=60)
    assert (process.returncode, complaints) == (0, "")
    assert [key for key in json.loads(last)["reads"] if not _public(key, shelf[1])] == []


def _public(key: str, track: Published) -> bool:
    """Whether a key is of a package, a cover or the record of a track; the mezzanine only as the lossless rendition."""
    if key == mezzanine_key(track.package.recording_id, track.package.mezzanine_id):
        return True
    name = "[a-z2-7]{16,26}"
    media = rf"recordings/{name}/{name}/(package\.json|[a-z0-9-]{{1,40}}\.mp4)"
    return bool(re.fullmatch(rf"{media}|tracks/{name}/(current|track)\.json|art/{name}/\d+\.jpg", key))


def _get(target: bytes, fields: bytes = b"", *, method: bytes = b"GET", version: bytes = b"HTTP/1.1") -> bytes:
    return method + b" " + target + b" " + version + b"\r\nHost: x\r\n" + fields + b"\r\n"


# What must be refused, and nothing behind it be answered.
DOUBTFUL = {
    "length and chunks": _get(b"/healthz", b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n") + b"0\r\n\r\n",
    "chunks and length": _get(b"/healthz", b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n") + b"0\r\n\r\n",
    "two codings": _get(b"/healthz", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n") + b"0\r\n\r\n",
    "chunked not last": _get(b"/healthz", b"Transfer-Encoding: chunked, gzip\r\n") + b"0\r\n\r\n",
    "an unknown coding": _get(b"/healthz", b"Transfer-Encoding: xchunked\r\n"),
    "a coding behind a control character": _get(b"/healthz", b"Transfer-Encoding: \x0bchunked\r\n"),
    "chunks in HTTP/1.0": _get(b"/healthz", b"Transfer-Encoding: chunked\r\n", version=b"HTTP/1.0") + b"0\r\n\r\n",
    "chunks with a GET": _get(b"/healthz", b"Transfer-Encoding: chunked\r\n") + b"0\r\n\r\n",
    "a chunk of no size": _get(b"/healthz", b"Transfer-Encoding: chunked\r\n") + b"zz\r\n\r\n",
    "a line feed in a chunk's extension": _get(b"/healthz", b"Transfer-Encoding: chunked\r\n") + b"0;a\nb\r\n\r\n",
    "two equal lengths": _get(b"/healthz", b"Content-Length: 0\r\nContent-Length: 0\r\n"),
    "two lengths": _get(b"/healthz", b"Content-Length: 0\r\nContent-Length: 44\r\n"),
    "a list of lengths": _get(b"/healthz", b"Content-Length: 0, 0\r\n"),
    "a signed length": _get(b"/healthz", b"Content-Length: +0\r\n"),
    "a negative length": _get(b"/healthz", b"Content-Length: -1\r\n"),
    "a hexadecimal length": _get(b"/healthz", b"Content-Length: 0x0\r\n"),
    "a length in other digits": _get(b"/healthz", "Content-Length: \u0660\r\n".encode()),
    "an endless length": _get(b"/healthz", b"Content-Length: 99999999999999999999999\r\n"),
    "a body with a GET": _get(b"/healthz", b"Content-Length: 3\r\n") + b"abc",
    "a packed body": _get(b"/healthz", b"Content-Encoding: gzip\r\nContent-Length: 3\r\n") + b"abc",
    "a folded field": _get(b"/healthz", b"X: y\r\n z\r\n"),
    "a folded first field": b"GET /healthz HTTP/1.1\r\n Host: x\r\n\r\n",
    "line feeds alone": b"GET /healthz HTTP/1.1\nHost: x\n\n",
    "a line feed alone": _get(b"/healthz", b"X: y\nY: z\r\n"),
    "a carriage return alone": _get(b"/healthz", b"X: y\rY: z\r\n"),
    "a space before the colon": _get(b"/healthz", b"Content-Length : 0\r\n"),
    "a NUL in a name": _get(b"/healthz", b"X\x00: y\r\n"),
    "a NUL in a value": _get(b"/healthz", b"X: a\x00b\r\n"),
    "a field without a name": _get(b"/healthz", b": y\r\n"),
    "a field without a colon": _get(b"/healthz", b"Host x\r\n"),
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "two hosts": _get(b"/healthz", b"Host: y\r\n"),
    "a NUL in the target": _get(b"/\x00"),
    "a control character in the target": _get(b"/\x1b[31m"),
    "a space in the target": _get(b"/heal thz"),
    "tabs for spaces": b"GET\t/healthz\tHTTP/1.1\r\nHost: x\r\n\r\n",
    "no method at all": _get(b"/healthz", method=b'G"T'),
    "a tunnel": _get(b"example.com:443", method=b"CONNECT"),
    "an authority for a target": _get(b"example.com:443"),
    "a target without a slash": _get(b"healthz"),
    "a query for a target": _get(b"?x"),
    "a file for a target": _get(b"file:///etc/passwd"),
    "an absolute target with a port that is none": _get(b"http://x:zz/healthz"),
    "HTTP/0.9": b"GET /healthz\r\n\r\n",
    "HTTP/0.9, named": _get(b"/healthz", version=b"HTTP/0.9"),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a version with more behind": _get(b"/healthz", version=b"HTTP/1.1x"),
    "a version in small letters": _get(b"/healthz", version=b"http/1.1"),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
    "an overlong target": _get(b"/" + b"a" * 9000),
    "an overlong query": _get(b"/healthz?" + b"a" * 9000),
    "an overlong value": _get(b"/healthz", b"X: " + b"a" * 9000 + b"\r\n"),
    "an overlong name": _get(b"/healthz", b"a" * 9000 + b": x\r\n"),
    "too many fields": _get(b"/healthz", b"X: y\r\n" * 200),
}  # fmt: skip


@pytest.mark.parametrize("what", DOUBTFUL)
async def test_what_can_be_read_in_two_ways_ends_the_connection(door: Door, what: str) -> None:
    """One refusal; what comes behind it is nobody's."""
    (answer,) = await _exchange(door, DOUBTFUL[what] + SECOND)
    assert 400 <= answer.status < 500
    assert ERROR.fullmatch(answer.body)


# What is refused, or means what it says, in a form that leaves no doubt where it ends: status by parser.
PLAIN = {
    "TRACE": (_get(b"/healthz", b"Cookie: secret\r\n", method=b"TRACE"), {405}),
    "PUT": (_get(b"/healthz", method=b"PUT"), {405}),
    "DELETE": (_get(b"/healthz", method=b"DELETE"), {405}),
    "POST": (_get(b"/healthz", b"Content-Length: 3\r\n", method=b"POST") + b"abc", {405}),
    "OPTIONS *": (_get(b"*", method=b"OPTIONS"), {204}),
    "head fields that are large together": (_get(b"/healthz", (b"X: " + b"y" * 8000 + b"\r\n") * 5), {431}),
    "an absolute target": (_get(b"http://elsewhere.example/healthz"), {200}),
    "an absolute target that climbs": (_get(b"http://x/../etc/passwd"), {404}),
    "an expectation that is none": (_get(b"/healthz", b"Expect: /etc/passwd\r\n"), {200}),
    "100-continue": (_get(b"/healthz", b"Expect: 100-continue\r\n"), {200}),
    "a fragment": (_get(b"/healthz#x"), {404}),
    "an empty line before": (b"\r\n" + _get(b"/healthz"), {200}),
    "a host that is none": (b"GET /healthz HTTP/1.1\r\nHost: x/y@z\r\n\r\n", {200}),
    "an encoded letter": (_get(b"/%68ealthz"), {404}),
    "an encoded slash": (_get(b"/tracks%2f" + b"a" * 20 + b"/index.m3u8"), {404}),
    "a slash encoded twice": (_get(b"/tracks%252f" + b"a" * 20 + b"/index.m3u8"), {404}),
    "an encoded NUL": (_get(b"/healthz%00"), {404}),
    "overlong UTF-8": (_get(b"/%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd"), {404}),
    "an encoding that is none": (_get(b"/%zz"), {404}),
    "steps up": (_get(b"/../../etc/passwd"), {404}),
    "encoded steps up": (_get(b"/vendor/%2e%2e/%2e%2e/etc/passwd"), {404}),
    "steps with backslashes": (_get(b"/..\\..\\etc\\passwd"), {404}),
}  # fmt: skip


@pytest.mark.parametrize("what", PLAIN)
async def test_what_is_plain_is_answered_for_what_it_is(door: Door, what: str) -> None:
    """And the connection goes on."""
    request, statuses = PLAIN[what]
    first, second = await _exchange(door, request + SECOND)
    assert first.status in statuses
    assert first.status in (200, 204) or ERROR.fullmatch(first.body)
    assert second.status == 404
    assert "secret" not in str(first)


# The two parsers differ here; both ways are harmless: a refusal, or the plain meaning.
EITHER = {
    "a method in small letters": (_get(b"/healthz", method=b"get"), {200}),
    "an unknown method": (_get(b"/healthz", method=b"BREW"), {405}),
    "a very long method": (_get(b"/healthz", method=b"A" * 500), {405}),
    "two spaces": (_get(b" /healthz"), {200}),
    "HTTP/3 in text": (_get(b"/healthz", version=b"HTTP/3.0"), {200}),
    "HTTP/1.2": (_get(b"/healthz", version=b"HTTP/1.2"), {200}),
    "raw bytes in the target": (_get(b"/\xc0\xaf\xc0\xae"), {404}),
}  # fmt: skip


@pytest.mark.parametrize("what", EITHER)
async def test_where_parsers_differ_either_is_harmless(door: Door, what: str) -> None:
    """400 and the end, or what a plain request would get and the next answer."""
    request, statuses = EITHER[what]
    answers = [each.status for each in await _exchange(door, request + SECOND)]
    assert answers in ([400], *([status, 404] for status in statuses))


@pytest.mark.parametrize(
    "fields",
    [
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
        b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
    ],
)
async def test_another_protocol_is_not_taken_up(door: Door, fields: bytes) -> None:
    """The request is answered in this one, and that is all: what comes behind may be the other protocol."""
    (answer,) = await _exchange(door, _get(b"/healthz", fields) + SECOND)
    assert answer.status == 200


async def test_fuzz(door: Door, track: Published) -> None:
    """Good requests, cut up and spoiled: each gets good answers, to its last byte, and the origin lives on.

    The random order's seed is this one's too: `-p randomly_seed=N` repeats a run.
    """
    known = [body async for body in _known(door, track)]
    chance = random.Random(random.random())
    paths = _resources(track)
    requests = [_spoiled(chance, paths) for _ in range(FUZZED)]
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(request: bytes) -> None:
        async with gate:
            for answer in await _exchange(door, request + SECOND):
                assert answer.status in STATUSES, (answer, request)
                assert _is_known(answer, known), (answer.status, answer.body[:200], request)

    async with asyncio.TaskGroup() as group:
        for request in requests:
            group.create_task(one(request))
    (alive, _) = await _exchange(door, _get(b"/healthz") + SECOND)
    assert alive.status == 200


def _resources(track: Published) -> list[str]:
    """All that the track has, for a spoiled path may lead to any of it."""
    media, track_names = track.package_base, ("index.m3u8", "opus.m3u8", "lossless.m3u8", "index.mpd", "package.json")
    paths = [f"{track.base}/{name}" for name in (*track_names, "art.jpg", *(f"art-{side}.jpg" for side in track.art))]
    for each in track.package.renditions:
        name = each.rendition.rendition_id
        paths += [f"{media}/{name}.m3u8", f"{media}/{name}.mp4", f"{media}/{name}/init.mp4"]
        paths += [f"{media}/{name}/{number}.mp4" for number in range(len(each.segments))]
    return [*paths, *(f"{track.art_base}/{side}.jpg" for side in track.art), "/healthz"]


async def _known(door: Door, track: Published) -> AsyncIterator[bytes]:
    for path in _resources(track):
        for coding in (b"identity", b"gzip"):
            request = _get(path.encode(), b"Accept-Encoding: " + coding + b"\r\n")
            (answer, _) = await _exchange(door, request + SECOND)
            assert answer.status == 200
            yield answer.body


def _is_known(answer: Answer, known: list[bytes]) -> bool:
    if answer.status >= 400:
        return ERROR.fullmatch(answer.body) is not None
    if answer.status == 206:
        return any(answer.body in each for each in known)
    return answer.body in known or (not answer.body and answer.status in (204, 304))


PIECES = (
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\x00", b" ", b"\t", b":", b"/", b"//", b"/../", b"..%2f", b"%2e%2e/", b"%00",
    b"%252f", b"%c0%ae", b"\xff\xfe", b"\xc0\xaf", b"?", b"#", b"&", b"*", b"\\", b";", b"..", b"mezzanine", b"/t/",
    b"/t/exp=1~acl=*~hmac=" + b"0" * 64, b"?hdnts=", b"track.json", b"current.json", b"analysis.json", b"HTTP/1.0",
    b"HTTP/9.9", b"POST ", b"OPTIONS ", b"TRACE ", b"CONNECT ", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"http://x/",
    b"Transfer-Encoding: chunked\r\n", b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Connection: close\r\n",
    b"Connection: Upgrade\r\nUpgrade: h2c\r\n", b"Expect: 100-continue\r\n", b"Range: bytes=0-9\r\n",
    b"Range: bytes=-0\r\n", b"If-Range: \"x\"\r\n", b"If-None-Match: *\r\n", b"If-Match: \"x\"\r\n", b"0\r\n\r\n",
    b"Cookie: hdnts=x\r\n", b"Accept-Encoding: gzip;q=\r\n", b"a" * 300,
    b"X: " + b"y" * 4000 + b"\r\n", b"-1", b"9" * 30,
)  # fmt: skip


def _spoiled(chance: random.Random, paths: list[str]) -> bytes:
    """A good request after one to six bad turns."""
    fields = b"".join(piece for piece in chance.sample(PIECES, 3) if piece.endswith(b"\r\n") and b": " in piece)
    request = bytearray(_get(chance.choice(paths).encode(), fields))
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(request) + 1)
        end = min(len(request), at + chance.randint(1, 12))
        match chance.randrange(5):
            case 0 | 1:
                request[at:at] = chance.choice(PIECES)
            case 2:
                request[at:end] = b""
            case 3:
                request[at:at] = request[at:end]
            case 4:
                request[at:end] = chance.randbytes(end - at)
    return bytes(request)


async def _exchange(door: Door, request: bytes) -> list[Answer]:
    """All answers until the origin closes the connection; raises AssertionError for what is no HTTP."""
    async with asyncio.timeout(PATIENCE_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        try:
            writer.write(request)
            rest = await reader.read(-1)
        finally:
            writer.close()
    answers = []
    while rest:
        head, end, rest = rest.partition(b"\r\n\r\n")
        line, *lines = head.split(b"\r\n")
        found = STATUS_LINE.fullmatch(line)
        assert end and found and all(map(FIELD.fullmatch, lines)), (head[:200], request)
        fields = {name.lower(): value for name, _, value in (each.decode().partition(": ") for each in lines)}
        status = int(found[1])
        if status == 100:
            continue
        size = 0 if status in (204, 304) else int(fields["content-length"])
        assert len(rest) >= size, (head, request)
        answers.append(Answer(status, fields, rest[:size]))
        rest = rest[size:]
    assert answers, request
    return answers
