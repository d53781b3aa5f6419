"""Every view of the demo page: what axe says of it, and whether it fits a small phone and a thumb."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from urllib.parse import quote

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.support.player_page import Listener, listening
from tests.support.served_album import OVERTURE

pytestmark = pytest.mark.asyncio(loop_scope="module")

AXE = Path(__file__).parents[1] / "players/node_modules/axe-core/axe.min.js"
PHONE_PX = 360
THUMB_PX = 44
VIOLATIONS = """async () => {
  const { violations } = await axe.run({ resultTypes: ["violations"] });
  return violations.map((each) => [each.id, ...each.nodes.map((node) => node.target.join(" "))]);
}"""
# What a thumb aims at, without what lies inside a larger label.
SMALL = """(least) => [...document.querySelectorAll("button, a, input")]
  .filter((each) => each.offsetParent && !each.closest("label.switch, .segments, .filter"))
  .map((each) => [each.outerHTML.slice(0, 80), each.getBoundingClientRect()])
  .filter(([, box]) => Math.round(box.width) < least || Math.round(box.height) < least)
  .map(([html]) => html)"""


async def home(page: Page) -> None:
    await expect(page.get_by_role("heading", name="Albums")).to_be_visible()


async def results(page: Page) -> None:
    await page.get_by_role("combobox").fill("o")
    await expect(page.get_by_role("option").first).to_be_visible()
    await page.keyboard.press("ArrowDown")


async def no_result(page: Page) -> None:
    await page.get_by_role("combobox").fill("qqzzxx")
    await expect(page.locator("#no-results")).to_be_visible()


async def albums(page: Page) -> None:
    await page.get_by_role("link", name="Albums").click()
    await expect(page.locator("#view .card")).to_have_count(1)


async def album(page: Page) -> None:
    await albums(page)
    await page.locator("#view .card").click()
    await expect(page.get_by_role("button", name="Play album")).to_be_visible()


async def artist(page: Page) -> None:
    await page.evaluate("hash => { location.hash = hash; }", f"#/artists/{quote(OVERTURE.artist)}")
    await expect(page.get_by_role("heading", name=OVERTURE.artist)).to_be_visible()


async def mixes(page: Page) -> None:
    await page.get_by_role("link", name="Mixes", exact=True).click()
    await expect(page.get_by_role("heading", name="By mood")).to_be_visible()


async def mix(page: Page) -> None:
    await page.get_by_role("button", name="Mix like this track").click()
    await expect(page.locator("#view .row-note")).to_have_count(3)


async def gone(page: Page) -> None:
    await page.evaluate("location.hash = '#/mixes/for-you/9'")
    await expect(page.get_by_role("button", name="Try again")).to_be_visible()


async def adding(page: Page) -> None:
    await page.get_by_role("button", name="Add to a playlist").click()
    await expect(page.get_by_role("dialog")).to_be_visible()


async def playlists(page: Page) -> None:
    await page.get_by_role("link", name="Playlists").click()
    await expect(page.get_by_text("No playlist yet")).to_be_visible()


async def playlist(page: Page) -> None:
    await adding(page)
    await page.get_by_role("dialog").get_by_role("textbox").fill("Evening")
    await page.get_by_role("dialog").get_by_role("button", name="Create").click()
    await expect(page.get_by_role("dialog")).to_be_hidden()
    await page.get_by_role("link", name="Playlists").click()
    await page.get_by_role("link", name="Evening").click()
    await expect(page.get_by_role("button", name="Rename")).to_be_visible()


async def favourite(page: Page) -> None:
    await page.get_by_role("button", name="Favourite").click()


VIEWS = (home, results, no_result, albums, album, artist, mixes, mix, gone, adding, playlists, playlist, favourite)


@pytest_asyncio.fixture(loop_scope="module", params=[1280, PHONE_PX])
async def listener(browser: Browser, library_url: str, request: pytest.FixtureRequest) -> AsyncIterator[Listener]:
    async with listening(browser, library_url, width=request.param, height=780) as one:
        await one.page.emulate_media(reduced_motion="reduce")  # axe measures contrast: nothing may be fading in
        yield one


@pytest.mark.parametrize("view", VIEWS)
async def test_axe_finds_nothing(listener: Listener, view: Callable[[Page], Awaitable[None]]) -> None:
    """No violation of any rule; on a phone nothing is wider than the page, and all is large enough for a thumb."""
    page = listener.page
    await view(page)
    await page.evaluate(AXE.read_text())
    assert await page.evaluate(VIOLATIONS) == []
    assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0
    if await page.evaluate("innerWidth") == PHONE_PX:
        assert await page.evaluate(SMALL, THUMB_PX) == []
    assert listener.complaints == []
