"""What the stages tell while they work, and how each input ended."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Stage(StrEnum):
    """The steps a track goes through, in order."""

    READ = "read"
    MEASURE = "measure"
    NORMALISE = "normalise"
    ENCODE = "encode"
    PACKAGE = "package"
    UPLOAD = "upload"
    VERIFY = "verify"


class Status(StrEnum):
    """How one input ended."""

    DONE = "done"
    SKIPPED = "skipped"  # already as wanted
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStarted:
    """Work on `subject` (a source or a track id) entered a stage."""

    subject: str
    stage: Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class StageProgress:
    """`done` of `total` seconds of audio are through this stage."""

    subject: str
    stage: Stage
    done: float
    total: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackOutcome:
    """How one input ended. `code`, `message` and `hint` are empty unless it failed."""

    source: str
    status: Status
    track_id: str | None = None
    title: str = ""
    code: str = ""
    message: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStarted:
    """A batch of `total` inputs begins."""

    total: int


Event = BatchStarted | StageStarted | StageProgress | TrackOutcome


class Observer(Protocol):
    """Whoever wants to know: the terminal, a JSON stream, a test."""

    def notify(self, event: Event) -> None:
        """Take one event. Called from the event loop; must return at once and never raise."""
        ...


class Unobserved:
    """An observer that does not care."""

    def notify(self, event: Event) -> None:
        """Forget the event."""
