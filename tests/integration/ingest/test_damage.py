"""Damage in the middle of a file: found by the checksums that formats have, never played as noise."""

import shutil
import time
from pathlib import Path

import pytest

from ingest.checks.declared import declared_samples
from ingest.checks.refusals import probe_source
from ingest.listen import Limits, listen
from ingest.scan import Source
from model.analysis import Analysis
from model.errors import SourceError
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


@pytest.mark.parametrize("suffix", [".ogg", ".opus", ".webm"])
@pytest.mark.parametrize("place", [0.2, 0.5, 0.8])
async def test_what_is_opened_the_cheap_way_is_heard_and_refused_as_ever(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, suffix: str, place: float
) -> None:
    """Whole, and with some bytes of noise: the same recordings, the same measurements, the same words of refusal."""
    whole, damaged = bench.folder / f"whole{suffix}", bench.folder / f"damaged{suffix}"
    shutil.copy(music_like(6.0, suffix=suffix), whole)
    data = bytearray(whole.read_bytes())
    at = int(len(data) * place)
    data[at : at + 16] = bytes(16)
    damaged.write_bytes(data)
    told = [await _heard_or_refused(bench, path) for path in (whole, damaged)]
    monkeypatch.setattr("ingest.listen.unchecked", lambda _: False)
    assert [await _heard_or_refused(bench, path) for path in (whole, damaged)] == told
    assert isinstance(told[0], Analysis)


async def _heard_or_refused(bench: Bench, path: Path) -> Analysis | tuple[str, str]:
    source = Source(path=path)
    try:
        probe = await probe_source(bench.work.tool, source)
        limits = Limits(timeout_s=60, duration_s_max=60)
        found = await listen(
            bench.work.tool,
            source,
            probe,
            declared_samples=declared_samples(source),
            limits=limits,
            on_seconds=lambda _: None,
        )
    except SourceError as error:
        return error.code, error.message
    return found.analysis
