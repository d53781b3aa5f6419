"""A shield in front of a running origin, over tracks that each test publishes for itself."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from multidict import CIMultiDictProxy

from storage.filesystem import FilesystemStore
from tests.cdn.served import Origin, running_origin
from tests.cdn.shields import nginx, varnish
from tests.integration.origin.published import Published, publish

SHIELDS: dict[str, Callable[..., AbstractContextManager[str]]] = {"nginx": nginx, "varnish": varnish}
_names = map("song {}".format, itertools.count())


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client got."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def hit(self) -> bool:
        """Whether the shield says that it had it: the last member of Cache-Status (RFC 9211 §2)."""
        return "; hit" in ", ".join(self.headers.getall("Cache-Status")).rpartition("shield")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shielded:
    """An origin behind a shield, and a client that speaks to both."""

    kind: str
    url: str
    origin: Origin
    client: aiohttp.ClientSession
    store: FilesystemStore
    counted: Counter[str] = field(default_factory=Counter)

    async def get(self, path: str, *, method: str = "GET", **headers: str) -> Answer:
        """Ask the shield, for plain bytes unless a coding is named. `_` in a header's name stands for `-`."""
        named = {"Accept-Encoding": "identity"} | {name.replace("_", "-"): text for name, text in headers.items()}
        async with self.client.request(method, self.url + path, headers=named) as response:
            return Answer(response.status, response.headers, await response.read())

    async def asked(self) -> Counter[str]:
        """What reached the origin since the last look: answers by class and status, and reads of the store."""
        now = await self.origin.counted(self.client)
        since = now - self.counted
        self.counted.clear()
        self.counted.update(now)
        return since

    async def restarted(self) -> None:
        """Start the killed origin again; Varnish asks none for 0.25 s after it refused a connection."""
        await asyncio.to_thread(self.origin.start)
        await asyncio.sleep(0.5 if self.kind == "varnish" else 0)
        self.counted.clear()
        await self.asked()

    async def publish(self, edition: int = 1, name: str = "") -> Published:
        """A track of its own."""
        return await publish(self.store, name or next(_names), edition=edition)

    async def end_life(self, track: Published) -> None:
        """Let the life of the live resources of a track pass: in nginx ten seconds; in Varnish, where it would be a
        minute, by a soft purge."""
        if self.kind == "nginx":
            await asyncio.sleep(11.2)  # nginx counts whole seconds
        else:
            await self.purge(f"track-{track.track_id}", soft=True)

    async def purge(self, key: str, *, soft: bool = False) -> Answer:
        """Purge by key, as an operator of the Varnish shield does."""
        return await self.get("/", method="PURGE", Surrogate_Key=key, **({"Soft_Purge": "1"} if soft else {}))


@asynccontextmanager
async def shielding(kind: str, url: str, origin: Origin, folder: Path) -> AsyncIterator[Shielded]:
    """A shield that runs, with a client; nothing counted yet."""
    store = FilesystemStore(folder)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as client:
        made = Shielded(kind=kind, url=url, origin=origin, client=client, store=store)
        await made.asked()
        yield made
    await store.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tracks are."""
    return tmp_path_factory.mktemp("cdn")


@pytest.fixture(scope="module")
def origin(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origin]:
    """`segue serve` over the folder."""
    with running_origin(folder, tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(scope="module", params=SHIELDS)
def shield(request: pytest.FixtureRequest, origin: Origin) -> Iterator[tuple[str, str]]:
    """Each shield by its name, and where it listens."""
    with SHIELDS[request.param](origin.port) as url:
        yield request.param, url


@pytest.fixture
async def shielded(shield: tuple[str, str], origin: Origin, folder: Path) -> AsyncIterator[Shielded]:
    """The shield, with a client; nothing counted yet."""
    async with shielding(*shield, origin, folder) as made:
        yield made
