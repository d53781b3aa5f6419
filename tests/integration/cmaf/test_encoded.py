"""What ffmpeg really writes: read to the frame, packaged to the sample, and refused where it is damaged."""

import re
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from avtool import argv
from avtool.argv import EncodeOutput
from avtool.locate import Ffmpeg
from avtool.run import Limits, run
from cmaf.assemble import assemble
from cmaf.encoded import read_encoded
from cmaf.read import read_track_file
from model.errors import MediaError
from model.loudness import LoudnessReport
from model.rendition import Codec, Rendition
from tests.support.audio import make_audio

SAMPLES = 48_000 * 2 + 123
LIMITS = Limits(timeout_s=30, stdout_bytes=64 << 20)
LOUDNESS = LoudnessReport(integrated_lufs=-14.0, true_peak_dbtp=-2.0)
SECONDS_MAX = 5.0
ALL = pytest.mark.parametrize("codec", list(Codec))


@dataclass(frozen=True, slots=True)
class Encodings:
    """The source as samples, and what each encoder wrote of it."""

    source: NDArray[np.int32]
    files: dict[Codec, bytes]


def _signal() -> Path:
    """A sweep with a click a quarter second: of an odd length, at 48 kHz stereo, as the mezzanine has it."""
    wave = "0.3*sin(2*PI*(200+400*t)*t)+0.3*sin(2*PI*1500*t)*exp(-60*mod(t,0.25))"
    graph = f"aevalsrc=exprs='{wave}|0.8*({wave})':s=48000:d=3,atrim=end_sample={SAMPLES}"
    return make_audio(graph, ".mp4", "-c:a", "flac", "-sample_fmt", "s32")


async def _decoded(tool: Ffmpeg, path: Path) -> NDArray[np.int32]:
    command = [tool.path, "-v", "error", "-i", str(path), "-f", "s32le", "-ac", "2", "-ar", "48000", "pipe:1"]
    done = await run(command, limits=LIMITS, subject=path.name)
    return np.frombuffer(done.stdout, dtype="<i4").reshape(-1, 2)


@pytest.fixture
async def encodings(tool: Ffmpeg, tmp_path: Path) -> Encodings:
    """All three codecs by the argument list of the packager."""
    rates = {Codec.AAC: 128_000, Codec.OPUS: 96_000, Codec.FLAC: 0}
    outputs = [
        EncodeOutput(rendition=Rendition(rendition_id=codec, codec=codec, bitrate_bps=rate), path=str(tmp_path / codec))
        for codec, rate in rates.items()
    ]
    source = _signal()
    await run(argv.encode(tool.path, str(source), outputs), limits=LIMITS, subject="x")
    return Encodings(await _decoded(tool, source), {codec: (tmp_path / codec).read_bytes() for codec in rates})


def _packaged(encoded: bytes) -> bytes:
    target = BytesIO()
    assemble(read_encoded(BytesIO(encoded)), BytesIO(encoded), target, media_samples=SAMPLES, loudness=LOUDNESS)
    return target.getvalue()


async def test_the_encoders_are_understood(encodings: Encodings) -> None:
    """Codec, frame length and priming of each; never fewer samples than went in."""
    expected = {Codec.AAC: (1_024, 1_024), Codec.OPUS: (960, 312), Codec.FLAC: (3_840, 0)}
    for codec, (frame, priming) in expected.items():
        encoded = read_encoded(BytesIO(encodings.files[codec]))
        assert (encoded.codec, encoded.timescale, encoded.channels) == (codec, 48_000, 2)
        assert (encoded.frame_ticks, encoded.priming_ticks) == (frame, priming)
        assert encoded.media_ticks >= SAMPLES


async def test_every_sample_comes_back_where_it_was(tool: Ffmpeg, encodings: Encodings, tmp_path: Path) -> None:
    """As many samples as the source, none shifted; FLAC bit by bit. ffmpeg plays the last lossy frame to its end,
    whatever duration it is given, so there samples are counted in whole frames."""
    for codec, encoded in encodings.files.items():
        path = tmp_path / f"{codec}.mp4"
        path.write_bytes(_packaged(encoded))
        decoded = await _decoded(tool, path)
        if codec is Codec.FLAC:
            assert np.array_equal(decoded, encodings.source)
            continue
        frame, priming = {Codec.AAC: (1_024, 1_024), Codec.OPUS: (960, 312)}[codec]
        assert len(decoded) == -(-(SAMPLES + priming) // frame) * frame - priming, codec
        assert _lag(decoded, encodings.source) == 0, codec


def _lag(decoded: NDArray[np.int32], source: NDArray[np.int32]) -> int:
    """By how many samples a signal is late, from the peak of the cross-correlation."""
    size = 1 << (2 * len(source)).bit_length()
    spectra = [np.fft.rfft(each[:, 0] / 2**31, size) for each in (decoded, source)]
    found = int(np.argmax(np.fft.irfft(spectra[0] * np.conj(spectra[1]), size)))
    return found if found < size // 2 else found - size


async def test_damaged_encodings_are_refused(encodings: Encodings) -> None:
    """Cut, changed in a byte or in a number of the header: an encoding, or MediaError, and soon."""
    for data in encodings.files.values():
        moov = data.index(b"moov") - 4
        frames = data.find(b"mdat", moov)
        _try_damages(data, st.integers(moov, (frames if frames > 0 else len(data)) - 4))


def _try_damages(data: bytes, places: st.SearchStrategy[int]) -> None:

    @given(cut=st.integers(0, len(data)))
    def cut_off(cut: int) -> None:
        _bounded(data[:cut])

    @given(st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=6))
    def changed(changes: list[tuple[int, int]]) -> None:
        damaged = bytearray(data)
        for place, value in changes:
            damaged[place] = value
        _bounded(bytes(damaged))

    @given(place=places, value=st.sampled_from([0, 1, 2, 0x7FFF_FFFF, 0xFFFF_FFFF]) | st.integers(0, 0xFFFF_FFFF))
    def renumbered(place: int, value: int) -> None:
        _bounded(data[:place] + struct.pack(">I", value) + data[place + 4 :])

    cut_off()
    changed()
    renumbered()


def _bounded(data: bytes) -> None:
    began = time.monotonic()
    with suppress(MediaError):
        encoded = read_encoded(BytesIO(data))
        assert len(encoded.sizes) == len(encoded.offsets) > 0
        assert all(offset + size <= len(data) for offset, size in zip(encoded.offsets, encoded.sizes, strict=True))
    assert time.monotonic() - began < SECONDS_MAX


def _renumber(box: bytes, field: int, value: int) -> Callable[[bytes], bytes]:
    """Another number in a field of a box, counted in bytes from the end of its type."""

    def change(data: bytes) -> bytes:
        at = data.rindex(box) + 4 + field
        return data[:at] + struct.pack(">I", value) + data[at + 4 :]

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_renumber(b"stts", 8, 0xFFFF_FFFF), "42949672.. durations"),
        (_renumber(b"stts", 12, 0), "different durations"),
        (_renumber(b"stts", 4, 0), "0 durations"),
        (_renumber(b"stsz", 8, 0), "a track of 0 frames"),
        (_renumber(b"stsz", 8, 1 << 24), "a track of 16777216 frames"),
        (_renumber(b"stsz", 4, 1 << 20), "past the end|other frames|positions"),
        (_renumber(b"stsc", 4, 0), "runs of chunks"),
        (_renumber(b"stsc", 8, 0), "runs of chunks"),
        (_renumber(b"stco", 8, 0xFFFF_FFFF), "past the end"),
        (_renumber(b"stco", 4, 1 << 20), "cut off"),
        (lambda data: data.replace(b"moov", b"free"), "no moov"),
        (lambda data: data.replace(b"fLaC", b"ac-4"), "no sample entry"),
        (lambda data: data[: len(data) // 2], "passes the end"),
    ],
)
async def test_tables_that_lie_are_refused(
    encodings: Encodings, change: Callable[[bytes], bytes], message: str
) -> None:
    """Each lie by name, before anything is allocated for it."""
    with pytest.raises(MediaError, match=message):
        read_encoded(BytesIO(change(encodings.files[Codec.FLAC])))


@ALL
async def test_the_track_file_depends_on_the_frames_alone(encodings: Encodings, codec: Codec) -> None:
    """No trace of the encoder's file in it: no name, no date, no tags."""
    packaged = _packaged(encodings.files[codec])
    assert not re.search(rb"Lav[fc]", packaged[: read_track_file(BytesIO(packaged)).init_size_bytes])
    moved = bytes(64) + encodings.files[codec]
    encoded = read_encoded(BytesIO(encodings.files[codec]))
    elsewhere = replace(encoded, offsets=tuple(offset + 64 for offset in encoded.offsets))
    target = BytesIO()
    assemble(elsewhere, BytesIO(moved), target, media_samples=SAMPLES, loudness=LOUDNESS)
    assert target.getvalue() == packaged
