"""What surrounds every operation of the API, on real sockets: keys, bodies, methods, caching, limits."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
from aiohttp import web
from msgspec import Meta, Struct

from catalog.listener_database import ListenerDatabase
from catalog.listener_open import open_listeners
from catalog.listeners import Listeners
from discovery.accounts import Accounts
from discovery.frame import BODY_TIMEOUT_S, Frame
from discovery.operations import Call, Group, Operation, Sent, Served, Who
from discovery.parameters import Number
from discovery.rates import KEY_FAILURES, RATES, Rates
from model.errors import Conflict, ResourceUnknown
from origin.state import METRICS
from tests.integration.origin.conftest import Running, Start, until

BODY_BYTES_MAX = 3000
ID = "a" * 20
_PUT = f"PUT /api/v1/notes/{ID} HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n".encode()


class Note(Struct, forbid_unknown_fields=True):
    """A body."""

    text: Annotated[str, Meta(min_length=1, max_length=10)]
    stars: Annotated[int, Meta(ge=0, le=5)] = 0


class Kept(Struct):
    """An answer: who asked, with what."""

    who: str
    what: dict[str, Any]


async def _echo(call: Call) -> Kept:
    body = call.body if call.body is None or isinstance(call.body, Note) else len(call.body)
    return Kept(who=call.listener_id, what={"path": dict(call.path), "query": dict(call.query), "body": body})


async def _nothing(call: Call) -> None:
    if call.path["note_id"] != ID:
        raise ResourceUnknown("no such note")


async def _sent(call: Call) -> Sent:
    return Sent(body=b"# text", media_type="text/plain; charset=utf-8", file_name='Caf\u00e9 "1"\r\n.txt')


async def _conflict(call: Call) -> Kept:
    raise Conflict("it was changed meanwhile", subject="$.text")


def _operation(method: str, path: str, **more: Any) -> Operation:
    described: dict[str, Any] = {"summary": "a test's", "answer": Kept} | more
    return Operation(method=method, path=f"/api/v1/{path}", **described)


PUBLIC = _operation("GET", "public", parameters=(Number(name="n", default=1, least=0, most=9, help=""),))
OPERATIONS = (
    Served(PUBLIC, _echo),
    Served(_operation("GET", "passing", kept=False), _echo),
    Served(_operation("GET", "either", who=Who.EITHER), _echo),
    Served(_operation("GET", "mine", who=Who.LISTENER), _echo),
    Served(_operation("GET", "text", answer=bytes, answer_types=("text/plain",)), _sent),
    Served(_operation("POST", "notes", who=Who.LISTENER, body=Note, status=201, body_bytes_max=BODY_BYTES_MAX), _echo),
    Served(_operation("PUT", "notes/{note_id}", body=bytes, body_types=("text/plain", "text/x-note")), _echo),
    Served(_operation("PATCH", "notes/{note_id}", body=Note, group=Group.WRITE), _conflict),
    Served(
        _operation("DELETE", "notes/{note_id}", answer=None, status=204, who=Who.LISTENER, group=Group.WRITE), _nothing
    ),
)


@pytest.fixture
def database() -> Iterator[ListenerDatabase]:
    """Listeners, in memory; opened outside the event loop."""
    with open_listeners() as opened:
        yield opened


@pytest.fixture
def key(database: ListenerDatabase) -> str:
    """The key of a listener."""
    return Listeners(database).add()[1]


@pytest.fixture
def other(database: ListenerDatabase) -> str:
    """The key of another one."""
    return Listeners(database).add()[1]


@asynccontextmanager
async def _framed(
    start: Start,
    database: ListenerDatabase,
    *,
    rates: Rates | None = None,
    proxies: int = 0,
    sign_up: bool = True,
    body_timeout_s: float = BODY_TIMEOUT_S,
    **more: Any,
) -> AsyncIterator[Running]:
    def extend(app: web.Application) -> None:
        listeners = Listeners(database)
        frame = Frame(listeners, Rates() if rates is None else rates, proxies=proxies, body_timeout_s=body_timeout_s)
        frame.add(app, (*OPERATIONS, *Accounts(listeners, is_open=sign_up).served))

    async with start(extend, **more) as running:
        yield running


@pytest.fixture
async def origin(start: Start, database: ListenerDatabase) -> AsyncIterator[Running]:
    """An origin with this test's operations."""
    async with _framed(start, database) as running:
        yield running


def _with(key: str, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}", **more}


async def _ask(origin: Running, method: str, path: str, **asked: Any) -> tuple[int, Any, Any]:
    """Status, body (JSON or None), headers."""
    async with origin.client.request(method, f"/api/v1/{path}", **asked) as response:
        body = await response.read()
        is_json = response.headers.get("Content-Type", "").startswith("application/json")
        return response.status, json.loads(body) if is_json and body else None, response.headers


async def test_what_everyone_may_have_is_kept_by_caches(origin: Running, key: str) -> None:
    """As before: with a tag, whether a key comes along or not; unless the operation says otherwise."""
    for headers in ({}, _with(key), _with("sk_nonsense")):
        status, body, headers = await _ask(origin, "GET", "public?n=3", headers=headers)
        assert (status, body) == (200, {"who": "", "what": {"path": {}, "query": {"n": 3}, "body": None}})
        assert headers["Cache-Control"] == "public, max-age=5" and "ETag" in headers and "Vary" not in headers
    status, _, headers = await _ask(origin, "HEAD", "public")
    assert status == 200
    status, _, headers = await _ask(origin, "GET", "passing")
    assert (status, headers["Cache-Control"], headers["CDN-Cache-Control"]) == (200, "no-store", "no-store")


async def test_what_is_for_a_listener_is_for_nobody_else(origin: Running, key: str) -> None:
    """With the key it is answered, kept by no cache."""
    status, body, headers = await _ask(origin, "GET", "mine", headers=_with(key))
    assert status == 200 and len(body["who"]) == 20
    assert (headers["Cache-Control"], headers["CDN-Cache-Control"]) == ("private, no-store", "no-store")
    assert "ETag" not in headers


async def test_an_answer_that_is_better_with_a_key_is_kept_without_one(origin: Running, key: str) -> None:
    """And says that it varies; with a wrong key it is refused, so that a client notices."""
    status, body, headers = await _ask(origin, "GET", "either")
    assert (status, body["who"], headers["Cache-Control"]) == (200, "", "public, max-age=5")
    assert headers["Vary"] == "Authorization"
    tag = {"If-None-Match": headers["ETag"]}
    status, _, headers = await _ask(origin, "GET", "either", headers=tag)
    assert (status, headers["Vary"]) == (304, "Authorization")
    status, body, headers = await _ask(origin, "GET", "either", headers=_with(key))
    assert (status, headers["Cache-Control"]) == (200, "private, no-store") and body["who"]
    assert (await _ask(origin, "GET", "either", headers=_with("sk_nonsense")))[0] == 401


@pytest.mark.parametrize(
    ("header", "challenge"),
    [
        (None, 'Bearer realm="segue"'),
        ("Bearer sk_nonsense", 'Bearer realm="segue", error="invalid_token"'),
        ("Basic c2tfOg==", 'Bearer realm="segue", error="invalid_token"'),
        ("Bearer", 'Bearer realm="segue", error="invalid_token"'),
        ("", 'Bearer realm="segue", error="invalid_token"'),
        ("Bearer sk_\udce9\udcff", 'Bearer realm="segue", error="invalid_token"'),
    ],
)
async def test_without_a_key_that_is_one_there_is_401(origin: Running, header: str | None, challenge: str) -> None:
    """With the scheme that is asked for; never kept."""
    headers = {} if header is None else {"Authorization": header}
    for method, path in (("GET", "mine"), ("DELETE", f"notes/{ID}")):
        status, body, answered = await _ask(origin, method, path, headers=headers)
        assert (status, body["error"]) == (401, "listener-unknown")
        assert (answered["WWW-Authenticate"], answered["Cache-Control"]) == (challenge, "no-store")


async def test_the_scheme_may_be_written_in_any_case(origin: Running, key: str) -> None:
    """RFC 9110 §11.1."""
    assert (await _ask(origin, "GET", "mine", headers={"Authorization": f"bEARER  {key}"}))[0] == 200


async def test_a_body_is_read_as_its_shape_says(origin: Running, key: str) -> None:
    """Defaults filled in; 201 as declared, kept by nobody."""
    asked = {
        "data": b'{"text": "caf\xc3\xa9"}',
        "headers": _with(key, **{"Content-Type": "application/json; charset=UTF-8"}),
    }
    status, body, headers = await _ask(origin, "POST", "notes", **asked)
    assert (status, body["what"]["body"]) == (201, {"text": "café", "stars": 0})
    assert headers["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize(
    ("body", "status", "code", "where"),
    [
        (b"", 400, "body-malformed", None),
        (b"{", 400, "body-malformed", None),
        (b'{"text": "\xff"}', 400, "body-malformed", None),
        (b'{"text": "a"} b', 400, "body-malformed", None),
        (b"[" * 2900, 422, "body-invalid", None),
        (b'{"text": "a", "more": ' + b"[" * 2800, 422, "body-invalid", None),
        (b"null", 422, "body-invalid", None),
        (b"{}", 422, "body-invalid", None),
        (b'{"text": ""}', 422, "body-invalid", "$.text"),
        (b'{"text": "12345678901"}', 422, "body-invalid", "$.text"),
        (b'{"text": 1}', 422, "body-invalid", "$.text"),
        (b'{"text": "a", "stars": 6}', 422, "body-invalid", "$.stars"),
        (b'{"text": "a", "stars": 1e400}', 422, "body-invalid", "$.stars"),
        (b'{"text": "a", "stars": true}', 422, "body-invalid", "$.stars"),
        (b'{"text": "a", "secret-word": 1}', 422, "body-invalid", None),
    ],
    ids=repr,
)
async def test_a_body_of_another_shape_is_refused(
    origin: Running, key: str, body: bytes, status: int, code: str, where: str | None
) -> None:
    """The answer says what is wrong and where, and repeats nothing of it."""
    headers = _with(key, **{"Content-Type": "application/json"})
    answered, told, answer_headers = await _ask(origin, "POST", "notes", data=body, headers=headers)
    assert (answered, told["error"], told.get("where")) == (status, code, where)
    assert told["message"] and "secret-word" not in json.dumps(told)
    assert answer_headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "headers",
    [
        {}, {"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "x"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)  # fmt: skip
async def test_only_json_as_it_is_is_taken(origin: Running, key: str, headers: dict[str, str]) -> None:
    """415 for what a form of another site could send, and for what would have to be unpacked."""
    asked = {"data": b'{"text": "a"}', "headers": _with(key, **headers), "skip_auto_headers": ["Content-Type"]}
    status, told, _ = await _ask(origin, "POST", "notes", **asked)
    assert (status, told["error"]) == (415, "media-type-refused")


async def test_other_bodies_are_taken_where_an_operation_says_so(origin: Running) -> None:
    """As bytes, of the types that it names."""
    sent: dict[str, Any] = {"data": b"one two", "headers": {"Content-Type": "text/x-note"}}
    status, body, _ = await _ask(origin, "PUT", f"notes/{ID}", **sent)
    assert (status, body["what"]) == (200, {"path": {"note_id": ID}, "query": {}, "body": 7})
    status, _, _ = await _ask(
        origin, "PUT", f"notes/{ID}", **(sent | {"headers": {"Content-Type": "application/json"}})
    )
    assert status == 415


async def _in_pieces(body: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(body), 500):
        yield body[at : at + 500]


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_may_be_so_long_and_no_longer(origin: Running, key: str, chunked: bool) -> None:
    """413, and the connection is closed, whether the length was told or not; the limit itself is allowed."""
    headers = _with(key, **{"Content-Type": "application/json"})
    for size_bytes, expected in ((BODY_BYTES_MAX, 201), (BODY_BYTES_MAX + 1, 413)):
        body = b'{"text": "a"}'.ljust(size_bytes)
        data = _in_pieces(body) if chunked else body
        status, _, answered = await _ask(origin, "POST", "notes", data=data, headers=headers)
        assert status == expected
        assert (answered.get("Connection") == "close") == (expected == 413)


async def test_where_no_body_is_meant_none_is_taken(origin: Running, key: str) -> None:
    """With a method that may have one, too."""
    status, told, _ = await _ask(origin, "POST", "listeners/me/key", data=b"{}", headers=_with(key))
    assert (status, told["error"]) == (413, "body-too-large")
    status, told, _ = await _ask(origin, "DELETE", f"notes/{ID}", data=b"{}", headers=_with(key))
    assert (status, told["error"]) == (413, "body-too-large")


async def test_other_answers_than_json(origin: Running, key: str) -> None:
    """As they are; with a name to save them by; none at all."""
    async with origin.client.get("/api/v1/text") as response:
        assert (response.status, await response.read()) == (200, b"# text")
        named = """attachment; filename="Caf_ _1___.txt"; filename*=UTF-8''Caf%C3%A9%20%221%22%0D%0A.txt"""
        assert response.headers["Content-Disposition"] == named
        assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert response.headers["Cache-Control"] == "public, max-age=5"
    async with origin.client.delete(f"/api/v1/notes/{ID}", headers=_with(key)) as response:
        assert (response.status, await response.read()) == (204, b"")
        assert response.headers["Cache-Control"] == "private, no-store"


async def test_errors_to_who_has_a_key_are_kept_by_nobody(origin: Running, key: str) -> None:
    """What is not there for one may be there for another; without a key 404 is kept a moment, as everywhere."""
    status, told, headers = await _ask(origin, "DELETE", f"notes/{'b' * 20}", headers=_with(key))
    assert (status, told) == (404, {"error": "resource-unknown", "message": "no such note"})
    assert headers["Cache-Control"] == "no-store"
    status, told, headers = await _ask(origin, "DELETE", "notes/B", headers=_with(key))
    assert (status, told, headers["Cache-Control"]) == (404, {"error": "not-found"}, "no-store")
    status, _, headers = await _ask(origin, "GET", "nothing/here")
    assert (status, headers["Cache-Control"]) == (404, "public, max-age=5")


async def test_an_operation_may_refuse_and_say_why(origin: Running) -> None:
    """With the status of its error."""
    asked = {"data": b'{"text": "a"}', "headers": {"Content-Type": "application/json"}}
    status, told, _ = await _ask(origin, "PATCH", f"notes/{ID}", **asked)
    assert (status, told) == (409, {"error": "conflict", "message": "it was changed meanwhile", "where": "$.text"})


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("public", "GET, HEAD, OPTIONS"),
        (f"notes/{ID}", "DELETE, OPTIONS, PATCH, PUT"),
        ("notes", "OPTIONS, POST"),
    ],
)
async def test_methods_that_a_path_does_not_have_are_405(origin: Running, path: str, allowed: str) -> None:
    """With those that it has; OPTIONS tells them too, and browsers may send keys and JSON from any page."""
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"} - set(allowed.split(", ")):
        status, told, headers = await _ask(origin, method, path)
        assert (status, told["error"], headers["Allow"]) == (405, "method-not-allowed", allowed)
    status, _, headers = await _ask(origin, "OPTIONS", path)
    assert (status, headers["Allow"]) == (204, allowed)
    assert headers["Access-Control-Allow-Methods"] == "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
    assert {"Authorization", "Content-Type"} <= set(headers["Access-Control-Allow-Headers"].split(", "))
    assert "Access-Control-Allow-Credentials" not in headers


async def test_who_asks_too_often_is_told_when_to_come_again(
    start: Start, database: ListenerDatabase, key: str, other: str
) -> None:
    """On real sockets; other operations, and other listeners, are answered as before."""
    async with _framed(start, database, rates=Rates(1e-9)) as origin:
        statuses = []
        for _ in range(3):
            status, told, headers = await _ask(origin, "GET", "mine", headers=_with(key))
            statuses.append(status)
        assert statuses == [200, 429, 429]
        assert told["error"] == "rate-limited" and int(headers["Retry-After"]) > 1000
        assert headers["Cache-Control"] == "no-store"
        assert "Retry-After" in headers["Access-Control-Expose-Headers"]
        assert (await _ask(origin, "GET", "mine", headers=_with(other)))[0] == 200
        assert (await _ask(origin, "DELETE", f"notes/{ID}", headers=_with(key)))[0] == 204
        assert (await _ask(origin, "GET", "public"))[0] == 200
        assert (await _ask(origin, "GET", "public"))[0] == 429


async def test_who_tries_keys_is_stopped(start: Start, database: ListenerDatabase, key: str) -> None:
    """After so many wrong ones no key from there is looked at; the public goes on."""
    async with _framed(start, database) as origin:
        burst = RATES[KEY_FAILURES].burst
        statuses = [(await _ask(origin, "GET", "mine", headers=_with(f"sk_{n}")))[0] for n in range(burst + 30)]
        assert statuses[:burst] == [401] * burst and statuses[-1] == 429
        assert (await _ask(origin, "GET", "mine", headers=_with(key)))[0] == 429
        assert (await _ask(origin, "GET", "public"))[0] == 200


async def test_behind_proxies_clients_are_told_apart(start: Start, database: ListenerDatabase) -> None:
    """By what the outermost of ours wrote; what a client wrote itself does not count. Without proxies the header is
    anybody's and means nothing."""
    from_one = {"X-Forwarded-For": "6.6.6.6, 192.0.2.1, 10.0.0.1"}
    from_two = {"X-Forwarded-For": "6.6.6.6, 192.0.2.2, 10.0.0.1"}
    async with _framed(start, database, rates=Rates(1e-9), proxies=2) as origin:
        for headers in (from_one, from_two):
            assert [(await _ask(origin, "GET", "public", headers=headers))[0] for _ in range(2)] == [200, 429]
    async with _framed(start, database, rates=Rates(1e-9)) as origin:
        assert [(await _ask(origin, "GET", "public", headers=each))[0] for each in (from_one, from_two)] == [200, 429]


async def test_a_listener_makes_itself_and_replaces_its_key(origin: Running) -> None:
    """The old key ends with that."""
    status, made, headers = await _ask(origin, "POST", "listeners")
    assert (status, headers["Cache-Control"]) == (201, "no-store") and re.fullmatch(r"sk_[\w-]{43}", made["key"])
    status, me, _ = await _ask(origin, "GET", "listeners/me", headers=_with(made["key"]))
    assert (status, me["listener_id"]) == (200, made["listener_id"])
    status, again, _ = await _ask(origin, "POST", "listeners/me/key", headers=_with(made["key"]))
    assert (status, again["listener_id"]) == (201, made["listener_id"])
    assert (await _ask(origin, "GET", "listeners/me", headers=_with(made["key"])))[0] == 401
    assert (await _ask(origin, "GET", "listeners/me", headers=_with(again["key"])))[0] == 200


async def test_where_sign_up_is_closed_nobody_makes_a_listener(
    start: Start, database: ListenerDatabase, key: str
) -> None:
    """403; those whom the operator makes are welcome."""
    async with _framed(start, database, sign_up=False) as origin:
        status, told, _ = await _ask(origin, "POST", "listeners")
        assert (status, told["error"]) == (403, "not-allowed")
        assert (await _ask(origin, "GET", "listeners/me", headers=_with(key)))[0] == 200


@pytest.mark.parametrize("rest", [b"ZZ\r\n", b"4\r\nbodyX", b"-1\r\n\r\n", b"4\r\nbo\r\n0\r\n\r\n"], ids=repr)
async def test_a_body_in_broken_pieces_is_refused(origin: Running, rest: bytes) -> None:
    """400 and the end of the connection: nobody knows what would follow."""
    answer = await _raw(origin, _PUT + b"Transfer-Encoding: chunked\r\n\r\n" + rest)
    assert re.match(rb"HTTP/1\.[01] 400 ", answer) and answer.count(b"HTTP/1.") == 1


async def test_a_body_that_does_not_come_is_not_waited_for(start: Start, database: ListenerDatabase) -> None:
    """408 and the end of the connection."""
    async with _framed(start, database, body_timeout_s=0.2) as origin:
        answer = await _raw(origin, _PUT + b"Content-Length: 100\r\n\r\nhalf")
    assert answer.startswith(b"HTTP/1.1 408 ") and b"\r\nConnection: close\r\n" in answer
    assert b'"body-too-slow"' in answer


async def _raw(origin: Running, sent: bytes) -> bytes:
    """All that is answered until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", origin.port)
    try:
        writer.write(sent)
        return await asyncio.wait_for(reader.read(), 60)
    finally:
        writer.close()


async def test_who_leaves_amid_a_body_is_no_error(origin: Running, caplog: pytest.LogCaptureFixture) -> None:
    """It is counted as gone; the origin goes on."""
    _, writer = await asyncio.open_connection("127.0.0.1", origin.port)
    writer.write(_PUT + b"Content-Length: 100\r\n\r\nhalf")
    await until(lambda: origin.app[METRICS].requests_in_progress == 1)
    writer.close()
    await until(lambda: origin.app[METRICS].requests_in_progress == 0)
    assert (await _ask(origin, "GET", "public"))[0] == 200
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_body_that_comes_late_leaves_a_connection_that_is_as_good_as_any(
    start: Start, database: ListenerDatabase
) -> None:
    """Its last bytes are no beginning of a request: the connection is not cut off as if they were."""
    async with _framed(start, database, head_timeout_s=0.2, sweep_s=0.02) as origin:
        reader, writer = await asyncio.open_connection("127.0.0.1", origin.port)
        try:
            for _ in range(2):
                writer.write(_PUT + b"Content-Length: 4\r\n\r\n")
                await until(lambda: origin.app[METRICS].requests_in_progress == 1)
                writer.write(b"body")
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
                await reader.readuntil(b"}}")
                await asyncio.sleep(0.5)  # longer than a head may take
                assert not reader.at_eof()
        finally:
            writer.close()
