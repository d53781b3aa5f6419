"""Packages belong to recordings: what one track, ladder or level made is never encoded again for another."""

import asyncio
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from avtool.locate import Ffmpeg, locate
from model.package import Package
from model.track import TrackTags
from packager.level import TOLERANCE_LU
from packager.pipeline import Packaged, package
from packager.settings import PackageSettings
from storage.base import ObjectStore
from storage.filesystem import FilesystemStore
from storage.keys import change_in, current_key, package_key, recording_prefix
from tests.integration.packager.conftest import (
    CEILING_DBTP,
    SMALL,
    Shelf,
    files_of,
    put_track,
    sound_package,
    track_of,
    work_on,
)
from tests.support.faulty_store import FaultyStore

LADDER_B = PackageSettings(aac_bitrates_bps=(64_000, 96_000), opus_bitrates_bps=(64_000, 96_000))
METERS_AGREE_DB = 0.1
_WRITTEN = re.compile(r"(?<!-i )file:\S*/([a-z]+-\d+)[+-]\d+\.\d\ddB\.encoded\.mp4")
_EBUR128 = re.compile(r"I:\s+(-?[\d.]+) LUFS.*Peak:\s+(-?[\d.]+) dBFS", re.DOTALL)


class Counted:
    """The ffmpeg that comes with Segue, behind a script that writes down how it is called."""

    def __init__(self, tool: Ffmpeg, folder: Path) -> None:
        self._log, self.script = folder / "calls", folder / "counted-ffmpeg"
        self._log.touch()
        self.script.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$*\" >>'{self._log}'\nexec '{tool.path}' \"$@\"\n")
        self.script.chmod(0o700)

    def encoded(self) -> Counter[str]:
        """How often each rendition was tried since this was last asked; with dips it is the same attempt."""
        calls = [each for each in self._log.read_text().splitlines() if "between(n" not in each]
        found = Counter(_WRITTEN.findall("\n".join(calls)))
        self._log.write_text("")
        return found


@pytest.fixture
def counted(tool: Ffmpeg, tmp_path: Path) -> Counted:
    """An ffmpeg that counts."""
    return Counted(tool, tmp_path)


@pytest.fixture
async def afresh(loud: Shelf, tmp_path: Path) -> AsyncIterator[FilesystemStore]:
    """One more store of its own with the loud track."""
    shutil.copytree(loud.folder, tmp_path / "afresh")
    opened = FilesystemStore(tmp_path / "afresh")
    yield opened
    await opened.close()


async def _publish(
    counted: Counted,
    store: ObjectStore,
    shelf: Shelf,
    settings: PackageSettings = SMALL,
    *,
    lower_db: float | None = None,
) -> Packaged:
    work = work_on(await locate(str(counted.script)), store, settings)
    return await package(work, shelf.track.track_id, subject="x", lower_db=lower_db)


async def _of_package(store: ObjectStore, made: Package) -> dict[str, str]:
    """Key and content hash of all files of a package."""
    prefix = f"{recording_prefix(made.recording_id)}{made.package_id}/"
    return {key: digest for key, digest in (await files_of(store)).items() if key.startswith(prefix)}


def _tried(made: Package) -> Counter[str]:
    return Counter(each.rendition_id for each in made.attempts)


async def test_a_grown_ladder_encodes_only_its_new_rungs(
    counted: Counted, loud_store: FilesystemStore, afresh: FilesystemStore, loud: Shelf
) -> None:
    """Ladder A, then B which has it inside: what A tried is not tried again, and every byte is as B alone gives it."""
    first = await _publish(counted, loud_store, loud)
    assert counted.encoded() == _tried(first.package)
    assert counted.encoded() == Counter()
    grown = await _publish(counted, loud_store, loud, LADDER_B)
    encoded = counted.encoded()
    whole = await _publish(counted, afresh, loud, LADDER_B)
    from_scratch = counted.encoded()
    assert await sound_package(loud_store, loud.track.track_id) == grown.package == whole.package
    assert await _of_package(loud_store, grown.package) == await _of_package(afresh, whole.package)
    known = {(each.rendition_id, each.trim_db) for each in first.package.attempts}
    tried = whole.package.attempts
    assert encoded == Counter(each.rendition_id for each in tried if (each.rendition_id, each.trim_db) not in known)
    assert set(encoded) >= {"aac-96", "opus-96"}
    assert encoded.total() < from_scratch.total() == len(tried)


async def test_new_rungs_of_a_track_with_room_are_all_that_is_encoded(
    counted: Counted, live: FilesystemStore, ingested: Shelf
) -> None:
    """Nothing overshoots: the old rungs are taken over as they are, each new one is encoded once."""
    await _publish(counted, live, ingested, LADDER_B)
    assert counted.encoded() == Counter({"aac-96": 1, "opus-96": 1})


async def test_a_rung_of_another_rate_is_another_rung(counted: Counted, live: FilesystemStore, ingested: Shelf) -> None:
    """Though it has the same id: nothing of it is taken over."""
    done = await _publish(counted, live, ingested, replace(SMALL, aac_bitrates_bps=(64_400,)))
    assert counted.encoded() == Counter(["aac-64"])
    assert done.package.renditions[0].rendition.bitrate_bps == 64_400


async def test_a_shrunk_ladder_encodes_nothing(
    counted: Counted, live: FilesystemStore, ingested: Shelf, tmp_path: Path
) -> None:
    """Not even the mezzanine is needed."""
    shutil.rmtree(tmp_path / "live" / "recordings" / ingested.track.recording_id / "mezzanine")
    alone = replace(SMALL, opus_bitrates_bps=(), lossless=False)
    done = await _publish(counted, live, ingested, alone)
    assert done.fresh
    assert counted.encoded() == Counter()
    assert await sound_package(live, ingested.track.track_id) == done.package


async def test_what_an_earlier_package_lost_is_encoded_again(
    counted: Counted, live: FilesystemStore, ingested: Shelf, tmp_path: Path
) -> None:
    """A damaged track file is not taken over, a missing one neither; the result is whole."""
    made = await sound_package(live, ingested.track.track_id)
    assert made is not None
    damaged = tmp_path / "live" / package_key(made.recording_id, made.package_id, "aac-64.mp4")
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    await live.delete(package_key(made.recording_id, made.package_id, "opus-64.mp4"))
    done = await _publish(counted, live, ingested, LADDER_B)
    assert counted.encoded() == Counter(["aac-64", "aac-96", "opus-64", "opus-96"])
    assert await sound_package(live, ingested.track.track_id) == done.package


async def test_what_was_taken_over_wrongly_is_made_again(
    counted: Counted, live: FilesystemStore, ingested: Shelf, tmp_path: Path
) -> None:
    """An earlier package.json that tells another loudness than its files: found before it goes live, and not copied."""
    made = await sound_package(live, ingested.track.track_id)
    assert made is not None
    record = tmp_path / "live" / package_key(made.recording_id, made.package_id, "package.json")
    said = made.renditions[0].loudness.true_peak_dbtp
    assert said is not None
    record.write_text(record.read_text().replace(repr(said), repr(said - 1.0)))
    done = await _publish(counted, live, ingested, LADDER_B)
    assert counted.encoded() == Counter({"aac-64": 1, "opus-64": 1, "aac-96": 2, "opus-96": 2})
    assert await sound_package(live, ingested.track.track_id) == done.package
    assert done.package.renditions[0].loudness.true_peak_dbtp == said


async def test_two_releases_of_one_recording_share_a_package(
    counted: Counted, live: FilesystemStore, ingested: Shelf
) -> None:
    """Another track over the same mezzanine: nothing is encoded or uploaded but the record, anew, and its pointer."""
    compilation = track_of(ingested.track.mezzanine, "The Very Best")
    await put_track(live, compilation)
    watched = FaultyStore(live)
    done = await _publish(counted, watched, Shelf(ingested.folder, compilation))
    assert done.fresh
    assert counted.encoded() == Counter()
    record = package_key(compilation.recording_id, done.package_id, "package.json")
    *puts, told = [key for kind, key in watched.calls if kind == "put"]
    assert puts == [record, current_key(compilation.track_id)]
    assert (change := change_in(told)) and change.track_id == compilation.track_id
    assert await sound_package(live, compilation.track_id) == await sound_package(live, ingested.track.track_id)


async def test_two_releases_at_the_same_moment_are_encoded_once(
    counted: Counted, store: FilesystemStore, ingested: Shelf
) -> None:
    """Who comes second waits, and finds it done."""
    compilation = track_of(ingested.track.mezzanine, "The Very Best")
    await put_track(store, compilation)
    work = work_on(await locate(str(counted.script)), store)
    tracks = (ingested.track, compilation)
    one, other = await asyncio.gather(*(package(work, each.track_id, subject=each.release) for each in tracks))
    assert one.package == other.package
    assert one.fresh and other.fresh
    assert counted.encoded() == Counter(["aac-64", "opus-64"])
    for each in tracks:
        assert await sound_package(store, each.track_id) == one.package


async def test_tags_art_and_target_are_nothing_to_a_package(
    counted: Counted, live: FilesystemStore, ingested: Shelf
) -> None:
    """The mezzanine says what is encoded; what the track is called does not."""
    assert ingested.track.target is not None
    target = replace(ingested.track.target, integrated_lufs=-16.0)
    await put_track(live, replace(ingested.track, tags=TrackTags(title="Anew"), art_id="c" * 16, target=target))
    done = await _publish(counted, live, ingested)
    assert not done.fresh
    assert done.track.tags.title == "Anew"
    assert counted.encoded() == Counter()


async def test_an_overshoot_is_told_and_the_rest_of_an_album_can_follow(
    counted: Counted, loud_store: FilesystemStore, loud: Shelf, tool: Ffmpeg, tmp_path: Path
) -> None:
    """A mezzanine at the ceiling: every rendition, by another meter, is under it and near the level that is told; and
    what is lowered further is a package of its own, at that level."""
    done = await _publish(counted, loud_store, loud)
    await _check_levels(loud_store, done.package, tool, tmp_path)
    assert done.lowered_db == pytest.approx(_level(loud) - (done.package.level_lufs or 0))
    again = await _publish(counted, loud_store, loud)
    assert (again.fresh, again.lowered_db) == (False, done.lowered_db)
    assert not (await _publish(counted, loud_store, loud, lower_db=0.004)).fresh
    lower = await _publish(counted, loud_store, loud, lower_db=3.0)
    assert lower.package_id != done.package_id
    assert lower.lowered_db == pytest.approx(3.0)
    await _check_levels(loud_store, lower.package, tool, tmp_path)


async def test_what_was_lowered_stays_so_until_told_otherwise(
    counted: Counted, live: FilesystemStore, ingested: Shelf
) -> None:
    """A run that says nothing of lowering does not undo what an album needed, with another ladder neither."""
    lower = await _publish(counted, live, ingested, lower_db=0.37)
    assert counted.encoded() == Counter(["aac-64", "opus-64"])
    again = await _publish(counted, live, ingested)
    assert (again.fresh, again.package) == (False, lower.package)
    grown = await _publish(counted, live, ingested, LADDER_B)
    assert counted.encoded() == Counter(["aac-96", "opus-96"])
    assert {each.trim_db for each in grown.package.renditions} == {-0.37}
    assert grown.lowered_db == pytest.approx(0.37)
    back = await _publish(counted, live, ingested, lower_db=0.0)
    assert back.lowered_db == 0.0
    assert counted.encoded() == Counter()


def _level(shelf: Shelf) -> float:
    level = shelf.track.mezzanine.loudness.integrated_lufs
    assert level is not None
    return level


async def _check_levels(store: ObjectStore, made: Package, tool: Ffmpeg, folder: Path) -> None:
    assert made.level_lufs is not None
    for each in made.renditions:
        path = folder / "measured.mp4"
        await store.fetch(package_key(made.recording_id, made.package_id, f"{each.rendition.rendition_id}.mp4"), path)
        loudness, peak = _by_ebur128(tool, path)
        assert loudness == pytest.approx(made.level_lufs, abs=TOLERANCE_LU + METERS_AGREE_DB)
        assert peak <= CEILING_DBTP + METERS_AGREE_DB


def _by_ebur128(tool: Ffmpeg, path: Path) -> tuple[float, float]:
    """Integrated loudness and true peak of a file, as ffmpeg's own meter sees them."""
    command = [tool.path, "-nostdin", "-hide_banner", "-i", str(path), "-af", "ebur128=peak=true", "-f", "null", "-"]
    report = subprocess.run(command, check=True, timeout=60, capture_output=True, text=True).stderr
    summary = _EBUR128.search(report[report.rindex("Summary:") :])
    assert summary is not None
    return float(summary[1]), float(summary[2])


async def test_loudness_off_leaves_the_signal_as_it_is(
    counted: Counted, loud_store: FilesystemStore, loud: Shelf
) -> None:
    """One encoding each, without a trim, whatever the peaks do; and a package of its own."""
    await put_track(loud_store, replace(loud.track, target=None))
    done = await _publish(counted, loud_store, loud)
    assert counted.encoded() == Counter(["aac-64", "opus-64"])
    assert (done.package.level_lufs, done.package.true_peak_dbtp, done.lowered_db) == (None, None, 0.0)
    assert {each.trim_db for each in done.package.renditions} == {0.0}
    await put_track(loud_store, loud.track)
    levelled = await _publish(counted, loud_store, loud)
    assert levelled.package_id != done.package_id


async def test_silence_is_packaged(counted: Counted, silent: Shelf, tmp_path: Path) -> None:
    """It has no level, and nothing is tried twice."""
    shutil.copytree(silent.folder, tmp_path / "silent")
    store = FilesystemStore(tmp_path / "silent")
    done = await _publish(counted, store, silent)
    assert (done.package.level_lufs, done.lowered_db) == (None, 0.0)
    assert counted.encoded() == Counter(["aac-64", "opus-64"])
    assert await sound_package(store, silent.track.track_id) == done.package
    await store.close()
