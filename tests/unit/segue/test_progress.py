"""What a batch shows: JSON lines that are a contract, a line per track for people, bars on a terminal."""

import json
import logging
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from os import terminal_size
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.events import BatchStarted, Stage, StageProgress, StageStarted, Status, TrackOutcome
from segue.output import Output, printable
from segue.progress import Progress, clipped, columns_of, duration

DONE = TrackOutcome(source="a/1.flac", status=Status.DONE, track_id="t" * 20, title="One", seconds=180.0)
SKIPPED = TrackOutcome(source="a/2.flac", status=Status.SKIPPED, track_id="u" * 20, title="Two")
FAILED = TrackOutcome(
    source="a/3.flac", status=Status.FAILED, code="source-unreadable", message="cannot read: 3", hint="copy it again"
)
STEERING = re.compile(r"\x1b\[(\d+)A|\x1b\[J|\x1b\[\?7[lh]")


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Terminal:
    """A screen of so many columns and rows, that folds long lines unless told not to."""

    columns: int
    rows: int

    def shows(self, written: str) -> list[str]:
        """All lines that the terminal has in the end, those scrolled off the top too; fails if it is steered there."""
        lines, wraps, position = [""], True, 0
        while position < len(written):
            found = STEERING.match(written, position)
            if found is None:
                if written[position] == "\n":
                    lines.append("")
                elif columns_of(lines[-1] + written[position]) <= self.columns:
                    lines[-1] += written[position]
                elif wraps:
                    lines.append(written[position])
                position += 1
                continue
            if found[1]:
                assert int(found[1]) < self.rows, "the cursor stops at the top: what scrolled off is never erased"
                del lines[len(lines) - int(found[1]) :]
                lines[-1] = ""
            elif found[0] != "\x1b[J":
                wraps = found[0] == "\x1b[?7h"
            position = found.end()
        return lines


@pytest.fixture
def terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """Standard error is a terminal, 80 by 24, redrawn at every event; change its size as you like."""
    screen = Terminal(80, 24)
    monkeypatch.setattr(type(sys.stderr), "isatty", lambda _: True)  # the stream itself is another one in the test
    monkeypatch.setattr("segue.progress.REDRAW_S", 0.0)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: terminal_size((screen.columns, screen.rows)))
    yield screen
    for (
        handler
    ) in logging.getLogger().handlers:  # pytest's own; a test that does not close its Progress leaves a filter
        handler.filters.clear()


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
    added = ("title", "warnings", "seconds", "duplicate_of")
    assert all(set(track) == {*promised, *added} for track in tracks)  # fields are added, never renamed
    assert [tuple(track[field] for field in promised) for track in tracks] == [
        ("track", "a/1.flac", "t" * 20, "done", "", "", ""),
        ("track", "a/2.flac", "u" * 20, "skipped", "", "", ""),
        ("track", "a/3.flac", None, "failed", "source-unreadable", "cannot read: 3", "copy it again"),
    ]


def test_programs_hear_of_the_progress_once_a_second(capsys: pytest.CaptureFixture[str]) -> None:
    """However many events there are; with the sums, the rate and the time left."""
    clock = Clock()
    progress = Progress(Output(as_json=True), clock=clock)
    progress.notify(BatchStarted(total=2, seconds=400.0))
    progress.notify(StageStarted(subject="b", stage=Stage.READ))
    for tick in range(25):
        clock.now = tick / 10
        progress.notify(StageProgress(subject="b", stage=Stage.READ, done=0.0, total=200.0))
    clock.now = 10.0
    progress.notify(TrackOutcome(source="a", status=Status.DONE, seconds=200.0))
    told = [line for line in _lines(capsys.readouterr().out) if line["event"] == "progress"]
    assert told[0]["rate"] is None and told[0]["left_s"] is None
    assert len(told) == 3  # after 1 s, 2 s and 10 s
    assert told[-1] == {
        "event": "progress", "finished": 1, "total": 2, "failed": 0,
        "seconds_done": 200.0, "seconds_total": 400.0, "rate": 20.0, "left_s": 10.0,
    }  # fmt: skip


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
    assert dict(progress.counts) == {Status.DONE: 1, Status.SKIPPED: 1, Status.FAILED: 1}


def test_warnings_and_twins_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each warning, and whose sound it is."""
    progress = Progress(Output(as_json=False))
    progress.notify(
        TrackOutcome(source="b", status=Status.DONE, warnings=("clipped in 3 places", "mono"), duplicate_of="a")
    )
    lines = [line.strip() for line in capsys.readouterr().err.splitlines()]
    assert lines[1:] == ["same sound as a", "warning: clipped in 3 places", "warning: mono"]


def test_a_long_batch_in_a_log_file_says_where_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Not on a terminal: a line at most every 30 s with count, rate and time left; none in a short batch."""
    clock = Clock()
    progress = Progress(Output(as_json=False), clock=clock)
    progress.notify(BatchStarted(total=10_000, seconds=2_000_000.0))
    progress.notify(StageStarted(subject="x", stage=Stage.READ))
    for second in range(61):
        clock.now = float(second)
        if second == 20:
            progress.notify(TrackOutcome(source="a", status=Status.DONE, seconds=3000.0))
        progress.notify(StageProgress(subject="x", stage=Stage.READ, done=0.0, total=2.0))
    said = [line.strip() for line in capsys.readouterr().err.splitlines() if "real time" in line]
    assert said == ["1/10,000   100.0× real time   5 h 32 min left", "1/10,000   50.0× real time   11 h 5 min left"]


def test_a_terminal_gets_bars_and_keeps_none(capsys: pytest.CaptureFixture[str], terminal: Terminal) -> None:
    """A bar for the batch and one for each running track with its stage; erased before every line, and at the end."""
    _batch()
    shown = capsys.readouterr().err
    assert "██████████·········· read       1.flac" in shown
    assert "\x1b[2A\x1b[J" in shown  # the batch and its running track
    lines = terminal.shows(shown)
    assert not [line for line in lines if "█" in line or "·" in line]
    assert [line[:13] for line in lines if line.startswith("[")] == ["[1/3] done   ", "[2/3] skipped", "[3/3] FAILED "]


def test_the_batch_has_one_bar_with_rate_and_time_left(capsys: pytest.CaptureFixture[str], terminal: Terminal) -> None:
    """Over all: how much of the audio is done, how fast, for how long still."""
    clock = Clock()
    progress = Progress(Output(as_json=False), clock=clock)
    progress.notify(BatchStarted(total=4, seconds=400.0))
    clock.now = 5.0
    progress.notify(TrackOutcome(source="a", status=Status.DONE, seconds=100.0))
    last = [line for line in terminal.shows(capsys.readouterr().err) if line][-1]
    assert last == "  █████··············· 1/4   20.0× real time   15 s left"


def test_never_more_lines_than_the_terminal_has(capsys: pytest.CaptureFixture[str], terminal: Terminal) -> None:
    """Forty running tracks on a screen of ten rows: the rest is a number, and nothing scrolls off half erased."""
    terminal.rows = 10
    progress = Progress(Output(as_json=False))
    progress.notify(BatchStarted(total=100))
    for number in range(40):
        progress.notify(StageStarted(subject=f"{number}.flac", stage=Stage.ENCODE))
    written = capsys.readouterr().err
    shown = [line for line in terminal.shows(written) if line]
    assert len(shown) == 9
    assert shown[-1] == "  and 33 more"
    progress.close()
    written += capsys.readouterr().err
    assert [line for line in terminal.shows(written) if line] == ["0 done, 0 skipped, 0 failed"]


def test_wide_letters_do_not_fold_the_line(capsys: pytest.CaptureFixture[str], terminal: Terminal) -> None:
    """A long Japanese name is cut by columns: one row of the screen, erased whole."""
    terminal.columns = 50
    progress = Progress(Output(as_json=False))
    for stage in (Stage.READ, Stage.MEASURE):
        progress.notify(StageStarted(subject="椎名林檎の無罪モラトリアムから" * 3 + ".flac", stage=stage))
    written = capsys.readouterr().err
    shown = [line for line in terminal.shows(written) if line]
    assert len(shown) == 1
    assert shown[0].endswith("…") and columns_of(shown[0]) <= 49


def test_a_terminal_made_narrower_is_erased_whole(capsys: pytest.CaptureFixture[str], terminal: Terminal) -> None:
    """Lines that it folded take more rows; all of them go."""
    progress = Progress(Output(as_json=False))
    progress.notify(StageStarted(subject="a name of forty letters, about, in all.flac", stage=Stage.READ))
    before = terminal.shows(capsys.readouterr().err)
    assert columns_of(before[0]) > 60
    terminal.columns = 30
    progress.close()
    folded = "".join(f"{part}\n" for part in (before[0][:30], before[0][30:60], before[0][60:]))
    assert terminal.shows(folded + capsys.readouterr().err) == ["0 done, 0 skipped, 0 failed", ""]


def test_log_lines_go_above_the_bars(
    capsys: pytest.CaptureFixture[str], terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A warning in the middle of a batch neither tears a bar nor is erased with it; logging is as before afterwards."""
    handler = logging.StreamHandler(sys.stderr)
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    progress = Progress(Output(as_json=False))
    progress.notify(StageStarted(subject="a.flac", stage=Stage.READ))
    logging.getLogger("test").warning("look here")
    progress.notify(StageStarted(subject="a.flac", stage=Stage.MEASURE))
    progress.close()
    assert handler.filters == []
    shown = terminal.shows(capsys.readouterr().err)
    assert [line for line in shown if line] == ["look here", "0 done, 0 skipped, 0 failed"]


def test_a_name_from_a_stranger_cannot_steer_the_terminal(
    capsys: pytest.CaptureFixture[str], terminal: Terminal
) -> None:
    """Escape sequences and line feeds in file names, in the bar as in the line."""
    progress = Progress(Output(as_json=False))
    name = "x\x1b]0;owned\x07\n[1/1] done\x9b31m.flac"
    progress.notify(StageStarted(subject=name, stage=Stage.READ))
    progress.notify(TrackOutcome(source=name, status=Status.FAILED, code="c", message=f"no {name}", hint=name))
    shown = STEERING.sub("", capsys.readouterr().err)
    assert set(shown) & set("\x1b\x07\x9b") == set()
    assert len(shown.splitlines()) == 4  # the bar, the outcome, why, what to do


def test_nothing_is_coloured(capsys: pytest.CaptureFixture[str], terminal: Terminal) -> None:
    """So NO_COLOR has nothing to switch off: no escape sequence sets a colour or a style."""
    _batch()
    assert not re.search(r"\x1b\[[\d;]*m", capsys.readouterr().err)


def test_a_new_batch_begins_anew_and_the_sums_run_on(capsys: pytest.CaptureFixture[str]) -> None:
    """A drop folder is watched for days: place, rate and time left are of this batch, the sums of all."""
    progress = Progress(Output(as_json=False))
    for _ in range(2):
        progress.notify(BatchStarted(total=2))
        progress.notify(DONE)
        progress.notify(SKIPPED)
    progress.close()
    lines = capsys.readouterr().err.splitlines()
    assert [line[:5] for line in lines[:4]] == ["[1/2]", "[2/2]", "[1/2]", "[2/2]"]
    assert lines[-1] == "2 done, 2 skipped, 0 failed"


def test_the_survey_has_a_bar(capsys: pytest.CaptureFixture[str], terminal: Terminal) -> None:
    """Before the batch; gone when it begins."""
    progress = Progress(Output(as_json=False))
    progress.notify(StageStarted(subject="", stage=Stage.PLAN))
    progress.notify(StageProgress(subject="", stage=Stage.PLAN, done=500, total=1000))
    written = capsys.readouterr().err
    assert terminal.shows(written)[0] == "  ██████████·········· plan       looking at the sources"
    progress.notify(BatchStarted(total=2))
    shown = [line for line in terminal.shows(written + capsys.readouterr().err) if line]
    assert shown == ["  ···················· 0/2"]


def test_events_out_of_order_do_no_harm(capsys: pytest.CaptureFixture[str]) -> None:
    """Progress of what was never started, a total of nothing, more done than there is."""
    progress = Progress(Output(as_json=False))
    progress.notify(StageProgress(subject="x", stage=Stage.ENCODE, done=1.0, total=0.0))
    progress.notify(StageStarted(subject="x", stage=Stage.ENCODE))
    progress.notify(StageProgress(subject="x", stage=Stage.ENCODE, done=1.0, total=0.0))
    progress.notify(StageProgress(subject="x", stage=Stage.ENCODE, done=9.0, total=1.0))
    progress.close()
    assert capsys.readouterr().err == "0 done, 0 skipped, 0 failed\n"


@given(st.text(), st.integers(min_value=1, max_value=40))
def test_clipped_text_fits(text: str, columns: int) -> None:
    """Whatever it holds, it takes no more columns than there are, and stays whole if it fits."""
    cut = clipped(printable(text), columns)
    assert columns_of(cut) <= columns
    assert cut == printable(text) or columns_of(printable(text)) > columns


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (4320, "1 h 12 min"), (183_600, "2 d 3 h")],
)
def test_spans_of_time_have_two_units(seconds: float, words: str) -> None:
    """As people say it."""
    assert duration(seconds) == words
