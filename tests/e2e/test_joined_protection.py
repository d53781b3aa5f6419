"""An album of which one track is protected, as one stream: whole for who has a token for keys, and for nobody else."""

import asyncio
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

import imageio_ffmpeg
import pytest
from playwright.async_api import Browser

from model.album import album_id_of
from origin.tokens import Grant, TokenKey, mint, path_prefix
from tests.support.command import SHORT_LADDER, environment, segue
from tests.support.player_page import listening
from tests.support.served_album import Song, make, serving_at

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOKEN_KEY = "00112233445566778899aabbccddeeff"
RATE_HZ = 48_000
FRAME_BYTES = 4  # 16 bit, stereo
FREE, SOLD, GIFT = (
    Song(title=title, number=number, seconds=4, tonic_hz=tonic_hz, artist="B", album="Shop")
    for number, (title, tonic_hz) in enumerate((("Free", 196), ("Sold", 294), ("Gift", 247)), start=1)
)
SECONDS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """What is served, and the prefix that opens all of it."""

    url: str
    front: str

    def album(self, family: str, front: str = "") -> str:
        """Where a player begins."""
        return f"{self.url.rstrip('/')}{front}/albums/{album_id_of('B', 'Shop')}/{family}.m3u8"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Published by the command line, one track with `--protect`, and served."""
    home = tmp_path_factory.mktemp("shop")
    locking = ("--protect", "aes-128", "--key-store", "file:keys", "--key-rotation", "1")
    for song in (FREE, SOLD, GIFT):
        file = make(song, home / "album")
        more = locking if song is SOLD else ()
        done = segue("publish", file, "--store", "file:store", "--loudness", "track", *SHORT_LADDER, *more, cwd=home)
        assert done.status == 0, done.stderr
    secrets = environment(home, SEGUE_KEY_STORE=f"file:{home / 'keys'}", SEGUE_TOKEN_KEY=TOKEN_KEY)
    grant = Grant(acl=("/*",), expires_s=int(time.time()) + 3600)
    front = path_prefix(mint(grant, TokenKey(secret=bytes.fromhex(TOKEN_KEY))))
    with serving_at(f"file:{home / 'store'}", secrets) as url:
        yield Shop(url=url, front=front)


def _heard(url: str) -> tuple[float, bytes]:
    """The seconds that a plain ffmpeg hears, and what it complains of."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-i", url]
    done = subprocess.run([*command, "-f", "s16le", "-ac", "2", "-"], capture_output=True, timeout=100, check=False)
    return len(done.stdout) / FRAME_BYTES / RATE_HZ, done.stderr


@pytest.mark.parametrize(("family", "added_s"), [("index", 0.2), ("opus", 0.2), ("lossless", 0.0)])
async def test_ffmpeg_hears_all_of_it_with_a_token(shop: Shop, family: str, added_s: float) -> None:
    """From the clear into what is encrypted, through changes of keys, and out again, without a complaint; what
    encoders put between tracks is all that is more."""
    seconds, complaints = await asyncio.to_thread(_heard, shop.album(family, shop.front))
    assert complaints == b""
    assert SECONDS - 0.001 <= seconds <= SECONDS + added_s + 0.001


async def test_ffmpeg_passes_over_what_it_has_no_key_for(shop: Shop) -> None:
    """And is told of it."""
    seconds, complaints = await asyncio.to_thread(_heard, shop.album("lossless"))
    assert seconds == pytest.approx(SECONDS - SOLD.seconds, abs=0.001)
    assert b"403" in complaints


@pytest.mark.parametrize(("token", "titles"), [(True, ["Free", "Sold", "Gift"]), (False, ["Free", "Gift"])])
async def test_the_player_plays_what_it_may(browser: Browser, shop: Shop, token: bool, titles: list[str]) -> None:
    """With the token in the page's address the whole album; without one it goes on after the track that is not for
    everybody."""
    async with listening(browser, f"{shop.url.rstrip('/')}{shop.front}/" if token else shop.url) as one:
        page = one.page
        await page.get_by_role("link", name="Albums").click()
        await page.locator("#view").get_by_role("button", name="Shop").click()
        await page.get_by_role("button", name="Play album").click()
        for title in titles:
            heard = f"player.state === 'playing' && player.track.title === '{title}' && player.position > 0.2"
            await one.until(heard, timeout_s=60)
        await one.until("player.state === 'ended'", timeout_s=60)
        refused = await one.ask("player.errors.filter(e => e.details === 'keyLoadError').length")
        assert (refused == 0) is token
