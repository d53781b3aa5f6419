"""What strangers can send to other people's players' endpoints before anybody knows who they are."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from urllib.parse import urlencode

import aiohttp
import pytest
from aiohttp import web

from discovery.operations import Group
from discovery.subsonic.form import FORM, FORM_BYTES_MAX, asked_of
from discovery.subsonic.web import ENDPOINTS, GROUPS
from model.errors import MediaTypeRefused


async def _said(request: web.Request, *, timeout_s: float) -> web.Response:
    try:
        asked = await asked_of(request, timeout_s=timeout_s)
    except MediaTypeRefused:
        return web.Response(status=415)
    return web.json_response(asked.values)


@asynccontextmanager
async def _serving(timeout_s: float = 60.0) -> AsyncIterator[tuple[str, int]]:
    app = web.Application()
    app.router.add_post("/", partial(_said, timeout_s=timeout_s))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        yield host, port
    finally:
        await runner.cleanup()


async def _status(body: bytes, media_type: str = FORM) -> tuple[int, object]:
    async with _serving() as (host, port), aiohttp.ClientSession() as client:
        url, headers = f"http://{host}:{port}/?id=a", {"Content-Type": media_type}
        async with client.post(url, data=body, headers=headers) as answer:
            return answer.status, await answer.json() if answer.status == 200 else None


async def test_a_form_of_a_thousand_songs_is_taken() -> None:
    """All values of a name, those of the query first; what is no UTF-8 is replaced, also where it says so itself."""
    songs = [f"{number:020}" for number in range(1000)]
    form = urlencode([("songId", each) for each in songs]).encode() + b"&name=%ff%ED%A0%80&empty=&id=b"
    status, said = await _status(form, f"{FORM}; charset=UTF-8")
    assert status == 200
    assert said == {"id": ["a", "b"], "songId": songs, "name": ["\ufffd" * 4], "empty": [""]}


async def test_a_form_has_limits() -> None:
    """Of bytes, and of the time that it takes to come."""
    assert (await _status(b"a" * (FORM_BYTES_MAX + 1)))[0] == 413
    async with _serving(timeout_s=0.1) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(f"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\nContent-Length: 9\r\n\r\na".encode())
        assert (await reader.readline()).split()[1] == b"408"
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("charset", ["bogus", "zlib", "undefined", "unicode_escape", "utf-16"])
async def test_a_form_is_utf_8(charset: str) -> None:
    """Python knows charsets that are no text, or that make text which nothing can write."""
    assert (await _status(b"name=\\ud800", f"{FORM}; charset={charset}"))[0] == 415


def test_writes_count_as_writes() -> None:
    """And searches as searches, as in the API; only what reads counts as that."""
    reading = {"getPlayQueue", "getPlaylists", "getPlaylist"}
    writing = {"star", "unstar", "setRating", "savePlayQueue", "createPlaylist", "updatePlaylist", "deletePlaylist"}
    assert {each for each in ENDPOINTS if GROUPS.get(each) is Group.WRITE} == writing
    assert {each for each in ENDPOINTS if GROUPS.get(each) is Group.SEARCH} == {"search2", "search3"}
    assert {each for each in ENDPOINTS if GROUPS.get(each) is Group.EVENTS} == {"scrobble"}
    assert all(each.startswith(("get", "ping", "token", "stream", "download", "hls")) for each in ENDPOINTS
               if GROUPS.get(each, Group.READ) is Group.READ)  # fmt: skip
    assert reading <= set(ENDPOINTS)
