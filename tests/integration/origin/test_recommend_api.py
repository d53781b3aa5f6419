"""Recommendations over HTTP: a listener's own are private, what everybody gets is kept, a new model is taken up."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from catalog.listener_database import ListenerDatabase
from catalog.plays import Plays
from catalog.store import Catalog
from discovery.recommend import web
from discovery.recommend.files import write_model
from discovery.recommend.plays import Played, gathered
from discovery.recommend.recipe import Kind, TrainSettings
from discovery.recommend.train import train
from discovery.web import DiscoverySettings, add_routes
from tests.integration.discovery.recommend.world import add_plays
from tests.integration.origin.conftest import Running, Start
from tests.integration.origin.published import publish
from tests.integration.origin.watched_store import WatchedStore


async def asked(origin: Running, path: str, key: str = "") -> tuple[dict[str, str], Any]:
    """Headers and answer."""
    headers = {"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {key}"} if key else {})
    async with origin.client.get(path, headers=headers) as response:
        assert response.status == 200, await response.text()
        return dict(response.headers), await response.json()


def _trained(listeners: ListenerDatabase, played: list[Played], folder: Path) -> None:
    """A model of these plays, put in use."""
    add_plays(listeners, played)
    model = train(gathered(Plays(listeners).all_plays()), TrainSettings(kind=Kind.RP3BETA), {})
    write_model(folder, model, made_ms=1, kind="rp3beta", facts={})


async def test_from_the_first_visit_to_a_model_of_ones_own(
    start: Start,
    store: WatchedStore,
    catalog: Catalog,
    listeners: ListenerDatabase,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody gets the new; a listener its own, kept by nobody else; and the model that is trained is used at once."""
    monkeypatch.setattr(web, "LOOK_S", 0.05)
    ids = [(await publish(store, name)).track_id for name in ("one", "two", "three", "four")]
    settings = DiscoverySettings(models=tmp_path / "models")
    async with start(
        lambda app: add_routes(app, catalog=catalog, listeners=listeners, store=store, settings=settings)
    ) as origin:
        headers, page = await asked(origin, "/api/v1/home")
        assert [shelf["kind"] for shelf in page["shelves"]] == ["new-for-you", "popular"]
        assert "public" in headers["Cache-Control"]
        async with origin.client.post("/api/v1/listeners", headers={"Accept-Encoding": "identity"}) as response:
            made = await response.json()
        listener, key = made["listener_id"], made["key"]
        played = [("other" + name * 15, track, 1, at) for name in "abcd" for at, track in enumerate(ids[:3])]
        await asyncio.to_thread(_trained, listeners, [*played, (listener, ids[0], 1, 1)], tmp_path / "models")
        headers, answer = await asked(origin, "/api/v1/recommendations", key)
        for _ in range(600):  # a minute: until it has looked
            if answer["recommendations"][0]["because"]:
                break
            await asyncio.sleep(0.1)
            headers, answer = await asked(origin, "/api/v1/recommendations", key)
        found = answer["recommendations"]
        assert {each["track"]["track_id"] for each in found[:2]} == set(ids[1:3])
        assert [because["track_id"] for because in found[0]["because"]] == [ids[0]]
        assert "private" in headers["Cache-Control"]
        headers, page = await asked(origin, "/api/v1/home", key)
        assert "private" in headers["Cache-Control"]
        assert {"for-you", "recently-played", "because-you-played"} <= {each["kind"] for each in page["shelves"]}
        _, answer = await asked(origin, f"/api/v1/tracks/{ids[1]}/similar?limit=2")
        assert {each["track_id"] for each in answer["tracks"]} == {ids[0], ids[2]}
        _, answer = await asked(origin, "/api/v1/artists/similar?artist=Nobody")
        assert answer == {"artists": [{"artist": "Somebody"}]}


async def test_who_asks_for_its_own_has_to_say_who_it_is(
    start: Start, store: WatchedStore, catalog: Catalog, listeners: ListenerDatabase
) -> None:
    """401 without a key, 404 for a track that is none."""
    settings = DiscoverySettings()
    async with start(
        lambda app: add_routes(app, catalog=catalog, listeners=listeners, store=store, settings=settings)
    ) as origin:
        async with origin.client.get("/api/v1/recommendations") as response:
            assert response.status == 401
        async with origin.client.get(f"/api/v1/tracks/{'a' * 20}/similar") as response:
            assert response.status == 404
