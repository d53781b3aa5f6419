"""Streams on disk and on a real socket."""

import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.unit.inspector.streams import Files

Serve = Callable[..., AbstractAsyncContextManager[str]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
TYPES = {".m3u8": "application/vnd.apple.mpegurl", ".mp4": "audio/mp4"}


def written(files: Files, folder: Path) -> Path:
    """The files in a folder."""
    for name, data in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return folder


@pytest.fixture
def serve() -> Serve:
    """A good server over files: gzip on playlists, ranges, CORS. `other` answers what it wants to first; `tls` makes
    it one of https."""

    @asynccontextmanager
    async def serving(
        files: Files, other: dict[str, Handler] | None = None, tls: ssl.SSLContext | None = None
    ) -> AsyncIterator[str]:
        async def answer(request: web.Request) -> web.StreamResponse:
            name = request.match_info["name"]
            if other and name in other:
                return await other[name](request)
            if name not in files:
                raise web.HTTPNotFound
            data, suffix = files[name], name[name.rindex(".") :]
            headers = {"Access-Control-Allow-Origin": "*", "Content-Type": TYPES[suffix]}
            if suffix == ".m3u8" and "gzip" in request.headers.get("Accept-Encoding", ""):
                return web.Response(body=gzip.compress(data), headers={**headers, "Content-Encoding": "gzip"})
            wanted = request.http_range
            if wanted.start is None:
                return web.Response(body=data, headers=headers)
            part = data[wanted.start : wanted.stop]
            headers["Content-Range"] = f"bytes {wanted.start}-{wanted.start + len(part) - 1}/{len(data)}"
            return web.Response(status=206, body=part, headers=headers)

        app = web.Application()
        app.router.add_get("/{name:.+}", answer)
        server = TestServer(app, host="localhost" if tls else "127.0.0.1")
        await server.start_server(ssl=tls)
        try:
            yield str(server.make_url("/"))
        finally:
            await server.close()

    return serving
