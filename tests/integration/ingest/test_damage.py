"""Damage in the middle of a file: found by the checksums that formats have, never played as noise."""

import shutil
import time

import pytest

from tests.integration.ingest.conftest import Bench
from tests.support.audio import counted, music_like


@pytest.mark.parametrize(
    ("suffix", "codec"), [(".flac", "flac"), (".wv", "wavpack"), (".mka", "flac"), (".oga", "flac")]
)
@pytest.mark.parametrize("place", [0.3, 0.6, 0.9])
async def test_a_flipped_bit_is_damage(bench: Bench, suffix: str, codec: str, place: float) -> None:
    """The decoder would go on with noise, in the right length."""
    path = bench.folder / f"song{suffix}"
    bench.ffmpeg("-i", music_like(2.0), "-c:a", codec, path)
    data = bytearray(path.read_bytes())
    data[int(len(data) * place)] ^= 0x10
    path.write_bytes(data)
    assert (await bench.refusal(path)).code in ("source-damaged", "source-truncated")


async def test_a_gigabyte_of_nothing_costs_nothing(bench: Bench) -> None:
    """A header, and then chunks of no size: ffmpeg would step over all of them."""
    path = bench.folder / "sparse.wav"
    with path.open("wb") as file:
        file.write(b"RIFF\xff\xff\xff\x3fWAVE")
        file.truncate(1 << 30)
    started = time.monotonic()
    assert (await bench.refusal(path)).code == "source-header-lies"
    assert time.monotonic() - started < 20  # to hash it; ffmpeg alone would take its whole time limit of 30 s


async def test_alac_in_caf_is_whole(bench: Bench) -> None:
    """ffmpeg takes its padding off twice if it is let."""
    source = counted(100_001, rate=48_000)
    path = bench.folder / "song.caf"
    bench.ffmpeg("-i", source, "-c:a", "alac", path)
    assert (await bench.track(path)).media_samples == 100_001


async def test_a_damaged_frame_of_a_lossy_file_is_passed_over(bench: Bench) -> None:
    """As every player does: a bad frame in an MP3 is a click, and the rest is music."""
    path = bench.folder / "song.mp3"
    shutil.copy(music_like(4.0, suffix=".mp3"), path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    assert (await bench.track(path)).media_samples == pytest.approx(4 * 48_000, abs=2 * 1152 * 48_000 / 44_100)
