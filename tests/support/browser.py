"""A real Chromium for the tests: found on this machine, never downloaded."""

import os
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
)


class BrowserMissing(Exception):
    """No Chromium to test the player in; the message says how to get one."""


def find_chromium(environ: Mapping[str, str]) -> str:
    """The browser named by `SEGUE_CHROMIUM`, else the first on the PATH of `environ`; raises BrowserMissing."""
    named = environ.get("SEGUE_CHROMIUM")
    if named:
        if Path(named).is_file() and os.access(named, os.X_OK):
            return named
        raise BrowserMissing(f"SEGUE_CHROMIUM names no program: {named}\nhint: give the path of a Chromium or Chrome")
    for name in NAMES:
        found = shutil.which(name, path=environ.get("PATH", ""))
        if found:
            return found
    raise BrowserMissing(
        f"no browser to test the player in: none of {', '.join(NAMES)} is on PATH\n"
        "hint: install Debian's package (apt-get install chromium), or name another: SEGUE_CHROMIUM=/path/to/chrome"
    )


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A headless Chromium that asks nothing of the network but what its pages ask."""
    executable = find_chromium(os.environ)
    sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=[*QUIET, *sandbox])
        try:
            yield browser
        finally:
            await browser.close()
