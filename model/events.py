"""What the stages tell while they work, and how each input ended."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Stage(StrEnum):
    """The steps a track goes through, in order. `PLAN` is the survey of all sources before the first is worked on."""

    PLAN = "plan"
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
    """Work on `subject` (a source or a track id; empty for `PLAN`) entered a stage."""

    subject: str
    stage: Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class StageProgress:
    """`done` of `total` seconds of audio (for `PLAN`: of sources) are through this stage."""

    subject: str
    stage: Stage
    done: float
    total: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rested:
    """Nothing is done for `subject` for now: it waits for the other tracks of its album."""

    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackOutcome:
    """How one input ended. `code`, `message` and `hint` are empty unless it failed.

    `warnings` are for people. `seconds` is the length of its audio, 0 where it is not known. `duplicate_of` names the
    source or track whose sound it is, if another had the same.
    """

    source: str
    status: Status
    track_id: str | None = None
    title: str = ""
    code: str = ""
    message: str = ""
    hint: str = ""
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    duplicate_of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStarted:
    """A batch of `total` inputs begins. `seconds` is the audio that they hold together, None if nobody looked."""

    total: int
    seconds: float | None = None


Event = BatchStarted | StageStarted | StageProgress | Rested | TrackOutcome


class Observer(Protocol):
    """Whoever wants to know: the terminal, a JSON stream, a test."""

    def notify(self, event: Event) -> None:
        """Take one event. Called from the event loop; must return at once and never raise."""
        ...


class Unobserved:
    """An observer that does not care."""

    def notify(self, event: Event) -> None:
        """Forget the event."""
