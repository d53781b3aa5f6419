"""docs/http-contract.md, line by line, against a running origin."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio
from aiohttp import web

from catalog.listener_open import open_listeners
from catalog.store import Catalog
from discovery.web import DiscoverySettings, add_routes
from model.protection import Protection, ProtectionMethod
from origin.tokens import Grant, TokenKey, mint
from protection.keys import KeyRing, MasterKey
from storage.filesystem import FilesystemStore
from tests.integration.origin.conftest import Running, starting
from tests.integration.origin.published import Published, publish
from tests.integration.origin.watched_store import WatchedStore

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOCUMENT = Path(__file__).parents[3] / "docs/http-contract.md"
Row = dict[str, str]
MASTER, SIGNING = MasterKey(bytes(32)), TokenKey(secret=b"signing key of tokens")
PROTECTION = Protection(
    method=ProtectionMethod.AES_128, key_set=MASTER.key_set, key_id=MASTER.key_id_of("00" * 32), rotation_segments=1
)


def _tables() -> dict[str, list[Row]]:
    """Every table of the document by its first column's name: rows of cells by column name, code marks removed."""
    tables: dict[str, list[Row]] = {}
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    for at, line in enumerate(lines):
        if not re.fullmatch(r"\|[-|]+\|", line):
            continue
        names = _cells(lines[at - 1])
        rows = []
        for row in lines[at + 1 :]:
            if not row.startswith("|"):
                break
            rows.append(dict(zip(names, _cells(row), strict=True)))
        tables[names[0]] = rows
    return tables


def _cells(line: str) -> list[str]:
    return [cell.strip().strip("`") for cell in line.strip("|").split("|")]


TABLES = _tables()
RESOURCES, KEPT, EVERYWHERE, STATUSES = (TABLES[name] for name in ("resource", "kept", "header", "request"))
CODINGS = TABLES["Accept-Encoding"]
CMSD = TABLES["media"]
IDS = {"track_id": "a" * 20, "recording_id": "b" * 20, "package_id": "c" * 16, "art_id": "d" * 16}
OF_THE_MOMENT = ("date", "age", "x-request-id", "cache-status")
SUGGESTED = 8  # names that the row of suggestions asks for
CACHING = {row["kept"]: (row["Cache-Control"], row["CDN-Cache-Control (RFC 9213)"]) for row in KEPT}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Published]:
    """A folder that no other tests add to, with so many names in it that every answer of the API is worth coding."""
    folder = tmp_path_factory.mktemp("contract")
    for number in range(SUGGESTED):
        asyncio.run(_published_into(folder, f"number {number}", segments=1))
    return folder, asyncio.run(_published_into(folder))


async def _published_into(folder: Path, name: str = "one", **how: Any) -> Published:
    store = FilesystemStore(folder)
    try:
        return await publish(store, name, **how)
    finally:
        await store.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole(
    shelf: tuple[Path, Published], locked: Published, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Running]:
    """An origin with all it can have: the player and the API. All tracks are there before it starts, so that the
    answers of the API stay what they are."""
    player, files = tmp_path_factory.mktemp("player"), FilesystemStore(shelf[0])
    (player / "index.html").write_text("<!doctype html>" + "<p>player</p>" * 100)
    store = WatchedStore(files)
    with Catalog() as catalog, open_listeners() as listeners:

        def extend(app: web.Application) -> None:
            settings = DiscoverySettings(rate_factor=0.0)
            add_routes(app, catalog=catalog, listeners=listeners, store=store, settings=settings)

        async with starting(
            store, extend, player_root=player, keys=KeyRing((MASTER,)), token_keys=(SIGNING,)
        ) as running:
            yield running
    await files.close()


@pytest.fixture(scope="module")
def locked(shelf: tuple[Path, Published]) -> Published:
    """A protected track: the one whose keys are asked for."""
    return asyncio.run(_published_into(shelf[0], "locked", protection=PROTECTION))


@pytest.mark.parametrize("row", RESOURCES, ids=lambda row: row["resource"])
async def test_a_resource_is_as_documented(whole: Running, track: Published, locked: Published, row: Row) -> None:
    """Its type, how long it is kept, and whether it has ranges and codings."""
    url = named(row["path"], track, locked)
    async with whole.client.get(url, headers={"Accept-Encoding": "identity"}) as response:
        body = await response.read()
        assert response.status == 200
        headers = response.headers
    assert headers["Content-Type"] == row["Content-Type"]
    assert (headers["Cache-Control"], headers["CDN-Cache-Control"]) == CACHING[row["kept"]]
    assert headers["Content-Length"] == str(len(body)) and "Transfer-Encoding" not in headers
    assert (headers.get("Accept-Ranges") == "bytes") == ("ETag" in headers) == (row["ranges"] == "yes")
    assert ("Last-Modified" in headers) == (row["ranges"] == "yes" and not url.startswith("/api/"))
    assert ("Surrogate-Key" in headers) == url.startswith(("/tracks/", "/recordings/", "/art/"))
    # Akamai takes 128 bytes a key, Fastly and Cloudflare more; only plain letters please all three.
    purged_by = headers.get("Surrogate-Key", "").split()
    assert all(re.fullmatch("[a-z0-9-]{1,64}", key) for key in purged_by)
    for name in ("Cache-Tag", "Edge-Cache-Tag"):
        assert headers.get(name, "") == ",".join(purged_by)
    assert "Set-Cookie" not in headers
    for coding in ("gzip", "br"):
        async with whole.client.get(url, headers={"Accept-Encoding": coding}) as response:
            assert response.headers.get("Content-Encoding") == (coding if row["coded"] == "yes" else None)
            by_key = ["Authorization"] if row["kept"].endswith("without a key") else []
            varies = [*by_key, *(["Accept-Encoding"] if row["coded"] == "yes" else [])]
            assert response.headers.get("Vary") == (", ".join(varies) or None)
    for common in EVERYWHERE:
        assert headers[common["header"]] == common["value"]


@pytest.mark.parametrize("row", RESOURCES, ids=lambda row: row["resource"])
async def test_head_is_as_documented(whole: Running, track: Published, locked: Published, row: Row) -> None:
    """The headers of GET, its length too, and no body: of every resource, whatever is in front of it."""
    url = named(row["path"], track, locked)
    for coding in ("identity", "gzip"):
        asked = {"Accept-Encoding": coding}
        async with whole.client.get(url, headers=asked) as got, whole.client.head(url, headers=asked) as head:
            assert (head.status, await head.read()) == (200, b"")
            first, second = (
                {name.lower(): value for name, value in each.headers.items() if name.lower() not in OF_THE_MOMENT}
                for each in (got, head)
            )
            assert first.pop("content-length") == second.pop("content-length") or url == "/metrics"
            assert first == second


@pytest.mark.parametrize("row", CMSD, ids=lambda row: row["media"])
async def test_media_tells_what_it_is_as_documented(
    whole: Running, track: Published, locked: Published, row: Row
) -> None:
    """CMSD-Static, also on an answer without a body."""
    url = named(row["media"], track, locked)
    async with whole.client.get(url) as whole_answer, whole.client.head(url) as head:
        assert whole_answer.headers["CMSD-Static"] == head.headers["CMSD-Static"] == row["CMSD-Static"]


@pytest.mark.parametrize("row", STATUSES, ids=lambda row: f"{row['request']} {row['with']}")
async def test_a_request_ends_as_documented(whole: Running, track: Published, locked: Published, row: Row) -> None:
    """Its status, its error code, and how long the answer is kept."""
    method, _, url = named(row["request"], track, locked).partition(" ")
    asked = {"Accept-Encoding": "gzip"} | dict(re.findall(r"([A-Za-z-]+): ([^;]+)", row["with"]))
    if "{etag}" in row["with"] or "{date}" in row["with"]:
        async with whole.client.head(url, headers={"Accept-Encoding": "gzip"}) as response:
            now = {"{etag}": response.headers["ETag"], "{date}": response.headers.get("Last-Modified", "")}
        for name, value in now.items():
            asked = {each: text.replace(name, value) for each, text in asked.items()}
    async with whole.client.request(method, url, headers=asked) as response:
        assert str(response.status) == row["status"]
        assert response.headers["Cache-Control"] == row["Cache-Control"]
        if row["error code"]:
            assert (await response.json())["error"] == row["error code"]
        for common in EVERYWHERE:
            assert response.headers[common["header"]] == common["value"]


@pytest.mark.parametrize("row", CODINGS, ids=lambda row: row["Accept-Encoding"])
async def test_a_coding_is_chosen_as_documented(whole: Running, track: Published, row: Row) -> None:
    """By q-values; nobody is refused."""
    async with whole.client.get(f"{track.base}/index.m3u8", headers={"Accept-Encoding": row["Accept-Encoding"]}) as got:
        assert (got.status, got.headers.get("Content-Encoding", "none")) == (200, row["Content-Encoding"])


async def test_every_route_is_documented(whole: Running) -> None:
    """No resource without a line: each path pattern of the application matches one of the table's. What the API and
    OpenSubsonic have is in documents of their own."""
    paths = [row["path"].partition("?")[0].format(**IDS) for row in RESOURCES]
    for resource in whole.app.router.resources():
        if resource.canonical.startswith(("/api/v1/", "/rest/")):
            continue
        pattern = resource.get_info().get("pattern") or re.compile(re.escape(resource.canonical))
        assert any(pattern.fullmatch(path) for path in [*paths, "/index.html"]), resource.canonical


def named(text: str, track: Published, locked: Published) -> str:
    """A path of the document with the ids of what is published, and a token that fits."""
    track = locked if "/keys/" in text else track
    ids = {
        "{track_id}": track.track_id,
        "{recording_id}": track.package.recording_id,
        "{package_id}": track.package.package_id,
        "{art_id}": track.track.art_id,
        "{token}": quote(mint(Grant(acl=("/*",), expires_s=int(time.time()) + 60), SIGNING), safe=""),
    }
    for name, value in ids.items():
        text = text.replace(name, value)
    return text
