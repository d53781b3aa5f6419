"""index.mpd plays in dash.js, in a real browser, from another site than the origin."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser

from tests.support.served_album import BAGATELLE, make, publish, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

DASH_JS = Path(__file__).parents[1] / "players/node_modules/dashjs/dist/modern/umd/dash.all.min.js"
PAGE = """<!doctype html><link rel="icon" href="data:,"><audio></audio><script src="/dash.js"></script>"""
# Plays to the end; gives what was chosen from what, the length, what was played, and every error.
PLAY = """
([url, codec]) => new Promise((resolve, reject) => {
  const audio = document.querySelector("audio"), player = dashjs.MediaPlayer().create(), errors = [];
  player.on("error", ({ error }) => errors.push(error.message));
  if (codec) player.setCustomInitialTrackSelectionFunction((tracks) => tracks.filter((t) => t.codec.includes(codec)));
  player.initialize(audio, url, true);
  const report = (ended) => resolve({
    ended,
    errors,
    families: player.getTracksFor("audio").map((track) => track.codec),
    rungs: player.getTracksFor("audio").map((track) => track.bitrateList.length),
    chosen: player.getCurrentTrackFor("audio").codec,
    duration: audio.duration,
    played: [audio.played.length, audio.played.start(0), audio.played.end(0)],
  });
  audio.addEventListener("ended", () => report(true));
  setTimeout(() => report(false), 20000);
})
"""


@pytest.fixture(scope="module")
def origin_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A short track in all families, published and served by the command line."""
    root = tmp_path_factory.mktemp("dash")
    publish(make(BAGATELLE, root / "album"), root / "store")
    with serving(root / "store") as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page_url() -> AsyncIterator[str]:
    """A page that has dash.js and nothing else."""
    if not DASH_JS.is_file():
        raise RuntimeError(f"dash.js is not there: {DASH_JS}\nhint: run `make test`, which fetches it")

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    async def script(_: web.Request) -> web.FileResponse:
        return web.FileResponse(DASH_JS)

    app = web.Application()
    app.router.add_get("/", page)
    app.router.add_get("/dash.js", script)
    async with TestServer(app, host="127.0.0.1") as server:
        yield str(server.make_url("/"))


@pytest.mark.parametrize(
    ("codec", "chosen"), [("", "Opus"), ("mp4a", "mp4a.40.2"), ("fLaC", "fLaC")], ids=["by itself", "AAC", "lossless"]
)
async def test_every_family_plays_to_its_end(
    browser: Browser, origin_url: str, page_url: str, codec: str, chosen: str
) -> None:
    """All of it, without an error; left to itself the player takes Opus, by its selectionPriority."""
    async with aiohttp.ClientSession(origin_url) as client, client.get("/api/v1/tracks") as response:
        (track,) = (await response.json())["tracks"]
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(page_url)
    await page.mouse.click(1, 1)  # a page that nobody touched may not play
    seen: dict[str, Any] = await page.evaluate(PLAY, [origin_url.rstrip("/") + track["mpd"], codec])
    await context.close()
    assert (seen["ended"], seen["errors"]) == (True, [])
    assert seen["families"] == [f'audio/mp4;codecs="{each}"' for each in ("mp4a.40.2", "Opus", "fLaC")]
    assert seen["rungs"] == [5, 4, 1]
    assert seen["chosen"] == f'audio/mp4;codecs="{chosen}"'
    assert seen["duration"] == pytest.approx(BAGATELLE.seconds, abs=0.01)
    assert seen["played"] == [1, pytest.approx(0, abs=0.01), pytest.approx(BAGATELLE.seconds, abs=0.06)]
