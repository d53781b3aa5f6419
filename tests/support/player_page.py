"""The demo page as a listener has it open in a browser."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Browser, ConsoleMessage, Error, Page, Request, expect

WAIT_S = 60  # what a busy machine may take over anything that is waited for
BUSY_MS = 100  # for an answer with music, over loopback: the origin takes a few
expect.set_options(timeout=WAIT_S * 1000)

# Follows the playhead until a condition holds. Gives the longest standstill and the longest jump of the music, in
# seconds. Time in which the page itself did not run (a busy machine) is not counted as a standstill.
FOLLOW = """
(timeoutMs) => new Promise((resolve, reject) => {
  const player = seguePlayer, started = performance.now();
  let at = started, position = player.position, still = 0, standstill = 0, jump = 0;
  const timer = setInterval(() => {
    const now = performance.now(), here = player.position;
    still = here === position ? still + Math.min(now - at, 25) : 0;
    standstill = Math.max(standstill, still / 1000);
    jump = Math.max(jump, here - position - (now - at) / 1000);
    [at, position] = [now, here];
    if (CONDITION) {
      clearInterval(timer);
      resolve({ standstill, jump });
    } else if (now - started > timeoutMs) {
      clearInterval(timer);
      const seen = JSON.stringify({ state: player.state, here, level: player.level, errors: player.errors });
      reject(new Error(`waited in vain: ${seen}`));
    }
  }, 10);
})
"""


@dataclass
class Listener:
    """The page as a listener has it open, and what its console said."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    slowest_ms: float = 0.0  # answer with music or a playlist

    def __post_init__(self) -> None:
        self.page.on("requestfinished", self._on_answer)
        self.page.on("console", self._on_console)
        self.page.on("pageerror", self._on_page_error)

    async def open(self, url: str) -> None:
        """Opens the page and waits until the library is listed and the first track is cued."""
        await self.page.goto(url)
        await self.until("player.bufferAhead > 0")

    async def come_back(self) -> None:
        """Loads the page anew; the choices were kept."""
        await self.page.reload()
        await self.until("player.bufferAhead > 0")

    async def until(self, condition: str, timeout_s: float = WAIT_S) -> dict[str, float]:
        """Waits for a condition on `player`; how evenly the music moved meanwhile."""
        script = FOLLOW.replace("CONDITION", condition)
        moved: dict[str, float] = await self.page.evaluate(script, timeout_s * 1000)
        return moved

    async def ask(self, expression: str) -> Any:
        """A value of `player`, the page's state as it is shown to tests."""
        return await self.page.evaluate(f"(player => {expression})(seguePlayer)")

    async def play(self, title: str) -> None:
        """Clicks a track in the list and waits until it is heard."""
        await self.page.get_by_role("listitem").filter(has_text=title).get_by_role("button").click()
        await self.until(f"player.state === 'playing' && player.track.title === '{title}' && player.position > 0.2")

    async def choose(self, legend: str, option: str) -> None:
        """Picks an option of a segmented control: `Codec` or `Quality`."""
        await self.page.get_by_role("group", name=legend).get_by_role("radio", name=option, exact=True).check()

    async def troubles(self) -> list[Any]:
        """Errors, and stalls for want of data where the data were there in time: on a machine that is too busy to serve
        them nobody can play. (hls.js also tells when a busy machine lets the playhead stand.)"""
        errors = await self.ask("player.errors.filter(e => e.details !== 'bufferStalledError' || e.fatal)")
        stalls = 0 if self.slowest_ms > BUSY_MS else await self.ask("player.stalls")
        return [*errors, *["stall"] * stalls]

    def _on_answer(self, request: Request) -> None:
        if request.url.endswith((".mp4", ".m3u8")):
            self.slowest_ms = max(self.slowest_ms, request.timing["responseEnd"])

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _on_page_error(self, error: Error) -> None:
        self.complaints.append(str(error))


@asynccontextmanager
async def listening(browser: Browser, url: str, *, width: int = 1280, height: int = 800) -> AsyncIterator[Listener]:
    """Somebody who was never here before opens the page."""
    context = await browser.new_context(viewport={"width": width, "height": height})
    context.set_default_timeout(WAIT_S * 1000)
    one = Listener(await context.new_page())
    await one.open(url)
    yield one
    await context.close()
