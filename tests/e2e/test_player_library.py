"""The demo page's ways to music: search, albums as one stream, stations, the home page."""

from urllib.parse import urlsplit

import pytest
from playwright.async_api import Request, expect

from tests.support.player_page import Listener
from tests.support.served_album import BAGATELLE, CODA, OVERTURE

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_search_finds_while_one_types_and_enter_plays(listener: Listener) -> None:
    """By the keyboard alone; what matched is marked; case and accents do not matter."""
    page = listener.page
    await page.keyboard.press("/")
    box = page.get_by_role("combobox")
    await expect(box).to_be_focused()
    await page.keyboard.type("CÓD")
    option = page.get_by_role("option").filter(has_text=CODA.title)
    await expect(option).to_be_visible()
    await expect(option.locator("mark").first).to_have_text("Cod")
    await page.keyboard.press("ArrowDown")
    await expect(page.get_by_role("option", selected=True)).to_have_count(1)
    await expect(option).to_have_attribute("aria-selected", "true")
    assert await box.get_attribute("aria-activedescendant") == await option.get_attribute("id")
    await page.keyboard.press("Enter")
    await listener.until(f"player.state === 'playing' && player.track.title === '{CODA.title}'")
    await expect(page.get_by_role("listbox")).to_be_hidden()
    assert listener.complaints == []


async def test_escape_closes_the_results_and_nothing_found_is_said(listener: Listener) -> None:
    """The text stays, the list goes."""
    box = listener.page.get_by_role("combobox")
    await box.fill("generators")
    await expect(listener.page.get_by_role("option").first).to_be_visible()
    await listener.page.keyboard.press("Escape")
    await expect(listener.page.get_by_role("listbox")).to_be_hidden()
    await expect(box).to_have_value("generators")
    await box.fill("qqzzxx")
    await expect(listener.page.locator("#no-results")).to_have_text("No match")
    assert listener.complaints == []


async def test_an_album_plays_as_one_stream_and_the_page_follows_it(listener: Listener) -> None:
    """From the track that was picked into the next one: one stream, no gap, the name and the cover change."""
    asked: list[Request] = []
    page = listener.page
    await page.get_by_role("link", name="Albums").click()
    await page.locator("#view").get_by_role("button", name="Signals").click()
    await expect(page.get_by_role("heading", name="Signals")).to_be_visible()
    page.on("request", lambda request: asked.append(request))
    await page.get_by_role("listitem").filter(has_text=CODA.title).get_by_role("button").click()
    await listener.until(
        f"player.state === 'playing' && player.track.title === '{CODA.title}' && player.position > 0.1"
    )
    assert str(await listener.ask("player.item")).startswith("album:")
    assert await listener.ask("player.duration") == pytest.approx(CODA.seconds, abs=0.1)
    await listener.page.evaluate("end => seguePlayer.seek(end)", CODA.seconds - 1.5)
    await listener.until(f"player.track.title === '{BAGATELLE.title}' && player.position > 0.5")
    await expect(page.locator("#title")).to_have_text(BAGATELLE.title)
    await expect(page.locator("#view [aria-current=true]")).to_contain_text(BAGATELLE.title)
    told = "[navigator.mediaSession.metadata.title, navigator.mediaSession.playbackState]"
    assert await page.evaluate(told) == [BAGATELLE.title, "playing"]
    await page.keyboard.press("p")
    await listener.until(f"player.track.title === '{CODA.title}' && player.state === 'playing'")
    assert not [request.url for request in asked if urlsplit(request.url).path.startswith("/tracks/")]
    assert await listener.troubles() == []
    assert listener.complaints == []


async def test_a_station_plays_and_says_what_is_on(listener: Listener) -> None:
    """Endless: it has no position to seek to, and no next track to skip to."""
    await listener.page.get_by_role("button", name="Library radio").click()
    await listener.until("player.item === 'station:library' && player.state === 'playing' && player.track", 30)
    titles = {OVERTURE.title, CODA.title, BAGATELLE.title}
    assert await listener.ask("player.track.title") in titles
    await expect(listener.page.get_by_text("On air")).to_be_visible()
    await expect(listener.page.get_by_role("button", name="Next track")).to_be_disabled()
    assert listener.complaints == []


async def test_a_mix_says_why_and_plays_in_its_order(listener: Listener) -> None:
    """Like the track that is on: from it to the next of the mix, and from there as a radio without an end."""
    page = listener.page
    await listener.play(OVERTURE.title)
    await page.get_by_role("button", name="Mix like this track").click()
    await expect(page.get_by_role("heading", name=f"Like {OVERTURE.title}")).to_be_visible()
    rows = page.locator("#view .row")
    await expect(rows).to_have_count(3)
    await expect(rows.first.locator(".row-note")).to_contain_text("you chose it")
    for row in (await rows.all())[1:]:
        await expect(row.locator(".row-note")).to_contain_text("because you chose")
    second = await rows.nth(1).locator(".row-title").text_content()
    await page.get_by_role("button", name="Play mix").click()
    playing = f"player.state === 'playing' && player.track.title === '{OVERTURE.title}'"
    await listener.until(f"player.item.startsWith('mix:') && {playing}")  # one stream, of all of them
    await expect(page.locator("#eyebrow")).to_contain_text(f"Like {OVERTURE.title}")
    await page.keyboard.press("n")
    await listener.until(f"player.state === 'playing' && player.track.title === '{second}'")
    await page.get_by_role("button", name="Endless radio").click()
    await listener.until("player.item.startsWith('station:mix-') && player.state === 'playing' && player.track", 30)
    assert await listener.troubles() == []
    assert listener.complaints == []


async def test_mixes_are_there_by_mood(listener: Listener) -> None:
    """From the home page to a mood and to another mix of it; each has its address."""
    page = listener.page
    await page.get_by_role("link", name="Open Mixes").click()
    await expect(page.get_by_role("heading", name="By mood")).to_be_visible()
    for mood in ("Calm", "Mellow", "Lively", "Wild"):
        await expect(page.locator("#view").get_by_role("link", name=mood)).to_be_visible()
    await page.locator("#view").get_by_role("link", name="Calm").click()
    await expect(page.get_by_role("heading", name="Calm")).to_be_visible()
    assert urlsplit(page.url).fragment == "/mixes/mood/calm"
    assert listener.complaints == []


async def test_radio_like_an_album_plays(listener: Listener) -> None:
    """However many tracks the album has."""
    page = listener.page
    await page.get_by_role("link", name="Albums").click()
    await page.locator("#view").get_by_role("button", name="Signals").click()
    await page.get_by_role("button", name="Radio like this").click()
    await listener.until("player.item.startsWith('station:mix-') && player.state === 'playing' && player.track", 30)
    await expect(page.locator("#eyebrow")).to_contain_text("Like Signals")
    assert listener.complaints == []


async def test_an_artist_has_albums_tracks_and_a_mix(listener: Listener) -> None:
    """As the API knows them, not only those that this page has listed; played from the one that is picked."""
    page = listener.page
    await page.route("**/api/v1/tracks?*", lambda route: route.abort())
    await page.get_by_role("combobox").fill(OVERTURE.artist)
    await page.get_by_role("option").filter(has_text="3 tracks").click()
    await expect(page.get_by_role("heading", name=OVERTURE.artist)).to_be_visible()
    await expect(page.locator("#view .card")).to_have_count(1)
    rows = page.locator("#view .row")
    await expect(rows).to_have_count(3)
    await rows.filter(has_text=CODA.title).click()
    await listener.until(f"player.state === 'playing' && player.track.title === '{CODA.title}'")
    await page.get_by_role("button", name="Mix like this", exact=True).click()
    await expect(page.get_by_role("heading", name=f"Like {OVERTURE.artist}")).to_be_visible()
    await expect(page.locator("#view .row-note").first).to_contain_text("because you chose")


async def test_what_is_not_there_is_said_and_can_be_asked_for_again(listener: Listener) -> None:
    """The origin was out of reach for a moment."""
    page = listener.page
    await page.route("**/api/v1/mixes?*", lambda route: route.abort())
    await page.evaluate("location.hash = '#/mixes/mood/calm'")
    await expect(page.get_by_text("There is nothing here")).to_be_visible()
    await page.unroute("**/api/v1/mixes?*")
    await page.get_by_role("button", name="Try again").click()
    await expect(page.get_by_role("heading", name="Calm")).to_be_visible()


async def test_back_leads_to_the_view_before(listener: Listener) -> None:
    """Each view has its address."""
    page = listener.page
    await page.get_by_role("link", name="Albums").click()
    await page.locator("#view").get_by_role("button", name="Signals").click()
    await expect(page.get_by_role("button", name="Play album")).to_be_visible()
    await page.go_back()
    await expect(page.get_by_role("heading", name="Albums")).to_be_visible()
    await page.go_back()
    await expect(page.get_by_role("heading", name="Tracks")).to_be_visible()
