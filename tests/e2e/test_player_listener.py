"""The demo page for a listener who is known: consent, plays, favourites, playlists; and for one who is not."""

import re
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Request, expect

from tests.support.player_page import Listener
from tests.support.served_album import BAGATELLE, CODA

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEPT_PLAYS = "JSON.parse(localStorage.getItem('segue-plays') ?? '[]').length"
PLAYS = """async () => {
  const { key } = JSON.parse(localStorage.getItem("segue-listener"));
  const answer = await fetch("/api/v1/history", { headers: { Authorization: `Bearer ${key}` } });
  return (await answer.json()).plays.map((play) => play.track.title);
}"""

TOLD = f"""(title) => new Promise((resolve, reject) => {{
  const ask = {PLAYS}, started = performance.now();
  async function look() {{
    if ((await ask()).filter((played) => played === title).length >= 2) resolve();
    else if (performance.now() - started > 60_000) reject(new Error("waited in vain"));
    else setTimeout(look, 100);
  }}
  look();
}})"""


async def test_whoever_only_listens_stays_unknown(listener: Listener) -> None:
    """No listener is made, no key is kept, nothing is told of what is played."""
    asked: list[Request] = []
    listener.page.on("request", lambda request: asked.append(request))
    await listener.come_back()
    await listener.play(BAGATELLE.title)
    await listener.page.get_by_role("link", name="Playlists").click()
    await expect(listener.page.get_by_text("No playlist yet")).to_be_visible()
    assert {request.method for request in asked} == {"GET"}
    assert not [request for request in asked if "authorization" in request.headers]
    assert await listener.page.evaluate("[localStorage['segue-listener'], localStorage['segue-plays']]") == [None, None]


async def test_plays_are_told_after_consent_and_sent_again_when_the_line_was_down(listener: Listener) -> None:
    """What could not be sent is kept and is there once, when the page is opened again."""
    page = listener.page
    await page.get_by_role("switch", name="Remember what I play").press(" ")
    await expect(page.get_by_role("switch", name="Remember what I play")).to_be_enabled()
    await expect(page.get_by_role("switch", name="Remember what I play")).to_be_checked()
    await page.route("**/api/v1/events", lambda route: route.abort())
    await listener.play(BAGATELLE.title)
    async with page.expect_request("**/api/v1/events"):
        await listener.play(CODA.title)
    assert await page.evaluate(KEPT_PLAYS) >= 3  # two starts and an end
    await page.unroute("**/api/v1/events")
    await listener.come_back()
    await listener.play(BAGATELLE.title)
    await listener.play(CODA.title)
    await page.evaluate(TOLD, BAGATELLE.title)
    assert (await page.evaluate(PLAYS)).count(BAGATELLE.title) == 2
    await page.get_by_role("switch", name="Remember what I play").uncheck()
    await listener.until("localStorage.getItem('segue-plays') === '[]'")
    assert await page.evaluate(PLAYS) == []


async def test_a_favourite_stays_one(listener: Listener) -> None:
    """The heart is filled when the page is opened again."""
    heart = listener.page.get_by_role("button", name="Favourite")
    await expect(heart).to_have_attribute("aria-pressed", "false")
    await heart.click()
    await expect(listener.page.get_by_role("status").filter(has_text="is a favourite")).to_have_count(1)
    await listener.come_back()
    await expect(heart).to_have_attribute("aria-pressed", "true")


async def test_a_playlist_is_made_filled_ordered_and_played_as_one_stream(listener: Listener) -> None:
    """From an empty page to one stream, and away again."""
    page = listener.page
    await listener.play(CODA.title)
    await page.get_by_role("button", name="Add to a playlist").click()
    await page.get_by_role("dialog").get_by_role("textbox").fill("Evening")
    await page.get_by_role("dialog").get_by_role("button", name="Create").click()
    await expect(page.get_by_role("dialog")).to_be_hidden()
    await listener.play(BAGATELLE.title)
    await page.get_by_role("button", name="Add to a playlist").click()
    await page.get_by_role("dialog").get_by_role("button", name="Evening").click()
    await expect(page.get_by_role("dialog")).to_be_hidden()
    await page.get_by_role("link", name="Playlists").click()
    await page.get_by_role("link", name="Evening").click()
    rows = page.locator("#view .row")
    await expect(rows).to_have_text([_named(CODA.title), _named(BAGATELLE.title)])
    await page.get_by_role("button", name=f"Move {BAGATELLE.title} up").click()
    await expect(rows).to_have_text([_named(BAGATELLE.title), _named(CODA.title)])
    await page.get_by_role("button", name=f"Move {CODA.title} up").press("Enter")
    await expect(rows).to_have_text([_named(CODA.title), _named(BAGATELLE.title)])
    await expect(page.get_by_role("button", name=f"Move {CODA.title} down")).to_be_enabled()
    await page.get_by_role("button", name=f"Move {CODA.title} down").press("Enter")
    await expect(page.get_by_role("button", name=f"Move {CODA.title} up")).to_be_enabled()
    await page.get_by_role("textbox", name="Name").fill("Night")
    await page.get_by_role("button", name="Rename").click()
    await expect(page.get_by_role("heading", name="Night")).to_be_visible()
    await page.get_by_role("button", name="Make public").click()
    await page.get_by_role("button", name="Play playlist").click()
    await listener.until(f"player.state === 'playing' && player.track.title === '{BAGATELLE.title}'")
    assert str(await listener.ask("player.item")).startswith("playlist:")
    await listener.until(f"player.track.title === '{CODA.title}' && player.position > 0.5")
    await page.get_by_role("button", name=f"Remove {CODA.title}").click()
    await expect(rows).to_have_count(1)
    await page.get_by_role("button", name="Delete Night").click()
    await page.get_by_role("button", name="Really delete?").click()
    await expect(page.get_by_text("No playlist yet")).to_be_visible()
    assert urlsplit(page.url).fragment == "/playlists"
    assert await listener.troubles() == []
    assert listener.complaints == []


def _named(title: str) -> re.Pattern[str]:
    return re.compile(f"^{re.escape(title)}")
