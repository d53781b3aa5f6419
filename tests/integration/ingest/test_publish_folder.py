"""`segue publish` over a folder of good and bad files, as an operator runs it."""

import os
import shutil
from pathlib import Path

from tests.support.audio import make_audio, music_like
from tests.support.command import SHORT_LADDER, segue

OUTCOME = ("event", "source", "track_id", "status", "code", "message", "hint")
GOOD = {"01 One.flac": 1, '-it\'s "a:b|c"\n.flac': 2, os.fsdecode(b"latin \xe9.flac"): 3}


def shown(name: str) -> str:
    """A file name as JSON has it."""
    return os.fsencode(name).decode("utf-8", "replace")


def make_folder(folder: Path) -> None:
    """Good songs with odd names, and bad files."""
    folder.mkdir()
    for name, seed in GOOD.items():
        shutil.copy(music_like(1.0, seed=seed), folder / name)
    (folder / "text.mp3").write_text("no music\n" * 100)
    (folder / "list.wav").write_text(f"#EXTM3U\n#EXTINF:1,\n{folder}/01 One.flac\n")
    (folder / "cut.flac").write_bytes(music_like(1.0).read_bytes()[:30_000])
    (folder / "empty.wav").touch()
    os.mkfifo(folder / "pipe.wav")
    (folder / "nowhere.wav").symlink_to(folder / "gone")
    (folder / "x.wav").mkdir()
    (folder / "notes.txt").write_text("left alone")


BAD = {
    "text.mp3": "source-not-music",
    "list.wav": "source-not-music",
    "cut.flac": "source-truncated",
    "empty.wav": "source-empty",
    "pipe.wav": "source-unsupported",
    "nowhere.wav": "source-vanished",
}
PUBLISH = ("--store", "file:../store", *SHORT_LADDER)


def test_only_the_bad_fail(tmp_path: Path) -> None:
    """Each source has its line, the exit status says that something failed, and a second run skips what is done."""
    folder = tmp_path / "Album"
    make_folder(folder)
    first = segue("publish", ".", *PUBLISH, cwd=folder)
    assert first.status == 1
    assert first.summary == {"done": len(GOOD), "skipped": 0, "failed": len(BAD)}
    assert len(first.outcomes) == len(GOOD) + len(BAD)
    for line in first.outcomes.values():
        assert set(OUTCOME) <= set(line)
    for name in GOOD:
        outcome = first.outcomes[shown(name)]
        assert (outcome["status"], outcome["code"]) == ("done", "")
    for name, code in BAD.items():
        failed = first.outcomes[name]
        assert (failed["status"], failed["code"], failed["track_id"]) == ("failed", code, None)
        assert failed["message"]
        assert failed["hint"]
    assert "Traceback" not in first.stderr
    assert len(list((tmp_path / "store").rglob("current.json"))) == len(GOOD)
    for name in BAD:
        (folder / name).unlink()
    second = segue("publish", ".", *PUBLISH, cwd=folder)
    assert (second.status, second.summary) == (0, {"done": 0, "skipped": len(GOOD), "failed": 0})


def test_a_typo_stops_before_anything_is_done(tmp_path: Path) -> None:
    """A name that does not exist is a usage error; nothing was published yet."""
    folder = tmp_path / "Album"
    folder.mkdir()
    shutil.copy(make_audio("sine=d=1"), folder / "song.wav")
    ran = segue("publish", "song.wav", "sonng.wav", *PUBLISH, cwd=folder)
    assert ran.status == 2
    assert ran.lines[-1]["event"] == "error"
    assert ran.lines[-1]["code"] == "usage"
    assert not list(tmp_path.glob("store/tracks/*"))
