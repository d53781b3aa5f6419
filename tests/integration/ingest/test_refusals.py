"""Bad inputs: each fails fast, typed, with a hint, and leaves nothing in the store."""

import asyncio
import os
import shutil
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from avtool.locate import Ffmpeg
from model.errors import ToolFailed
from model.events import Stage, StageStarted
from tests.integration.ingest.conftest import Bench
from tests.support.audio import make_audio, music_like, tone
from tests.support.opened import watched


def song(suffix: str, *arguments: str) -> bytes:
    """A good file of 1.5 s."""
    return make_audio(f"amovie={music_like(1.5)}", suffix, *arguments).read_bytes()


def half(suffix: str, *arguments: str) -> bytes:
    """A file whose copy was interrupted."""
    whole = song(suffix, *arguments)
    return whole[: len(whole) // 2]


def relabelled(offset: int, layout: str, *values: int) -> bytes:
    """A WAV whose format chunk says something else, `offset` counted from the chunk's name."""
    data = bytearray(song(".wav"))
    struct.pack_into(layout, data, data.index(b"fmt ") + offset, *values)
    return bytes(data)


def headers_only() -> bytes:
    """A WAV that ends where its samples should begin."""
    data = song(".wav")
    at = data.index(b"data")
    return data[:at] + b"data\0\0\0\0"


BAD: dict[str, tuple[str, Callable[[], bytes], str, str]] = {
    "empty": ("a.wav", lambda: b"", "source-unreadable", "empty"),
    "text": ("a.mp3", lambda: b"just words\n" * 500, "source-unreadable", "not music"),
    "random": ("a.flac", lambda: bytes(range(256)) * 40, "source-unreadable", "cannot decode"),
    "cut-off FLAC": ("a.flac", lambda: half(".flac"), "source-unreadable", "cut off"),
    "cut-off WAV": ("a.wav", lambda: half(".wav"), "source-unreadable", "cut off"),
    "cut-off 24-bit WAV": ("a.wav", lambda: half(".wav", "-c:a", "pcm_s24le"), "source-unreadable", "cut off"),
    "cut-off AIFF": ("a.aiff", lambda: half(".aiff"), "source-unreadable", "cut off"),
    "cut-off CAF": ("a.caf", lambda: half(".caf"), "source-unreadable", "cut off"),
    "cut-off WavPack": ("a.wv", lambda: half(".wv"), "source-unreadable", "cut off"),
    "cut-off M4A": ("a.m4a", lambda: half(".m4a"), "source-unreadable", "not music, or damaged"),
    "a WAV one byte short": ("a.wav", lambda: song(".wav")[:-1], "source-unreadable", "cut off"),
    "no samples": ("a.wav", headers_only, "source-too-short", "no samples"),
    "50 ms": ("a.wav", lambda: tone(0.05).read_bytes(), "source-too-short", "0.050 s"),
    "2 GHz": ("a.wav", lambda: relabelled(12, "<I", 2_000_000_000), "source-unsupported", "2000000000 Hz"),
    "10 Hz": ("a.wav", lambda: relabelled(12, "<I", 10), "source-unsupported", "10 Hz"),
    "0 Hz": ("a.wav", lambda: relabelled(12, "<I", 0), "source-un", ""),
    "no channels": ("a.wav", lambda: relabelled(10, "<H", 0), "source-un", ""),
}


@pytest.mark.parametrize("name", BAD)
async def test_bad_bytes(bench: Bench, name: str) -> None:
    """Each kind of damage has its code and its words, within seconds."""
    file_name, make, code, words = BAD[name]
    path = bench.folder / file_name
    path.write_bytes(make())
    started = time.monotonic()
    error = await bench.refusal(path)
    assert error.code.startswith(code)
    assert words in error.message
    assert time.monotonic() - started < 8


@pytest.mark.parametrize(("kind", "name"), [("JPEG", "a.mp3"), ("PNG", "a.wav"), ("GIF", "a.flac")])
async def test_pictures_under_musical_names(bench: Bench, kind: str, name: str) -> None:
    """Not a format that we take, and told so."""
    path = bench.folder / name
    Image.new("RGB", (300, 300), "red").save(path, kind)
    error = await bench.refusal(path)
    assert error.code == "source-unsupported"
    assert "FLAC" in error.hint


async def test_video_without_sound(bench: Bench) -> None:
    """There is nothing to publish in it."""
    path = bench.folder / "silent.mp4"
    bench.ffmpeg("-f", "lavfi", "-i", "testsrc=d=1:r=5:s=64x64", "-c:v", "mpeg4", path)
    error = await bench.refusal(path)
    assert (error.code, error.message) == ("source-unsupported", "there is no audio in the file")


SCRIPTS = {
    "a playlist": "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:2,\n{other}\n#EXT-X-ENDLIST\n",
    "a playlist with a scheme": "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:2,\nfile://{other}\n#EXT-X-ENDLIST\n",
    "a concat script": "ffconcat version 1.0\nfile '{other}'\n",
    "a list of files": "[playlist]\nFile1={other}\nNumberOfEntries=1\n",
    "a manifest": '<?xml version="1.0"?><MPD><Period><BaseURL>{other}</BaseURL></Period></MPD>',
    "a session description": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 9 RTP/AVP 0\n",
}


@pytest.mark.parametrize("suffix", [".wav", ".mp3", ".m3u8.flac"])
@pytest.mark.parametrize("kind", SCRIPTS)
async def test_scripts_under_musical_names(bench: Bench, kind: str, suffix: str) -> None:
    """What names other files is not followed: nothing but the source itself is opened."""
    other = bench.folder / "other.wav"
    shutil.copy(tone(1.0), other)
    path = bench.folder / f"script{suffix}"
    path.write_text(SCRIPTS[kind].format(other=other))
    with watched(other) as opened:
        error = await bench.refusal(path)
        assert opened() == 0
        other.read_bytes()
        assert opened() == 1  # it would have been seen
    assert error.code in ("source-unsupported", "source-unreadable")


class TestFiles:
    """Files that are not there, not files, or not finished."""

    @pytest.mark.timeout(20)
    async def test_what_is_no_file(self, bench: Bench) -> None:
        """Pipes, folders, devices, links in a circle: at once."""
        os.mkfifo(bench.folder / "pipe.wav")
        (bench.folder / "folder.wav").mkdir()
        (bench.folder / "circle.wav").symlink_to(bench.folder / "circle.wav")
        (bench.folder / "nowhere.wav").symlink_to(bench.folder / "gone")
        for name, code in {
            "pipe.wav": "source-unsupported",
            "folder.wav": "source-unsupported",
            "/dev/zero": "source-unsupported",
            "circle.wav": "source-unreadable",
            "nowhere.wav": "source-unreadable",
            "vanished.wav": "source-unreadable",
        }.items():
            assert (await bench.refusal(bench.folder / name)).code == code

    async def test_a_file_that_vanishes_while_it_is_measured(self, bench: Bench) -> None:
        """It was hashed and probed, then removed."""
        path = bench.folder / "song.flac"
        shutil.copy(music_like(1.5), path)
        bench.work = replace(bench.work, tool=_meddling(bench, f"rm -f '{path}'"))
        error = await bench.refusal(path)
        assert error.code == "source-unreadable"

    async def test_a_file_that_is_replaced_while_it_is_decoded(self, bench: Bench) -> None:
        """Another song under the same name is never stored as the first one."""
        path, other = bench.folder / "song.flac", bench.folder / "other"
        shutil.copy(music_like(1.5), path)
        shutil.copy(music_like(1.5, seed=2), other)
        bench.work = replace(bench.work, tool=_meddling(bench, f"cp '{other}' '{path}'"))
        error = await bench.refusal(path)
        assert "changed while it was read" in error.message
        assert "copy" in error.hint

    async def test_a_file_that_grows(self, bench: Bench) -> None:
        """A copy that is under way is told from a damaged file."""
        path = bench.folder / "song.wav"
        path.write_bytes(song(".wav") * 40)
        async with _growing(path):
            error = await bench.refusal(path)
        assert error.code == "source-unreadable"
        assert "changed" in error.message

    async def test_too_large_and_too_long(self, bench: Bench) -> None:
        """Limits are settings, and their hints name them."""
        path = bench.folder / "song.wav"
        path.write_bytes(song(".wav"))
        bench.set(source_bytes_max=100_000)
        assert "too large" in (await bench.refusal(path)).message
        bench.set(source_bytes_max=1 << 30, duration_s_max=1.0)
        assert "too long" in (await bench.refusal(path)).message


def _meddling(bench: Bench, deed: str) -> Ffmpeg:
    """A real ffmpeg that does something when it has been asked to measure or write, before it begins."""
    program = bench.folder / "meddling-ffmpeg"
    program.write_text(f'#!/bin/sh\ncase "$*" in *ebur128*) {deed};; esac\nexec {bench.work.tool.path} "$@"\n')
    program.chmod(0o755)
    return Ffmpeg(path=str(program), version=bench.work.tool.version)


@asynccontextmanager
async def _growing(path: Path) -> AsyncIterator[None]:
    """Bytes are added to the file all the time."""

    async def grow() -> None:
        with path.open("ab") as file:
            while True:
                file.write(b"more")
                file.flush()
                await asyncio.sleep(0.001)

    task = asyncio.create_task(grow())
    await asyncio.sleep(0.01)
    yield
    task.cancel()
    await asyncio.wait([task])


class TestMachine:
    """What is not the source's fault is not blamed on it."""

    async def test_no_scratch_folder(self, bench: Bench) -> None:
        """A setting to mend, not a bug."""
        path = bench.folder / "song.flac"
        shutil.copy(music_like(1.5), path)
        bench.set(scratch_dir=str(bench.folder / "nowhere"))
        error = await bench.refusal(path)
        assert error.code == "storage-error"
        assert "--scratch" in error.hint

    async def test_ffmpeg_is_killed(self, bench: Bench) -> None:
        """As by a machine that ran out of memory."""
        path = bench.folder / "song.flac"
        shutil.copy(music_like(1.5), path)
        bench.work = replace(bench.work, tool=_meddling(bench, "kill -9 $$"))
        error = await bench.refusal(path)
        assert isinstance(error, ToolFailed)
        assert "signal 9" in error.message
        assert "--jobs" in error.hint

    async def test_stages_are_told(self, bench: Bench) -> None:
        """An observer sees each stage begin, in order."""
        await bench.track(music_like(1.5))
        stages = [event.stage for event in bench.events if isinstance(event, StageStarted)]
        assert stages == [Stage.READ, Stage.MEASURE, Stage.NORMALISE]
