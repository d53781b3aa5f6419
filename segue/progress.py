"""Rendering of events: a bar a track on a terminal, a line for each finished track, JSON lines with --json."""

import shutil
import sys
import time
from dataclasses import asdict, dataclass, field

from model.events import BatchStarted, Event, Stage, StageProgress, StageStarted, Status, TrackOutcome
from segue.output import Output, printable

REDRAW_S = 0.1
_BAR_WIDTH = 20
_MARKS = {Status.DONE: "done", Status.SKIPPED: "skipped", Status.FAILED: "FAILED"}


@dataclass(slots=True)
class _Running:
    stage: Stage
    fraction: float = 0.0
    since: float = field(default_factory=time.monotonic)


class Progress:
    """An observer that shows a batch to whoever started it."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._bars = sys.stderr.isatty()
        self._running: dict[str, _Running] = {}
        self._counts = dict.fromkeys(Status, 0)
        self._total = 0
        self._drawn = 0
        self._drawn_at = 0.0

    def notify(self, event: Event) -> None:
        """Take one event."""
        match event:
            case BatchStarted():
                self._total = event.total
            case StageStarted():
                since = self._running[event.subject].since if event.subject in self._running else time.monotonic()
                self._running[event.subject] = _Running(event.stage, since=since)
            case StageProgress():
                if event.subject in self._running and event.total > 0:
                    self._running[event.subject].fraction = event.done / event.total
            case TrackOutcome():
                self._finished(event)
        self._draw()

    def close(self) -> None:
        """Take the bars away and say how the batch ended."""
        self._erase()
        counts = {status.value: count for status, count in self._counts.items()}
        self._output.data({"event": "summary", **counts})
        self._output.say(", ".join(f"{count} {name}" for name, count in counts.items()))

    @property
    def failed(self) -> int:
        """How many inputs failed so far."""
        return self._counts[Status.FAILED]

    def _finished(self, outcome: TrackOutcome) -> None:
        running = self._running.pop(outcome.source, None)
        self._counts[outcome.status] += 1
        self._erase()
        fields = asdict(outcome)
        self._output.data({"event": "track", **fields, "status": outcome.status.value})
        seconds = f" ({time.monotonic() - running.since:.1f} s)" if running and outcome.status is Status.DONE else ""
        done = sum(self._counts.values())
        place = f"[{done}/{self._total}] " if self._total > 1 else ""
        self._output.say(f"{place}{_MARKS[outcome.status]:8}{outcome.track_id or '-':21}{outcome.source}{seconds}")
        if outcome.status is Status.FAILED:
            self._output.say(f"        {outcome.code}: {outcome.message}")
            if outcome.hint:
                self._output.say(f"        hint: {outcome.hint}")

    def _draw(self) -> None:
        now = time.monotonic()
        if not self._bars or now - self._drawn_at < REDRAW_S:
            return
        self._erase()
        width = shutil.get_terminal_size().columns
        lines = [self._line(subject, running)[: width - 1] for subject, running in self._running.items()]
        sys.stderr.write("".join(line + "\n" for line in lines))
        sys.stderr.flush()
        self._drawn, self._drawn_at = len(lines), now

    def _line(self, subject: str, running: _Running) -> str:
        filled = round(_BAR_WIDTH * min(1.0, running.fraction))
        bar = "█" * filled + "·" * (_BAR_WIDTH - filled)
        name = printable(subject.rpartition("/")[2])
        return f"  {bar} {running.stage:10} {name}"

    def _erase(self) -> None:
        if self._drawn:
            sys.stderr.write(f"\x1b[{self._drawn}A\x1b[J")
            self._drawn, self._drawn_at = 0, 0.0
