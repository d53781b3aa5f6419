"""What tests in a browser share: the browser, a library that is published once, and a page that is open on it."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.support.browser import chromium
from tests.support.player_page import Listener, listening
from tests.support.served_album import BAGATELLE, CODA, OVERTURE, make, publish, serving_at


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """A browser; each test has a context of its own in it."""
    async with chromium() as found:
        yield found


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with an album of three tracks, published by the command line. Whoever serves it takes a copy."""
    root = tmp_path_factory.mktemp("library")
    for song in (OVERTURE, CODA, BAGATELLE):
        make(song, root / "album")
    publish(root / "album", root / "store")
    return root / "store"


@pytest.fixture(scope="module")
def library_root(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a copy of it, `store`, with its catalog, and what listeners will have made."""
    root = tmp_path_factory.mktemp("served")
    shutil.copytree(library, root / "store")
    shutil.copy(library.with_suffix(".sqlite"), root / "store.sqlite")
    return root


@pytest.fixture(scope="module")
def library_url(library_root: Path) -> Iterator[str]:
    """It is served by the command line; nobody is known there yet."""
    listeners = ("--listeners", str(library_root / "listeners.sqlite3"))
    with serving_at(f"file:{library_root / 'store'}", os.environ, *listeners) as url:
        yield url


@pytest_asyncio.fixture(loop_scope="module")
async def listener(browser: Browser, library_url: str) -> AsyncIterator[Listener]:
    """Somebody who was never here before has the page open."""
    async with listening(browser, library_url) as one:
        yield one
