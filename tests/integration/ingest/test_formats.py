"""Every format that we take: told apart, decoded to the exact sample, its tags read, its channels kept in level."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mutagen
import mutagen.aiff
import mutagen.flac
import mutagen.id3
import mutagen.mp3
import mutagen.mp4
import mutagen.oggopus
import mutagen.oggvorbis
import mutagen.wave
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from model.track import SourceInfo, TrackTags
from tests.integration.ingest.conftest import Bench
from tests.support.audio import make_audio, music_like, tone

ID3: Any = mutagen.id3
MP4: Any = mutagen.mp4
FLAC: Any = mutagen.flac
SECONDS = 1.5
LOSSLESS = {
    "wav 16": (".wav", "pcm_s16le", "pcm_s16le", 16),
    "wav 24": (".wav", "pcm_s24le", "pcm_s24le", 24),
    "wav float": (".wav", "pcm_f32le", "pcm_f32le", 32),
    "aiff": (".aiff", "pcm_s16be", "pcm_s16be", 16),
    "flac": (".flac", "flac", "flac", 24),
    "alac": (".m4a", "alac", "alac", 24),
    "wavpack": (".wv", "wavpack", "wavpack", 16),
    "caf": (".caf", "pcm_s24be", "pcm_s24be", 24),
    "matroska": (".mka", "flac", "flac", 24),
}
LOSSY = {
    "mp3": (".mp3", "libmp3lame", "mp3"),
    "aac": (".m4a", "aac", "aac"),
    "vorbis": (".ogg", "libvorbis", "vorbis"),
    "opus": (".opus", "libopus", "opus"),
    "webm": (".webm", "libopus", "opus"),
}


def clip(suffix: str, encoder: str, rate: int) -> Path:
    """A short piece of music in some format."""
    narrow = ("-sample_fmt", "s16p") if encoder == "wavpack" else ()
    return make_audio(f"amovie={music_like(SECONDS, rate=rate)}", suffix, "-c:a", encoder, *narrow)


def pcm(bench: Bench, path: Path, *, rate: int | None = None) -> NDArray[np.int32]:
    """All samples of a file's first audio stream as 32-bit integers, one row a frame of two."""
    wanted = ("-ar", str(rate)) if rate else ()
    target = bench.folder / "decoded.raw"
    bench.ffmpeg("-v", "error", "-i", f"file:{path}", "-map", "0:a:0", *wanted, "-ac", "2", "-f", "s32le", target)
    return np.fromfile(target, dtype="<i4").reshape(-1, 2)


@pytest.mark.parametrize("rate", [44_100, 48_000])
@pytest.mark.parametrize("name", LOSSLESS)
async def test_lossless_sources(bench: Bench, name: str, rate: int) -> None:
    """The format is told as it is, and the mezzanine has every sample: n at 48 kHz, n × 48000 / 44100 within one."""
    suffix, encoder, codec, bits = LOSSLESS[name]
    path = clip(suffix, encoder, rate)
    track = await bench.track(path)
    source = track.source
    assert (source.codec, source.sample_rate_hz, source.channels, source.channel_layout) == (codec, rate, 2, "stereo")
    assert (source.bit_depth, source.lossless) == (bits, True)
    assert source.size_bytes == path.stat().st_size
    assert abs(track.media_samples - SECONDS * 48_000) <= (1 if rate != 48_000 else 0)
    assert len(pcm(bench, await bench.mezzanine(track))) == track.media_samples


@pytest.mark.parametrize("name", LOSSY)
async def test_lossy_sources(bench: Bench, name: str) -> None:
    """Told as lossy, without a bit depth; the encoder's delay is not heard, so the length is that of the original."""
    suffix, encoder, codec = LOSSY[name]
    track = await bench.track(clip(suffix, encoder, 48_000))
    assert (track.source.codec, track.source.bit_depth, track.source.lossless) == (codec, None, False)
    assert abs(track.media_samples - SECONDS * 48_000) <= 0.025 * 48_000
    assert len(pcm(bench, await bench.mezzanine(track))) == track.media_samples


async def test_frames_of_any_size_make_one_grid(bench: Bench) -> None:
    """Timestamps are counted, not computed: 3003 samples over 48 kHz and back are 3002.9999… in floating point."""
    source = make_audio(f"amovie={music_like(SECONDS, rate=48_000)}", ".flac", "-c:a", "flac", "-frame_size", "3003")
    track = (await bench.ingest(source)).track
    assert track.media_samples == SECONDS * 48_000


async def test_the_suffix_says_nothing(bench: Bench) -> None:
    """A FLAC called .mp3 is a FLAC: content counts."""
    path = bench.folder / "song.mp3"
    path.write_bytes(clip(".flac", "flac", 48_000).read_bytes())
    assert (await bench.track(path)).source.codec == "flac"


@pytest.mark.parametrize("rate", [8_000, 22_050, 96_000, 192_000])
async def test_other_rates(bench: Bench, rate: int) -> None:
    """Brought to 48 kHz without losing or adding a sample."""
    track = await bench.track(tone(1.0, rate=rate))
    assert track.source == SourceInfo(
        container="wav",
        codec="pcm_s16le",
        sample_rate_hz=rate,
        channels=2,
        channel_layout="stereo",
        bit_depth=16,
        lossless=True,
        size_bytes=track.source.size_bytes,
        sha256=track.source.sha256,
    )
    assert abs(track.media_samples - 48_000) <= 1


class TestTags:
    """Tags written by mutagen, read back through a whole ingest."""

    EXPECTED = TrackTags(
        title="Abendlied ♫",
        artists=("One", "Two"),
        album="Days",
        album_artist="Everybody",
        track_number=3,
        track_total=12,
        disc_number=1,
        disc_total=2,
        date="2024-05-01",
        genres=("Jazz",),
        isrc="DEABC2400001",
        compilation=True,
    )

    @staticmethod
    def vorbis(file: Any) -> None:
        """As Vorbis comments."""
        file["title"], file["artist"], file["album"] = "Abendlied ♫", ["One", "Two"], "Days"
        file["albumartist"], file["tracknumber"], file["tracktotal"] = "Everybody", "03", "12"
        file["discnumber"], file["date"], file["genre"] = "1/2", "2024-05-01", "Jazz"
        file["isrc"], file["compilation"] = "DEABC2400001", "1"

    @staticmethod
    def id3(file: Any) -> None:
        """As ID3 frames."""
        if file.tags is None:
            file.add_tags()
        for name, text in {
            "TIT2": "Abendlied ♫", "TPE1": ["One", "Two"], "TALB": "Days", "TPE2": "Everybody", "TRCK": "3/12",
            "TPOS": "1/2", "TDRC": "2024-05-01", "TCON": "Jazz", "TSRC": "DEABC2400001", "TCMP": "1",
        }.items():  # fmt: skip
            file.tags.add(getattr(ID3, name)(encoding=3, text=text))

    @staticmethod
    def mp4(file: Any) -> None:
        """As MP4 atoms."""
        file["\xa9nam"], file["\xa9ART"], file["\xa9alb"] = "Abendlied ♫", ["One", "Two"], "Days"
        file["aART"], file["trkn"], file["disk"] = "Everybody", [(3, 12)], [(1, 2)]
        file["\xa9day"], file["\xa9gen"], file["cpil"] = "2024-05-01", "Jazz", True
        file["----:com.apple.iTunes:ISRC"] = b"DEABC2400001"

    @pytest.mark.parametrize(
        ("suffix", "encoder", "write"),
        [
            (".flac", "flac", vorbis),
            (".ogg", "libvorbis", vorbis),
            (".opus", "libopus", vorbis),
            (".mp3", "libmp3lame", id3),
            (".wav", "pcm_s16le", id3),
            (".aiff", "pcm_s16be", id3),
            (".m4a", "aac", mp4),
        ],
    )
    async def test_read_back(self, bench: Bench, suffix: str, encoder: str, write: Callable[[Any], None]) -> None:
        """Every field of every family."""
        path = bench.folder / f"07 Wrong{suffix}"
        path.write_bytes(clip(suffix, encoder, 48_000).read_bytes())
        file: Any = mutagen.File(path)
        write(file)
        file.save()
        track = await bench.track(path)
        assert track.tags == self.EXPECTED
        assert track.source_name == path.name

    async def test_mp4_total_without_a_number(self, bench: Bench) -> None:
        """`0 of 12` is no track 12."""
        path = bench.folder / "Song.m4a"
        path.write_bytes(clip(".m4a", "aac", 48_000).read_bytes())
        file = MP4.MP4(path)
        file["trkn"] = [(0, 12)]
        file.save()
        tags = (await bench.track(path)).tags
        assert (tags.track_number, tags.track_total) == (None, 12)


class TestPictures:
    """Sources that are more than audio."""

    @pytest.mark.parametrize(("suffix", "encoder"), [(".mp3", "libmp3lame"), (".flac", "flac"), (".m4a", "alac")])
    async def test_embedded_cover(self, bench: Bench, suffix: str, encoder: str) -> None:
        """The audio is taken as if the picture were not there, and the picture becomes the cover."""
        Image.new("RGB", (500, 500), (0, 200, 0)).save(bench.folder / "green.png")
        path = bench.folder / f"song{suffix}"
        cover = ("-i", bench.folder / "green.png", "-map", "0:a", "-map", "1:v", "-disposition:v", "attached_pic")
        bench.ffmpeg("-i", clip(suffix, encoder, 48_000), *cover, "-c", "copy", path)
        track = await bench.track(path)
        assert abs(track.media_samples - SECONDS * 48_000) <= (0.025 * 48_000 if suffix == ".mp3" else 0)
        (art,) = (data for name, data in bench.objects().items() if "/art/" in name and b"JFIF" in data)
        (bench.folder / "art.jpg").write_bytes(art)
        shown = Image.open(bench.folder / "art.jpg").convert("RGB").getpixel((250, 250))
        assert isinstance(shown, tuple)
        assert shown[1] > 180 > 60 > shown[0]

    @pytest.mark.parametrize(("suffix", "audio"), [(".mp4", "alac"), (".mkv", "flac"), (".mov", "pcm_s16le")])
    async def test_moving_pictures(self, bench: Bench, suffix: str, audio: str) -> None:
        """The audio of a video is taken, whole; that the pictures go on longer does not make it cut off."""
        path = bench.folder / f"video{suffix}"
        wave = music_like(SECONDS, rate=48_000)
        pictures = ("-f", "lavfi", "-i", "testsrc=d=2.5:r=10:s=64x64")
        bench.ffmpeg(*pictures, "-i", wave, "-c:v", "mpeg4", "-c:a", audio, path)
        assert (await bench.track(path)).media_samples == SECONDS * 48_000


class TestChannels:
    """From one to many channels into two."""

    async def test_mono_is_doubled_as_it_is(self, bench: Bench) -> None:
        """Both channels are the very samples of the one, not 3 dB less."""
        bench.set(target=None)
        path = tone(1.0, channels=1, dbfs=-6)
        track = await bench.track(path)
        assert track.source.channels == 1
        samples = pcm(bench, await bench.mezzanine(track))
        bench.ffmpeg("-v", "error", "-i", path, "-f", "s32le", bench.folder / "mono.raw")
        original = np.fromfile(bench.folder / "mono.raw", dtype="<i4")
        assert np.array_equal(samples, np.stack([original, original], axis=1))
        assert track.loudness_source.true_peak_dbtp == pytest.approx(-6, abs=0.1)

    async def test_surround_is_mixed_down_without_clipping(self, bench: Bench) -> None:
        """Six full channels fit into two, and nothing stands at full scale."""
        bench.set(target=None)
        wave = "|".join(f"0.99*sin(2*PI*{hertz}*t)" for hertz in (100, 150, 200, 50, 300, 350))
        track = await bench.track(make_audio(f"aevalsrc=exprs='{wave}':s=48000:d=1:c=5.1", ".wav", "-c:a", "pcm_s24le"))
        assert (track.source.channels, track.source.channel_layout) == (6, "5.1")
        samples = pcm(bench, await bench.mezzanine(track))
        full = math.floor((2**23 - 1) / 2**23 * 2**31)
        assert 0.5 * full < np.abs(samples.astype(np.int64)).max() < full
        assert not np.array_equal(samples[:, 0], samples[:, 1])


def test_the_clips_are_what_they_claim(bench: Bench) -> None:
    """The tests above would prove little on files of another format."""
    for suffix, encoder, codec, _ in LOSSLESS.values():
        shown = bench.ffmpeg("-i", clip(suffix, encoder, 44_100), "-t", "0", "-f", "null", "-").decode()
        assert re.search(rf"Audio: {codec}\b.* 44100 Hz, stereo", shown)
