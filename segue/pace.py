"""How far a batch is, how fast it goes and how long it will take: counted in seconds of audio. Time is handed in."""

from dataclasses import dataclass

from model.events import Rested, Stage, StageProgress, StageStarted, Status, TrackOutcome

_ORDER = tuple(Stage)
# Seconds that a track of four minutes spent in each stage on two cores, until a batch has shown how it is here.
_AT_FIRST = {Stage.MEASURE: 1.4, Stage.NORMALISE: 1.5, Stage.ENCODE: 44.0}


@dataclass(slots=True)
class Running:
    """One input that is worked on: its stage, how far it is in it (0 to 1), and its length if known.

    `entered` is when it came into the stage, None while it rests; `worked` how long it was worked on before.
    """

    stage: Stage
    entered: float | None
    worked: float = 0.0
    fraction: float = 0.0
    seconds: float = 0.0

    def rest(self, now: float) -> float:
        """Stop its clock; how long it was in its stage since that ran."""
        spent = 0.0 if self.entered is None else now - self.entered
        self.worked += spent
        self.entered = None
        return spent


class Pace:
    """The arithmetic of one batch of `total` inputs, together `seconds` of audio (None: not known)."""

    def __init__(self, *, total: int, seconds: float | None, now: float) -> None:
        self.total = total
        self.finished = 0
        self.failed = 0
        self.running: dict[str, Running] = {}
        self._seconds = seconds
        self._began = now
        self._behind = 0.0  # seconds of audio of all that is finished, however it ended
        self._worked = 0.0  # of what had to be worked on
        self._spent = dict.fromkeys(Stage, 0.0) | _AT_FIRST  # all running and finished inputs together

    def started(self, event: StageStarted, now: float) -> None:
        """An input enters a stage."""
        here = self.running.get(event.subject)
        if here is None:
            self.running[event.subject] = Running(event.stage, entered=now)
            return
        self._spent[here.stage] += here.rest(now)
        here.stage, here.entered, here.fraction = event.stage, now, 0.0

    def rested(self, event: Rested, now: float) -> None:
        """An input waits for others."""
        if here := self.running.get(event.subject):
            self._spent[here.stage] += here.rest(now)
            here.fraction = 1.0

    def progressed(self, event: StageProgress) -> None:
        """An input gets on in its stage."""
        here = self.running.get(event.subject)
        if here and event.total > 0:
            here.fraction, here.seconds = min(1.0, max(0.0, event.done / event.total)), event.total

    def ended(self, outcome: TrackOutcome, now: float) -> Running | None:
        """An input is finished; what is known of its run."""
        here = self.running.pop(outcome.source, None)
        if here is not None:
            here.rest(now)
        seconds = outcome.seconds or (here.seconds if here else 0.0)
        self.finished += 1
        self.failed += outcome.status is Status.FAILED
        self._behind += seconds
        if outcome.status is Status.DONE and not outcome.duplicate_of:
            self._worked += seconds
        elif not self._worked:
            self._began = now  # what was done in an earlier run goes by in no time, and tells nothing of the speed
        return here

    @property
    def seconds_done(self) -> float:
        """Seconds of audio that lie behind, those of running inputs in part."""
        return self._behind + self._partly

    @property
    def seconds_total(self) -> float | None:
        """Seconds of audio of the batch; what nobody looked at is taken to be as long as the mean of what is known."""
        if self._seconds is not None:
            return max(self._seconds, self._behind)
        if not self._behind:
            return None
        return self._behind * self.total / self.finished

    @property
    def fraction(self) -> float:
        """How far the batch is, 0 to 1."""
        if self.seconds_total:
            return min(1.0, self.seconds_done / self.seconds_total)
        return self.finished / self.total if self.total else 0.0

    def rate(self, now: float) -> float | None:
        """Seconds of audio in a second, None as long as there is nothing to tell."""
        worked, elapsed = self._worked + self._partly, now - self._began
        return worked / elapsed if worked > 0 and elapsed > 0 else None

    def left_s(self, now: float) -> float | None:
        """Seconds until the batch ends, None as long as there is nothing to tell."""
        rate, total = self.rate(now), self.seconds_total
        if rate is None or total is None:
            return None
        return max(0.0, total - self.seconds_done) / rate

    @property
    def _partly(self) -> float:
        return sum(here.seconds * self._share(here) for here in self.running.values())

    def _share(self, here: Running) -> float:
        """How much of the work on an input is done: stages take their share as they took it of the others."""
        before = sum(self._spent[stage] for stage in _ORDER[: _ORDER.index(here.stage)])
        return (before + here.fraction * self._spent[here.stage]) / sum(self._spent.values())
