"""Every format that we take: whole, told apart, decoded to the exact sample, its channels kept in level."""

import struct
from pathlib import Path
from typing import Any

import mutagen.mp4
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from avtool.decode import decode
from avtool.locate import Ffmpeg
from avtool.output import Probe
from ingest.checks.declared import declared_samples
from ingest.checks.refusals import check_length, probe_source
from ingest.scan import Source
from tests.support.audio import counted, make_audio, music_like

MP4: Any = mutagen.mp4
SAMPLES = 60_001
PCM_WAV = ("pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "pcm_alaw", "pcm_mulaw")
LOSSLESS: dict[str, tuple[str, ...]] = {
    **{f"wav {codec}": (".wav", "-c:a", codec) for codec in PCM_WAV},
    "rf64": (".wav", "-rf64", "always"),
    "bwf": (".wav", "-write_bext", "1", "-metadata", "description=take 1"),
    "w64": (".w64", "-c:a", "pcm_s24le"),
    "aiff 16": (".aiff", "-c:a", "pcm_s16be"),
    "aiff 24": (".aiff", "-c:a", "pcm_s24be"),
    "aifc float": (".aiff", "-c:a", "pcm_f32be"),
    "aifc sowt": (".aiff", "-c:a", "pcm_s16le"),
    "flac 16": (".flac", "-sample_fmt", "s16"),
    "flac 24": (".flac", "-sample_fmt", "s32"),
    "flac of odd blocks": (".flac", "-frame_size", "3003"),
    "flac in ogg": (".oga", "-c:a", "flac"),
    "flac in mp4": (".mp4", "-c:a", "flac", "-strict", "-2"),
    "flac in matroska": (".mka", "-c:a", "flac"),
    "alac": (".m4a", "-c:a", "alac"),
    "alac at its front": (".m4a", "-c:a", "alac", "-movflags", "+faststart"),
    "wavpack 16": (".wv", "-c:a", "wavpack", "-sample_fmt", "s16p"),
    "wavpack float": (".wv", "-c:a", "wavpack", "-sample_fmt", "fltp"),
    "caf": (".caf", "-c:a", "pcm_s24be"),
    "mov": (".mov", "-c:a", "pcm_s24le"),
    "pcm in matroska": (".mka", "-c:a", "pcm_s16le"),
}
GAPLESS: dict[str, tuple[int, tuple[str, ...]]] = {  # lossy, but told to the sample
    "mp3 cbr": (44_100, (".mp3", "-c:a", "libmp3lame", "-b:a", "192k")),
    "mp3 vbr": (44_100, (".mp3", "-c:a", "libmp3lame", "-q:a", "2")),
    "mp3 mpeg-2": (22_050, (".mp3", "-c:a", "libmp3lame", "-b:a", "96k")),
    "aac in mp4": (44_100, (".m4a", "-c:a", "aac")),
    "vorbis": (44_100, (".ogg", "-c:a", "libvorbis")),
    "opus": (48_000, (".opus", "-c:a", "libopus")),
    "opus in webm": (48_000, (".webm", "-c:a", "libopus")),
    "opus in matroska": (48_000, (".mka", "-c:a", "libopus")),
}
LOOSE: dict[str, tuple[str, ...]] = {  # nothing tells where the encoder's padding begins
    "mp3 without a tag": (".mp3", "-c:a", "libmp3lame", "-write_xing", "0"),
    "mp2": (".mp2", "-c:a", "mp2"),
    "adts": (".aac", "-c:a", "aac"),
    "aac in fragments": (".m4a", "-c:a", "aac", "-movflags", "+frag_keyframe+empty_moov"),
    "aac in matroska": (".mka", "-c:a", "aac"),
}
RATES = (8_000, 11_025, 22_050, 32_000, 44_100, 88_200, 96_000, 176_400, 192_000, 384_000)
LAYOUTS = {"mono": 1, "stereo": 2, "2.1": 3, "quad": 4, "5.0": 5, "5.1": 6, "6.1": 7, "7.1": 8}


async def heard(tool: Ffmpeg, path: Path, *, rate: int | None = None) -> tuple[Probe, NDArray[np.float32]]:
    """What the product makes of a file: probed and refused like any source, then decoded; one row a frame."""
    source = Source(path=path)
    probe = await probe_source(tool, source)
    channels, rate = min(2, probe.channels), rate or probe.sample_rate_hz
    taken = bytearray()
    await decode(
        tool, str(path), taken.extend, sample_rate_hz=rate, channels=channels, timeout_s=60, subject=source.name
    )
    samples = np.frombuffer(bytes(taken), dtype="<f4").reshape(-1, channels)
    check_length(len(samples), probe, rate_hz=rate, declared=declared_samples(source), subject=source.name)
    return probe, samples


class TestExactCounts:
    """What is decoded has as many samples as what was encoded: a gapless album stays gapless."""

    @pytest.mark.parametrize("name", LOSSLESS)
    async def test_lossless(self, tool: Ffmpeg, name: str) -> None:
        """Every sample, at the source's own rate."""
        suffix, *arguments = LOSSLESS[name]
        path = counted(SAMPLES, suffix, *arguments)
        probe, samples = await heard(tool, path)
        assert probe.lossless
        assert (len(samples), probe.sample_rate_hz, probe.channels) == (SAMPLES, 44_100, 2)
        assert declared_samples(Source(path=path)) in (SAMPLES, None)

    @pytest.mark.parametrize("name", GAPLESS)
    async def test_lossy_with_its_trims(self, tool: Ffmpeg, name: str) -> None:
        """Delay and padding of the encoder are not heard: they are told by LAME's tag, edit lists and granules."""
        rate, (suffix, *arguments) = GAPLESS[name]
        path = counted(SAMPLES, suffix, *arguments, rate=rate)
        probe, samples = await heard(tool, path)
        assert (probe.lossless, probe.sample_rate_hz) == (False, rate)
        assert len(samples) == SAMPLES
        assert declared_samples(Source(path=path)) in (SAMPLES, None)

    @pytest.mark.parametrize("name", LOOSE)
    async def test_lossy_without(self, tool: Ffmpeg, name: str) -> None:
        """Nothing is lost; what the encoder added cannot be known: less than three of its frames."""
        suffix, *arguments = LOOSE[name]
        _, samples = await heard(tool, counted(SAMPLES, suffix, *arguments))
        assert SAMPLES <= len(samples) < SAMPLES + 3 * 1152

    async def test_itunes_notes_of_priming(self, tool: Ffmpeg, tmp_path: Path) -> None:
        """An M4A of iTunes has no edit list: its iTunSMPB atom tells delay, padding and length."""
        made = counted(SAMPLES, ".m4a", "-c:a", "aac", "-use_editlist", "0")
        path, packets = tmp_path / "a.m4a", -(-SAMPLES // 1024) + 1
        path.write_bytes(_untrimmed(made.read_bytes(), packets * 1024))
        file = MP4.MP4(path)
        padding = packets * 1024 - 1024 - SAMPLES
        note = f" 00000000 {1024:08X} {padding:08X} {SAMPLES:016X}" + " 00000000" * 8
        file["----:com.apple.iTunes:iTunSMPB"] = note.encode()
        file.save()
        _, samples = await heard(tool, path)
        assert len(samples) == SAMPLES

    @pytest.mark.parametrize("rate", RATES)
    async def test_resampled(self, tool: Ffmpeg, rate: int) -> None:
        """n samples become n × 48000 / rate, and less than one more or less."""
        _, samples = await heard(tool, counted(SAMPLES, rate=rate), rate=48_000)
        assert abs(len(samples) - SAMPLES * 48_000 / rate) < 1

    @pytest.mark.parametrize("rate", [8_000, 96_000, 192_000, 384_000])
    async def test_as_they_are(self, tool: Ffmpeg, rate: int) -> None:
        """Whatever the rate, a lossless master's samples are all there."""
        probe, samples = await heard(tool, counted(SAMPLES, ".flac", rate=rate))
        assert (probe.sample_rate_hz, len(samples)) == (rate, SAMPLES)

    async def test_the_samples_themselves(self, tool: Ffmpeg) -> None:
        """24 bits go through as they are: what a WAV holds is what is heard."""
        path = counted(SAMPLES, ".wav", "-c:a", "pcm_s24le")
        raw = path.read_bytes()
        at = raw.index(b"data") + 8
        bytes_ = np.frombuffer(raw[at : at + SAMPLES * 6], dtype=np.uint8).reshape(-1, 3).astype(np.int32)
        whole = (bytes_[:, 2] << 24 | bytes_[:, 1] << 16 | bytes_[:, 0] << 8) >> 8
        for suffix in (".wav", ".flac"):
            _, samples = await heard(tool, path if suffix == ".wav" else _converted(path, suffix))
            assert np.array_equal(samples.reshape(-1), (whole / 2**23).astype(np.float32))


def _converted(path: Path, suffix: str) -> Path:
    return make_audio(f"amovie={path}", suffix)


def _untrimmed(mp4: bytes, samples: int) -> bytes:
    """An MP4 whose last packet counts whole, as iTunes writes it."""
    data = bytearray(mp4)
    table = data.index(b"stts")
    rows = int.from_bytes(data[table + 8 : table + 12], "big")
    struct.pack_into(">I", data, table + 12 + 8 * (rows - 1) + 4, 1024)
    struct.pack_into(">I", data, data.index(b"mdhd") + 20, samples)
    return bytes(data)


class TestPictures:
    """Sources that are more than audio."""

    @pytest.mark.parametrize(("suffix", "encoder"), [(".mp3", "libmp3lame"), (".flac", "flac"), (".m4a", "alac")])
    async def test_embedded_cover(self, tool: Ffmpeg, tmp_path: Path, suffix: str, encoder: str) -> None:
        """The audio is taken as if the picture were not there."""
        cover = tmp_path / "green.png"
        Image.new("RGB", (500, 500), (0, 200, 0)).save(cover)
        arguments = ("-i", str(cover), "-map", "0:a", "-map", "1:v", "-c:v", "copy", "-disposition:v", "attached_pic")
        path = make_audio("anoisesrc=d=0.7:r=48000:a=0.1", suffix, *arguments, "-c:a", encoder)
        probe, samples = await heard(tool, path)
        assert (probe.sample_rate_hz, len(samples), probe.alone) == (48_000, 33_600, True)

    @pytest.mark.parametrize(("suffix", "audio"), [(".mp4", "alac"), (".mkv", "flac"), (".mov", "pcm_s16le")])
    async def test_moving_pictures(self, tool: Ffmpeg, suffix: str, audio: str) -> None:
        """The audio of a video is taken, whole; that the pictures go on longer does not make it cut off."""
        moving = ("-f", "lavfi", "-i", "testsrc=d=2.5:r=10:s=64x64", "-map", "1:v", "-map", "0:a", "-c:v", "mpeg4")
        path = make_audio("anoisesrc=d=0.7:r=48000:a=0.1", suffix, *moving, "-c:a", audio)
        assert len((await heard(tool, path))[1]) == 33_600

    async def test_the_first_of_several(self, tool: Ffmpeg) -> None:
        """Of two audio streams the first is the music."""
        second = ("-f", "lavfi", "-i", "sine=d=2:r=48000", "-map", "0:a", "-map", "1:a", "-c:a", "flac")
        probe, samples = await heard(tool, make_audio("anoisesrc=d=0.7:r=44100:a=0.1", ".mka", *second))
        assert (probe.sample_rate_hz, len(samples), probe.alone) == (44_100, 30_870, False)


class TestNames:
    """Content counts, whatever the file is called."""

    async def test_the_suffix_says_nothing(self, tool: Ffmpeg, tmp_path: Path) -> None:
        """A FLAC called .mp3 is a FLAC."""
        path = tmp_path / "song.mp3"
        path.write_bytes(counted(SAMPLES, ".flac").read_bytes())
        assert (await heard(tool, path))[0].codec == "flac"

    @pytest.mark.parametrize(
        "name",
        ["a b.wav", "-i.wav", "pipe:1.wav", "concat:a|b.wav", "file:x.wav", "100%20d.wav", "line\nfeed.wav",
         "it's \"it\".wav", "http:--host.wav", b"latin \xe9\xff.wav", "'.wav", "$(id).wav", "%03d.wav", "*.wav"],
        ids=ascii,
    )  # fmt: skip
    async def test_any_name_is_a_name(self, tool: Ffmpeg, tmp_path: Path, name: str | bytes) -> None:
        """No name is taken for an option, an address, a pattern or a command."""
        path = tmp_path / (name if isinstance(name, str) else name.decode("utf-8", "surrogateescape"))
        path.write_bytes(counted(SAMPLES).read_bytes())
        assert len((await heard(tool, path))[1]) == SAMPLES


class TestChannels:
    """From one to many channels into two."""

    @pytest.mark.parametrize("layout", LAYOUTS)
    async def test_every_layout(self, tool: Ffmpeg, layout: str) -> None:
        """No sample is lost on the way to two channels."""
        path = counted(SAMPLES, ".wav", "-c:a", "pcm_s24le", layout=layout, channels=LAYOUTS[layout])
        probe, samples = await heard(tool, path)
        assert (probe.channels, probe.channel_layout) == (LAYOUTS[layout], layout)
        assert samples.shape == (SAMPLES, min(2, LAYOUTS[layout]))

    async def test_standard_coefficients(self, tool: Ffmpeg) -> None:
        """Centre and surrounds 3 dB below the front, no LFE, left and right apart: dialogue keeps its place."""
        hertz = (400, 500, 600, 50, 700, 800)
        wave = "|".join(f"0.5*sin(2*PI*{each}*t)" for each in hertz)
        path = make_audio(f"aevalsrc=exprs='{wave}':s=48000:d=1:c=5.1", ".wav", "-c:a", "pcm_s24le")
        _, samples = await heard(tool, path)
        left, right = np.abs(np.fft.rfft(samples.astype(np.float64), axis=0)).T  # 1 Hz a bin
        front, half = left[400], 2**-0.5
        assert [left[each] / front for each in hertz] == pytest.approx([1, 0, half, 0, half, 0], abs=1e-3)
        assert [right[each] / front for each in hertz] == pytest.approx([0, 1, half, 0, 0, half], abs=1e-3)

    @pytest.mark.parametrize("layout", ["5.1", "7.1"])
    async def test_full_scale_everywhere(self, tool: Ffmpeg, layout: str) -> None:
        """All channels at full scale and in phase stay within it."""
        wave = "|".join(["0.999*sin(2*PI*100*t)"] * LAYOUTS[layout])
        path = make_audio(f"aevalsrc=exprs='{wave}':s=48000:d=0.5:c={layout}", ".wav", "-c:a", "pcm_s24le")
        _, samples = await heard(tool, path)
        assert 0.9 < np.abs(samples).max() <= 1

    async def test_mono_is_one_channel_as_it_is(self, tool: Ffmpeg) -> None:
        """Not 3 dB less."""
        _, samples = await heard(tool, make_audio("aevalsrc=exprs='0.5*sin(2*PI*480*t)':s=48000:d=1", ".wav"))
        assert np.abs(samples).max() == pytest.approx(0.5, abs=1e-3)


async def test_music_in_a_stream_written_wav(tool: Ffmpeg, tmp_path: Path) -> None:
    """A data size of 0 or of 4 GiB, as programs leave it that write to a pipe, means: to the end."""
    whole = counted(SAMPLES).read_bytes()
    at = whole.index(b"data") + 4
    for size in (0, 0xFFFF_FFFF, 0x7FFF_FFFF):
        path = tmp_path / "stream.wav"
        path.write_bytes(whole[:4] + b"\xff\xff\xff\xff" + whole[8:at] + struct.pack("<I", size) + whole[at + 4 :])
        assert len((await heard(tool, path))[1]) == SAMPLES


async def test_music_far_above_full_scale(tool: Ffmpeg) -> None:
    """A legal float WAV at +12 dBFS is not clipped."""
    path = make_audio("aevalsrc=exprs='4*sin(2*PI*480*t)':s=48000:d=0.5", ".wav", "-c:a", "pcm_f32le")
    assert np.abs((await heard(tool, path))[1]).max() == pytest.approx(4, abs=0.01)


async def test_real_music_is_told_as_it_is(tool: Ffmpeg) -> None:
    """The probe's facts stand for what was encoded."""
    probe, _ = await heard(tool, music_like(1.5))
    assert (probe.codec, probe.bit_depth, probe.lossless) == ("flac", 24, True)
