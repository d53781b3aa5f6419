"""Nothing is done twice, and nothing stays damaged: what a second ingest of the same source does."""

import json
import os
import shlex
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from avtool.locate import Ffmpeg
from model.loudness import LoudnessTarget
from storage.keys import ingest_key, mezzanine_key
from tests.integration.ingest.conftest import Bench
from tests.support.audio import music_like


@pytest.fixture
def runs(bench: Bench) -> Callable[[], int]:
    """How often ffmpeg was started since one last asked; it runs behind a program that keeps count."""
    log, program = bench.folder / "runs.log", bench.folder / "counting-ffmpeg"
    program.write_text(
        f'#!/bin/sh\necho run >>{shlex.quote(str(log))}\nexec {shlex.quote(bench.work.tool.path)} "$@"\n'
    )
    program.chmod(0o755)
    log.touch()
    bench.work = replace(bench.work, tool=Ffmpeg(path=str(program), version=bench.work.tool.version))

    def count() -> int:
        seen = len(log.read_text().splitlines())
        log.write_text("")
        return seen

    return count


@pytest.fixture
def song(bench: Bench) -> Path:
    """A song in a folder of its own."""
    path = bench.folder / "album" / "song.flac"
    path.parent.mkdir()
    shutil.copy(music_like(1.0), path)
    return path


async def test_the_same_source_is_skipped(bench: Bench, song: Path, runs: Callable[[], int]) -> None:
    """One probe, one measurement and one mezzanine; the second time nothing runs and nothing is written."""
    first = await bench.ingest(song)
    assert (first.fresh, runs()) == (True, 3)
    before = bench.objects()
    second = await bench.ingest(song)
    assert (second.fresh, runs()) == (False, 0)
    assert second.track == first.track
    assert bench.objects() == before


async def test_a_source_that_was_touched_is_read_but_not_decoded(
    bench: Bench, song: Path, runs: Callable[[], int]
) -> None:
    """The bytes decide, not the clock."""
    await bench.ingest(song)
    runs()
    os.utime(song, ns=(1, 1))
    assert not (await bench.ingest(song)).fresh
    assert runs() == 0


async def test_another_name_is_taken_over_without_decoding(bench: Bench, song: Path, runs: Callable[[], int]) -> None:
    """A file that moved is the same track under its new name."""
    first = await bench.track(song)
    runs()
    moved = song.rename(song.with_name("02 Other.flac"))
    second = await bench.ingest(moved)
    assert second.fresh
    assert runs() == 0
    assert second.track.track_id == first.track_id
    assert (second.track.tags.title, second.track.tags.track_number) == ("Other", 2)
    assert second.track.mezzanine_sha256 == first.mezzanine_sha256


async def test_a_new_cover_is_taken_over_without_decoding(bench: Bench, song: Path, runs: Callable[[], int]) -> None:
    """A cover.jpg laid beside the song changes the report and the art, and nothing else."""
    first = await bench.track(song)
    runs()
    before = bench.objects()
    Image.new("RGB", (700, 700), "navy").save(song.parent / "cover.jpg")
    second = await bench.ingest(song)
    assert second.fresh
    assert runs() == 0
    assert second.track == replace(first, art_sha256=second.track.art_sha256)
    assert second.track.art_sha256 != first.art_sha256
    changed = {name for name, data in bench.objects().items() if before.get(name) != data and "tracks/" in name}
    assert any(second.track.art_sha256 in name for name in changed)
    assert not any("mezzanine" in name for name in changed)
    assert not (await bench.ingest(song)).fresh


@pytest.mark.parametrize("damage", [b"", b"{", b"null", b'{"track_id": 7}', bytes(100), b"\xff\xfe"])
async def test_a_damaged_report_is_written_anew(bench: Bench, song: Path, damage: bytes) -> None:
    """Junk in the report's place counts as no report."""
    key = ingest_key((await bench.track(song)).track_id)
    good = (await bench.work.store.read(key)).data
    await bench.work.store.put(key, damage, media_type="application/json", cache_control="no-cache")
    assert (await bench.ingest(song)).fresh
    assert (await bench.work.store.read(key)).data == good
    assert json.loads(good)["source_name"] == "song.flac"


async def test_a_lost_mezzanine_is_made_again(bench: Bench, song: Path) -> None:
    """To the byte, as it is named by what it is made of."""
    track = await bench.track(song)
    key = mezzanine_key(track.track_id, track.ingest_id)
    before = await bench.work.store.head(key)
    await bench.work.store.delete(key)
    assert (await bench.track(song)) == track
    assert (await bench.work.store.head(key)).sha256 == before.sha256


async def test_other_settings_make_another_mezzanine(bench: Bench, song: Path) -> None:
    """Beside the old one, which packages may still be made of; the report names the new."""
    first = await bench.track(song)
    bench.set(target=LoudnessTarget(integrated_lufs=-18.0))
    second = await bench.track(song)
    assert second.track_id == first.track_id
    assert second.ingest_id != first.ingest_id
    for track in (first, second):
        await bench.work.store.head(mezzanine_key(track.track_id, track.ingest_id))


async def test_the_report_is_written_last(bench: Bench, song: Path) -> None:
    """What the report names is there before it is."""
    track = await bench.track(song)
    store = bench.folder / "store"
    times = {path.name: path.stat().st_mtime_ns for path in store.rglob("*") if path.is_file()}
    report = max(times[name] for name in times if name.startswith("ingest"))
    assert report >= max(times[name] for name in times if name.startswith((track.ingest_id, track.art_sha256)))
