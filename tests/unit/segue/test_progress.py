"""What a batch shows: JSON lines that are a contract, a line per track for people, a bar on a terminal."""

import json
import re
import sys
from typing import Any

import pytest

from model.events import BatchStarted, Stage, StageProgress, StageStarted, Status, TrackOutcome
from segue.output import Output
from segue.progress import Progress

DONE = TrackOutcome(source="a/1.flac", status=Status.DONE, track_id="t" * 20, title="One")
SKIPPED = TrackOutcome(source="a/2.flac", status=Status.SKIPPED, track_id="u" * 20, title="Two")
FAILED = TrackOutcome(
    source="a/3.flac", status=Status.FAILED, code="source-unreadable", message="cannot read: 3", hint="copy it again"
)


def _batch(*, as_json: bool = False) -> Progress:
    progress = Progress(Output(as_json=as_json))
    progress.notify(BatchStarted(total=3))
    for outcome in (DONE, SKIPPED, FAILED):
        progress.notify(StageStarted(subject=outcome.source, stage=Stage.READ))
        progress.notify(StageProgress(subject=outcome.source, stage=Stage.READ, done=1.0, total=2.0))
        progress.notify(outcome)
    progress.close()
    return progress


def _lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_json_lines_are_the_contract(capsys: pytest.CaptureFixture[str]) -> None:
    """One line per source with exactly these fields, and the summary last; nothing else on stdout."""
    _batch(as_json=True)
    *tracks, summary = _lines(capsys.readouterr().out)
    assert summary == {"event": "summary", "done": 1, "skipped": 1, "failed": 1}
    promised = ("event", "source", "track_id", "status", "code", "message", "hint")
    assert all(set(track) == {*promised, "title"} for track in tracks)  # fields are added, never renamed
    assert [tuple(track[field] for field in promised) for track in tracks] == [
        ("track", "a/1.flac", "t" * 20, "done", "", "", ""),
        ("track", "a/2.flac", "u" * 20, "skipped", "", "", ""),
        ("track", "a/3.flac", None, "failed", "source-unreadable", "cannot read: 3", "copy it again"),
    ]


def test_people_read_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """A line per track with its place in the batch, why one failed, what to do, and the sums."""
    progress = _batch()
    shown = capsys.readouterr()
    assert shown.out == ""
    lines = shown.err.splitlines()
    assert re.fullmatch(r"\[1/3\] done +t{20} a/1\.flac \(\d+\.\d s\)", lines[0])
    assert re.fullmatch(r"\[2/3\] skipped +u{20} a/2\.flac", lines[1])
    assert re.fullmatch(r"\[3/3\] FAILED +- +a/3\.flac", lines[2])
    assert [line.strip() for line in lines[3:5]] == ["source-unreadable: cannot read: 3", "hint: copy it again"]
    assert lines[-1] == "1 done, 1 skipped, 1 failed"
    assert progress.failed == 1


def test_a_terminal_gets_bars_and_keeps_none(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bar per running track with its stage; erased before every line, and at the end."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr("segue.progress.REDRAW_S", 0.0)
    _batch()
    shown = capsys.readouterr().err
    assert "██████████·········· read       1.flac" in shown
    assert shown.count("\x1b[1A\x1b[J") == 6  # a bar for each of: three starts, three steps


def test_a_name_from_a_stranger_cannot_steer_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Escape sequences and line feeds in file names, in the bar as in the line."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr("segue.progress.REDRAW_S", 0.0)
    progress = Progress(Output(as_json=False))
    name = "x\x1b]0;owned\x07\n[1/1] done\x9b31m.flac"
    progress.notify(StageStarted(subject=name, stage=Stage.READ))
    progress.notify(TrackOutcome(source=name, status=Status.FAILED, code="c", message=f"no {name}", hint=name))
    shown = capsys.readouterr().err.replace("\x1b[1A\x1b[J", "")
    assert set(shown) & set("\x1b\x07\x9b") == set()
    assert len(shown.splitlines()) == 4  # the bar, the outcome, why, what to do


def test_events_out_of_order_do_no_harm(capsys: pytest.CaptureFixture[str]) -> None:
    """Progress of what was never started, a total of nothing, more done than there is."""
    progress = Progress(Output(as_json=False))
    progress.notify(StageProgress(subject="x", stage=Stage.ENCODE, done=1.0, total=0.0))
    progress.notify(StageStarted(subject="x", stage=Stage.ENCODE))
    progress.notify(StageProgress(subject="x", stage=Stage.ENCODE, done=1.0, total=0.0))
    progress.notify(StageProgress(subject="x", stage=Stage.ENCODE, done=9.0, total=1.0))
    progress.close()
    assert capsys.readouterr().err == "0 done, 0 skipped, 0 failed\n"
