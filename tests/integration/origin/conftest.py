"""An origin on a real socket over a real store, with a detector of calls that block the event loop."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from blockbuster import BlockBuster, blockbuster_ctx

from catalog.listener_database import ListenerDatabase
from catalog.listener_open import open_listeners
from catalog.store import Catalog
from origin.app import build_app
from origin.serve import listening
from origin.settings import OriginSettings
from protection.keys import NO_KEYS, KeyRing
from storage.filesystem import FilesystemStore
from tests.integration.origin.crew import Crew
from tests.integration.origin.published import Published, publish
from tests.integration.origin.watched_store import WatchedStore
from tests.support.limited_loop import limited_event_loop

OURS = ["origin", "discovery", "storage", "manifests", "catalog", "model", "protection"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """An origin that listens, a client for it, and what it stands on."""

    url: str
    client: aiohttp.ClientSession
    store: WatchedStore
    app: web.Application
    settings: OriginSettings

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rstrip("/").rpartition(":")[2])


async def until(condition: Callable[[], bool], *, timeout_s: float = 60.0) -> None:
    """Wait for what the origin does by itself."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - the conditions are counters
            await asyncio.sleep(0.005)


LoopFactory = Callable[[], asyncio.AbstractEventLoop]
Extend = Callable[[web.Application], None]
Start = Callable[..., AbstractAsyncContextManager[Running]]


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, LoopFactory]:
    """The loop of `segue serve`; for what works closest to it, also the one that it falls back to."""
    ours: dict[str, LoopFactory] = {"fast": limited_event_loop}
    return ours | {"asyncio": asyncio.new_event_loop} if item.path.name == "test_hot_path.py" else ours


@pytest.fixture(autouse=True)
def nothing_blocks() -> Iterator[BlockBuster]:
    """A call that blocks the event loop is an error, in every test of the origin."""
    with blockbuster_ctx(OURS) as detector:
        yield detector


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Published]:
    """A folder with one published track, shared by all tests: publish others under names of your own."""
    folder = tmp_path_factory.mktemp("origin")
    return folder, asyncio.run(_publish_into(folder))


@pytest.fixture
def files(shelf: tuple[Path, Published]) -> FilesystemStore:
    """A store of files. Made outside the event loop: making one looks at the file system."""
    return FilesystemStore(shelf[0])


@pytest.fixture
async def store(files: FilesystemStore) -> AsyncIterator[WatchedStore]:
    """The store of files, watched."""
    yield WatchedStore(files)
    await files.close()


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    """An empty catalog in memory, opened outside the event loop too."""
    with Catalog() as opened:
        yield opened


@pytest.fixture
def listeners() -> Iterator[ListenerDatabase]:
    """A database of listeners in memory, likewise."""
    with open_listeners() as opened:
        yield opened


@pytest.fixture
def track(shelf: tuple[Path, Published]) -> Published:
    """The published track."""
    return shelf[1]


@asynccontextmanager
async def starting(
    store: WatchedStore, extend: Extend = lambda _: None, *, keys: KeyRing = NO_KEYS, **changes: object
) -> AsyncIterator[Running]:
    """An origin over a store, with settings and extensions of one's own."""
    settings = replace(OriginSettings(port=0, drain_s=5.0), **changes)  # type: ignore[arg-type]
    app = build_app(settings, store, keys)
    await asyncio.to_thread(extend, app)  # it opens tables, as `segue serve` does before anybody is served
    async with listening(app, settings) as url, aiohttp.ClientSession(url, auto_decompress=False) as client:
        yield Running(url=url, client=client, store=store, app=app, settings=settings)


@pytest.fixture
def start(store: WatchedStore) -> Start:
    """Start an origin over the store of the test."""
    return partial(starting, store)


@pytest.fixture
async def origin(start: Start) -> AsyncIterator[Running]:
    """An origin with default settings."""
    async with start() as running:
        yield running


@pytest.fixture
def crew(request: pytest.FixtureRequest, shelf: tuple[Path, Published]) -> Iterator[Crew]:
    """Two good workers over the published track, unless a test asks for others."""
    running = Crew(shelf[0], *getattr(request, "param", ("2", "good")))
    yield running
    if running.process.poll() is None:
        running.process.terminate()
    running.process.wait(60)
    assert running.process.stdout is not None
    running.process.stdout.close()


async def _publish_into(folder: Path) -> Published:
    store = FilesystemStore(folder)
    try:
        return await publish(store)
    finally:
        await store.close()
