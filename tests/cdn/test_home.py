"""Two origins behind a shield: what listeners make is at one of them, whichever answers the rest."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from storage.filesystem import FilesystemStore
from tests.cdn.conftest import SHIELDS
from tests.cdn.served import running_origin
from tests.integration.origin.published import publish


@pytest.mark.parametrize("kind", SHIELDS)
async def test_what_is_a_listeners_own_comes_from_the_home_origin(kind: str, tmp_path: Path) -> None:
    """Account, playlist, its stream and station: all of it. Music comes from the other, which knows no listener, also
    when home is dead."""
    track = await publish(FilesystemStore(tmp_path / "store"), "one")
    homes = [tmp_path / "other", tmp_path / "home"]
    for each in homes:
        each.mkdir()
    with (
        running_origin(tmp_path / "store", homes[0]) as other,
        running_origin(tmp_path / "store", homes[1]) as home,
        SHIELDS[kind](other.port, home.port) as url,
    ):
        async with aiohttp.ClientSession() as client:

            async def ask(method: str, path: str, at: str = url, key: str = "", body: Any = None) -> tuple[int, Any]:
                headers = {"Authorization": f"Bearer {key}"} if key else {}
                async with client.request(method, at + path, headers=headers, json=body) as answer:
                    is_json = answer.content_type == "application/json"
                    return answer.status, await answer.json() if is_json else await answer.read()

            status, made = await ask("POST", "/api/v1/listeners")
            assert status == 201, made
            key = made["key"]
            assert (await ask("GET", "/api/v1/listeners/me", key=key))[0] == 200
            assert (await ask("GET", "/api/v1/listeners/me", other.url, key))[0] == 401
            new = {"name": "Mine", "public": True, "track_ids": [track.track_id]}
            status, playlist = await ask("POST", "/api/v1/playlists", key=key, body=new)
            assert status == 201, playlist
            name = playlist["playlist_id"]
            own = [f"/playlists/{name}/index.m3u8", f"/stations/playlist-{name}/index.m3u8"]
            assert [(await ask("GET", path))[0] for path in own] == [200, 200]
            assert [(await ask("GET", path, other.url))[0] for path in own] == [404, 404]
            assert (await ask("GET", f"/my-playlists/{name}/index.m3u8", key=key))[0] == 200
            assert b"subsonic-response" in (await ask("GET", "/rest/ping"))[1]
            await asyncio.to_thread(home.kill)
            assert (await ask("GET", f"{track.base}/index.m3u8"))[0] == 200
            assert (await ask("GET", f"{track.package_base}/aac-64/0.mp4"))[0] == 200
