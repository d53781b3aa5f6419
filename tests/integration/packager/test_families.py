"""A package with a lossless rendition that is the mezzanine: verified, and playable from a plain web server."""

import asyncio
import subprocess
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from avtool.locate import Ffmpeg
from manifests.rules import Severity
from model.package import Package
from packager.verify import verify_package
from storage.filesystem import FilesystemStore
from storage.keys import mezzanine_key, package_key
from tests.integration.packager.conftest import Shelf, sound_package

SAMPLE_BYTES = 2 * 4
# ffmpeg 9.0 asks for neighbouring ranges at once and then loses its place in fMP4, in playlists of its own too.
RANGES = ("-http_seekable", "0", "-http_persistent", "0")


@pytest.fixture
async def lossless(live: FilesystemStore, ingested: Shelf) -> Package:
    """The live package of the track in `live`, whose lossless rendition is the mezzanine."""
    made = await sound_package(live, ingested.track.track_id)
    assert made and made.renditions[-1].track_file
    return made


async def test_it_is_sound_and_its_lossless_file_is_not_stored_twice(live: FilesystemStore, lossless: Package) -> None:
    """Nothing to find, not even a SHOULD; the playlists of every family lie in the package, the mezzanine does not."""
    assert await verify_package(live, lossless) == []
    folder = f"recordings/{lossless.recording_id}/{lossless.package_id}/"
    names = [entry.key.removeprefix(folder) async for entry in live.walk(folder)]
    assert names == [
        *("aac-64.m3u8", "aac-64.mp4", "flac.m3u8", "index.m3u8", "index.mpd", "lossless.m3u8"),
        *("opus-64.m3u8", "opus-64.mp4", "opus.m3u8", "package.json"),
    ]


async def test_a_damaged_or_missing_mezzanine_is_found(
    live: FilesystemStore, lossless: Package, tmp_path: Path
) -> None:
    """It is a track file of the package like any other."""
    key = mezzanine_key(lossless.recording_id, lossless.mezzanine_id)
    path = tmp_path / "live" / key
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    (damaged,) = await verify_package(live, lossless)
    assert (damaged.rule, damaged.severity) == ("SEGUE-hash", Severity.MUST)
    await live.delete(key)
    (missing,) = await verify_package(live, lossless)
    assert missing.rule == "SEGUE-object" and f"../mezzanine/{lossless.mezzanine_id}.mp4" in missing.message


@pytest.mark.parametrize("name", ["flac.m3u8", "lossless.m3u8", "index.mpd"])
async def test_every_document_of_the_family_must_be_there_and_be_its_own(
    live: FilesystemStore, lossless: Package, tmp_path: Path, name: str
) -> None:
    """Changed, even to a valid one, and missing."""
    key = package_key(lossless.recording_id, lossless.package_id, name)
    path = tmp_path / "live" / key
    path.write_bytes(path.read_bytes() + b"\n")
    assert [each.rule for each in await verify_package(live, lossless)] == ["SEGUE-playlist"]
    await live.delete(key)
    assert [each.rule for each in await verify_package(live, lossless)] == ["SEGUE-object"]


async def test_a_plain_web_server_over_the_bucket_plays_every_family(
    tool: Ffmpeg, live: FilesystemStore, lossless: Package, tmp_path: Path
) -> None:
    """All that it knows is files and ranges. ffmpeg plays each playlist and the MPD to the end, and what is lossless
    comes out as the mezzanine's very samples."""
    mezzanine = tmp_path / "live" / mezzanine_key(lossless.recording_id, lossless.mezzanine_id)
    expected = await _samples(tool, str(mezzanine))
    app = web.Application()
    app.router.add_static("/", tmp_path / "live")
    async with TestServer(app, host="127.0.0.1") as server:
        folder = server.make_url(f"/recordings/{lossless.recording_id}/{lossless.package_id}/")
        for name in ("index.m3u8", "opus.m3u8"):
            assert len(await _samples(tool, *RANGES, f"{folder}{name}")) >= len(expected)
        for name in ("lossless.m3u8", "flac.m3u8"):
            assert await _samples(tool, *RANGES, f"{folder}{name}") == expected, name
        for stream in range(2):
            assert len(await _samples(tool, f"{folder}index.mpd", stream=stream)) >= len(expected)
        assert await _samples(tool, f"{folder}index.mpd", stream=2) == expected
    assert len(expected) == lossless.media_samples * SAMPLE_BYTES


async def _samples(tool: Ffmpeg, *source: str, stream: int = 0) -> bytes:
    """What ffmpeg decodes of one stream, as 32-bit stereo. In a thread: the server is in this process too."""
    *options, url = source
    command = [tool.path, "-v", "error", "-nostdin", *options, "-i", url, "-map", f"0:{stream}", "-f", "s32le", "-"]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b""), url
    return done.stdout
