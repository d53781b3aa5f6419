"""Search over HTTP, beside the list of live tracks."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from catalog.listener_database import ListenerDatabase
from catalog.store import Catalog
from discovery.search_web import WAITING_MAX
from discovery.web import DiscoverySettings, add_routes
from model.records import to_json
from storage.changes import signal
from storage.filesystem import FilesystemStore
from storage.keys import current_key, track_key
from tests.integration.origin.conftest import Running, Start
from tests.integration.origin.published import publish, put
from tests.integration.origin.watched_store import WatchedStore

BUSY_S = 5.0  # more, on a machine that is busy with other tests
Finding = Callable[..., AbstractAsyncContextManager[Running]]


@pytest.fixture
def files(tmp_path: Path) -> FilesystemStore:
    """A store with no tracks but this test's."""
    return FilesystemStore(tmp_path / "store")


@pytest.fixture
def finding(start: Start, store: WatchedStore, catalog: Catalog, listeners: ListenerDatabase) -> Finding:
    """Start an origin with the API, with the settings that `segue serve` has, or others."""

    @asynccontextmanager
    async def starting(**settings: Any) -> AsyncIterator[Running]:
        made = DiscoverySettings(**settings)
        async with start(
            lambda app: add_routes(app, catalog=catalog, listeners=listeners, store=store, settings=made)
        ) as running:
            yield running

    return starting


async def _get(origin: Running, path: str) -> Any:
    async with origin.client.get(path, headers={"Accept-Encoding": "identity"}) as response:
        assert response.status == 200, await response.text()
        return await response.json()


async def test_what_is_typed_is_found_with_all_a_player_needs(finding: Finding, store: WatchedStore) -> None:
    """The track as the list has it, with what matched marked; its artist and album beside it, with a cover."""
    track = await publish(store, "yellow")
    async with finding() as origin:
        answer = await _get(origin, "/api/v1/search?q=song%20yel")
        (listed,) = (await _get(origin, "/api/v1/tracks"))["tracks"]
        pieces = [("Song", True), (" ", False), ("yel", True), ("low", False)]
        (found,) = answer["tracks"]
        marks = found.pop("marks")
        assert found == listed
        assert marks["title"] == [{"text": text, "match": match} for text, match in pieces]
        assert marks["artist"] == [{"text": "Somebody", "match": False}]
        assert answer["corrected"] is False and answer["artists"] == []
        answer = await _get(origin, "/api/v1/search?q=somebdy")
        assert answer["corrected"] is True
        assert answer["artists"] == [
            {"artist": "Somebody", "tracks": 1, "marks": {"artist": [{"text": "Somebody", "match": True}]}}
        ]
        (album,) = (await _get(origin, "/api/v1/search?q=album"))["albums"]
        assert (album["album"], album["artist"], album["art"]) == ("Album", "Somebody", f"{track.art_base}/640.jpg")


async def test_suggestions_complete_what_was_typed(finding: Finding, store: WatchedStore) -> None:
    """Names of all three groups, and none that has nothing of it."""
    await publish(store, "yellow", release="Sonnet")
    await publish(store, "blue", release="Other")
    async with finding() as origin:
        answer = await _get(origin, "/api/v1/suggest?q=so")
        names = [(each["group"], each["text"]) for each in answer["suggestions"]]
        assert sorted(names) == [
            ("album", "Sonnet"), ("artist", "Somebody"), ("track", "Song blue"), ("track", "Song yellow"),
        ]  # fmt: skip
        assert len((await _get(origin, "/api/v1/suggest?q=so&limit=1"))["suggestions"]) == 1


async def test_groups_and_filters_narrow_down(finding: Finding, store: WatchedStore) -> None:
    """Only the groups that were asked for; only this artist, this album."""
    for name in ("one", "two"):
        await publish(store, name, release=f"Album {name}")
    async with finding() as origin:
        only = await _get(origin, "/api/v1/search?q=song&groups=track&album=Album%20two")
        assert [each["title"] for each in only["tracks"]] == ["Song two"]
        assert only["albums"] == only["artists"] == []
        nobody = await _get(origin, "/api/v1/search?q=song&artist=Nobody")
        assert nobody["tracks"] == []


async def test_a_publish_is_found_within_a_second(finding: Finding, store: WatchedStore) -> None:
    """With the settings as they are, from the moment that it is told; a new name and a removal, too. The least of the
    three counts, and a busy machine has some seconds more."""
    async with finding() as origin:
        track = await publish(store, "late")
        await signal(store, track.track_id)
        took_s = [await _seconds_until(origin, "late", found=True)]
        renamed = replace(track.track, tags=replace(track.track.tags, title="Renamed"))
        await put(store, track_key(track.track_id), to_json(renamed))
        await signal(store, track.track_id)
        took_s.append(await _seconds_until(origin, "renamed", found=True))
        await store.delete(current_key(track.track_id))
        await signal(store, track.track_id)
        took_s.append(await _seconds_until(origin, "renamed", found=False))
        assert min(took_s) < 1.0 + BUSY_S


async def _seconds_until(origin: Running, text: str, *, found: bool) -> float:
    started = time.monotonic()
    async with asyncio.timeout(60):
        while bool((await _get(origin, f"/api/v1/search?q={text}"))["tracks"]) is not found:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return time.monotonic() - started


@pytest.mark.parametrize(
    "query",
    [
        "", "limit=3", "q=a&limit=0", "q=a&limit=51", "q=a&limit=x", "q=a&limit=1&limit=2", "q=a&q=b", "q=" + "a" * 201,
        "q=a&groups=", "q=a&groups=track,song", "q=a&artist=" + "x" * 501,
    ],
)  # fmt: skip
async def test_a_query_that_cannot_be_is_refused(finding: Finding, query: str) -> None:
    """With the code of a wrong parameter, kept by nobody."""
    async with finding() as origin, origin.client.get(f"/api/v1/search?{query}") as response:
        assert response.status == 400
        assert (await response.json())["error"] == "query-invalid"
        assert response.headers["Cache-Control"] == "no-store"


async def test_answers_are_cached_as_the_api_is(finding: Finding, store: WatchedStore) -> None:
    """Briefly, for everybody, with an entity tag."""
    await publish(store, "one")
    async with finding() as origin:
        async with origin.client.get("/api/v1/search?q=song") as response:
            assert response.headers["Cache-Control"] == "public, max-age=5"
            tag = {"If-None-Match": response.headers["ETag"]}
        async with origin.client.get("/api/v1/search?q=song", headers=tag) as response:
            assert response.status == 304


async def test_nothing_typed_is_no_error(finding: Finding) -> None:
    """A page that asks with every key asks with none, too."""
    async with finding() as origin:
        empty = {"corrected": False, "artists": [], "albums": [], "tracks": []}
        for text in ("", "%20", "%00", "%ff", "!!!"):
            assert await _get(origin, f"/api/v1/search?q={text}") == empty
        assert await _get(origin, "/api/v1/suggest?q=") == {"suggestions": []}


async def test_a_server_that_is_away_stops_search_alone(
    finding: Finding, store: WatchedStore, caplog: pytest.LogCaptureFixture
) -> None:
    """The list goes on; a search is told to come again; the log says why."""
    await publish(store, "one")
    async with finding(search_index="postgresql://nobody@127.0.0.1:1/none") as origin:
        assert (await _get(origin, "/api/v1/tracks"))["total"] == 1
        async with origin.client.get("/api/v1/search?q=song") as response:
            assert response.status == 503 and await response.json() == {"error": "search-unavailable"}
            assert "Retry-After" in response.headers
    assert any(record.message == "search index not opened" for record in caplog.records)


async def test_an_index_in_a_file_is_taken_up_again(finding: Finding, store: WatchedStore, tmp_path: Path) -> None:
    """What changed while nobody served is found by comparison."""
    index = f"file:{tmp_path / 'index.sqlite3'}"
    gone = await publish(store, "one")
    async with finding(search_index=index) as origin:
        assert len((await _get(origin, "/api/v1/search?q=one"))["tracks"]) == 1
    await publish(store, "two")
    await store.delete(current_key(gone.track_id))
    async with finding(search_index=index) as origin:
        found = (await _get(origin, "/api/v1/search?q=song"))["tracks"]
        assert [each["title"] for each in found] == ["Song two"]


async def test_a_flood_is_told_to_come_again(finding: Finding, store: WatchedStore) -> None:
    """So many wait for their turn; the others hear at once that they cannot; afterwards all is as before."""
    await publish(store, "one")
    async with finding(rate_factor=0.0) as origin:

        async def status() -> int:
            async with origin.client.get("/api/v1/search?q=song") as response:
                return response.status

        async with asyncio.timeout(60):
            answers = await asyncio.gather(*(status() for _ in range(4 * WAITING_MAX)))
        assert set(answers) <= {200, 503} and answers.count(200) >= WAITING_MAX
        assert await status() == 200
