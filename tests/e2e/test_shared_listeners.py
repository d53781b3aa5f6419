"""Two origins over one bucket and one PostgreSQL database: what a listener does at one is seen at the other at once,
one is killed and nothing is missing, and while the database is away music plays on."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import aiohttp
import pytest

from model.package import Current
from model.records import to_json
from model.track import derived_id
from storage.base import ObjectStore
from storage.filesystem import FilesystemStore
from storage.keys import current_key, package_key, track_key
from tests.e2e.test_two_origins import OF_ITS_OWN, Origin
from tests.integration.origin.published import put, track_of
from tests.support.command import segue
from tests.support.framed import run_of
from tests.support.postgres import OwnDatabase, own_database, running_postgres
from tests.support.served_album import CHECKOUT

BACK_WITHIN_S = 60.0
WRITTEN = 3  # playlists, before an origin is killed


@dataclass
class Listener:
    """Who asks now this origin, now that one, as behind something that shares requests out."""

    client: aiohttp.ClientSession
    origins: list[Origin]
    environment: Mapping[str, str]  # of an origin
    key: str = ""

    async def ask(self, at: int, method: str, path: str, **more: Any) -> tuple[int, dict[str, str], bytes]:
        """Ask one origin; what is of one process or moment is left out."""
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        headers |= more.pop("headers", {})
        async with self.client.request(method, self.origins[at].url + path, headers=headers, **more) as response:
            told = {name.lower(): value for name, value in response.headers.items()}
            return response.status, {k: v for k, v in told.items() if k not in OF_ITS_OWN}, await response.read()

    async def done(self, at: int, method: str, path: str, **more: Any) -> Any:
        """What is answered in JSON, if it went well."""
        status, _, body = await self.ask(at, method, path, **more)
        assert 200 <= status < 300, (status, body)
        return json.loads(body) if body else None

    async def same(self, path: str) -> bytes:
        """What both origins answer, to the byte, headers and tags too."""
        one, other = [await self.ask(at, "GET", path) for at in (0, 1)]
        assert one == other and one[0] == 200, (one, other)
        return one[2]


@pytest.fixture
def database() -> Iterator[OwnDatabase]:
    """A database that can be taken away."""
    with running_postgres() as server, own_database(server, "listeners") as database:
        yield database


@pytest.fixture
async def listener(database: OwnDatabase, tmp_path: Path) -> AsyncIterator[tuple[Listener, list[str]]]:
    """Two origins, nobody's key yet, and the tracks that they have."""
    store = FilesystemStore(tmp_path / "store")
    track_ids = await _published(store)
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(CHECKOUT),
        "SEGUE_STORE": f"file:{tmp_path / 'store'}",
        "SEGUE_LISTENERS": database.url,
    }
    origins = [await asyncio.to_thread(Origin, tmp_path / name, environment) for name in ("a", "b")]
    try:
        async with aiohttp.ClientSession() as client:
            yield Listener(client, origins, environment), track_ids
    finally:
        for each in origins:
            each.kill()
        await store.close()


async def _published(store: ObjectStore) -> list[str]:
    """Three tracks whose frames can be joined."""
    track_ids = []
    for number, framed in enumerate(run_of([100_000, 120_000, 150_000], alone=True)):
        track = track_of(
            f"track-{number}", release="Album", samples=framed.package.media_samples, art_id=derived_id("art"),
            mezzanine_id=framed.package.mezzanine_id,
        )  # fmt: skip
        package = replace(framed.package, recording_id=track.recording_id)
        files = {f"{name}.mp4": data for name, data in framed.files.items()} | {"package.json": to_json(package)}
        for name, data in files.items():
            await put(store, package_key(track.recording_id, package.package_id, name), data)
        live = Current(track_id=track.track_id, recording_id=track.recording_id, package_id=package.package_id)
        await put(store, track_key(track.track_id), to_json(track))
        await put(store, current_key(track.track_id), to_json(live))
        track_ids.append(track.track_id)
    return track_ids


async def test_listeners_cannot_tell_which_origin_they_ask(
    listener: tuple[Listener, list[str]], database: OwnDatabase, tmp_path: Path
) -> None:
    """Accounts, playlists and their streams, favourites, plays; then one is killed; then the database is away."""
    anna, track_ids = listener
    anna.key = (await anna.done(0, "POST", "/api/v1/listeners"))["key"]
    await anna.same("/api/v1/listeners/me")
    playlist = await _with_a_playlist(anna, track_ids)
    await _plays_and_marks(anna, track_ids)
    await _killed_while_it_writes(anna, track_ids)
    kept = _kept((await anna.ask(1, "GET", "/api/v1/listeners/me/export"))[2])
    exported = await asyncio.to_thread(
        segue, "listener", "export", (await anna.done(1, "GET", "/api/v1/listeners/me"))["listener_id"],
        "--listeners", database.url, cwd=tmp_path,
    )  # fmt: skip
    assert _kept(json.dumps(exported.lines[0]["tables"])) == kept
    await _music_plays_on(anna, database, tmp_path / "c", playlist, track_ids[0])
    assert _kept(await anna.same("/api/v1/listeners/me/export")) == kept


def _kept(export: bytes | str) -> dict[str, Any]:
    """All that is exported but the day of the last use, which may be another one by now."""
    return {table: rows for table, rows in json.loads(export).items() if table != "last_used"}


async def _with_a_playlist(anna: Listener, track_ids: list[str]) -> str:
    """Made at one, played at the other, changed at the other, seen at the one."""
    made = await anna.done(0, "POST", "/api/v1/playlists", json={"name": "Mine", "track_ids": track_ids[:2]})
    path, stream = f"/api/v1/playlists/{made['playlist_id']}", f"/my-playlists/{made['playlist_id']}/index.m3u8"
    for each in (path, f"{path}/tracks", "/api/v1/playlists"):
        await anna.same(each)
    first = await _heard(anna, stream)
    _, headers, _ = await anna.ask(1, "GET", path)
    tagged = {"If-Match": headers["etag"]}
    await anna.done(1, "POST", f"{path}/tracks", json={"track_ids": track_ids[2:]}, headers=tagged)
    refused, _, _ = await anna.ask(0, "DELETE", path, headers=tagged)
    assert refused == 412
    await anna.same(path)
    assert len(await _heard(anna, stream)) > len(first)
    return path


async def _heard(anna: Listener, stream: str) -> list[str]:
    """Every segment of a stream, the same at both."""
    index = (await anna.same(stream)).decode()
    media = urljoin(stream, next(line for line in index.splitlines() if line.endswith(".m3u8")))
    lines = (await anna.same(media)).decode().splitlines()
    segments = [urljoin(media, line) for line in lines if line and not line.startswith("#")]
    for each in segments:
        assert await anna.same(each)
    return segments


async def _plays_and_marks(anna: Listener, track_ids: list[str]) -> None:
    now_ms = time.time_ns() // 1_000_000
    await anna.done(0, "PUT", "/api/v1/consent", json={"history": True})
    told = {"play_id": "play-000001", "track_id": track_ids[0], "kind": "complete", "at_ms": now_ms, "played_ms": 2000}
    for at, event_id in ((1, "event-00001"), (0, "event-00001"), (1, "event-00002")):
        await anna.done(at, "POST", "/api/v1/events", json={"events": [{**told, "event_id": event_id}]})
    assert len(json.loads(await anna.same("/api/v1/history"))["plays"]) == 1
    await anna.done(1, "PUT", f"/api/v1/favourites/{track_ids[1]}")
    await anna.same("/api/v1/favourites")
    kept = json.loads(await anna.same("/api/v1/listeners/me/export"))
    assert [(each["listens"], each["skips"]) for each in kept["heard"]] == [(1, 0)]


async def _killed_while_it_writes(anna: Listener, track_ids: list[str]) -> None:
    """What the origin that was killed had answered is there, and nothing is there by half."""
    answered, enough = list[str](), asyncio.Event()

    async def write() -> None:
        while True:
            made = await anna.done(0, "POST", "/api/v1/playlists", json={"name": "More", "track_ids": track_ids})
            answered.append(made["playlist_id"])
            if len(answered) == WRITTEN:
                enough.set()

    writing = asyncio.create_task(write())
    waiting = asyncio.create_task(enough.wait())
    await asyncio.wait({writing, waiting}, return_when=asyncio.FIRST_COMPLETED)
    anna.origins[0].kill()
    with pytest.raises(aiohttp.ClientError):
        await writing
    await waiting
    found = (await anna.done(1, "GET", "/api/v1/playlists"))["playlists"]
    assert {*answered} <= {each["playlist_id"] for each in found}
    assert {each["entries"] for each in found} == {len(track_ids)}


async def _music_plays_on(anna: Listener, database: OwnDatabase, folder: Path, playlist: str, track_id: str) -> None:
    """While the database is away, at an origin that starts meanwhile, too; and everything does when it is back."""
    await asyncio.to_thread(database.away)
    anna.origins[0] = await asyncio.to_thread(Origin, folder, anna.environment)
    for at in (0, 1):
        for method, path in (("GET", playlist), ("PUT", f"/api/v1/favourites/{track_id}")):
            status, headers, body = await anna.ask(at, method, path)
            assert (status, json.loads(body)["error"]) == (503, "listeners-unavailable")
            assert int(headers["retry-after"]) > 0
    for path in (f"/tracks/{track_id}/index.m3u8", f"/mixes/{track_id}/index.m3u8", "/api/v1/tracks"):
        await anna.same(path)
    found = [await _found(anna.client, origin.url) for origin in anna.origins]
    assert found[0] == found[1] and len(found[0]) == 1
    await asyncio.to_thread(database.back)
    deadline = time.monotonic() + BACK_WITHIN_S
    while {(await anna.ask(at, "GET", playlist))[0] for at in (0, 1)} != {200}:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)


async def _found(client: aiohttp.ClientSession, url: str) -> list[str]:
    """What somebody without a key finds."""
    async with client.get(f"{url}/api/v1/search", params={"q": "Song track-1"}) as response:
        return [each["track_id"] for each in (await response.json())["tracks"]]
