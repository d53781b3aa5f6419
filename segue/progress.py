"""Rendering of events: bars on a terminal, a line for each finished track elsewhere, JSON lines with --json.

No colours, so there are none that NO_COLOR had to switch off.
"""

import logging
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import fields
from unicodedata import category, east_asian_width

from model.events import BatchStarted, Event, Rested, Stage, StageProgress, StageStarted, Status, TrackOutcome
from segue.output import Output, printable
from segue.pace import Pace, Running

REDRAW_S = 0.1
TELL_JSON_S = 1.0
TELL_LINE_S = 30.0
_TOLD = tuple(field.name for field in fields(TrackOutcome))
_BAR_WIDTH = 20
_MARKS = {Status.DONE: "done", Status.SKIPPED: "skipped", Status.FAILED: "FAILED"}
_INDENT = " " * 8
_WRAP_OFF, _WRAP_ON = "\x1b[?7l", "\x1b[?7h"  # a name whose width the terminal sees otherwise must not break the line


class Progress:
    """An observer that shows a batch to whoever started it. Several batches may follow each other: sums run on."""

    def __init__(self, output: Output, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._output = output
        self._clock = clock
        self._bars = sys.stderr.isatty()
        self._counts = dict.fromkeys(Status, 0)
        self._pace = Pace(total=0, seconds=None, now=clock())
        self._told_line = self._told_json = clock()
        self._widths: list[int] = []  # of the lines that are drawn
        self._drawn_at = -REDRAW_S
        self._loggers = logging.getLogger().handlers[:] if self._bars else []
        for handler in self._loggers:
            handler.addFilter(self._make_way)

    @property
    def failed(self) -> int:
        """How many inputs failed so far."""
        return self._counts[Status.FAILED]

    @property
    def counts(self) -> Mapping[Status, int]:
        """How many inputs ended how so far."""
        return self._counts

    def notify(self, event: Event) -> None:
        """Take one event."""
        now = self._clock()
        match event:
            case BatchStarted():
                self._pace = Pace(total=event.total, seconds=event.seconds, now=now)
                self._told_line = self._told_json = now
            case StageStarted():
                self._pace.started(event, now)
            case StageProgress():
                self._pace.progressed(event)
            case Rested():
                self._pace.rested(event, now)
            case TrackOutcome():
                self._finished(event, now)
        self._tell(now)
        self._draw(now)

    def close(self) -> None:
        """Take the bars away and say how it all ended."""
        self._erase()
        for handler in self._loggers:
            handler.removeFilter(self._make_way)
        counts = {status.value: count for status, count in self._counts.items()}
        self._output.data({"event": "summary", **counts})
        self._output.say(", ".join(f"{count} {name}" for name, count in counts.items()))

    def _finished(self, outcome: TrackOutcome, now: float) -> None:
        ran = self._pace.ended(outcome, now)
        self._counts[outcome.status] += 1
        self._erase()
        self._output.data({"event": "track", **{name: getattr(outcome, name) for name in _TOLD}})
        place = f"[{self._pace.finished}/{self._pace.total}] " if self._pace.total > 1 else ""
        took = f" ({ran.worked:.1f} s)" if ran and outcome.status is Status.DONE else ""
        self._output.say(f"{place}{_MARKS[outcome.status]:8}{outcome.track_id or '-':21}{outcome.source}{took}")
        for line in _remarks(outcome):
            self._output.say(f"{_INDENT}{line}")

    def _tell(self, now: float) -> None:
        """Now and then, how far the batch is: to programs, and to people who see no bar."""
        if self._output.as_json and now - self._told_json >= TELL_JSON_S and self._pace.total:
            self._output.data({"event": "progress", **self._figures(now)})
            self._told_json = now
        if not self._bars and now - self._told_line >= TELL_LINE_S and self._pace.total > 1:
            self._output.say(f"{_INDENT}{self._where(now)}")
            self._told_line = now

    def _figures(self, now: float) -> dict[str, float | None]:
        pace = self._pace
        figures = {
            "seconds_done": pace.seconds_done,
            "seconds_total": pace.seconds_total,
            "rate": pace.rate(now),
            "left_s": pace.left_s(now),
        }
        counts = {"finished": pace.finished, "total": pace.total, "failed": pace.failed}
        return counts | {name: None if value is None else round(value, 1) for name, value in figures.items()}

    def _where(self, now: float) -> str:
        pace = self._pace
        rate, left = pace.rate(now), pace.left_s(now)
        words = [f"{pace.finished:,}/{pace.total:,}"]
        words += [f"{rate:.1f}× real time"] if rate is not None else []
        words += [f"{duration(left)} left"] if left is not None and pace.finished < pace.total else []
        words += [f"{pace.failed:,} failed"] if pace.failed else []
        return "   ".join(words)

    def _draw(self, now: float) -> None:
        if not self._bars or now - self._drawn_at < REDRAW_S:
            return
        columns, rows = shutil.get_terminal_size()
        lines = [clipped(line, columns - 1) for line in self._lines(now, rows - 1)]
        shown = "".join(line + "\n" for line in lines)
        sys.stderr.write(f"{self._way_back(columns)}{_WRAP_OFF}{shown}{_WRAP_ON}")
        sys.stderr.flush()
        self._widths, self._drawn_at = [columns_of(line) for line in lines], now

    def _lines(self, now: float, room: int) -> list[str]:
        """One line for the batch and one for each running input, as many as there is room for."""
        pace = self._pace
        lines = [f"  {_bar(pace.fraction)} {self._where(now)}"] if pace.total > 1 else []
        running = [_line(subject, here) for subject, here in pace.running.items() if here.entered is not None]
        room = max(1, room - len(lines))
        if len(running) > room:
            running[room - 1 :] = [f"  and {len(running) - room + 1} more"]
        return lines + running

    def _erase(self) -> None:
        if self._widths:
            sys.stderr.write(self._way_back(shutil.get_terminal_size().columns))
            sys.stderr.flush()
            self._widths, self._drawn_at = [], -REDRAW_S

    def _way_back(self, columns: int) -> str:
        """Up over what is drawn, and away with it; a terminal made narrower has folded the lines."""
        rows = sum(max(1, -(-width // max(1, columns))) for width in self._widths)
        return f"\x1b[{rows}A\x1b[J" if rows else ""

    def _make_way(self, _: logging.LogRecord) -> bool:
        """A filter that lets every log line through, below nothing that is drawn."""
        self._erase()
        return True


def _remarks(outcome: TrackOutcome) -> list[str]:
    """What else there is to say of a finished input, a line each."""
    lines = [f"same sound as {outcome.duplicate_of}"] if outcome.duplicate_of else []
    lines += [f"warning: {warning}" for warning in outcome.warnings]
    if outcome.status is Status.FAILED:
        lines.append(f"{outcome.code}: {outcome.message}")
        lines += [f"hint: {outcome.hint}"] if outcome.hint else []
    return lines


def _bar(fraction: float) -> str:
    filled = round(_BAR_WIDTH * min(1.0, fraction))
    return "█" * filled + "·" * (_BAR_WIDTH - filled)


def _line(subject: str, here: Running) -> str:
    name = "looking at the sources" if here.stage is Stage.PLAN else printable(subject.rpartition("/")[2])
    return f"  {_bar(here.fraction)} {here.stage:10} {name}"


def duration(seconds: float) -> str:
    """A span of time for people, in its two largest units: `45 s`, `3 min 20 s`, `1 h 12 min`, `2 d 3 h`."""
    whole = round(seconds)
    for unit, name, small, smaller in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= unit:
            return f"{whole // unit} {name} {whole % unit // small} {smaller}"
    return f"{whole} s"


def columns_of(text: str) -> int:
    """How many columns of a terminal the text takes: wide letters two, combining and invisible ones none."""
    return sum(_columns(char) for char in text)


def clipped(text: str, columns: int) -> str:
    """The text, or as much of it as goes into so many columns, with `…` at its end."""
    if columns_of(text) <= columns:
        return text
    taken, room = 0, columns - 1
    for char in text:
        room -= _columns(char)
        if room < 0:
            break
        taken += 1
    return text[:taken] + "…"


def _columns(char: str) -> int:
    if category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if east_asian_width(char) in "WF" else 1
