"""What the muxers of ffmpeg write: their real faults are found, and no others."""

import subprocess
from contextlib import aclosing
from pathlib import Path

import imageio_ffmpeg
import pytest

from inspector.frames import look_at_packed
from inspector.judge import Inspection, inspected
from inspector.latm import look_at_latm
from inspector.limits import Limits
from model.rule import Severity
from tests.support.audio import music_like

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
HLS = ("-f", "hls", "-hls_time", "4", "-hls_playlist_type", "vod", "-master_pl_name", "master.m3u8")
FMP4 = ("-hls_segment_type", "fmp4")
# What its muxer leaves out or gets wrong in fMP4, whatever the codec. BANDWIDTH is its own arithmetic: under the peak
# or not, by the music.
ALWAYS = {"APPLE-9.11", "APPLE-7.5", "CLIENT-tail", "APPLE-2.19", "CMAF-language"}
SOMETIMES = {"APPLE-1.27", "APPLE-1.26", "RFC8216-4.3.4.2"}


def mux(folder: Path, *arguments: str) -> Path:
    """A stream of 24 s and a little, as ffmpeg's HLS muxer writes it."""
    source = music_like(24, rate=48_000)
    command = [FFMPEG, "-nostdin", "-v", "error", "-i", str(source), *arguments]
    subprocess.run(command, cwd=folder, check=True, timeout=60)
    return folder


async def looked_at(folder: Path) -> Inspection:
    """The one stream of a folder."""
    async with aclosing(inspected(str(folder), Limits())) as found:
        (inspection,) = [each async for each in found]
    return inspection


def rules(inspection: Inspection) -> set[str]:
    """What was broken, but for what depends on the music."""
    return {each.rule for each in inspection.findings} - SOMETIMES


async def test_aac_of_ffmpeg(tmp_path: Path) -> None:
    """Its priming is heard: an edit list that skips nothing."""
    mux(tmp_path, "-c:a", "aac", "-b:a", "128k", *HLS, *FMP4, "a.m3u8")
    assert rules(await looked_at(tmp_path)) == ALWAYS | {"APPLE-priming"}


async def test_opus_of_ffmpeg(tmp_path: Path) -> None:
    """No pre-roll, the wrong case, and nothing for Apple."""
    mux(tmp_path, "-c:a", "libopus", "-b:a", "96k", *HLS, *FMP4, "a.m3u8")
    assert rules(await looked_at(tmp_path)) == ALWAYS | {"OPUS-roll", "CLIENT-codecs", "APPLE-2.2"}


async def test_flac_of_ffmpeg(tmp_path: Path) -> None:
    """An empty last segment, on which hls.js never ends."""
    mux(tmp_path, "-c:a", "flac", *HLS, *FMP4, "a.m3u8")
    inspection = await looked_at(tmp_path)
    assert rules(inspection) - {"APPLE-9.21"} == ALWAYS | {"RFC8216-3.3-moof", "CLIENT-codecs", "APPLE-2.3"}
    (empty,) = [each for each in inspection.findings if each.rule == "RFC8216-3.3-moof"]
    assert (empty.segment, empty.severity) == (len(inspection.stream.tracks[0].parts) - 1, Severity.MUST)


async def test_a_ladder_of_ffmpeg(tmp_path: Path) -> None:
    """Three rates in one go: what is wrong is wrong in each, and they fit together."""
    rates = ("-map", "0:a", "-map", "0:a", "-map", "0:a", "-c:a", "aac", "-b:a:0", "64k", "-b:a:1", "128k")
    mux(tmp_path, *rates, "-b:a:2", "256k", *HLS, *FMP4, "-var_stream_map", "a:0 a:1 a:2", "v%v/a.m3u8")
    inspection = await looked_at(tmp_path)
    assert rules(inspection) == ALWAYS | {"APPLE-priming"}
    assert sum(each.rule == "APPLE-priming" for each in inspection.findings) == 3


async def test_a_single_file_of_ffmpeg(tmp_path: Path) -> None:
    """Byte ranges."""
    mux(tmp_path, "-c:a", "aac", "-b:a", "128k", *HLS, *FMP4, "-hls_flags", "single_file", "a.m3u8")
    assert rules(await looked_at(tmp_path)) == ALWAYS | {"APPLE-priming"}


@pytest.mark.parametrize("coder", ["aac", "libmp3lame", "ac3", "eac3"])
async def test_transport_streams_of_ffmpeg(tmp_path: Path, coder: str) -> None:
    """Tables, packets, frames and times are sound, and all of them are read."""
    mux(tmp_path, "-c:a", coder, "-b:a", "128k", *HLS, "a.m3u8")
    inspection = await looked_at(tmp_path)
    assert rules(inspection) - {"CLIENT-tail"} == {"APPLE-9.11", "APPLE-7.5"}
    assert inspection.unseen == ()
    sounds = [part.sound for part in inspection.stream.tracks[0].parts]
    assert 24 * 48_000 <= sum(each.samples for each in sounds if each and each.measured) < 24.2 * 48_000


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("-ac", "6", "-ar", "48000", "-c:a", "ac3", "-f", "ac3"), ("ac-3", 48_000, 6)),
        (("-ac", "1", "-ar", "44100", "-c:a", "ac3", "-b:a", "96k", "-f", "ac3"), ("ac-3", 44_100, 1)),
        (("-ac", "6", "-ar", "44100", "-c:a", "eac3", "-f", "eac3"), ("ec-3", 44_100, 6)),
        (("-ac", "2", "-ar", "48000", "-c:a", "aac", "-f", "latm"), ("mp4a.40.2", 48_000, 2)),
        (("-ac", "1", "-ar", "44100", "-c:a", "aac", "-f", "latm"), ("mp4a.40.2", 44_100, 1)),
    ],
)
def test_frames_of_ffmpeg_are_read_to_their_end(
    tmp_path: Path, arguments: tuple[str, ...], told: tuple[str, int, int]
) -> None:
    """Of every codec of MPEG-TS and packed audio: as many samples as went in, and what the encoder adds."""
    source = music_like(24, rate=48_000)
    command = [FFMPEG, "-nostdin", "-v", "error", "-i", str(source), "-t", "3", *arguments, "out"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=60)
    data = (tmp_path / "out").read_bytes()
    look = look_at_latm(data) if "latm" in arguments else look_at_packed(data)
    assert (look.codecs[-1], look.sample_rate_hz, look.channels) == told
    assert 0 <= look.samples - 3 * look.sample_rate_hz <= 3_072
    assert look.flaw == ""


async def test_encrypted_transport_streams_of_ffmpeg(tmp_path: Path) -> None:
    """The key is nobody's business; nothing is made up about what cannot be read."""
    (tmp_path / "key").write_bytes(bytes(16))
    (tmp_path / "key.info").write_text("key\nkey\n000102030405060708090a0b0c0d0e0f\n")
    mux(tmp_path, "-c:a", "aac", *HLS, "-hls_key_info_file", "key.info", "a.m3u8")
    inspection = await looked_at(tmp_path)
    assert rules(inspection) - {"CLIENT-tail"} == {"APPLE-9.11", "APPLE-7.5"}
    assert "encrypted" in inspection.unseen[0].reason
