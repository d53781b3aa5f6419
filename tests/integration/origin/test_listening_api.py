"""Plays, history, favourites and consent over HTTP; and search that knows what its listener plays."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from catalog.listener_database import ListenerDatabase
from catalog.store import Catalog
from discovery.listening.service import now_ms
from discovery.web import DiscoverySettings, add_routes
from storage.filesystem import FilesystemStore
from tests.integration.origin.conftest import Running, Start
from tests.integration.origin.published import Published, publish
from tests.integration.origin.watched_store import WatchedStore

Serving = Callable[[], AbstractAsyncContextManager[Running]]
LISTENED_MS = 3_600_000


@pytest.fixture
def files(tmp_path: Path) -> FilesystemStore:
    """A store with no tracks but this test's."""
    return FilesystemStore(tmp_path / "store")


@pytest.fixture
def serving(start: Start, store: WatchedStore, catalog: Catalog, listeners: ListenerDatabase) -> Serving:
    """Start an origin with the API."""

    @asynccontextmanager
    async def starting() -> AsyncIterator[Running]:
        made = DiscoverySettings(rate_factor=100.0)
        async with start(
            lambda app: add_routes(app, catalog=catalog, listeners=listeners, store=store, settings=made)
        ) as running:
            yield running

    return starting


async def _asked(origin: Running, method: str, path: str, key: str = "", body: Any = None) -> tuple[int, Any]:
    """Status, and the answer, with its headers as they have to be for a listener."""
    headers = {"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {key}"} if key else {})
    async with origin.client.request(method, path, headers=headers, json=body) as response:
        if key:
            assert response.headers["Cache-Control"] in ("private, no-store", "no-store"), path
        return response.status, await response.json() if response.status != 204 else None


async def _listener(origin: Running, *, consent: bool = True) -> str:
    """The key of a new listener."""
    status, made = await _asked(origin, "POST", "/api/v1/listeners")
    assert status == 201
    key: str = made["key"]
    if consent:
        assert (await _asked(origin, "PUT", "/api/v1/consent", key, {"history": True}))[1]["history"] is True
    return key


def _played(track: Published, number: int = 1, **fields: Any) -> dict[str, Any]:
    ids = {"event_id": f"event-{number:04}", "play_id": f"play-{number:05}", "track_id": track.track_id}
    return {**ids, "kind": "complete", "at_ms": now_ms() - 1000, "played_ms": LISTENED_MS, "source": "search", **fields}


async def test_what_is_played_is_in_the_history(serving: Serving, store: WatchedStore) -> None:
    """Once, however often it is sent; the bad events of a batch are told; nobody else sees it."""
    track = await publish(store, "one")
    async with serving() as origin:
        key, other = await _listener(origin), await _listener(origin)
        batch = {"sent_at_ms": now_ms(), "events": [_played(track), _played(track, 2, kind="dance")]}
        for _ in range(2):
            status, answer = await _asked(origin, "POST", "/api/v1/events", key, batch)
            assert (status, answer["kept"]) == (200, 1)
            assert [(each["index"], each["where"]) for each in answer["refused"]] == [(1, "kind")]
        _, history = await _asked(origin, "GET", "/api/v1/history?limit=5", key)
        ((play,), more) = history["plays"], history["more"]
        assert (play["track"]["track_id"], play["listened"], play["source"]) == (track.track_id, True, "search")
        assert not more
        assert (await _asked(origin, "GET", "/api/v1/history", other))[1]["plays"] == []


async def test_without_a_key_there_is_nothing(serving: Serving) -> None:
    """All of it is for listeners."""
    paths = ("history", "consent", "favourites", f"favourites/{'a' * 20}", "listeners/me/export")
    async with serving() as origin:
        for path in paths:
            assert (await _asked(origin, "GET", f"/api/v1/{path}"))[0] == 401, path
        for method, path in (("PUT", paths[3]), ("DELETE", paths[3]), ("DELETE", "listeners/me")):
            assert (await _asked(origin, method, f"/api/v1/{path}"))[0] == 401, path
        assert (await _asked(origin, "POST", "/api/v1/events", body={"events": [{}]}))[0] == 401
        assert (await _asked(origin, "PUT", "/api/v1/consent", body={"history": True}))[0] == 401


async def test_consent_is_asked_for_and_can_be_withdrawn(serving: Serving, store: WatchedStore) -> None:
    """Before it and after it nothing is kept; withdrawn, all is gone."""
    track = await publish(store, "one")
    async with serving() as origin:
        key = await _listener(origin, consent=False)
        batch = {"events": [_played(track)]}
        assert await _asked(origin, "GET", "/api/v1/consent", key) == (200, {"history": False, "since_ms": None})
        status, answer = await _asked(origin, "POST", "/api/v1/events", key, batch)
        assert (status, answer["error"]) == (403, "consent-missing")
        await _asked(origin, "PUT", "/api/v1/consent", key, {"history": True})
        assert (await _asked(origin, "POST", "/api/v1/events", key, batch))[1]["kept"] == 1
        await _asked(origin, "PUT", "/api/v1/consent", key, {"history": False})
        assert (await _asked(origin, "POST", "/api/v1/events", key, batch))[0] == 403
        _, kept = await _asked(origin, "GET", "/api/v1/listeners/me/export", key)
        assert not any(kept[table] for table in ("consents", "play_events", "heard"))


@pytest.mark.parametrize("body", [{}, {"events": []}, {"events": [1]}, {"events": "x"}, {"events": [{}] * 501}, []])
async def test_what_is_no_batch_is_refused(serving: Serving, body: Any) -> None:
    """As a whole, by its shape."""
    async with serving() as origin:
        assert (await _asked(origin, "POST", "/api/v1/events", await _listener(origin), body))[0] == 422


async def test_favourites_are_marked_listed_and_unmarked(serving: Serving, store: WatchedStore) -> None:
    """Without a consent: they are what the listener asked for."""
    track = await publish(store, "one")
    async with serving() as origin:
        key = await _listener(origin, consent=False)
        path = f"/api/v1/favourites/{track.track_id}"
        for method, marked in (("GET", False), ("PUT", True), ("PUT", True), ("GET", True)):
            assert (await _asked(origin, method, path, key))[1]["favourite"] is marked
        _, page = await _asked(origin, "GET", "/api/v1/favourites", key)
        assert page["total"] == 1 and page["favourites"][0]["track"]["title"] == "Song one"
        assert (await _asked(origin, "DELETE", path, key))[1]["favourite"] is False
        assert (await _asked(origin, "GET", "/api/v1/favourites", key))[1]["total"] == 0
        assert (await _asked(origin, "PUT", f"/api/v1/favourites/{'a' * 20}", key))[0] == 404


async def test_a_listener_is_handed_all_and_forgotten(
    serving: Serving, store: WatchedStore, listeners: ListenerDatabase
) -> None:
    """Afterwards its key is nobody's, and no table has a row of it."""
    track = await publish(store, "one")
    async with serving() as origin:
        key = await _listener(origin)
        await _asked(origin, "POST", "/api/v1/events", key, {"events": [_played(track)]})
        await _asked(origin, "PUT", f"/api/v1/favourites/{track.track_id}", key)
        _, kept = await _asked(origin, "GET", "/api/v1/listeners/me/export", key)
        assert {table for table, rows in kept.items() if rows} == {
            "listeners", "last_used", "consents", "play_events", "heard", "favourites",
        }  # fmt: skip
        assert "key_sha256" not in kept["listeners"][0]
        assert await _asked(origin, "DELETE", "/api/v1/listeners/me", key) == (204, None)
        assert (await _asked(origin, "GET", "/api/v1/listeners/me", key))[0] == 401
        for table in kept:
            assert await asyncio.to_thread(listeners.select, f"SELECT count(*) FROM {table}") == [(0,)]


async def test_ones_own_come_first_in_search(serving: Serving, store: WatchedStore) -> None:
    """For who has a key, on short texts; the answer of everybody else stays the same, and may be cached."""
    tracks = [await publish(store, name, release=f"Album {name}") for name in ("one", "two", "three")]
    for path, answers in (("/api/v1/search?q=so&groups=track", "tracks"), ("/api/v1/suggest?q=so", "suggestions")):
        async with serving() as origin:
            everybody = await _asked(origin, "GET", path)
            for number, track in enumerate(tracks):
                key = await _listener(origin)
                await _asked(origin, "POST", "/api/v1/events", key, {"events": [_played(track, number)]})
                _, own = await _asked(origin, "GET", path, key)
                first = own[answers][0]
                assert first.get("title", first.get("text")) == track.track.tags.title
            assert await _asked(origin, "GET", path) == everybody
            async with origin.client.get(path) as response:
                assert response.headers["Cache-Control"] == "public, max-age=5"
                assert "Authorization" in response.headers["Vary"]
