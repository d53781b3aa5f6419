"""Runs as an operator meets them: run again, changed, killed, damaged, retried, watched."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.test_faults import disk_that_hangs
from tests.support.cluster import until
from tests.support.command import SHORT_LADDER, objects, segue, started
from tests.support.cut_album import PublishedTrack, music, tracks_in, write_track, write_tracks

STORE = ("--store", "file:store", "--catalog", "catalog.sqlite3")
PUBLISH = ("publish", "music", *STORE, *SHORT_LADDER)
RATE_HZ = 44_100
LENGTH = int(RATE_HZ * 2.05) + 17


def album(folder: Path, tracks: int = 3, *, peak: float = 0.36, **tags: str) -> list[Path]:
    """An album that runs on, in `music`."""
    wave = music(LENGTH * tracks, rate=RATE_HZ, peak=peak)
    cuts = [LENGTH * number for number in range(1, tracks)]
    return write_tracks(folder / "music", wave, cuts, rate=RATE_HZ, **tags)


def written_at(folder: Path) -> dict[Path, int]:
    """When each media file in the store was written."""
    return {path: path.stat().st_mtime_ns for path in folder.glob("store/recordings/**/*.mp4")}


def live(folder: Path) -> list[PublishedTrack]:
    """The live tracks of the store in this folder."""
    return tracks_in(folder / "store")


def places(folder: Path) -> list[tuple[int | None, int]]:
    """Of each live track its place in its run and the size of that."""
    return [(track.position, len(track.run)) for track in live(folder)]


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a run that nobody disturbs makes of the album, two things at once."""
    folder = tmp_path_factory.mktemp("calm")
    album(folder)
    assert segue(*PUBLISH, cwd=folder).status == 0
    return objects(folder / "store")


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    """A second run skips, and a dry run says so; the report has all tracks of the run."""
    album(tmp_path)
    ran = segue(*PUBLISH, "--report", "report.html", cwd=tmp_path)
    assert ran.summary == {"done": 3, "skipped": 0, "failed": 0}
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert all(f"Part {number}" in page for number in (1, 2, 3))
    (plan,) = (line for line in segue(*PUBLISH, "--dry-run", cwd=tmp_path).lines if line["event"] == "plan")
    assert (plan["known"], plan["new"], plan["audio_s"]) == (3, 0, 0)
    first, before = objects(tmp_path / "store"), written_at(tmp_path)
    assert segue(*PUBLISH, cwd=tmp_path).summary == {"done": 0, "skipped": 3, "failed": 0}
    assert segue("package", *STORE, *SHORT_LADDER, cwd=tmp_path).summary == {"done": 0, "skipped": 3, "failed": 0}
    assert (objects(tmp_path / "store"), written_at(tmp_path)) == (first, before)


def test_a_new_rung_alone_is_encoded_and_a_lost_file_is_made_again(tmp_path: Path) -> None:
    """What was there stays to the byte; a repair leaves the run as it was."""
    album(tmp_path)
    assert segue(*PUBLISH, cwd=tmp_path).status == 0
    old = live(tmp_path)
    wider = ("--aac", "64,96", "--opus", "64", "--jobs", "2")
    with_rung = segue("publish", "music", *STORE, *wider, "--log-level", "debug", cwd=tmp_path)
    assert with_rung.summary == {"done": 3, "skipped": 0, "failed": 0}
    assert "aac-96+0.00dB.encoded.mp4" in with_rung.stderr
    assert not [line for line in with_rung.stderr.splitlines() if "aac-64+" in line or "libopus" in line]
    for was, now in zip(old, live(tmp_path), strict=True):
        assert now.mezzanine == was.mezzanine
        for name in ("aac-64.mp4", "opus-64.mp4"):
            assert (now.folder / name).read_bytes() == (was.folder / name).read_bytes()
        kept = [each for each in now.package["attempts"] if each["rendition_id"] != "aac-96"]
        assert kept == was.package["attempts"]
    whole = objects(tmp_path / "store")
    (live(tmp_path)[1].folder / "opus-64.mp4").unlink()
    assert segue("verify", *STORE[:2], cwd=tmp_path).status == 1
    assert segue("package", "--repair", *STORE, *wider, cwd=tmp_path).summary == {"done": 1, "skipped": 2, "failed": 0}
    assert objects(tmp_path / "store") == whole
    assert segue("verify", *STORE[:2], cwd=tmp_path).status == 0


@pytest.mark.parametrize("marker", ["scratch/**/run.ffconcat", "store/recordings/*/*/aac-64.mp4"])
def test_killed_while_a_run_is_made_and_run_again_it_is_as_if_undisturbed(
    calm: dict[str, bytes], tmp_path: Path, marker: str
) -> None:
    """In the middle of the encode, and of the upload of its packages."""
    album(tmp_path)
    (tmp_path / "scratch").mkdir()
    arguments = (*PUBLISH, "--scratch", "scratch")
    records = [key for key in calm if key.endswith("/package.json")]
    with disk_that_hangs(tmp_path / "store", records), started(*arguments, cwd=tmp_path) as process:
        until(lambda: any(tmp_path.glob(marker)))
        assert process.poll() is None
        process.kill()
    assert segue(*arguments, cwd=tmp_path).summary["failed"] == 0
    assert objects(tmp_path / "store") == calm
    assert segue(*arguments, cwd=tmp_path).summary == {"done": 0, "skipped": 3, "failed": 0}


def test_the_bytes_do_not_tell_how_many_worked(calm: dict[str, bytes], tmp_path: Path) -> None:
    """Nor who was first."""
    album(tmp_path)
    assert segue(*PUBLISH[:-1], "1", cwd=tmp_path).status == 0
    assert objects(tmp_path / "store") == calm


def test_a_long_run_needs_no_more_hands_than_one(tmp_path: Path) -> None:
    """Nobody waits for hands that another one holds."""
    album(tmp_path, 6)
    ran = segue("publish", "music", *STORE, "--aac", "64", "--opus", "", "--jobs", "1", cwd=tmp_path)
    assert ran.summary == {"done": 6, "skipped": 0, "failed": 0}
    assert places(tmp_path) == [(position, 6) for position in range(6)]


def test_one_recording_may_be_in_a_run_twice_and_on_another_album(tmp_path: Path) -> None:
    """Each place has a package of its own; where it is alone it has one of its own, too."""
    length = 48_000 * 2 + 960
    wave = music(length * 3, rate=48_000)
    again = np.concatenate([wave[: 2 * length], wave[length : 2 * length], wave[2 * length :]])
    folder = tmp_path / "music"
    write_tracks(folder, again, [length, 2 * length, 3 * length], rate=48_000)
    write_track(folder / "best.flac", wave[length : 2 * length], rate=48_000, album="Best Of", track="1")
    ran = segue(*PUBLISH, "--loudness", "off", cwd=tmp_path)
    assert ran.summary == {"done": 5, "skipped": 0, "failed": 0}
    tracks = live(tmp_path)
    assert [track.position for track in tracks] == [0, 1, 2, 3, None]
    assert tracks[1].mezzanine == tracks[2].mezzanine == tracks[4].mezzanine
    assert len({track.folder for track in tracks}) == 5
    assert segue(*PUBLISH, "--loudness", "off", cwd=tmp_path).summary == {"done": 0, "skipped": 5, "failed": 0}
    assert segue("verify", *STORE[:2], cwd=tmp_path).status == 0


def test_a_track_that_failed_joins_its_run_when_it_is_tried_again(tmp_path: Path) -> None:
    """Meanwhile the others are live, alone; afterwards all is as if nothing had been, with loudness off, too."""
    calm, wild = tmp_path / "calm", tmp_path / "wild"
    for folder in (calm, wild):
        paths = album(folder)
    arguments = (*PUBLISH, "--loudness", "off")
    assert segue(*arguments, cwd=calm).status == 0
    whole = paths[1].read_bytes()
    paths[1].write_bytes(whole[: len(whole) // 2])
    assert segue(*arguments, cwd=wild).summary == {"done": 2, "skipped": 0, "failed": 1}
    assert places(wild) == [(None, 0), (None, 0)]
    paths[1].write_bytes(whole)
    assert segue(*arguments, "--retry-failed", cwd=wild).summary == {"done": 3, "skipped": 0, "failed": 0}
    assert places(wild) == [(0, 3), (1, 3), (2, 3)]
    found, wanted = objects(wild / "store"), objects(calm / "store")
    assert {name: found[name] for name in wanted} == wanted


def test_a_neighbour_that_was_moved_away_is_not_waited_for(tmp_path: Path) -> None:
    """A drop folder that empties itself: what comes later is alone, what was there stays as it is."""
    ready = tmp_path / "ready"
    first, second, third = album(ready)
    (tmp_path / "music").mkdir()
    with started(*PUBLISH, "--watch", "--settle", "4", "--move-done", "done", cwd=tmp_path):
        for path in (first, second):
            path.rename(tmp_path / "music" / path.name)
        until((tmp_path / "done" / "2.flac").exists)
        until((tmp_path / "done" / "1.flac").exists)
        until(lambda: not list(tmp_path.glob("store/claims/*")))  # the last thing that is done
        before = objects(tmp_path / "store")
        third.rename(tmp_path / "music" / third.name)
        until((tmp_path / "done" / "3.flac").exists)
    after = objects(tmp_path / "store")
    assert {name: after[name] for name in before} == before
    assert places(tmp_path) == [(0, 2), (1, 2), (None, 0)]
    assert segue("verify", *STORE[:2], cwd=tmp_path).status == 0


def test_a_lost_mezzanine_of_a_neighbour_is_told(tmp_path: Path) -> None:
    """Each track of the run fails, with a key and a hint; publishing the album again mends it."""
    album(tmp_path)
    assert segue("ingest", "music", *STORE, "--jobs", "2", cwd=tmp_path).status == 0
    records = [json.loads(path.read_text()) for path in tmp_path.glob("store/tracks/*/track.json")]
    (second,) = (each["mezzanine"] for each in records if each["tags"]["track_number"] == 2)
    key = f"recordings/{second['recording_id']}/mezzanine/{second['mezzanine_id']}"
    for suffix, message in ((".mp4", "the mezzanine is missing"), (".json", "the record of a mezzanine is missing")):
        (tmp_path / "store" / f"{key}{suffix}").unlink()
        ran = segue("package", *STORE, *SHORT_LADDER, cwd=tmp_path)
        assert ran.summary == {"done": 0, "skipped": 0, "failed": 3}
        assert {line["code"] for line in ran.outcomes.values()} == {"object-not-found"}
        assert {line["message"] for line in ran.outcomes.values()} == {f"{message}: {key}{suffix}"}
        assert all("publish" in line["hint"] for line in ran.outcomes.values())
    assert not live(tmp_path)
    assert segue(*PUBLISH, cwd=tmp_path).summary == {"done": 3, "skipped": 0, "failed": 0}


def test_where_resampling_raises_a_peak_the_whole_run_is_softer(tmp_path: Path) -> None:
    """One gain for all: a step of level at a joint would be heard."""
    wave = music(LENGTH * 3, rate=RATE_HZ, peak=0.05).astype(float)
    burst = np.sign(np.random.default_rng(2).standard_normal(RATE_HZ // 200)) * 20_000  # all of it above what is kept
    wave[LENGTH * 4 // 3 :][: len(burst)] = burst[:, None]
    write_tracks(tmp_path / "music", np.round(wave).astype("<i2"), [LENGTH, 2 * LENGTH], rate=RATE_HZ)
    assert segue("ingest", "music", *STORE, "--jobs", "2", cwd=tmp_path).status == 0
    tracks = [json.loads(path.read_text()) for path in tmp_path.glob("store/tracks/*/track.json")]
    (gain_db,) = {track["mezzanine"]["gain_db"] for track in tracks}
    (applied_db,) = {track["gain"]["applied_db"] for track in tracks}
    assert gain_db == applied_db
    assert max(track["mezzanine"]["loudness"]["true_peak_dbtp"] for track in tracks) == pytest.approx(-1.0, abs=0.01)
    written = objects(tmp_path / "store")
    assert len([name for name in written if "/mezzanine/" in name and name.endswith(".json")]) == 5  # two again, softer
    ran = segue("ingest", "music", *STORE, "--jobs", "2", cwd=tmp_path)
    assert ran.summary == {"done": 0, "skipped": 3, "failed": 0}
    assert objects(tmp_path / "store") == written
