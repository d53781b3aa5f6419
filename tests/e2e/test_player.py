"""The demo page plays real, published, served tracks in a real browser."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.async_api import Browser, Request, Route, expect
from prometheus_client.parser import text_string_to_metric_families

from origin.cmcd import parse
from origin.tokens import Grant, TokenKey, mint
from tests.support.command import environment, segue
from tests.support.player_page import Listener
from tests.support.served_album import BAGATELLE, CODA, OVERTURE, make, publish, serving, serving_at

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOKEN_KEY = "00112233445566778899aabbccddeeff"
SEEK_TOLERANCE_S = 0.05
GAP_MAX_S = 0.1
GAP_ATTEMPTS = 3  # a busy machine makes the playhead stand now and then; a bad switch makes it stand each time


async def test_the_list_shows_every_track_with_art_names_and_length(listener: Listener) -> None:
    """What the origin has live is listed in its order, and the pictures are real."""
    rows = listener.page.get_by_role("listitem")
    await expect(rows).to_have_count(3)
    for row, track in zip(await rows.all(), (OVERTURE, CODA, BAGATELLE), strict=True):
        for text in (track.title, track.artist, track.album, f"0:{track.seconds:02}"):
            await expect(row).to_contain_text(text)
        await expect(row.locator("img")).to_have_js_property("complete", True)
        assert await row.locator("img").evaluate("image => image.naturalWidth") > 0
    assert listener.complaints == []


async def test_the_player_tells_the_origin_how_it_fares(listener: Listener, library_url: str) -> None:
    """CMCD comes in headers, not in URLs, and is in the origin's metrics."""
    asked: list[Request] = []
    listener.page.on("request", lambda request: asked.append(request))
    before = await _told(listener, library_url)
    await listener.play(CODA.title)
    await listener.until(f"player.bufferAhead + player.position > {CODA.seconds - 1}")
    media = [request for request in asked if request.url.endswith(".mp4")]
    assert media and not [request.url for request in asked if "?" in request.url and "/api/" not in request.url]
    kinds = {parse(request.headers["cmcd-object"])["ot"] for request in media if "cmcd-object" in request.headers}
    assert kinds == {"a", "i"}
    after = await _told(listener, library_url)
    assert after["requests"] > before["requests"] and after["buffers"] > before["buffers"]
    assert after["dry"] == before["dry"]


async def test_plays_a_short_track_to_its_end(listener: Listener) -> None:
    """Every second is played, in real time, without a stall or an error; then the player stops."""
    await listener.play(BAGATELLE.title)  # the last of the list
    await listener.until("player.state === 'ended'", BAGATELLE.seconds + 5)
    assert await listener.ask("player.ended") == 1
    assert await listener.ask("player.audio.ended || player.audio.paused") is True
    assert await listener.ask("player.position") == pytest.approx(BAGATELLE.seconds, abs=0.06)
    played = "[player.audio.played.length, player.audio.played.start(0), player.audio.played.end(0)]"
    assert await listener.ask(played) == [1, pytest.approx(0, abs=0.01), pytest.approx(BAGATELLE.seconds, abs=0.06)]
    assert await listener.troubles() == []
    assert listener.complaints == []


async def test_a_seek_lands_where_it_was_asked_to_and_plays_on(listener: Listener) -> None:
    """Within 50 ms, forward into what is not yet played and back; by the API and by the keyboard."""
    await listener.play(OVERTURE.title)
    played = "Array.from({ length: player.audio.played.length }, (_, at) => player.audio.played.start(at))"
    for target in (12.34, 3.21):
        await listener.page.evaluate("target => seguePlayer.seek(target)", target)
        there = f"player.position > {target + 0.5} && player.position < {target + 7}"
        await listener.until(f"player.state === 'playing' && {there}")
        starts = await listener.ask(played)  # a busy machine tells late of a seek, but knows from where it played
        assert min(abs(start - target) for start in starts) < SEEK_TOLERANCE_S
    began_s = time.monotonic()
    before = await listener.ask("player.position")
    await listener.page.keyboard.press("ArrowRight")
    moved = await listener.ask("player.position") - before
    assert 4.5 < moved < 5.5 + time.monotonic() - began_s
    assert await listener.troubles() == []
    assert listener.complaints == []


async def switch_from_64_to_256(listener: Listener) -> dict[str, float]:
    """Plays at 64 kbit/s and asks for 256; how evenly the music moved until well after the switch."""
    await listener.choose("Quality", "64")
    await listener.come_back()
    await listener.play(OVERTURE.title)
    assert await listener.ask("player.level.kbps") == 64
    await listener.choose("Quality", "256")
    return await listener.until("player.level.kbps === 256 && player.position > 8", 14)


async def test_the_bit_rate_changes_while_it_plays_without_a_gap(listener: Listener) -> None:
    """Another level is fetched and heard from a segment boundary on; the playhead neither stands nor jumps."""
    await listener.choose("Codec", "AAC")
    for _ in range(GAP_ATTEMPTS):
        moved = await switch_from_64_to_256(listener)
        if max(moved.values()) < GAP_MAX_S:
            break
    assert moved["standstill"] < GAP_MAX_S
    assert moved["jump"] < GAP_MAX_S
    assert await listener.ask("player.audio.buffered.length") == 1
    top = await listener.ask("player.level.index")
    of_track = "player.trace.filter(e => e.track === player.track.track_id)"
    assert await listener.ask(f"{of_track}.some(e => e.type === 'FRAG_BUFFERED' && e.level === {top})") is True
    assert await listener.ask(f"{of_track}.filter(e => e.type === 'LEVEL_SWITCHED').map(e => e.level)") == [0, top]
    assert await listener.troubles() == []
    assert listener.complaints == []


async def test_the_codec_changes_while_it_plays(listener: Listener) -> None:
    """From AAC to Opus at the same place in the music, and it plays on."""
    await listener.choose("Codec", "AAC")
    await listener.play(OVERTURE.title)
    assert await listener.ask("[player.family, player.level.codec]") == ["aac", "AAC-LC"]
    before = await listener.ask("player.position")
    await listener.choose("Codec", "Opus")
    moved = await listener.until("player.family === 'opus' && player.level && player.state === 'playing'")
    assert moved["jump"] < 0.2
    assert await listener.ask("player.level.codec") == "Opus"
    await listener.until(f"player.position > {before + 2}")
    assert await listener.troubles() == []
    assert listener.complaints == []


async def test_lossless_is_heard_where_there_is_a_lossless_master(listener: Listener) -> None:
    """FLAC at once, not the AAC that is in the same playlist, even when AAC at a low rate was chosen before and
    nothing is known of the line; a track that has none plays in Opus."""

    async def without_lossless(route: Route) -> None:
        answer = await route.fetch()
        listed = await answer.json()
        (coda,) = [track for track in listed["tracks"] if track["title"] == CODA.title]
        del coda["playlists"]["lossless"]
        await route.fulfill(response=answer, json=listed)

    await listener.page.route("**/api/v1/tracks?*", without_lossless)
    await listener.choose("Codec", "AAC")
    await listener.choose("Quality", "64")
    await listener.choose("Codec", "Lossless")
    await listener.come_back()
    await listener.play(OVERTURE.title)
    assert await listener.ask("[player.family, player.level.codec]") == ["lossless", "FLAC"]
    await listener.until("player.position > 4")
    of_track = "player.trace.filter(e => e.track === player.track.track_id)"
    assert await listener.ask(f"{of_track}.filter(e => e.type === 'LEVEL_SWITCHED').length") == 1
    await listener.play(CODA.title)
    assert await listener.ask("[player.family, player.level.codec]") == ["opus", "Opus"]
    assert await listener.troubles() == []
    assert listener.complaints == []


async def test_the_next_track_starts_when_one_ends(listener: Listener) -> None:
    """It was warmed up, so it is heard at once and without a click of the listener."""
    await listener.play(OVERTURE.title)
    await listener.page.evaluate("end => seguePlayer.seek(end)", OVERTURE.seconds - 6)
    await listener.until("player.ended === 1", 20)
    await listener.until(f"player.track.title === '{CODA.title}' && player.position > 1")
    warmed = "player.trace.findIndex(e => e.type === 'FRAG_BUFFERED' && e.track === player.track.track_id)"
    ended = "player.trace.findIndex(e => e.type === 'ENDED')"
    assert await listener.ask(f"{warmed} >= 0 && {warmed} < {ended}") is True
    await expect(listener.page.locator("[aria-current=true]")).to_contain_text(CODA.title)
    assert await listener.troubles() == []
    assert listener.complaints == []


async def test_all_that_can_be_done_can_be_done_by_the_keyboard(listener: Listener) -> None:
    """Play, pause, another track, volume, mute, shuffle."""
    keyboard = listener.page.keyboard
    await listener.play(OVERTURE.title)
    for key in (" ", "k"):
        await keyboard.press(key)
        await listener.until("player.audio.paused && player.state === 'paused'")
        await keyboard.press(key)
        await listener.until("player.state === 'playing'")
    await keyboard.press("n")
    await listener.until(f"player.state === 'playing' && player.track.title === '{CODA.title}'")
    await keyboard.press("p")
    await listener.until(f"player.state === 'playing' && player.track.title === '{OVERTURE.title}'")
    await listener.page.evaluate("document.activeElement.blur()")  # in the list these keys go from row to row
    await keyboard.press("ArrowDown")
    assert await listener.ask("player.audio.volume") == pytest.approx(0.95)
    await keyboard.press("ArrowUp")
    assert await listener.ask("player.audio.volume") == pytest.approx(1)
    for key, button in (("m", "Mute"), ("s", "Shuffle")):
        for pressed in ("true", "false"):
            await keyboard.press(key)
            control = listener.page.get_by_role("button", name=button)
            await expect(control).to_have_attribute("aria-pressed", pressed)
    assert await listener.troubles() == []
    assert listener.complaints == []


async def test_the_systems_media_keys_play_pause_skip_and_seek(browser: Browser, library_url: str) -> None:
    """What a headset, a lock screen or a keyboard sends comes by the handlers that the page has set."""
    context = await browser.new_context()
    await context.add_init_script("""
      const { mediaSession } = navigator, set = mediaSession.setActionHandler.bind(mediaSession);
      globalThis.mediaKeys = {};
      mediaSession.setActionHandler = (action, handler) => { mediaKeys[action] = handler; set(action, handler); };
    """)
    listener = Listener(await context.new_page())
    await listener.open(library_url)
    await listener.page.evaluate("mediaKeys.play({})")
    await listener.until(f"player.state === 'playing' && player.track.title === '{OVERTURE.title}'")
    await listener.page.evaluate("mediaKeys.pause({})")
    await listener.until("player.state === 'paused' && navigator.mediaSession.playbackState === 'paused'")
    await listener.page.evaluate("mediaKeys.seekto({ seekTime: 5 })")
    await listener.until("player.position >= 5 && player.position < 5.1")
    await listener.page.evaluate("mediaKeys.nexttrack({})")
    await listener.until(f"player.state === 'playing' && navigator.mediaSession.metadata.title === '{CODA.title}'")
    await listener.page.evaluate("mediaKeys.previoustrack({})")
    await listener.until(f"player.state === 'playing' && navigator.mediaSession.metadata.title === '{OVERTURE.title}'")
    assert listener.complaints == []
    await context.close()


async def test_choices_are_kept_for_the_next_visit(listener: Listener) -> None:
    """Codec and quality stay as chosen, and are what plays."""
    await listener.choose("Codec", "AAC")
    await listener.choose("Quality", "96")
    await listener.come_back()
    await listener.play(CODA.title)
    assert await listener.ask("[player.family, player.level.kbps]") == ["aac", 96]
    assert listener.complaints == []


async def test_a_lost_stream_is_explained_and_can_be_tried_again(listener: Listener) -> None:
    """A listener reads what is wrong, in words, and one button plays when the line is back."""
    await listener.page.route("**/tracks/**/*.m3u8", lambda route: route.abort())
    await listener.page.get_by_role("listitem").filter(has_text=CODA.title).get_by_role("button").click()
    alert = listener.page.get_by_role("alert")
    await expect(alert).to_contain_text("The stream cannot be reached", timeout=20_000)
    await listener.page.unroute("**/tracks/**/*.m3u8")
    await listener.page.get_by_role("button", name="Try again").click()
    await listener.until(f"player.state === 'playing' && player.track.title === '{CODA.title}'")
    await expect(alert).to_be_hidden()


async def test_the_page_plays_under_a_strict_content_security_policy(listener: Listener) -> None:
    """Nothing inline, nothing evaluated, nothing from elsewhere; the browser enforces it and has no complaint."""
    answer = await listener.page.request.get(listener.page.url)
    assert "default-src 'none'; script-src 'self'" in answer.headers["content-security-policy"]
    await listener.play(CODA.title)
    assert await listener.troubles() == []
    assert listener.complaints == []


async def test_a_track_appears_while_the_page_is_open(browser: Browser, tmp_path: Path) -> None:
    """An empty origin is said to be publishing; what goes live is listed and plays without a reload."""
    store = tmp_path / "store"
    store.mkdir()
    context = await browser.new_context()
    with serving(store) as url:
        listener = Listener(await context.new_page())
        await listener.page.goto(url)
        await expect(listener.page.get_by_text("Publishing…")).to_be_visible()
        await asyncio.to_thread(publish, make(BAGATELLE, tmp_path / "album"), store)
        await expect(listener.page.get_by_role("listitem")).to_have_count(1, timeout=15_000)
        await listener.play(BAGATELLE.title)
        await context.close()
    assert listener.complaints == []


@pytest.fixture(scope="module")
def protected_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store, in which there is a track whose keys change every two segments."""
    home = tmp_path_factory.mktemp("protected")
    make(BAGATELLE, home / "album")
    protect = ("--protect", "aes-128", "--key-store", "file:keys", "--key-rotation", "2")
    ladder = ("--aac", "64,128", "--opus", "64,96")
    assert segue("publish", home / "album", "--store", "file:store", *ladder, *protect, cwd=home).status == 0
    return home


@pytest.fixture(scope="module", params=["none", "token"])
def protected_url(protected_home: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """It is served: keys alone need a token, or all does."""
    keys = f"file:{protected_home / 'keys'}"
    secrets = environment(protected_home, SEGUE_KEY_STORE=keys, SEGUE_TOKEN_KEY=TOKEN_KEY, SEGUE_AUTH=request.param)
    with serving_at(f"file:{protected_home / 'store'}", secrets) as url:
        yield url


@pytest.mark.parametrize(("family", "front"), [("AAC", True), ("Opus", False)])
async def test_a_protected_track_plays_to_its_end_with_a_token(
    browser: Browser, protected_home: Path, protected_url: str, family: str, front: bool
) -> None:
    """The token of the page's address goes before every URL that it asks for; keys change on the way."""
    context = await browser.new_context()
    listener = Listener(await context.new_page())
    made = segue("token", "--base-url", protected_url, cwd=protected_home, SEGUE_TOKEN_KEY=TOKEN_KEY).lines[0]
    asked: list[str] = []
    listener.page.on("request", lambda request: asked.append(request.url))
    await listener.open(made["url"] if front else f"{protected_url}?hdnts={quote(made['token'])}")
    cover = listener.page.get_by_role("listitem").filter(has_text=BAGATELLE.title).locator("img")
    await expect(cover).to_have_js_property("complete", True)
    assert await cover.evaluate("image => image.naturalWidth") > 0
    await listener.choose("Codec", family)
    await listener.play(BAGATELLE.title)
    await listener.until("player.state === 'ended'", BAGATELLE.seconds + 10)
    assert await listener.ask("player.family") == family.lower()
    assert await listener.ask("player.position") == pytest.approx(BAGATELLE.seconds, abs=0.06)
    assert len({url for url in asked if "/keys/" in url}) >= 2
    parts = ("tracks", "recordings", "keys", "art", "api")
    assert not any(url.startswith(f"{protected_url}{part}/") for url in asked for part in parts)
    assert await listener.troubles() == []
    assert listener.complaints == []
    await context.close()


@pytest.mark.parametrize("token", ["", "exp=1~acl=/*~hmac=00", "not for keys"])
async def test_a_protected_track_is_silent_without_a_token_that_fits(
    browser: Browser, protected_url: str, token: str
) -> None:
    """Nothing of it reaches the decoder, and the listener is told: of the track, or that there is no list to be had."""
    context = await browser.new_context()
    listener = Listener(await context.new_page())
    if token == "not for keys":
        acl = ("/api/*", "/tracks/*", "/recordings/*", "/art/*")
        token = mint(Grant(acl=acl, expires_s=int(time.time()) + 600), TokenKey(secret=bytes.fromhex(TOKEN_KEY)))
    await listener.page.goto(f"{protected_url}?hdnts={quote(token)}")
    track = listener.page.get_by_role("listitem").filter(has_text=BAGATELLE.title).get_by_role("button")
    await expect(track.or_(listener.page.get_by_text("A token is needed"))).to_be_visible()
    if await track.count():
        await track.click()
        await expect(listener.page.get_by_role("alert")).to_contain_text("This track is protected", timeout=20_000)
    assert await listener.ask("[player.position, player.audio.buffered.length]") == [0, 0]
    await context.close()


async def _told(listener: Listener, library_url: str) -> dict[str, float]:
    """What players told the origin so far of audio segments: requests, buffers, how often one ran dry."""
    response = await listener.page.request.get(f"{library_url}metrics")
    families = text_string_to_metric_families(await response.text())
    samples = {(each.name, *each.labels.values()): each.value for family in families for each in family.samples}
    return {
        "requests": samples["segue_cmcd_requests_total", "a"],
        "buffers": samples["segue_cmcd_buffer_length_seconds_count",],
        "dry": samples["segue_cmcd_buffer_starvations_total",],
    }
