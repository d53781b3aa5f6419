"""A source's samples come out as they are, once, in order; what cannot be decoded is a typed error."""

import hashlib
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from avtool import argv
from avtool.argv import CONTAINERS, EncodeOutput
from avtool.decode import PROGRESS_STEP_S, Decoded, decode, normalise, play_back
from avtool.locate import Ffmpeg
from avtool.run import Limits, run
from cmaf.parts import part_ends, parts
from model.errors import SourceTooLong, ToolFailed, ToolTimeout
from model.rendition import Codec, Rendition
from tests.support.audio import make_audio, music_like, tone

Floats = NDArray[np.float32]


async def _decoded(
    tool: Ffmpeg,
    path: Path,
    take: Callable[[bytes], None],
    *,
    rate: int = 44_100,
    channels: int = 2,
    packet_hash: bool = False,
    timeout_s: float = 60,
    containers: str = CONTAINERS,
    checked: bool = True,
    on_seconds: Callable[[float], None] = lambda _: None,
) -> Decoded:
    return await decode(
        tool,
        str(path),
        take,
        sample_rate_hz=rate,
        channels=channels,
        timeout_s=timeout_s,
        subject=path.name,
        packet_hash=packet_hash,
        containers=containers,
        checked=checked,
        on_seconds=on_seconds,
    )


async def _samples(tool: Ffmpeg, path: Path, *, rate: int = 44_100, channels: int = 2) -> Floats:
    taken = bytearray()
    await _decoded(tool, path, taken.extend, rate=rate, channels=channels)
    return np.frombuffer(bytes(taken), "<f4").reshape(-1, channels)


def _ffmpeg(tool: Ffmpeg, *words: str) -> bytes:
    """Run it by hand; what it wrote to standard output."""
    command = [tool.path, "-nostdin", "-v", "error", *words]
    return subprocess.run(command, check=True, timeout=60, capture_output=True).stdout


def _wave(path: Path, data: bytes, *, rate: int, channels: int, bits: int, tag: int = 1) -> Path:
    """A WAV of these bytes, written by hand."""
    frame = channels * bits // 8
    head = struct.pack("<HHIIHH", tag, channels, rate, rate * frame, frame, bits)
    body = b"WAVEfmt " + struct.pack("<I", len(head)) + head + b"data" + struct.pack("<I", len(data)) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    return path


def _integers(bits: int, count: int = 50_001) -> NDArray[np.int32]:
    rng = np.random.default_rng(bits)
    samples = rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (count, 2), dtype=np.int32)
    samples[:2] = [[-(2 ** (bits - 1)), 2 ** (bits - 1) - 1], [0, 1]]
    return samples


def _packed(samples: NDArray[np.int32], bits: int) -> bytes:
    return samples.astype("<i4").view(np.uint8).reshape(-1, 4)[:, : bits // 8].tobytes()


@pytest.mark.parametrize("bits", [16, 24])
@pytest.mark.parametrize("rate", [8_000, 44_100, 192_000])
async def test_integer_samples_come_out_exactly(tool: Ffmpeg, tmp_path: Path, bits: int, rate: int) -> None:
    """Each of up to 24 bits, at any rate of the source: no dither, no rounding, none lost at the end."""
    samples = _integers(bits)
    path = _wave(tmp_path / "a.wav", _packed(samples, bits), rate=rate, channels=2, bits=bits)
    found = await _samples(tool, path, rate=rate)
    assert np.array_equal(found, (samples / 2.0 ** (bits - 1)).astype(np.float32))


@pytest.mark.parametrize("suffix", [".flac", ".wv", ".m4a", ".aiff", ".caf"])
async def test_every_lossless_container_gives_the_same_samples(tool: Ffmpeg, tmp_path: Path, suffix: str) -> None:
    """And so the same hash, whatever the file is."""
    samples = _integers(16)
    path = _wave(tmp_path / "a.wav", _packed(samples, 16), rate=44_100, channels=2, bits=16)
    codec = ["-c:a", "alac"] if suffix == ".m4a" else []
    _ffmpeg(tool, "-i", str(path), *codec, str(tmp_path / f"a{suffix}"))
    found = await _samples(tool, tmp_path / f"a{suffix}")
    assert (
        hashlib.sha256(found.tobytes()).digest() == hashlib.sha256((samples / 2.0**15).astype("<f4").tobytes()).digest()
    )


async def test_float_samples_come_out_exactly(tool: Ffmpeg, tmp_path: Path) -> None:
    """Far above full scale, NaN and infinity too: who takes them decides."""
    samples = np.random.default_rng(1).normal(0, 4, (10_000, 2)).astype("<f4")
    samples[7], samples[8] = (np.nan, np.inf), (-np.inf, 1e-40)
    path = _wave(tmp_path / "a.wav", samples.tobytes(), rate=48_000, channels=2, bits=32, tag=3)
    found = await _samples(tool, path, rate=48_000)
    assert found.tobytes() == samples.tobytes()


async def test_mono_stays_mono(tool: Ffmpeg, tmp_path: Path) -> None:
    """One channel, not made quieter."""
    samples = _integers(16)[:, :1]
    path = _wave(tmp_path / "a.wav", _packed(samples, 16), rate=44_100, channels=1, bits=16)
    found = await _samples(tool, path, channels=1)
    assert np.array_equal(found, (samples / 2.0**15).astype(np.float32))


async def test_surround_is_mixed_down_and_cannot_clip(tool: Ffmpeg) -> None:
    """All six channels at full scale in phase stay within full scale; the centre goes to both sides."""
    loud = make_audio(f"aevalsrc=exprs='{'|'.join(['sin(2*PI*500*t)'] * 6)}':c=5.1:s=48000:d=1", ".flac")
    found = await _samples(tool, loud, rate=48_000)
    assert 0.9 < float(np.abs(found).max()) <= 1.0
    centre = make_audio("aevalsrc=exprs='0|0|0.5*sin(2*PI*500*t)|0|0|0':c=5.1:s=48000:d=1", ".flac")
    found = await _samples(tool, centre, rate=48_000)
    assert np.array_equal(found[:, 0], found[:, 1])
    assert float(np.abs(found).max()) > 0.1


async def test_resampling_keeps_length_and_sound(tool: Ffmpeg) -> None:
    """44.1 to 48 kHz: as many samples as the ratio says, and the same sine."""
    found = await _samples(tool, tone(3, hertz=1_000, rate=44_100, dbfs=-6), rate=48_000)
    assert len(found) == 3 * 48_000
    expected = 10 ** (-6 / 20) * np.sin(2 * np.pi * 1_000 / 48_000 * np.arange(len(found)))
    assert np.abs(found[4_800:-4_800, 0] - expected[4_800:-4_800]).max() < 1e-3


@pytest.mark.parametrize(
    ("suffix", "codec", "channels"),
    [
        (".m4a", "aac", 2),
        (".opus", "libopus", 2),
        (".mp3", "libmp3lame", 2),
        (".ogg", "libvorbis", 2),
        (".mp3", "libmp3lame", 1),
    ],
)
async def test_what_an_encoder_added_is_trimmed(tool: Ffmpeg, suffix: str, codec: str, channels: int) -> None:
    """Priming and padding are no music: the samples are as many as were encoded, and where they were."""
    rate = 48_000
    shape = f"aevalsrc=exprs='{'|'.join(['0.5*sin(2*PI*440*t)*lt(t,1)'] * channels)}':s={rate}:d=1.2345"
    path = make_audio(shape, suffix, "-c:a", codec, "-b:a", "160k")
    found = await _samples(tool, path, rate=rate, channels=channels)
    assert len(found) == round(1.2345 * rate)
    ends = np.flatnonzero(np.abs(found[:, 0]) > 0.1)[-1]
    assert ends == pytest.approx(rate, abs=150)


async def test_gaps_in_timestamps_are_not_heard(tool: Ffmpeg, tmp_path: Path) -> None:
    """A jump of 5 s in the middle of a file: its samples follow each other."""
    whole = tone(2, rate=48_000)
    path = tmp_path / "gap.mkv"
    jump = "setts=ts=if(gt(PTS\\,1000)\\,PTS+5000\\,PTS)"
    _ffmpeg(tool, "-i", str(whole), "-c:a", "pcm_s16le", "-bsf:a", jump, str(path))
    found = await _samples(tool, path, rate=48_000)
    expected = await _samples(tool, whole, rate=48_000)
    assert np.array_equal(found, expected)


async def test_packets_are_hashed_beside(tool: Ffmpeg, tmp_path: Path) -> None:
    """By the bytes of the stream alone: tags do not change it, other music does."""
    first, second = (
        make_audio(f"sine=frequency={hertz}:d=2", ".mp3", "-c:a", "libmp3lame", "-b:a", "128k") for hertz in (440, 441)
    )
    tagged = tmp_path / "tagged.mp3"
    _ffmpeg(tool, "-i", str(first), "-c", "copy", "-metadata", "title=Other", str(tagged))
    hashes = []
    for path in (first, tagged, second):
        taken = bytearray()
        hashes.append((await _decoded(tool, path, taken.extend, channels=1, packet_hash=True)).packet_sha256)
        assert len(taken) == 2 * 44_100 * 4
    assert hashes[0] == hashes[1] != hashes[2]
    data = _ffmpeg(tool, "-i", str(first), "-c", "copy", "-f", "data", "-map", "0:a", "pipe:1")
    assert hashes[0] == hashlib.sha256(data).hexdigest()
    assert (await _decoded(tool, first, lambda _: None, channels=1)).packet_sha256 is None


async def test_seconds_are_told_on_the_loop(tool: Ffmpeg) -> None:
    """Rising, at most one word for each step of audio, the last within a step of the end."""
    told: list[float] = []
    await _decoded(tool, music_like(21), lambda _: None, on_seconds=told.append)
    assert told == sorted(told)
    assert 3 <= len(told) <= 21 / PROGRESS_STEP_S
    assert 21 - PROGRESS_STEP_S <= told[-1] <= 21


async def test_what_cannot_be_decoded_is_an_error(tool: Ffmpeg, tmp_path: Path) -> None:
    """Noise under a familiar name; a container that was not asked for; no time at all."""
    noise = tmp_path / "noise.wav"
    noise.write_bytes(b"RIFF\x00\x01\x00\x00WAVEjunk" * 40)
    with pytest.raises(ToolFailed):
        await _samples(tool, noise)
    with pytest.raises(ToolFailed):
        await _decoded(tool, tone(3), lambda _: None, containers="flac")
    with pytest.raises(ToolTimeout):
        await _decoded(tool, tone(3), lambda _: None, timeout_s=0.001)


async def test_who_takes_may_stop(tool: Ffmpeg) -> None:
    """An error on the first samples ends the decoder."""

    def refuse(piece: bytes) -> None:
        raise SourceTooLong("enough", subject="song.flac")

    with pytest.raises(SourceTooLong, match="enough"):
        await _decoded(tool, music_like(9), refuse)


@pytest.mark.parametrize(("channels", "dither"), [(1, False), (2, True), (6, True)])
async def test_the_mezzanine_is_what_was_heard(tool: Ffmpeg, tmp_path: Path, channels: int, dither: bool) -> None:
    """The samples handed over are those in the file, but for the rounding to 24 bits; the gain is linear."""
    waves = "|".join(f"0.3*sin(2*PI*{300 + 100 * channel}*t)" for channel in range(channels))
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[channels]
    source = make_audio(f"aevalsrc=exprs='{waves}':c={layout}:s=44100:d=1.5", ".flac")
    target, mono = tmp_path / "out.mp4", channels == 1
    signals = []
    for gain_db in (-6.0, 0.0):
        taken = bytearray()
        await normalise(
            tool,
            str(source),
            str(target),
            taken.extend,
            gain_db=gain_db,
            dither=dither,
            mono=mono,
            timeout_s=60,
            subject="x",
        )
        signals.append(np.frombuffer(bytes(taken), "<f4").reshape(-1, 2))
        written = await _samples(tool, target, rate=48_000)
        assert len(written) == 1.5 * 48_000
        assert np.abs(written - signals[-1]).max() <= (2.0 if dither else 1.0) * 2**-23
    assert signals[0] == pytest.approx(signals[1] * 10 ** (-6 / 20), abs=1e-6)
    if mono:
        assert float(np.abs(signals[1]).max()) == pytest.approx(0.3, abs=0.001)


@pytest.mark.parametrize("suffix", [".flac", ".mp3", ".ogg", ".m4a", ".wav"])
async def test_a_filter_that_opens_it_gives_the_same_mezzanine(tool: Ffmpeg, tmp_path: Path, suffix: str) -> None:
    """To the byte, whatever the file is called."""
    source = tmp_path / f" -a:b, [0:a:0]; 'd' \\e=%20\udcff{suffix}"
    shutil.copy(music_like(3, suffix=suffix), source)
    made = []
    for checked in (True, False):
        target, taken = tmp_path / f"{checked}.mp4", bytearray()
        await normalise(
            tool,
            str(source),
            str(target),
            taken.extend,
            gain_db=-1.0,
            dither=True,
            checked=checked,
            timeout_s=60,
            subject="x",
        )
        made.append((taken, target.read_bytes()))
    assert made[0] == made[1]
    assert made[0][0]


@pytest.mark.parametrize("suffix", [".ogg", ".opus", ".mp3", ".flac"])
@pytest.mark.parametrize("channels", [1, 2])
async def test_a_filter_that_opens_it_gives_the_same_samples(
    tool: Ffmpeg, tmp_path: Path, suffix: str, channels: int
) -> None:
    """And the same packets, whatever the file is called."""
    source = tmp_path / f" -a:b, [0:a:0]; 'd' \\e=%20\udcff{suffix}"
    rate = 48_000 if suffix == ".opus" else 44_100
    shutil.copy(music_like(3, suffix=suffix), source)
    heard = []
    for checked in (True, False):
        taken = bytearray()
        done = await _decoded(
            tool, source, taken.extend, rate=rate, channels=channels, packet_hash=True, checked=checked
        )
        heard.append((taken, done.packet_sha256))
    assert heard[0] == heard[1]
    assert len(heard[0][0]) >= 2.9 * rate * channels * 4


async def test_a_filter_that_opens_it_forgives_nothing(tool: Ffmpeg, tmp_path: Path) -> None:
    """A page whose checksum is wrong is passed over where frames are checked; here it is an error that is named."""
    source = tmp_path / "song.ogg"
    data = bytearray(music_like(9, suffix=".ogg").read_bytes())
    data[len(data) // 2] ^= 0x10
    source.write_bytes(data)
    await _decoded(tool, source, lambda _: None, packet_hash=True)
    with pytest.raises(ToolFailed, match="CRC mismatch"):
        await _decoded(tool, source, lambda _: None, packet_hash=True, checked=False)


LENGTH = 144_005  # in no codec a whole number of frames


async def _encodings(tool: Ffmpeg, folder: Path, *, fragment_us: str = "5000000") -> dict[Codec, Path]:
    """One file of each codec, as the packager makes them, of an odd length; names as awkward as names may be."""
    folder.mkdir()
    noise = f"anoisesrc=s=7:r=48000:a=0.3:d=4,atrim=end_sample={LENGTH},aformat=channel_layouts=stereo"
    source = make_audio(noise, ".mp4", "-c:a", "flac")
    rates = {Codec.AAC: 128_000, Codec.OPUS: 96_000, Codec.FLAC: 0}
    paths = {codec: folder / f"{codec}.mp4" for codec in rates}
    outputs = [
        EncodeOutput(rendition=Rendition(rendition_id=codec, codec=codec, bitrate_bps=rates[codec]), path=str(path))
        for codec, path in paths.items()
    ]
    words = [fragment_us if word == "5000000" else word for word in argv.encode(tool.path, str(source), outputs)]
    await run(words, limits=Limits(timeout_s=60), subject="x")
    return paths


@pytest.mark.parametrize("name", ["plain", " a:b, [c]; 'd' \\e=%20", "\udcff"])
async def test_an_encoding_plays_back_as_it_decodes(tool: Ffmpeg, tmp_path: Path, name: str) -> None:
    """The same samples after the priming, as many as went in; whatever the folder is called."""
    for codec, path in (await _encodings(tool, tmp_path / name)).items():
        taken = bytearray()
        await play_back(tool, str(path), taken.extend, samples=LENGTH, timeout_s=60, subject="x")
        played = np.frombuffer(taken, "<f4").reshape(-1, 2)
        assert len(played) == LENGTH
        assert np.array_equal(played, (await _samples(tool, path, rate=48_000))[:LENGTH]), codec


async def test_an_encoding_in_parts_plays_back_as_it_is(tool: Ffmpeg, tmp_path: Path) -> None:
    """Every sample, across the borders too: one decoder hears all parts."""
    for codec, path in (await _encodings(tool, tmp_path / "a 'b'", fragment_us="900000")).items():
        if codec is Codec.FLAC:  # is not written in fragments
            continue
        with path.open("rb") as file:
            ends = part_ends(file, 1)
            names = [f"{codec}-{number}.mp4" for number in range(len(ends))]
            for name, pieces in zip(names, parts(file, ends), strict=True):
                path.with_name(name).write_bytes(b"".join(pieces))
        assert len(names) > 2
        (listing := path.with_name("parts.ffconcat")).write_bytes(argv.joined_list(names))
        whole, joined = bytearray(), bytearray()
        await play_back(tool, str(path), whole.extend, samples=LENGTH, timeout_s=60, subject="x")
        await play_back(tool, str(listing), joined.extend, samples=LENGTH, joined=True, timeout_s=60, subject="x")
        assert joined == whole


async def test_only_our_own_files_play_back(tool: Ffmpeg, tmp_path: Path) -> None:
    """Another container, or none at all, is an error."""
    for path in (tone(3), tmp_path / "missing"):
        with pytest.raises(ToolFailed):
            await play_back(tool, str(path), lambda _: None, timeout_s=60, subject="x")
