"""A real `segue serve` over published tracks, its document of the API, and a listener's key."""

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from libopensonic import AsyncConnection

from catalog.listener_open import open_listeners
from catalog.listeners import Listeners
from model.album import album_id_of
from storage.filesystem import FilesystemStore
from tests.integration.api.subsonic_server import Served, serving
from tests.integration.origin.published import publish
from tests.support.command import environment
from tests.support.forked import fork

STOP_TIMEOUT_S = 35


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An origin for other people's players, until the module is done."""
    with serving(tmp_path_factory.mktemp("subsonic")) as made:
        yield made


@pytest.fixture
async def player(served: Served) -> AsyncIterator[AsyncConnection]:
    """A player with an API key."""
    connection = served.connected(api_key=served.key)
    yield connection
    await connection.cleanup()


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """Where it listens, what it says of itself, the listeners, ids of what there is by the names that paths have for
    them, and what it wrote on stderr."""

    url: str
    document: dict[str, Any]
    listeners: Listeners
    known: dict[str, str]
    log: Path


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Served without rate limits: they have tests of their own."""
    folder = tmp_path_factory.mktemp("api")
    track_id = asyncio.run(_published(folder / "store"))
    log, listeners = folder / "log", folder / "listeners.sqlite3"
    arguments = (
        "serve", "--store", f"file:{folder / 'store'}", "--port", "0", "--listeners", listeners, "--rate-limit", "0",
        "--log-level", "info", "--log-format", "json", "--log-listeners", "on", "--json",
    )  # fmt: skip
    with log.open("wb") as errors:
        process = fork(*arguments, env=environment(folder), cwd=folder, stderr=errors)
        with process.stdout as said, open_listeners(listeners) as database:
            try:
                url = json.loads(said.readline())["url"].rstrip("/")
                with urllib.request.urlopen(f"{url}/api/v1/openapi.json", timeout=60) as answer:
                    document = json.load(answer)
                known = {"track_id": track_id, "album_id": album_id_of("Somebody", "Album")}
                yield Api(url=url, document=document, listeners=Listeners(database), known=known, log=log)
            finally:
                process.terminate()
                process.wait(STOP_TIMEOUT_S)


async def _published(folder: Path) -> str:
    store = FilesystemStore(folder)
    try:
        for name in ("one", "two", "three"):
            made = await publish(store, name, segments=1)
        return made.track_id
    finally:
        await store.close()
