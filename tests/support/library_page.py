"""An album of three tracks, served, and the demo page open on it: for the tests of the page's several parts."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from playwright.async_api import Browser

from tests.support.player_page import Listener
from tests.support.served_album import BAGATELLE, CODA, OVERTURE, make, publish, serving


@contextmanager
def served_library(root: Path) -> Iterator[str]:
    """Published and served by the command line; gives the URL."""
    for song in (OVERTURE, CODA, BAGATELLE):
        make(song, root / "album")
    publish(root / "album", root / "store")
    with serving(root / "store") as url:
        yield url


@asynccontextmanager
async def listening(browser: Browser, url: str, *, width: int = 1280, height: int = 800) -> AsyncIterator[Listener]:
    """Somebody who was never here before opens the page."""
    context = await browser.new_context(viewport={"width": width, "height": height})
    one = Listener(await context.new_page())
    await one.open(url)
    yield one
    await context.close()
