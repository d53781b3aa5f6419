"""`segue export` served by nginx as Debian has it: no origin, and no setting for our sake."""

from pathlib import Path

import aiohttp

from avtool.locate import locate
from tests.cdn.shields import web_server
from tests.e2e.test_batches import song
from tests.integration.upkeep.test_export import played
from tests.support.command import SHORT_LADDER, segue

SECONDS = 2.5
TYPES = {"m3u8": "application/vnd.apple.mpegurl", "mp4": "audio/mp4, video/mp4", "jpg": "image/jpeg"}


async def test_an_exported_track_plays_from_nginx(tmp_path: Path) -> None:
    """To its end, with ranges and with names that players know; the page is there and shows the track."""
    song(tmp_path / "music" / "one.flac", seconds=SECONDS, title="One")
    store = ("--store", "file:store")
    ran = segue("publish", "music", *store, *SHORT_LADDER, cwd=tmp_path)
    track_id = ran.outcomes["one.flac"]["track_id"]
    assert segue("export", track_id, "site", *store, cwd=tmp_path).status == 0
    files = {path.suffix[1:]: path for path in sorted((tmp_path / "site").rglob("*.*"))}
    (playlist,) = (tmp_path / "site").glob("recordings/*/*/index.m3u8")
    tool = await locate()
    with web_server(tmp_path / "site") as url:
        async with aiohttp.ClientSession() as client:
            for kind, names in TYPES.items():
                address = f"{url}/{files[kind].relative_to(tmp_path / 'site')}"
                async with client.get(address, headers={"Range": "bytes=0-9"}) as answer:
                    assert (answer.status, len(await answer.read())) == (206, 10)
                    assert answer.content_type in names
            async with client.get(f"{url}/tracks.json") as answer:
                assert [each["title"] for each in await answer.json()] == ["One"]
            async with client.get(url) as answer:
                assert "export.js" in await answer.text()
        heard = await played(tool, f"{url}/{playlist.relative_to(tmp_path / 'site')}")
    assert 0 <= heard - SECONDS * 48_000 < 1024  # ffmpeg plays the last frame whole, whatever its duration says
