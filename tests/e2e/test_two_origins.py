"""Two origins over one bucket: whoever asks cannot tell them apart, and neither keeps anything that matters."""

import asyncio
import os
import re
import signal
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest

from model.album import album_id_of
from model.protection import Protection, ProtectionMethod
from origin.settings import OriginSettings
from origin.tokens import Grant, TokenKey, mint
from protection.key_store import load_keys
from scripts.s3_server import S3Server
from storage.base import ObjectStore
from storage.filesystem import FilesystemStore
from storage.s3 import S3Store
from tests.integration.origin.published import Published, publish
from tests.integration.origin.test_contract import RESOURCES, STATUSES
from tests.support.forked import fork
from tests.support.served_album import CHECKOUT, announced_url

# Of one process, one moment, one way through the caches.
OF_ITS_OWN = {"date", "x-request-id", "age", "cache-status"}
SIGNING = TokenKey(secret=bytes(range(16)))
CODINGS = ("identity", "gzip", "br", "zstd")
LIVE_WITHIN_S = OriginSettings().pointer_ttl_s + 1.0  # as docs/operations.md says
BUSY_S = 15.0  # more, on a machine that is busy with other tests
Answer = tuple[int, list[tuple[str, str]], bytes]


class Origin:
    """`segue serve` as a process, with a disk of its own."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        folder.mkdir()
        state = {"HOME": str(folder), "XDG_STATE_HOME": str(folder), "TMPDIR": str(folder)}
        with Path(os.devnull).open("wb") as nowhere:
            variables = {**environment, **state}
            self.process = fork("serve", "--json", "--port", "0", cwd=CHECKOUT, env=variables, stderr=nowhere)
        self.url = announced_url(self.process).rstrip("/")

    def kill(self) -> None:
        """SIGKILL: it gets to save nothing."""
        self.process.kill()
        self.process.wait(60)
        self.process.stdout.close()


@pytest.fixture(params=["filesystem", "s3"])
def bucket(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[ObjectStore, dict[str, str]]:
    """A store, and the environment that names it."""
    if request.param == "filesystem":
        return FilesystemStore(tmp_path / "store"), {"SEGUE_STORE": f"file:{tmp_path / 'store'}"}
    server: S3Server = request.getfixturevalue("s3_server")
    prefix, keys = uuid.uuid4().hex, server.writer
    environment = {
        "SEGUE_STORE": server.url(prefix),
        "AWS_ACCESS_KEY_ID": keys.access_key,
        "AWS_SECRET_ACCESS_KEY": keys.secret_key,
    }
    return S3Store(server.address(prefix), keys), environment


@pytest.fixture
async def shared(
    bucket: tuple[ObjectStore, dict[str, str]], tmp_path: Path
) -> AsyncIterator[tuple[ObjectStore, dict[str, str]]]:
    """The store, and all that an origin is told, keys included."""
    store, names = bucket
    keys = f"file:{tmp_path / 'keys'}"
    yield store, {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(CHECKOUT), **names,
        "SEGUE_KEY_STORE": keys, "SEGUE_TOKEN_KEY": SIGNING.secret.hex(), "SEGUE_SYNC_INTERVAL": "0.5",
    }  # fmt: skip
    await store.close()


def _named(text: str, track: Published, locked: Published, token: str) -> str:
    track = locked if "/keys/" in text else track
    for name, value in {
        "{track_id}": track.track_id,
        "{recording_id}": track.package.recording_id,
        "{package_id}": track.package.package_id,
        "{art_id}": track.track.art_id,
        "{token}": token,
    }.items():
        text = text.replace(name, value)
    return text


async def _ask(client: aiohttp.ClientSession, method: str, url: str, headers: Mapping[str, str]) -> Answer:
    async with client.request(method, url, headers=headers, allow_redirects=False) as response:
        body = await response.read()
        told = [(name.lower(), value) for name, value in response.headers.items()]
        return response.status, sorted(each for each in told if each[0] not in OF_ITS_OWN), body


async def _all(
    client: aiohttp.ClientSession, url: str, requests: list[tuple[str, str, dict[str, str]]]
) -> list[Answer]:
    return [await _ask(client, method, url + path, headers) for method, path, headers in requests]


def _requests(track: Published, locked: Published) -> list[tuple[str, str, dict[str, str]]]:
    """Every resource of the contract in every coding, and every request of its other table."""
    token = quote(mint(Grant(acl=("/*",), expires_s=int(time.time()) + 600), SIGNING), safe="")
    found = []
    for row in RESOURCES:
        path = _named(row["path"], track, locked, token)
        if path in ("/healthz", "/readyz", "/metrics"):  # of one process, on purpose
            continue
        found += [("GET", path, {"Accept-Encoding": coding}) for coding in CODINGS]
        found += [("HEAD", path, {}), ("GET", path, {"Range": "bytes=10-19", "Accept-Encoding": "identity"})]
    for row in STATUSES:
        method, _, path = _named(row["request"], track, locked, token).partition(" ")
        asked = dict(re.findall(r"([A-Za-z-]+): ([^;]+)", row["with"]))
        if "{etag}" not in row["with"]:  # tags are compared above
            found.append((method, path, asked))
    return found


def _joined(track: Published, locked: Published) -> list[tuple[str, str, dict[str, str]]]:
    """An album, and both tracks as a mix."""
    album = album_id_of(track.track.tags.artists[0], track.track.tags.album)
    lists = (f"/albums/{album}", f"/mixes/{track.track_id}-{locked.track_id}")
    return [("GET", f"{each}/{name}.m3u8", {}) for each in lists for name in ("index", "opus", "lossless")]


async def test_two_origins_are_one(shared: tuple[ObjectStore, dict[str, str]], tmp_path: Path) -> None:
    """The same bytes, headers and tags for all of the contract; a publish is live on both in time; one is killed, and
    another, which begins with an empty disk, answers as it did."""
    store, environment = shared
    master = (await asyncio.to_thread(load_keys, tmp_path / "keys", create=True)).current
    protection = Protection(
        method=ProtectionMethod.AES_128, key_set=master.key_set, key_id=master.key_id_of("00" * 32), rotation_segments=1
    )
    track = await publish(store, "one", segments=4)
    locked = await publish(store, "locked", release="Locked", segments=4, protection=protection)
    origins = [await asyncio.to_thread(Origin, tmp_path / name, environment) for name in ("a", "b")]
    try:
        async with aiohttp.ClientSession(auto_decompress=False) as client:
            requests = _requests(track, locked) + _joined(track, locked)
            first, second = [await _all(client, each.url, requests) for each in origins]
            _assert_equal(requests, first, second)
            assert {status for status, _, _ in first[-6:]} == {200}
            assert sum(status == 200 for status, _, _ in first) > 40
            again = await _all(client, origins[0].url, requests)  # from memory now
            _assert_equal(requests, first, again)
            track = await _assert_live_in_time(client, store, origins, track)
            origins[0].kill()
            origins[0] = await asyncio.to_thread(Origin, tmp_path / "c", environment)
            requests = _requests(track, locked)
            first, second = [await _all(client, each.url, requests) for each in origins]
            _assert_equal(requests, first, second)
    finally:
        for each in origins:
            each.process.send_signal(signal.SIGKILL)
            each.process.wait(60)
            each.process.stdout.close()


def _assert_equal(requests: list[tuple[str, str, dict[str, str]]], one: list[Answer], two: list[Answer]) -> None:
    for request, left, right in zip(requests, one, two, strict=True):
        assert left == right, request


async def _assert_live_in_time(
    client: aiohttp.ClientSession, store: ObjectStore, origins: list[Origin], track: Published
) -> Published:
    """Players and pages that ask all the time get the new package from both, each no later than it is stated."""
    stop = asyncio.Event()

    async def until_new(url: str) -> float:
        while not stop.is_set():
            _, _, body = await _ask(client, "GET", url, {"Accept-Encoding": "identity"})
            if new.package.package_id.encode() in body:
                return time.monotonic()
            await asyncio.sleep(0.05)
        raise AssertionError("never")

    asked = [origin.url + path for origin in origins for path in (f"{track.base}/index.m3u8", "/api/v1/tracks")]

    new = await publish(store, "one", edition=2, segments=4)
    published_s = time.monotonic()
    try:
        seen_s = await asyncio.wait_for(asyncio.gather(*(until_new(url) for url in asked)), 60)
    finally:
        stop.set()
    assert max(seen_s) - published_s <= LIVE_WITHIN_S + BUSY_S
    return new
