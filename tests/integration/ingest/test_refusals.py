"""Bad inputs: each fails fast, typed, with a hint, before or without being decoded; and nothing else is touched."""

import asyncio
import os
import shutil
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from avtool.decode import decode
from avtool.locate import Ffmpeg
from avtool.run import Limits, run
from ingest.checks.declared import declared_samples
from ingest.checks.refusals import check_length, probe_source, refusal
from ingest.hashing import hash_file
from ingest.scan import Source, check_file
from model.errors import (
    SourceChanged,
    SourceDamaged,
    SourceEmpty,
    SourceEncrypted,
    SourceError,
    SourceHeaderLies,
    SourceImageOnly,
    SourceNoAudio,
    SourceNotMusic,
    SourceTooLong,
    SourceTooShort,
    SourceTruncated,
    SourceUnsupported,
    SourceVanished,
    ToolFailed,
)
from tests.support.audio import counted, make_audio, music_like, tone
from tests.support.opened import watched

QUICK_S = 20.0
BYTES_MAX = 1 << 30


async def judged(tool: Ffmpeg, path: Path) -> None:
    """All that a source goes through before and while it is measured."""
    source = Source(path=path)
    check_file(source, bytes_max=BYTES_MAX)
    probe = await probe_source(tool, source)
    channels, rate, taken = min(2, probe.channels), probe.sample_rate_hz, bytearray()
    try:
        await decode(
            tool, str(path), taken.extend, sample_rate_hz=rate, channels=channels, timeout_s=30, subject=source.name
        )
    except ToolFailed as error:
        raise refusal(error, subject=source.name) from error
    samples = len(taken) // 4 // channels
    check_length(samples, probe, rate_hz=rate, declared=declared_samples(source), subject=source.name)


async def refused(tool: Ffmpeg, path: Path) -> SourceError:
    """Why a file is not taken: always typed, with a hint, and soon."""
    started = time.monotonic()
    with pytest.raises(SourceError) as caught:
        await judged(tool, path)
    assert time.monotonic() - started < QUICK_S
    assert caught.value.hint
    assert caught.value.subject
    return caught.value


def song(suffix: str, *arguments: str) -> bytes:
    """A good file of 1.5 s."""
    return make_audio(f"amovie={music_like(1.5)}", suffix, *arguments).read_bytes()


def relabelled(offset: int, layout: str, *values: int) -> bytes:
    """A WAV whose format chunk says something else, `offset` counted from the chunk's name."""
    data = bytearray(song(".wav"))
    struct.pack_into(layout, data, data.index(b"fmt ") + offset, *values)
    return bytes(data)


def picture(kind: str) -> bytes:
    """A picture's bytes."""
    path = make_audio("color=red:s=64x64:d=0.04", f".{kind}", "-frames:v", "1", "-update", "1")
    return path.read_bytes()


def without_samples() -> bytes:
    """A WAV that ends where its samples should begin."""
    data = song(".wav")
    return data[: data.index(b"data")] + b"data\0\0\0\0"


def locked(kind: bytes) -> bytes:
    """An M4A whose audio says that it is encrypted."""
    data = song(".m4a", "-c:a", "aac")
    at = data.index(b"mp4a", data.index(b"stsd"))
    return data[:at] + kind + data[at + 4 :]


def flipped(suffix: str, *arguments: str) -> bytes:
    """A file with a run of wrong bytes in its middle."""
    data = bytearray(song(suffix, *arguments))
    for at in range(len(data) // 2, len(data) // 2 + 3000):
        data[at] ^= 0x5A
    return bytes(data)


Case = tuple[str, Callable[[], bytes], type[SourceError], str]
BAD: dict[str, Case] = {
    "empty": ("a.wav", lambda: b"", SourceEmpty, "empty"),
    "text": ("a.mp3", lambda: b"just words\n" * 500, SourceNotMusic, "it is text"),
    "a web page": ("a.flac", lambda: b"<!DOCTYPE html><title>404</title>", SourceNotMusic, "a web page"),
    "a script": ("a.wav", lambda: b"#!/bin/sh\nrm -rf /\n", SourceNotMusic, "a script"),
    "a ZIP": ("a.flac", lambda: b"PK\3\4" + bytes(500), SourceNotMusic, "ZIP"),
    "a program": ("a.wav", lambda: b"\x7fELF\2\1\1" + bytes(500), SourceNotMusic, "program"),
    "random bytes": ("a.flac", lambda: bytes(range(256)) * 40, SourceNotMusic, "not music"),
    "a JPEG": ("a.mp3", lambda: picture("jpg"), SourceImageOnly, "JPEG"),
    "a PNG": ("a.wav", lambda: picture("png"), SourceImageOnly, "PNG"),
    "a WMA": ("a.wma", lambda: song(".wma"), SourceUnsupported, "Windows Media"),
    "a TTA": ("a.tta", lambda: song(".tta"), SourceUnsupported, "TTA"),
    "an AU": ("a.mp3", lambda: song(".au"), SourceUnsupported, "AU"),
    "a transport stream": ("a.mp3", lambda: song(".ts"), SourceUnsupported, "transport stream"),
    "an AVI": ("a.wav", lambda: song(".avi"), SourceUnsupported, "AVI"),
    "an AC-3": ("a.ac3", lambda: song(".ac3"), SourceUnsupported, "AC-3"),
    "an AIFF from a pipe": ("a.aiff", lambda: from_pipe(song(".aiff")), SourceHeaderLies, "never filled in"),
    "drms": ("a.m4p", lambda: locked(b"drms"), SourceEncrypted, "encrypted"),
    "enca": ("a.m4a", lambda: locked(b"enca"), SourceEncrypted, "encrypted"),
    "no samples": ("a.wav", without_samples, SourceTooShort, "0.000 s"),
    "50 ms": ("a.wav", lambda: tone(0.05).read_bytes(), SourceTooShort, "0.050 s"),
    "2 GHz": ("a.wav", lambda: relabelled(12, "<I", 2_000_000_000), SourceHeaderLies, "2000000000 Hz"),
    "10 Hz": ("a.wav", lambda: relabelled(12, "<I", 10), SourceHeaderLies, "10 Hz"),
    "0 Hz": ("a.wav", lambda: relabelled(12, "<I", 0), SourceHeaderLies, "0 Hz"),
    "no channels": ("a.wav", lambda: relabelled(10, "<H", 0), SourceHeaderLies, "0 channels"),
    "65535 channels": ("a.wav", lambda: relabelled(10, "<H", 65_535), SourceHeaderLies, "65535 channels"),
    "damaged FLAC": ("a.flac", lambda: flipped(".flac"), SourceDamaged, "can be decoded"),
    "damaged WavPack": ("a.wv", lambda: flipped(".wv"), SourceDamaged, "can be decoded"),
    "damaged Vorbis": ("a.ogg", lambda: flipped(".ogg", "-c:a", "libvorbis"), SourceDamaged, "can be decoded"),
}


def from_pipe(aiff: bytes) -> bytes:
    """An AIFF whose writer could not go back."""
    data = bytearray(aiff)
    struct.pack_into(">I", data, data.index(b"COMM") + 10, 0)
    struct.pack_into(">I", data, data.index(b"SSND") + 4, 0)
    return bytes(data)


@pytest.mark.parametrize("name", BAD)
async def test_bad_bytes(tool: Ffmpeg, tmp_path: Path, name: str) -> None:
    """Each kind of damage has its own error and its words, within seconds."""
    file_name, make, kind, words = BAD[name]
    path = tmp_path / file_name
    path.write_bytes(make())
    error = await refused(tool, path)
    assert type(error) is kind
    assert words in error.message


CUT: dict[str, tuple[str, ...]] = {
    "wav": (".wav",),
    "rf64": (".wav", "-rf64", "always"),
    "w64": (".w64",),
    "aiff": (".aiff",),
    "caf": (".caf",),
    "flac": (".flac",),
    "flac in ogg": (".oga", "-c:a", "flac"),
    "flac in matroska": (".mka", "-c:a", "flac"),
    "wavpack": (".wv", "-write_apetag", "0"),
    "alac": (".m4a", "-c:a", "alac"),
    "aac": (".m4a", "-c:a", "aac"),
    "aac, index first": (".m4a", "-c:a", "aac", "-movflags", "+faststart"),
    "aac in fragments": (".m4a", "-c:a", "aac", "-movflags", "+frag_keyframe+empty_moov"),
    "adts": (".aac", "-c:a", "aac"),
    "mp3 cbr": (".mp3", "-c:a", "libmp3lame", "-b:a", "128k"),
    "mp3 vbr": (".mp3", "-c:a", "libmp3lame", "-q:a", "2"),
    "mp3 without a tag": (".mp3", "-c:a", "libmp3lame", "-write_xing", "0"),
    "vorbis": (".ogg", "-c:a", "libvorbis"),
    "opus": (".opus", "-c:a", "libopus"),
    "webm": (".webm", "-c:a", "libopus"),
}


@pytest.mark.parametrize("name", CUT)
async def test_cut_off(tool: Ffmpeg, tmp_path: Path, name: str) -> None:
    """A copy that was interrupted anywhere is told from a short song; the whole file is not."""
    suffix, *arguments = CUT[name]
    whole = counted(66_150, suffix, *arguments).read_bytes()
    path = tmp_path / f"song{suffix}"
    path.write_bytes(whole)
    await judged(tool, path)
    for left in (len(whole) - 1, len(whole) - 300, len(whole) * 9 // 10 + 7, len(whole) // 2 + 7):
        path.write_bytes(whole[:left])
        error = await refused(tool, path)
        assert type(error) is SourceTruncated, left
        assert "cut off" in error.message


async def test_cut_where_a_box_ends(tool: Ffmpeg, tmp_path: Path) -> None:
    """An M4A with its index in front and no audio at all is cut off, by what its sample table says."""
    whole = counted(66_150, ".m4a", "-c:a", "aac", "-movflags", "+faststart").read_bytes()
    path = tmp_path / "song.m4a"
    path.write_bytes(whole[: whole.rindex(b"mdat") - 4])
    assert type(await refused(tool, path)) is SourceTruncated


@pytest.mark.parametrize(("suffix", "encoder"), [(".mp3", "libmp3lame"), (".flac", "flac"), (".wv", "wavpack")])
@pytest.mark.parametrize("junk", [b"TAG" + bytes(125), bytes(5000), b"APETAGEX" + bytes(24)])
async def test_bytes_behind_the_music(tool: Ffmpeg, tmp_path: Path, suffix: str, encoder: str, junk: bytes) -> None:
    """Tags and padding at its end do not make a good file a damaged one."""
    path = tmp_path / f"song{suffix}"
    path.write_bytes(song(suffix, "-c:a", encoder) + junk)
    await judged(tool, path)


@pytest.mark.parametrize(("suffix", "encoder"), [(".ogg", "libvorbis"), (".mp3", "libmp3lame")])
async def test_files_put_one_after_the_other(tool: Ffmpeg, tmp_path: Path, suffix: str, encoder: str) -> None:
    """Chained Ogg and joined MP3 files are whole."""
    path = tmp_path / f"song{suffix}"
    path.write_bytes(song(suffix, "-c:a", encoder) * 2)
    await judged(tool, path)


async def test_video_without_sound(tool: Ffmpeg) -> None:
    """There is nothing to publish in it."""
    path = make_audio("testsrc=d=1:r=5:s=64x64", ".mp4", "-c:v", "mpeg4")
    error = await refused(tool, path)
    assert (type(error), error.message) == (SourceNoAudio, "there is no audio in the file")


async def test_a_container_with_a_picture_in_it(tool: Ffmpeg, tmp_path: Path) -> None:
    """A cover without its song."""
    cover = tmp_path / "cover.png"
    Image.new("RGB", (64, 64), "red").save(cover)
    path = make_audio("color=red:s=64x64:d=0.2:r=5", ".mkv", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p")
    assert type(await refused(tool, path)) is SourceImageOnly


async def test_more_channels_than_can_be_mixed(tool: Ffmpeg) -> None:
    """There is no standard way from sixteen channels to two."""
    path = make_audio("aevalsrc=exprs='" + "|".join(["0.1"] * 16) + "':c=hexadecagonal:s=48000:d=0.5", ".wav")
    error = await refused(tool, path)
    assert (type(error), error.message) == (SourceUnsupported, "it has 16 channels")


async def test_lies_cost_nothing(tool: Ffmpeg, tmp_path: Path) -> None:
    """What the header alone shows is refused before a program is started."""
    path = tmp_path / "a.wav"
    path.write_bytes(relabelled(12, "<I", 2_000_000_000))
    nothing = Ffmpeg(path=str(tmp_path / "no such program"), version=tool.version)
    with pytest.raises(SourceHeaderLies):
        await probe_source(nothing, Source(path=path))


SCRIPTS = {
    "a playlist": "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:2,\n{other}\n#EXT-X-ENDLIST\n",
    "a playlist with a scheme": "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:2,\nfile://{other}\n#EXT-X-ENDLIST\n",
    "a playlist of the web": "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:2,\n{web}\n#EXT-X-ENDLIST\n",
    "a concat script": "ffconcat version 1.0\nfile '{other}'\nfile '{web}'\nfile '/etc/passwd'\n",
    "a list of files": "[playlist]\nFile1={other}\nFile2={web}\nNumberOfEntries=2\n",
    "a manifest": '<?xml version="1.0"?><MPD><Period><BaseURL>{other}</BaseURL><BaseURL>{web}</BaseURL></Period></MPD>',
    "a session description": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 9 RTP/AVP 0\n",
}


class TestConfinement:
    """What names other files or machines reaches none of them."""

    @pytest.mark.parametrize("suffix", [".wav", ".mp3", ".m3u8"])
    @pytest.mark.parametrize("kind", SCRIPTS)
    async def test_scripts_under_musical_names(self, tool: Ffmpeg, tmp_path: Path, kind: str, suffix: str) -> None:
        """Neither the look at their bytes nor ffmpeg follows them: nothing is opened and nobody is called."""
        other, path = tmp_path / "other.wav", tmp_path / f"script{suffix}"
        shutil.copy(tone(1.0), other)
        with listening() as (address, calls), watched(other) as opened:
            path.write_text(SCRIPTS[kind].format(other=other, web=f"{address}/a.wav"))
            assert type(await refused(tool, path)) is SourceNotMusic
            with pytest.raises(ToolFailed):  # also if it had got past the first bytes
                await self._straight_to_ffmpeg(tool, path)
            assert (opened(), calls()) == (0, 0)
            other.read_bytes()
            with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))):
                assert (opened(), calls()) == (1, 1)  # they would have been seen

    @staticmethod
    async def _straight_to_ffmpeg(tool: Ffmpeg, path: Path) -> None:
        taken = bytearray()
        await decode(tool, str(path), taken.extend, sample_rate_hz=48_000, channels=2, timeout_s=20, subject=path.name)

    async def test_a_file_that_is_a_name_of_the_web(self, tool: Ffmpeg, tmp_path: Path) -> None:
        """A movie whose audio lies elsewhere (an external data reference) is not fetched."""
        data = bytearray(song(".mov", "-c:a", "pcm_s16le"))
        with listening() as (address, calls):
            at = data.index(b"url \0\0\0\1")
            data[at : at + 8] = b"alis\0\0\0\0"
            path = tmp_path / "a.mov"
            path.write_bytes(bytes(data) + address.encode())
            with pytest.raises(SourceError):
                await judged(tool, path)
            assert calls() == 0

    async def test_the_web_itself(self, tool: Ffmpeg) -> None:
        """An address in the place of a name is a name, and there is no such file."""
        with listening() as (address, calls):
            with pytest.raises(SourceVanished):
                await probe_source(tool, Source(path=Path(f"{address}/a.wav")))
            with pytest.raises(ToolFailed):
                await self._straight_to_ffmpeg(tool, Path(f"{address}/a.wav"))
            assert calls() == 0

    async def test_the_protocols_are_closed_to_ffmpeg(self, tool: Ffmpeg) -> None:
        """The same ffmpeg does call when it is let: the silence above is ours."""
        with listening() as (address, calls):
            argv = [tool.path, "-nostdin", "-rw_timeout", "500000", "-i", f"{address}/a.wav", "-f", "null", "-"]
            with pytest.raises(ToolFailed):
                await run(argv, limits=Limits(timeout_s=10), subject="web")
            assert calls() == 1


@contextmanager
def listening() -> Iterator[tuple[str, Callable[[], int]]]:
    """An address on this machine that takes calls, and how many there were since one last asked."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)

        def calls() -> int:
            number = 0
            while True:
                try:
                    server.accept()[0].close()
                except BlockingIOError:
                    return number
                number += 1

        yield f"http://127.0.0.1:{server.getsockname()[1]}", calls


class TestFiles:
    """Files that are not there, not files, or not finished."""

    @pytest.mark.timeout(20)
    async def test_what_is_no_file(self, tool: Ffmpeg, tmp_path: Path) -> None:
        """Pipes, folders, devices, links in a circle: at once."""
        os.mkfifo(tmp_path / "pipe.wav")
        (tmp_path / "folder.wav").mkdir()
        (tmp_path / "circle.wav").symlink_to(tmp_path / "circle.wav")
        (tmp_path / "nowhere.wav").symlink_to(tmp_path / "gone")
        for name, code in {
            "pipe.wav": "source-unsupported",
            "folder.wav": "source-unsupported",
            "/dev/zero": "source-unsupported",
            "circle.wav": "source-unreadable",
            "nowhere.wav": "source-vanished",
            "vanished.wav": "source-vanished",
        }.items():
            assert (await refused(tool, tmp_path / name)).code == code

    @pytest.mark.timeout(20)
    async def test_a_pipe_that_took_a_files_place(self, tool: Ffmpeg, tmp_path: Path) -> None:
        """Nothing waits for a writer, at any step after the file was first looked at."""
        os.mkfifo(tmp_path / "pipe.wav")
        with pytest.raises(SourceError):
            await probe_source(tool, Source(path=tmp_path / "pipe.wav"))

    async def test_a_file_that_vanishes_before_ffmpeg_opens_it(self, tool: Ffmpeg, tmp_path: Path) -> None:
        """It was looked at, then removed: it is not called damaged."""
        path, program = tmp_path / "song.flac", tmp_path / "meddling-ffmpeg"
        shutil.copy(music_like(1.5), path)
        program.write_text(f'#!/bin/sh\nrm -f "{path}"\nexec {tool.path} "$@"\n')
        program.chmod(0o755)
        with pytest.raises(SourceVanished):
            await probe_source(replace(tool, path=str(program)), Source(path=path))

    async def test_a_file_that_grows(self, tmp_path: Path) -> None:
        """A copy that is under way is told from a damaged file."""
        path = tmp_path / "song.wav"
        path.write_bytes(song(".wav") * 40)
        size = path.stat().st_size
        async with _growing(path):
            with pytest.raises(SourceChanged) as caught:
                await hash_file(Source(path=path), size_bytes=size)
        assert "copy" in caught.value.hint

    async def test_too_large(self, tmp_path: Path) -> None:
        """The limit is the caller's, and the hint names it."""
        path = tmp_path / "song.wav"
        path.write_bytes(song(".wav"))
        with pytest.raises(SourceTooLong, match="too large") as caught:
            check_file(Source(path=path), bytes_max=100_000)
        assert "at most" in caught.value.hint


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
    await asyncio.sleep(0.02)
    yield
    task.cancel()
    await asyncio.wait([task])
