"""Tracks as a folder: web servers of others serve it, and ffmpeg plays it to the exact sample."""

import asyncio
import json
import re
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from playwright.async_api import Browser

from avtool.locate import Ffmpeg
from model.errors import KeyMissing, ObjectDamaged, TrackUnknown, UsageError
from model.protection import Protection, ProtectionMethod
from protection.keys import NO_KEYS, KeyRing, MasterKey
from storage.filesystem import FilesystemStore
from storage.keys import package_key
from tests.integration.origin.published import publish
from tests.integration.packager.conftest import Shelf, sound_package
from tests.integration.upkeep.conftest import segue
from tests.integration.upkeep.test_scrub import rot
from tests.support.browser import chromium
from upkeep.export import Export, export

MASTER = MasterKey(bytes(range(32)))
PAGE = {"index.html": b"<!doctype html>"}


@asynccontextmanager
async def with_ranges(folder: Path) -> AsyncIterator[str]:
    """aiohttp's own handler of static files; gives its URL."""
    app = web.Application()
    app.router.add_static("/", folder)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def without_ranges(folder: Path) -> AsyncIterator[str]:
    """What `python -m http.server` runs."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        await asyncio.to_thread(server.shutdown)
        thread.join()
        server.server_close()


async def played(tool: Ffmpeg, url: str) -> int:
    """How many samples ffmpeg hears, at 48 kHz."""
    # ffmpeg 9.0 asks for neighbouring ranges at once and then loses its place in fMP4, in its own files too.
    ranges = ("-http_seekable", "0", "-http_persistent", "0")
    process = await asyncio.create_subprocess_exec(
        *(tool.path, "-v", "error", "-nostdin", *ranges, "-i", url, "-f", "s16le", "-ac", "2", "-ar", "48000", "-"),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    data, said = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, said) == (0, b"")
    return len(data) // 4


@pytest.mark.parametrize("segments", [False, True])
async def test_a_site_plays_to_the_exact_sample(published: Shelf, tool: Ffmpeg, tmp_path: Path, segments: bool) -> None:
    """Every family, as stored where the server has ranges, and in segments where it has none."""
    store = FilesystemStore(published.folder)
    package = await sound_package(store, published.track.track_id)
    assert package is not None
    work = Export(store=store, folder=tmp_path / "site", segments=segments, keys=None)
    count = await export(work, [published.track.track_id], PAGE)
    (listed,) = json.loads((tmp_path / "site/tracks.json").read_bytes())
    assert set(listed["playlists"]) == {"aac", "opus", "lossless"}
    assert count == len([path for path in (tmp_path / "site").rglob("*") if path.is_file()]) - 2
    serving = without_ranges if segments else with_ranges
    async with serving(tmp_path / "site") as url:
        heard = {name: await played(tool, f"{url}/{path}") for name, path in listed["playlists"].items()}
        async with aiohttp.ClientSession() as client, client.get(f"{url}/{listed['art']}") as answer:
            assert answer.status == 200
    # ffmpeg plays the last frame of a lossy codec whole, whatever its duration says.
    more = {name: samples - package.media_samples for name, samples in heard.items()}
    assert more["lossless"] == 0 and 0 <= more["aac"] < 1024 and 0 <= more["opus"] < 960, more
    await store.close()


async def test_a_site_keeps_the_rules(published: Shelf, tmp_path: Path) -> None:
    """`segue export` by the command line, then `segue verify` of what a web server gives, in both forms."""
    store, track_id = f"file:{published.folder}", published.track.track_id
    for words in ([], ["--segments"]):
        site = tmp_path / f"site{len(words)}"
        said = await segue("export", track_id, str(site), *words, "--store", store)
        assert said.status == 0
        assert said.last.items() >= {"event": "summary", "tracks": 1, "folder": str(site)}.items()
        assert {path.name for path in site.iterdir() if path.is_file()} == {
            "index.html", "export.js", "hls.mjs", "hls.LICENSE", "tracks.json",
        }  # fmt: skip
        (listed,) = json.loads((site / "tracks.json").read_bytes())
        async with with_ranges(site) as url:
            urls = [f"{url}/{path}" for path in listed["playlists"].values()]
            said = await segue("verify", *urls)
        found = [each for line in said.of("verify") for each in line["findings"] if each["severity"] == "must"]
        assert len(said.of("verify")) == 3
        assert {each["rule"] for each in found} <= {"APPLE-10.1"}  # this server knows no gzip


async def test_the_page_plays_in_a_browser(published: Shelf, tmp_path: Path) -> None:
    """A track is listed with its names; a click plays it to its end, in both forms, and nothing complains."""
    async with chromium() as browser:
        for words in ([], ["--segments"]):
            site = tmp_path / f"site{len(words)}"
            said = await segue("export", str(site), *words, "--store", f"file:{published.folder}")
            assert said.last["tracks"] == 1
            async with (without_ranges if words else with_ranges)(site) as url:
                assert await _heard(browser, f"{url}/index.html") == pytest.approx(2.0, abs=0.1)


async def _heard(browser: Browser, url: str) -> float:
    """Click on the only track and wait for its end; how many seconds it had."""
    complaints: list[str] = []
    page = await browser.new_page()
    page.set_default_timeout(20_000)
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(url)
    await page.get_by_role("button", name="Short").click()
    async with asyncio.timeout(30):
        # The page forbids code in strings, so there is nothing to wait for but this.
        while not await page.evaluate("document.querySelector('audio').ended"):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert "Somebody · Signals" in await page.inner_text("ol")
    assert (complaints, await page.inner_text("#trouble")) == ([], "")
    seconds: float = await page.evaluate("document.querySelector('audio').currentTime")
    await page.close()
    return seconds


async def test_an_export_goes_on_where_it_was(tmp_path: Path) -> None:
    """What is there with the right bytes is left alone; what is not is fetched."""
    store = FilesystemStore(tmp_path / "store")
    made = await publish(store, segments=2)
    work = Export(store=store, folder=tmp_path / "site", segments=False, keys=None)
    await export(work, [made.track_id], PAGE)
    paths = sorted((tmp_path / "site/recordings").rglob("*.mp4"))
    before = [path.stat().st_ino for path in paths]
    paths[0].write_bytes(b"cut off")
    await export(work, [made.track_id], PAGE)
    after = [path.stat().st_ino for path in paths]
    assert (after[0] != before[0], after[1:]) == (True, before[1:])
    assert not list((tmp_path / "site").rglob(".*"))
    await store.close()


PROTECTION = Protection(
    method=ProtectionMethod.AES_128, key_set=MASTER.key_set, key_id=MASTER.key_id_of("00" * 32), rotation_segments=1
)


async def test_protected_tracks_need_a_word_and_a_key(tmp_path: Path) -> None:
    """Refused; without keys refused too; with them every key that a playlist names is a file of its 16 bytes."""
    store = FilesystemStore(tmp_path / "store")
    made = await publish(store, protection=PROTECTION, segments=3)
    for keys, error in ((None, UsageError), (NO_KEYS, KeyMissing)):
        with pytest.raises(error) as caught:
            await export(Export(store=store, folder=tmp_path / "no", segments=True, keys=keys), [made.track_id], PAGE)
        assert "--key-store" in caught.value.hint
        assert not (tmp_path / "no").exists()
    work = Export(store=store, folder=tmp_path / "site", segments=True, keys=KeyRing((MASTER,)))
    await export(work, [made.track_id], PAGE)
    playlist = tmp_path / f"site{made.package_base}/aac-64.m3u8"
    uris = re.findall(r'EXT-X-KEY:METHOD=AES-128,URI="([^"]+)"', playlist.read_text())
    found = [(playlist.parent / uri).read_bytes() for uri in uris]
    assert found == [MASTER.content_key(PROTECTION.key_id, period) for period in range(3)]
    await store.close()


async def test_damage_is_not_exported(tmp_path: Path) -> None:
    """The bytes are held against package.json, and the list is not written."""
    store = FilesystemStore(tmp_path / "store")
    made = await publish(store, segments=2)
    rot(tmp_path / "store", package_key(made.package.recording_id, made.package.package_id, "opus-96.mp4"))
    for segments in (False, True):
        site = tmp_path / f"site{segments}"
        with pytest.raises(ObjectDamaged):
            await export(Export(store=store, folder=site, segments=segments, keys=None), [made.track_id], PAGE)
        assert not (site / "tracks.json").exists() and not list(site.rglob("opus-96*"))
    with pytest.raises(TrackUnknown):
        await export(Export(store=store, folder=tmp_path, segments=False, keys=None), ["a" * 20], PAGE)
    await store.close()
