"""What only the Varnish shield does: purges by surrogate key, and the whole of stale-if-error."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from storage.keys import current_key
from tests.cdn.conftest import Shielded, shielding
from tests.cdn.served import Origin
from tests.cdn.shields import varnish
from tests.integration.origin.published import put

GRACE_S = 1.0  # of stale-while-revalidate here, in place of a minute


@pytest.fixture
async def varnished(origin: Origin, folder: Path) -> AsyncIterator[Shielded]:
    """Varnish before the origin, with a short time of stale-while-revalidate."""
    with varnish(origin.port, grace=f"{GRACE_S:g}s") as url:
        async with shielding("varnish", url, origin, folder) as made:
            yield made


async def test_a_purge_withdraws_a_recording_and_nothing_else(varnished: Shielded) -> None:
    """By `recording-…`: its media, playlists and tracks are asked for anew; those of others stay."""
    gone, kept = await varnished.publish(), await varnished.publish()
    paths = ("{0.base}/index.m3u8", "{0.package_base}/aac-64.m3u8", "{0.package_base}/aac-64/0.mp4")
    for track in (gone, kept):
        for path in paths:
            await varnished.get(path.format(track))
    purged = await varnished.purge(f"recording-{gone.package.recording_id}")
    assert (purged.status, purged.headers["Purged"]) == (200, "3")
    await varnished.asked()
    assert [(await varnished.get(path.format(kept))).hit for path in paths] == [True, True, True]
    assert not await varnished.asked()
    assert [(await varnished.get(path.format(gone))).hit for path in paths] == [False, False, False]


async def test_every_key_of_the_contract_purges(varnished: Shielded) -> None:
    """Track, package, rendition, art: each takes its own, in every coding."""
    track = await varnished.publish()
    of = {
        f"track-{track.track_id}": f"{track.base}/opus.m3u8",
        f"package-{track.package.package_id}": f"{track.package_base}/aac-64.m3u8",
        "rendition-aac-256": f"{track.package_base}/aac-256/1.mp4",
        f"art-{track.track.art_id}": f"{track.art_base}/160.jpg",
    }
    for key, path in of.items():
        codings = ("br", "identity") if path.endswith(".m3u8") else ("identity",)
        for coding in codings:
            await varnished.get(path, Accept_Encoding=coding)
            assert (await varnished.get(path, Accept_Encoding=coding)).hit
        assert int((await varnished.purge(key)).headers["Purged"]) >= len(codings)
        assert not any([(await varnished.get(path, Accept_Encoding=coding)).hit for coding in codings])


async def test_a_new_publish_shows_after_a_purge(varnished: Shielded) -> None:
    """`track-…` alone: the new package has URLs of its own."""
    old = await varnished.publish(name="republished")
    path = f"{old.base}/index.m3u8"
    assert old.package.package_id in (await varnished.get(path)).body.decode()
    new = await varnished.publish(name="republished", edition=2)
    await asyncio.sleep(4.1)  # until the origin looks at its pointer again
    assert old.package.package_id in (await varnished.get(path)).body.decode()
    await varnished.purge(f"track-{old.track_id}")
    assert new.package.package_id in (await varnished.get(path)).body.decode()
    assert (await varnished.get(f"{old.package_base}/aac-64/0.mp4")).status == 200


async def test_strangers_purge_nothing(varnished: Shielded) -> None:
    """403 for addresses that are not listed, 400 for no key; what is kept stays."""
    track = await varnished.publish()
    path, key = f"{track.package_base}/aac-64/0.mp4", f"recording-{track.package.recording_id}"
    await varnished.get(path)
    elsewhere = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
    asked = {"Surrogate-Key": key}
    async with (
        aiohttp.ClientSession(connector=elsewhere) as stranger,
        stranger.request("PURGE", varnished.url, headers=asked) as response,
    ):
        assert response.status == 403
    assert (await varnished.get("/", method="PURGE")).status == 400
    assert (await varnished.get(path)).hit


async def test_stale_if_error_goes_on_after_stale_while_revalidate(varnished: Shielded) -> None:
    """Long out of date, and the origin fails, dead or with 5xx: the old one is sent. Once it answers again, it is asked
    (by Varnish a quarter of a second after it refused)."""
    track = await varnished.publish()
    path = f"{track.base}/index.m3u8"
    good = await varnished.get(path)
    await varnished.end_life(track)
    await asyncio.sleep(GRACE_S + 0.5)
    key = current_key(track.track_id)
    pointer = (await varnished.store.read(key)).data
    await put(varnished.store, key, b"damaged")
    varnished.origin.kill()
    await varnished.restarted()  # as one that knows nothing from before
    for _ in range(2):
        stale = await varnished.get(path)
        assert (stale.status, stale.body, stale.hit) == (200, good.body, True)
    assert (await varnished.asked())["multivariant 5xx"] >= 2
    varnished.origin.kill()
    try:
        stale = await varnished.get(path)
        assert (stale.status, stale.body, stale.hit) == (200, good.body, True)
        assert int(stale.headers["Age"]) >= GRACE_S
        await put(varnished.store, key, pointer)
    finally:
        await varnished.restarted()
    async with asyncio.timeout(60):
        while not (await varnished.asked())["multivariant 3xx"]:
            again = await varnished.get(path)
            assert (again.status, again.body) == (200, good.body)
    assert (await varnished.get(path)).headers["Cache-Status"].rpartition("ttl=")[2] in ("59", "60")
