"""The report in a real browser, from `file:`: it shows, sorts and filters, and no tag of a stranger does anything."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.async_api import Page

from model.events import Status, TrackOutcome
from model.loudness import LoudnessMode
from model.track import TrackTags
from segue.report import ReportWriter
from segue.report_summary import ReportSummary
from tests.support.browser import chromium
from tests.unit.segue.report_samples import TARGET, done, made_analysis, made_package, made_track

EVIL = "\"><img src=x onerror=alert(1)><script>alert(2)</script><a href='javascript:alert(3)'>"
DRAWN = """async node => {
  const found = [...getComputedStyle(node).backgroundImage.matchAll(/url\\("(.*?)"\\)/g)].map(([, url]) => url);
  return Promise.all(found.map(async url => {
    const picture = new Image();
    picture.src = url;
    await picture.decode();
    return {width: picture.width};
  }));
}"""
SUMMARY = ReportSummary(
    command="segue publish music", mode=LoudnessMode.TRACK, target=TARGET, tool="ffmpeg 9.0",
    finished_at=datetime(2026, 1, 2, 3, 4, tzinfo=UTC), wall_s=100.0,
)  # fmt: skip


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """Two albums and a failure, with tags that want to be markup."""
    path = tmp_path / "report.html"
    with ReportWriter(path) as writer:
        for seed, (title, album, lufs) in enumerate(
            [("Calm", "Quiet", -23.0), ("Loud", "Noise", -6.0), ("Middle", "Quiet", -14.0), (EVIL, EVIL, -10.0)]
        ):
            analysis = made_analysis(seed, seconds=30, lufs=lufs)
            tags = TrackTags(title=title, artists=(EVIL,), album=album, album_artist="Band", track_number=seed)
            track = made_track(analysis, tags, warnings=("clipped in 3 places",) if title == "Loud" else ())
            writer.add(done(track), track=track, package=made_package(track), analysis=analysis, thumbnail=b"\xff\xd8")
        writer.add(TrackOutcome(source=EVIL, status=Status.FAILED, code=EVIL, message=EVIL, hint=EVIL))
        writer.write(SUMMARY)
    return path


@pytest.fixture
async def page(report: Path) -> AsyncIterator[Page]:
    """The report, open; fails if anything was asked of a network, opened, or went wrong in its script."""
    async with chromium() as browser:
        page = await browser.new_page()
        noise: list[str] = []
        page.on("pageerror", lambda error: noise.append(f"error: {error}"))
        page.on("console", lambda message: noise.append(f"console: {message.text}"))
        page.on("dialog", lambda dialog: noise.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: noise.append(request.url) if "data:" not in request.url[:5] else None)
        await page.goto(report.as_uri())
        yield page
        assert noise == [report.as_uri()]


async def _titles(page: Page) -> list[str]:
    """The tracks that can be seen, from the top."""
    shown = await page.locator(".track:visible").all()
    tops = [
        (box["y"], await each.locator(".what b").inner_text()) for each in shown if (box := await each.bounding_box())
    ]
    return [title for _, title in sorted(tops)]


async def test_it_shows_sorts_and_filters(page: Page) -> None:
    """By album at first; then by loudness, both ways, and back; then what a word, or a button, leaves."""
    albums = ["Calm", "Middle"]
    by_album = await _titles(page)
    assert by_album[by_album.index("Calm") :][:2] == albums
    assert EVIL in by_album
    await page.click("[data-sort='0'] button")
    falling = await _titles(page)
    assert falling == ["Loud", EVIL, "Middle", "Calm"]
    await page.click("[data-sort='0'] button")
    assert await _titles(page) == falling[::-1]
    await page.click("[data-order]")
    assert await _titles(page) == by_album
    await page.fill("input[type=search]", "quiet mid")
    assert await _titles(page) == ["Middle"]
    await page.fill("input[type=search]", "")
    await page.click("[data-show=w]")
    assert await _titles(page) == ["Loud"]
    assert await page.locator("output").inner_text() == "1 of 4"


async def test_a_line_opens_to_its_plots(page: Page) -> None:
    """Drawn in their panels: the curves have a size, and the target is labelled."""
    await page.locator("summary", has_text="Calm").click()
    plots = page.locator(".track[open] .plots")
    assert await plots.is_visible()
    box = await plots.bounding_box()
    assert box and box["width"] > 300 and box["height"] > 130
    drawn = await plots.evaluate(DRAWN)
    assert [size["width"] > 0 for size in drawn] == [True, True]  # the curves and the axes


async def test_it_is_whole_without_its_script(report: Path) -> None:
    """Where scripts are off, all tracks and failures are there, and lines open."""
    async with chromium() as browser:
        page = await browser.new_page(java_script_enabled=False)
        await page.goto(report.as_uri())
        assert len(await _titles(page)) == 4
        assert not await page.locator(".tools").is_visible()
        await page.locator("summary", has_text="Calm").click()
        assert await page.locator(".track[open] .plots").is_visible()
        assert await page.locator(".failures b").inner_text() == EVIL
