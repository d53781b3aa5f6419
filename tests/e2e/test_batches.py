"""Batches as an operator runs them: killed, run again, changed, watched."""

import json
import random
import shutil
import signal
import sqlite3
import subprocess
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mutagen.flac import FLAC

from tests.support.audio import music_like
from tests.support.cluster import until
from tests.support.command import SHORT_LADDER, Ran, objects, segue, started
from tests.support.forked import Forked

STORE = ("--store", "file:store", "--catalog", "catalog.sqlite3")
PUBLISH = ("publish", "music", *STORE, *SHORT_LADDER)
KILLS = 3


_open_flac: Any = FLAC  # mutagen has no types


def song(path: Path, *, seconds: float = 1.0, seed: int = 1, **tags: str) -> Path:
    """A tagged song of one's own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(music_like(seconds, seed=seed), path)
    file: Any = _open_flac(path)
    file.update({name: [text] for name, text in tags.items()})
    file.save()
    return path


def album(folder: Path, *, tracks: int = 3, seconds: float = 1.0) -> None:
    """An album in `music`, and a file that is none."""
    for number in range(1, tracks + 1):
        tags = {"title": f"Song {number}", "album": "Album", "artist": "A", "tracknumber": str(number)}
        song(folder / "music" / f"{number}.flac", seconds=seconds, seed=number, **tags)
    (folder / "music" / "text.mp3").write_text("no music\n" * 50)


def ledger(folder: Path) -> list[str]:
    """What the ledger holds, apart from what differs between two copies of a file: times and inodes."""
    with closing(sqlite3.connect(folder / "catalog.sqlite3")) as db:
        columns = "path, sha256, recording_id, track_id, judge, code, message, hint"
        rows = db.execute(f"SELECT {columns} FROM sources ORDER BY path").fetchall()
        rows += db.execute("SELECT path, seconds, album FROM outlines ORDER BY path").fetchall()
    return [repr(row).replace(str(folder), "").replace(folder.name, "") for row in rows]


def event(process: Forked, name: str) -> dict[str, Any]:
    """The next event of this name."""
    for line in process.stdout:
        found: dict[str, Any] = json.loads(line)
        if found["event"] == name:
            return found
    raise AssertionError(f"the command ended without {name}")


@dataclass(frozen=True)
class Calm:
    """What a run that nobody disturbs makes of the album, and how long it takes."""

    objects: dict[str, bytes]
    ledger: list[str]
    seconds: float


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Calm:
    """Of the album of three tracks and a file that is none."""
    folder = tmp_path_factory.mktemp("calm")
    album(folder)
    begun = time.monotonic()
    assert segue(*PUBLISH, cwd=folder).summary == {"done": 3, "skipped": 0, "failed": 1}
    return Calm(objects(folder / "store"), ledger(folder), time.monotonic() - begun)


def test_killed_at_any_moment_and_run_again_it_ends_as_if_undisturbed(calm: Calm, tmp_path: Path) -> None:
    """Store and ledger are those of a run that nobody touched, and what was finished is not done again."""
    album(tmp_path)
    moments = random.Random(calm.seconds)
    for _ in range(KILLS):
        with started(*PUBLISH, cwd=tmp_path) as process, suppress(subprocess.TimeoutExpired):
            process.wait(timeout=moments.uniform(0.1, calm.seconds))
            break
    last = segue(*PUBLISH, cwd=tmp_path)
    assert last.summary["failed"] == 1
    assert objects(tmp_path / "store") == calm.objects
    assert ledger(tmp_path) == calm.ledger
    assert segue(*PUBLISH, cwd=tmp_path).summary == {"done": 0, "skipped": 3, "failed": 1}


def test_after_a_kill_nothing_works_on_and_the_next_run_cleans_up(tmp_path: Path) -> None:
    """Encoders end with whom they work for; scratch that nobody holds is removed."""
    song(tmp_path / "music" / "1.flac", seconds=60)
    (tmp_path / "scratch").mkdir()
    arguments = (*PUBLISH, "--scratch", "scratch")

    def working() -> list[str]:
        lines = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):  # it may end at any moment
                lines.append(path.read_bytes().decode(errors="replace"))
        return [line for line in lines if str(tmp_path) in line or "scratch/segue-scratch-" in line]

    with started(*arguments, cwd=tmp_path) as process:
        until(lambda: any("mezzanine0.mp4" in line and "libopus" in line for line in working()))
        process.kill()
        process.wait()
        until(lambda: not working())
    assert list((tmp_path / "scratch").iterdir())
    assert segue(*arguments, cwd=tmp_path).status == 0
    assert not list((tmp_path / "scratch").iterdir())


def test_a_copy_that_is_levelled_elsewhere_does_not_fight_over_the_track(tmp_path: Path) -> None:
    """Copies in different albums, or in none, that are one track: the first path speaks for it, in every run."""
    tags: Any = {"title": "One", "album": "Album", "artist": "A", "tracknumber": "1"}
    song(tmp_path / "music" / "flac" / "1.flac", albumartist="A", **tags)
    song(tmp_path / "music" / "flac" / "2.flac", seed=2, albumartist="A", album="Album", artist="A", tracknumber="2")
    song(tmp_path / "music" / "again" / "01.flac", **tags)
    for name in ("x/Album/3 Three.flac", "y/Album/03 Three.flac"):
        song(tmp_path / "music" / name, seed=3)
    first = segue(*PUBLISH, cwd=tmp_path)
    assert first.summary["failed"] == 0
    assert first.outcomes["1.flac"]["track_id"] == first.outcomes["01.flac"]["track_id"]
    assert first.outcomes["3 Three.flac"]["track_id"] == first.outcomes["03 Three.flac"]["track_id"]
    before = objects(tmp_path / "store")
    for _ in range(2):
        again = segue(*PUBLISH, cwd=tmp_path)
        assert again.summary == {"done": 0, "skipped": 5, "failed": 0}
        assert Path(again.outcomes["1.flac"]["duplicate_of"]) == tmp_path / "music" / "again" / "01.flac"
    assert objects(tmp_path / "store") == before


def test_a_copy_beside_a_retagged_file_does_not_change_its_track(tmp_path: Path) -> None:
    """The track that a file took along when its tags changed stays its track when a copy of it appears."""
    one = song(tmp_path / "music" / "1.flac", album="Draft", artist="A", tracknumber="1", title="One")
    track_id = segue(*PUBLISH, cwd=tmp_path).outcomes["1.flac"]["track_id"]
    song(one, album="Album", artist="A", tracknumber="1", title="One")
    assert segue(*PUBLISH, cwd=tmp_path).outcomes["1.flac"]["track_id"] == track_id
    shutil.copy(one, tmp_path / "music" / "copy.flac")
    for _ in range(3):
        ran = segue(*PUBLISH, cwd=tmp_path)
        assert ran.summary == {"done": 0, "skipped": 2, "failed": 0}
        assert {each["track_id"] for each in ran.outcomes.values()} == {track_id}


def test_what_failed_is_tried_again_with_its_album(calm: Calm, tmp_path: Path) -> None:
    """A track that comes late gets the level that it would have had, and so do the others."""
    album(tmp_path)
    two = tmp_path / "music" / "2.flac"
    whole = two.read_bytes()
    two.write_bytes(whole[: len(whole) // 2])
    assert segue(*PUBLISH, cwd=tmp_path).summary == {"done": 2, "skipped": 0, "failed": 2}
    two.write_bytes(whole)
    again = segue(*PUBLISH, "--retry-failed", cwd=tmp_path)
    assert again.summary == {"done": 3, "skipped": 0, "failed": 1}
    found = objects(tmp_path / "store")
    assert all(found[name] == data for name, data in calm.objects.items() if name.startswith("tracks/"))
    assert segue(*PUBLISH, cwd=tmp_path).summary == {"done": 0, "skipped": 3, "failed": 1}


def test_two_releases_of_one_recording_share_one_package(tmp_path: Path) -> None:
    """Two catalog entries, one encode; a changed tag shows up without one."""
    song(tmp_path / "music" / "a.flac", album="Album", artist="A", tracknumber="1", title="One")
    song(tmp_path / "music" / "b.flac", album="Best Of", artist="A", tracknumber="9", title="One")
    first = segue(*PUBLISH, cwd=tmp_path)
    assert first.summary == {"done": 2, "skipped": 0, "failed": 0}
    assert len({each["track_id"] for each in first.outcomes.values()}) == 2
    assert len(list(tmp_path.glob("store/recordings/*/*/package.json"))) == 1
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("store/recordings/**/*.mp4")}
    song(tmp_path / "music" / "b.flac", album="Best Of", artist="A", tracknumber="9", title="Uno")
    assert segue(*PUBLISH, cwd=tmp_path).summary == {"done": 1, "skipped": 1, "failed": 0}
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.glob("store/recordings/**/*.mp4")}
    listed = [line["title"] for line in segue("ls", *STORE, cwd=tmp_path).lines if line["event"] == "track"]
    assert sorted(listed) == ["One", "Uno"]


def test_equal_files_are_one_track(tmp_path: Path) -> None:
    """A copy in another folder is told as what it is."""
    song(tmp_path / "music" / "a" / "x.flac", album="Album", artist="A", albumartist="A", tracknumber="1", title="One")
    shutil.copytree(tmp_path / "music" / "a", tmp_path / "music" / "b")
    for expected in ({"done": 1, "skipped": 1, "failed": 0}, {"done": 0, "skipped": 2, "failed": 0}):
        ran = segue(*PUBLISH, cwd=tmp_path)
        assert ran.summary == expected
        copies = [line["duplicate_of"] for line in ran.lines if line["event"] == "track" and line["duplicate_of"]]
        assert copies == ["music/a/x.flac"]


def test_what_failed_is_refused_at_once_and_tried_again_when_asked(tmp_path: Path) -> None:
    """The failed ones alone; the others are not even looked at."""
    album(tmp_path, tracks=1)
    first = segue(*PUBLISH, cwd=tmp_path)
    assert first.outcomes["text.mp3"]["code"] == "source-not-music"
    again = segue(*PUBLISH, "--retry-failed", cwd=tmp_path)
    assert list(again.outcomes) == ["text.mp3"]
    assert again.status == 1
    song(tmp_path / "music" / "text.mp3", seed=5)
    mended = segue(*PUBLISH, "--retry-failed", cwd=tmp_path)
    assert (mended.status, mended.summary["done"]) == (0, 1)
    assert segue(*PUBLISH, "--retry-failed", cwd=tmp_path).outcomes == {}


def test_a_dry_run_tells_and_touches_nothing(tmp_path: Path) -> None:
    """What is new, what is known, how long and how large."""
    album(tmp_path, tracks=2)

    def plan() -> dict[str, Any]:
        ran = segue(*PUBLISH, "--dry-run", cwd=tmp_path)
        assert ran.status == 0
        return next(line for line in ran.lines if line["event"] == "plan")

    first = plan()
    assert (first["new"], first["known"]) == (3, 0)
    assert first["estimated_bytes"] > 2 * (64_000 + 64_000) / 8
    assert not (tmp_path / "store").exists()
    segue(*PUBLISH, cwd=tmp_path)
    second = plan()
    assert (second["new"], second["known"], second["refused_before"]) == (0, 2, 1)
    assert (second["audio_s"], second["estimated_bytes"]) == (0, 0)


def test_a_drop_folder_is_watched(tmp_path: Path) -> None:
    """A file is taken when it is completely there, moved when asked, and SIGTERM ends the watch in good order."""
    (tmp_path / "music").mkdir()
    with started(*PUBLISH, "--watch", "--settle", "4", "--move-done", "done", cwd=tmp_path) as process:
        song(tmp_path / "music" / "x" / "1.flac", album="Album", title="One")
        assert event(process, "track")["status"] == "done"
        until((tmp_path / "done" / "x" / "1.flac").exists)
        assert not (tmp_path / "music" / "x" / "1.flac").exists()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 130


def test_a_track_that_changes_in_a_drop_folder_keeps_the_level_of_its_album(tmp_path: Path) -> None:
    """A changed tag is a changed report: the album is levelled as the whole that it was, and nothing is encoded."""
    album(tmp_path)
    segue(*PUBLISH, cwd=tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("store/recordings/**/*.mp4")}
    with started(*PUBLISH, "--watch", "--settle", "4", cwd=tmp_path) as process:
        for _ in range(4):  # three songs and text.mp3: none of them is read any more
            event(process, "track")
        song(tmp_path / "music" / "2.flac", seed=2, title="Zwei", album="Album", artist="A", tracknumber="2")
        while (changed := event(process, "track"))["title"] != "Zwei":
            pass
    assert changed["status"] == "done"
    (track,) = (json.loads(body) for name, body in objects(tmp_path / "store").items() if b"Zwei" in body)
    assert track["album"]["tracks"] == 3
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.glob("store/recordings/**/*.mp4")}


def test_an_interrupted_batch_has_its_report(tmp_path: Path) -> None:
    """What was done until then is in it, and that it is not all."""
    album(tmp_path, tracks=8)  # all are never done before the signal comes
    with started(*PUBLISH, "--loudness", "track", "--report", "report.html", cwd=tmp_path) as process:
        while event(process, "track")["status"] != "done":
            pass
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "The batch was interrupted" in page
    assert any(f"Song {number}" in page for number in range(1, 9))


def test_a_report_shows_what_was_done_and_what_failed(tmp_path: Path) -> None:
    """One page that needs nothing else; a batch that came to its end does not say otherwise."""
    album(tmp_path, tracks=2)
    ran: Ran = segue(*PUBLISH, "--report", "report.html", cwd=tmp_path)
    assert ran.status == 1
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for words in ("Song 1", "Song 2", "text.mp3", "source-not-music", "<svg"):
        assert words in page
    assert "The batch was interrupted" not in page
    assert "http://" not in page.replace("http://www.w3.org/", "")
    assert "https://" not in page


@pytest.mark.parametrize(
    "arguments", [("--watch", "--dry-run"), ("--watch", "--retry-failed"), ("--watch", "--settle", "0")]
)
def test_what_does_not_go_together_is_said(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Before anything is done."""
    (tmp_path / "music").mkdir()
    assert segue(*PUBLISH, *arguments, cwd=tmp_path).status == 2
