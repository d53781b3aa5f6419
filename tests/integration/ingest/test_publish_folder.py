"""`segue publish` over a folder of good and bad files, as an operator runs it."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.audio import make_audio, music_like

OUTCOME = ("event", "source", "track_id", "status", "code", "message", "hint")
GOOD = {"01 One.flac": 1, '-it\'s "a:b|c"\n.flac': 2, os.fsdecode(b"latin \xe9.flac"): 3}


@dataclass
class Ran:
    """How a command ended, and what it said."""

    status: int
    lines: list[dict[str, Any]]
    stderr: str

    @property
    def summary(self) -> dict[str, Any]:
        """The last line."""
        return self.lines[-1]

    def outcome(self, name: str) -> dict[str, Any]:
        """The line about the source of this name."""
        (found,) = (line for line in self.lines if Path(line.get("source", "")).name == name)
        return found


def publish(folder: Path, *sources: str) -> Ran:
    """Publish sources that lie in `folder`, from there, with a short ladder."""
    command = [sys.executable, "-m", "segue.main", "publish", *sources, "--store", "file:../store", "--json"]
    ladder = ["--aac", "64", "--opus", "64", "--jobs", "2"]
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run([*command, *ladder], cwd=folder, env=environ, timeout=110, capture_output=True, text=True)
    return Ran(done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr)


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
    "text.mp3": "source-unreadable",
    "list.wav": "source-unreadable",
    "cut.flac": "source-unreadable",
    "empty.wav": "source-unreadable",
    "pipe.wav": "source-unsupported",
    "nowhere.wav": "source-unreadable",
}


def test_only_the_bad_fail(tmp_path: Path) -> None:
    """Each source has its line, the exit status says that something failed, and a second run skips what is done."""
    folder = tmp_path / "Album"
    make_folder(folder)
    first = publish(folder, ".")
    assert first.status == 1
    assert first.summary == {"event": "summary", "done": len(GOOD), "skipped": 0, "failed": len(BAD)}
    assert len(first.lines) == len(GOOD) + len(BAD) + 1
    for line in first.lines[:-1]:
        assert set(OUTCOME) <= set(line)
        assert line["event"] == "track"
    for name in GOOD:
        assert (first.outcome(shown(name))["status"], first.outcome(shown(name))["code"]) == ("done", "")
    for name, code in BAD.items():
        failed = first.outcome(name)
        assert (failed["status"], failed["code"], failed["track_id"]) == ("failed", code, None)
        assert failed["message"]
        assert failed["hint"]
    assert "Traceback" not in first.stderr
    assert len(list((tmp_path / "store").rglob("current.json"))) == len(GOOD)
    for name in BAD:
        (folder / name).unlink()
    second = publish(folder, ".")
    assert (second.status, second.summary) == (0, {**first.summary, "done": 0, "skipped": len(GOOD), "failed": 0})


def test_a_typo_stops_before_anything_is_done(tmp_path: Path) -> None:
    """A name that does not exist is a usage error; nothing was published yet."""
    folder = tmp_path / "Album"
    folder.mkdir()
    shutil.copy(make_audio("sine=d=1"), folder / "song.wav")
    ran = publish(folder, "song.wav", "sonng.wav")
    assert ran.status == 2
    assert ran.lines[-1]["event"] == "error"
    assert ran.lines[-1]["code"] == "usage"
    assert not list(tmp_path.glob("store/tracks/*"))
