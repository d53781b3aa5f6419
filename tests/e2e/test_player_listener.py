"""The demo page for a listener who is known: consent, plays, favourites, playlists; and for one who is not."""

import asyncio
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Request, expect

from tests.support.command import segue
from tests.support.player_page import Listener
from tests.support.served_album import BAGATELLE, CODA

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEPT_PLAYS = "JSON.parse(localStorage.getItem('segue-plays') ?? '[]').length"
AGREED = "JSON.parse(localStorage.getItem('segue-listener'))?.history === true"  # and the origin knows
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


# Plays of a listener, as its player would have told them.
TELL = """async (key, titles) => {
  const listed = await (await fetch("/api/v1/tracks")).json();
  const id = (text) => `${text}${Math.random()}`.replace(".", "").padEnd(32, "0").slice(0, 32);
  const events = titles.map((title) => {
    const track = listed.tracks.find((each) => each.title === title);
    return { event_id: id("e"), play_id: id("p"), track_id: track.track_id, kind: "complete", at_ms: Date.now(),
      position_ms: Math.round(track.duration_s * 1000), played_ms: Math.round(track.duration_s * 1000) };
  });
  const answer = await fetch("/api/v1/events", { method: "POST",
    body: JSON.stringify({ sent_at_ms: Date.now(), events }),
    headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json" } });
  if (!answer.ok) throw new Error(await answer.text());
}"""
HEARD = f"async (titles) => ({TELL})(JSON.parse(localStorage['segue-listener']).key, titles)"
# Until the origin has looked for the new model, which it does now and then.
REASONED = """async () => {
  const headers = { Authorization: `Bearer ${JSON.parse(localStorage["segue-listener"]).key}` };
  for (;;) {
    const { shelves } = await (await fetch("/api/v1/home", { headers })).json();
    if (shelves.some(({ kind, tracks }) => kind === "for-you" && tracks.some(({ because }) => because.length))) return;
    await new Promise((resolve) => { setTimeout(resolve, 500); });
  }
}"""
OTHERS = f"""async (each) => {{
  for (const titles of each) {{
    const {{ key }} = await (await fetch("/api/v1/listeners", {{ method: "POST" }})).json();
    const headers = {{ Authorization: `Bearer ${{key}}`, "Content-Type": "application/json" }};
    await fetch("/api/v1/consent", {{ method: "PUT", headers, body: JSON.stringify({{ history: true }}) }});
    await ({TELL})(key, titles);
  }}
}}"""


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
    await listener.until(AGREED)
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
    """From an empty page to one stream, private with the listener's key and public without, and away again."""
    page = listener.page
    asked: list[Request] = []
    await listener.play(CODA.title)
    await page.keyboard.press("k")  # else the next one may have begun when it is picked, and is paused by that
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
    page.on("request", lambda request: asked.append(request))
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.get_by_role("textbox", name="Name").fill("Night")
    await page.get_by_role("button", name="Rename").click()
    await expect(page.get_by_role("heading", name="Night")).to_be_visible()
    await page.get_by_role("button", name="Play playlist").click()
    await listener.until(f"player.state === 'playing' && player.track.title === '{BAGATELLE.title}'")
    assert str(await listener.ask("player.item")).startswith("playlist:")
    await listener.until(f"player.track.title === '{CODA.title}' && player.position > 0.5")
    with_key = [request for request in asked if "authorization" in request.headers and "/api/" not in request.url]
    assert {urlsplit(request.url).path.split("/")[1] for request in with_key} == {"my-playlists"}
    assert not [request.url for request in asked if urlsplit(request.url).path.startswith("/tracks/")]
    await page.get_by_role("button", name="Make public").click()
    await expect(page.get_by_role("button", name="Make private")).to_be_visible()
    await page.get_by_role("button", name="Copy link").click()
    link = await page.evaluate("navigator.clipboard.readText()")
    assert link == f"{page.url.split('#')[0]}#{urlsplit(page.url).fragment}"
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


async def test_a_listener_who_agreed_has_a_home_page_with_reasons(listener: Listener, library_root: Path) -> None:
    """What was played, what is like it, and what is made for this listener, which says why and plays."""
    page = listener.page
    await page.get_by_role("switch", name="Remember what I play").press(" ")
    await listener.until(AGREED)
    await page.evaluate(HEARD, [BAGATELLE.title])
    await page.evaluate(OTHERS, [[BAGATELLE.title, CODA.title]] * 5)
    known = ("--catalog", str(library_root / "store.sqlite"), "--listeners", str(library_root / "listeners.sqlite3"))
    trained = await asyncio.to_thread(
        segue, "train", "--store", f"file:{library_root / 'store'}", *known, cwd=library_root
    )
    assert trained.status == 0
    await page.evaluate(REASONED)
    await listener.come_back()
    for title in ("Made for you", "Recently played", f"Because you played {BAGATELLE.title}"):
        await expect(page.get_by_role("heading", name=title)).to_be_visible()
    reason = page.locator("#shelves .card-note").filter(has_text=f"because you played {BAGATELLE.title}")
    await expect(reason.first).to_be_visible()
    await page.get_by_role("link", name="Open Made for you").click()
    row = page.locator("#view .row").filter(has_text=CODA.title)
    await expect(row.locator(".row-note")).to_have_text(f"because you played {BAGATELLE.title}")
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request))
    await row.click()
    await listener.until(f"player.state === 'playing' && player.track.title === '{CODA.title}'")
    await expect(page.locator("#eyebrow")).to_contain_text("Made for you")
    # One gapless stream, and no address says what it is made of.
    own = [request for request in asked if "/my-mixes/" in request.url]
    assert len(own) >= 2 and all("segue-tracks" in request.headers for request in own)
    assert not [request for request in asked if "/mixes/" in urlsplit(request.url).path]
    assert len({request.headers["segue-tracks"] for request in own}) == 1
    await page.keyboard.press("n")
    await listener.until(f"player.state === 'playing' && player.track.title !== '{CODA.title}'")
    assert listener.complaints == []


def _named(title: str) -> re.Pattern[str]:
    return re.compile(f"^{re.escape(title)}")
