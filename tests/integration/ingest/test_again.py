"""Nothing is done twice, and nothing stays damaged: what a second ingest of the same sound does."""

import json
import os
import shlex
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mutagen.flac import FLAC
from PIL import Image

from avtool.locate import Ffmpeg
from ingest.hear import hear
from ingest.scan import Source
from model.loudness import LoudnessTarget
from storage.keys import CHANGES, analysis_key, art_key, mezzanine_key, mezzanine_record_key, track_key
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


_open_flac: Any = FLAC  # mutagen has no types


def tagged(path: Path, **tags: str) -> Path:
    """The file with other tags."""
    file: Any = _open_flac(path)
    for name, text in tags.items():
        file[name] = text
    file.save()
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


async def test_a_changed_tag_is_taken_over_and_nothing_is_encoded(
    bench: Bench, song: Path, runs: Callable[[], int]
) -> None:
    """The sound is decoded once more to know that it is the same; the track, its recording and its mezzanine stay."""
    first = await bench.track(song)
    runs()
    before = bench.objects()
    for tags in ({"title": "New"}, {"album": "Other", "tracknumber": "7"}, {"musicbrainz_releasetrackid": "1-2"}):
        second = await bench.ingest(tagged(song, **tags))
        assert second.fresh
        assert runs() == 2  # probe and measurement
        assert second.track.track_id == first.track_id
        assert second.track.mezzanine == first.mezzanine
    assert (second.track.tags.title, second.track.tags.album, second.track.tags.track_number) == ("New", "Other", 7)
    changed = {name for name, data in bench.objects().items() if before.get(name) != data and not name.startswith(".")}
    assert {name for name in changed if not name.startswith("art/")} == {track_key(first.track_id)}


async def test_two_releases_of_one_recording_are_two_tracks_over_it(
    bench: Bench, song: Path, runs: Callable[[], int]
) -> None:
    """The second costs a decode; analysis and mezzanine are shared."""
    tagged(song, album="Album", artist="A", tracknumber="3")
    first = await bench.track(song)
    other = song.with_name("other.flac")
    shutil.copy(song, other)
    tagged(other, album="Best Of", artist="A", tracknumber="1")
    runs()
    second = await bench.track(other)
    assert runs() == 2
    assert second.track_id != first.track_id
    assert second.mezzanine == first.mezzanine
    assert (await bench.track(song)) == first
    assert (await bench.track(other)) == second


async def test_the_same_sound_in_another_container_is_the_same_recording(bench: Bench, song: Path) -> None:
    """FLAC, WAV and ALAC of the same samples."""
    first = await bench.track(song)
    for name, codec in (("song.wav", "pcm_s24le"), ("song.m4a", "alac"), ("song.wv", "wavpack")):
        copy = song.with_name(name)
        bench.ffmpeg("-i", song, "-c:a", codec, copy)
        assert (await bench.track(copy)).recording_id == first.recording_id


async def test_a_copy_under_the_same_name_elsewhere_is_known_without_decoding(
    bench: Bench, song: Path, runs: Callable[[], int]
) -> None:
    """The bytes were heard before."""
    first = await bench.track(song)
    runs()
    copy = bench.folder / "backup" / "album" / "song.flac"
    copy.parent.mkdir(parents=True)
    shutil.copy(song, copy)
    again = await bench.ingest(copy)
    assert (again.track.track_id, again.fresh) == (first.track_id, False)
    assert runs() <= 1  # the probe: what the container is


async def test_other_samples_are_another_recording(bench: Bench) -> None:
    """One sample less is enough, for lossless and lossy alike."""
    found = {
        (await bench.track(music_like(length, suffix=suffix))).recording_id
        for length in (1.0, 1.1)
        for suffix in (".flac", ".mp3")
    }
    assert len(found) == 4


async def test_another_name_is_taken_over_without_decoding(bench: Bench, song: Path, runs: Callable[[], int]) -> None:
    """A file that was renamed is the same recording under its new name."""
    first = await bench.track(song)
    runs()
    second = await bench.ingest(song.rename(song.with_name("02 Other.flac")))
    assert second.fresh
    assert runs() <= 1
    assert second.track.track_id == first.track_id
    assert (second.track.tags.title, second.track.tags.track_number) == ("Other", 2)
    assert second.track.mezzanine == first.mezzanine


async def test_a_file_that_was_retagged_and_then_moved_is_the_track_that_it_was(bench: Bench, song: Path) -> None:
    """Its bytes are known, and gone from where they were."""
    first = await bench.track(tagged(song, album="One", tracknumber="1"))
    second = await bench.track(tagged(song, album="Two", tracknumber="2"))
    third = await bench.track(song.rename(song.with_name("moved.flac")))
    assert first.track_id == second.track_id == third.track_id
    assert third.tags.album == "Two"


async def test_a_new_cover_is_taken_over_without_decoding(bench: Bench, song: Path, runs: Callable[[], int]) -> None:
    """A cover.jpg laid beside the song changes the report and the art, and nothing else."""
    first = await bench.track(song)
    runs()
    before = bench.objects()
    Image.new("RGB", (700, 700), "navy").save(song.parent / "cover.jpg")
    second = await bench.ingest(song)
    assert second.fresh
    assert runs() == 0
    assert second.track == replace(first, art_id=second.track.art_id)
    assert second.track.art_id != first.art_id
    changed = {name for name, data in bench.objects().items() if before.get(name) != data and not name.startswith(".")}
    assert changed == {
        track_key(first.track_id),
        *(f"art/{second.track.art_id}/{side}.jpg" for side in (160, 640, 1280)),
    }
    assert not (await bench.ingest(song)).fresh


async def test_a_cover_is_made_once_and_again_only_where_it_was_lost(bench: Bench, song: Path) -> None:
    """Scaling pictures costs more than all else that a second run does."""
    Image.new("RGB", (700, 700), "navy").save(song.parent / "cover.jpg")
    track = await bench.track(song)
    before = bench.objects()
    again = await hear(bench.work, Source(path=song))
    assert (again.around.art.art_id, again.around.art.pictures) == (track.art_id, {})
    for key in (track_key(track.track_id), art_key(track.art_id, 640)):
        await bench.work.store.delete(key)
    assert (await bench.track(song)) == track
    assert {name for name in bench.objects() if not name.startswith((".", CHANGES))} == {
        name for name in before if not name.startswith((".", CHANGES))
    }


@pytest.mark.parametrize("damage", [b"", b"{", b"null", b'{"track_id": 7}', bytes(100), b"\xff\xfe"])
async def test_damaged_records_are_written_anew(bench: Bench, song: Path, damage: bytes) -> None:
    """Junk in the place of a report, of an analysis or of a mezzanine's record counts as none."""
    track = await bench.track(song)
    made = track.mezzanine
    keys = (
        track_key(track.track_id),
        analysis_key(made.recording_id),
        mezzanine_record_key(made.recording_id, made.mezzanine_id),
    )
    good = [(await bench.work.store.read(key)).data for key in keys]
    for key in keys:
        await bench.work.store.put(key, damage, media_type="application/json", cache_control="no-cache")
    assert (await bench.ingest(song)).fresh
    assert [(await bench.work.store.read(key)).data for key in keys] == good
    assert json.loads(good[0])["source_name"] == "song.flac"


async def test_a_lost_mezzanine_is_made_again(bench: Bench, song: Path) -> None:
    """To the byte, as it is named by what it is made of."""
    track = await bench.track(song)
    key = mezzanine_key(track.recording_id, track.mezzanine.mezzanine_id)
    before = await bench.work.store.head(key)
    await bench.work.store.delete(key)
    assert (await bench.track(song)) == track
    assert (await bench.work.store.head(key)).sha256 == before.sha256


async def test_other_settings_make_another_mezzanine_without_measuring_again(
    bench: Bench, song: Path, runs: Callable[[], int]
) -> None:
    """Beside the old one, which packages may still be made of; the report names the new."""
    first = await bench.track(song)
    runs()
    bench.set(target=LoudnessTarget(integrated_lufs=-18.0))
    second = await bench.track(song)
    assert runs() == 1
    assert second.track_id == first.track_id
    assert second.mezzanine.mezzanine_id != first.mezzanine.mezzanine_id
    for track in (first, second):
        await bench.work.store.head(mezzanine_key(track.recording_id, track.mezzanine.mezzanine_id))


async def test_the_report_is_written_last(bench: Bench, song: Path) -> None:
    """What the report names is there before it is."""
    track = await bench.track(song)
    store = bench.folder / "store"
    times = {str(path.relative_to(store)): path.stat().st_mtime_ns for path in store.rglob("*") if path.is_file()}
    report = times.pop(track_key(track.track_id))
    made = mezzanine_key(track.recording_id, track.mezzanine.mezzanine_id)
    assert report >= max(time for name, time in times.items() if not name.startswith((".", CHANGES)))
    assert times[made] <= times[made.replace(".mp4", ".json")]


async def test_a_refused_file_is_refused_again_at_once(bench: Bench, song: Path, runs: Callable[[], int]) -> None:
    """With the same words and no program started, until it changes or is to be tried again."""
    song.write_bytes(song.read_bytes()[:-1000])
    first = await bench.refusal(song)
    runs()
    second = await bench.refusal(song)
    assert (second.code, str(second), second.hint) == (first.code, str(first), first.hint)
    assert runs() == 0
    bench.set(again=True)
    assert (await bench.refusal(song)).code == first.code
    shutil.copy(music_like(1.0), song)
    bench.set(again=False)
    assert (await bench.ingest(song)).fresh
