"""hishel, a cache written by others, reads our answers by RFC 9111: what it may store, for how long that is fresh, what
it asks then, and what it makes of our 304."""

import re
import uuid
from dataclasses import replace

import pytest
from hishel import (
    CacheMiss,
    CacheOptions,
    CouldNotBeStored,
    Entry,
    FromCache,
    Headers,
    IdleClient,
    NeedRevalidation,
    NeedToBeUpdated,
    Request,
    Response,
    StoreAndUse,
)

from origin.http_date import http_date, parse_http_date
from tests.integration.origin.conftest import Running
from tests.integration.origin.published import Published
from tests.integration.origin.test_contract import CACHING, RESOURCES, STATUSES, Row, locked, named, shelf, whole

__all__ = ["locked", "shelf", "whole"]  # fixtures
pytestmark = pytest.mark.asyncio(loop_scope="module")

SHARED = CacheOptions(shared=True, allow_stale=False)
KEPT = [row for row in RESOURCES if row["kept"] != "never"]
# Answers of their own: those to conditions and ranges are made of these.
PLAIN = [row for row in STATUSES if row["request"].startswith("GET") and not row["with"]]


@pytest.mark.parametrize("row", KEPT, ids=lambda row: row["resource"])
async def test_a_cache_lives_by_the_contract(whole: Running, track: Published, locked: Published, row: Row) -> None:
    """Stored; fresh in half of `max-age` and stale after it; then a condition, a 304, and fresh again with
    what the 200 said of the body."""
    request = _request(whole, named(row["path"], track, locked), "br")
    stored = CacheMiss(request=request, options=SHARED).next(await _sent(whole, request))
    assert isinstance(stored, StoreAndUse)
    entry = Entry(uuid.uuid4(), request, stored.response)
    found = re.search(r"max-age=(\d+)", CACHING[row["kept"]][0])
    assert found is not None
    max_age_s = int(found[1])
    assert isinstance(IdleClient(SHARED).next(request, [_older(entry, max_age_s // 2)]), FromCache)
    asking = IdleClient(SHARED).next(request, [_older(entry, max_age_s + 1)])
    assert isinstance(asking, NeedRevalidation)
    assert asking.request.headers["if-none-match"] == entry.response.headers["etag"]
    answer = await _sent(whole, asking.request)
    assert answer.status_code == 304
    updated = asking.next(answer)
    assert isinstance(updated, NeedToBeUpdated)
    (renewed,) = updated.updating_entries
    assert isinstance(IdleClient(SHARED).next(request, [renewed]), FromCache)
    for name in (
        "content-type",
        "content-encoding",
        "content-length",
        "etag",
        "last-modified",
        "surrogate-key",
        "vary",
    ):
        assert renewed.response.headers.get(name) == entry.response.headers.get(name)


@pytest.mark.parametrize("row", [row for row in KEPT if row["coded"] == "yes"], ids=lambda row: row["resource"])
async def test_a_cache_keeps_codings_apart(whole: Running, track: Published, locked: Published, row: Row) -> None:
    """What is stored for one coding is not sent to who takes another: by Vary."""
    request = _request(whole, named(row["path"], track, locked), "br")
    entry = Entry(uuid.uuid4(), request, await _sent(whole, request))
    other = replace(request, headers=Headers({"accept-encoding": "gzip"}))
    assert not isinstance(IdleClient(SHARED).next(other, [entry]), FromCache)


@pytest.mark.parametrize("row", PLAIN, ids=lambda row: row["request"])
async def test_a_cache_stores_what_it_may(whole: Running, track: Published, locked: Published, row: Row) -> None:
    """Errors too, by their lines in the contract: 404 and 405 for seconds, all others never."""
    request = _request(whole, named(row["request"].removeprefix("GET "), track, locked), "identity")
    answer = await _sent(whole, request)
    decided = CacheMiss(request=request, options=SHARED).next(answer)
    assert isinstance(decided, CouldNotBeStored if row["Cache-Control"] == "no-store" else StoreAndUse)


def _request(whole: Running, path: str, coding: str) -> Request:
    return Request("GET", whole.url.rstrip("/") + path, Headers({"accept-encoding": coding}))


async def _sent(whole: Running, request: Request) -> Response:
    headers = {name: request.headers[name] for name in request.headers}
    async with whole.client.request(request.method, request.url, headers=headers) as response:
        await response.read()
        return Response(response.status, Headers({name: response.headers[name] for name in response.headers}))


def _older(entry: Entry, seconds: int) -> Entry:
    """The entry as if it had come so long ago."""
    dated = parse_http_date(entry.response.headers["date"])
    assert dated is not None
    headers = {name: entry.response.headers[name] for name in entry.response.headers}
    headers["date"] = http_date(dated - seconds)
    return replace(entry, response=replace(entry.response, headers=Headers(headers)))
