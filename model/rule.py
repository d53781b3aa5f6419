"""What a rule is, and what its breach looks like."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

Subject = TypeVar("Subject")


class Severity(StrEnum):
    """MUST: players may fail, do not publish. SHOULD: it plays, but somebody should look."""

    MUST = "must"
    SHOULD = "should"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a breach is: a line of a playlist, or a box of the init section or of a segment.

    `line` counts from 1, 0 means the resource as a whole; `segment` counts from 0 in the order of the playlist.
    `resource` is empty where whoever asked knows it.
    """

    line: int = 0
    box: str = ""
    segment: int | None = None
    resource: str = ""


Breaches = Iterator[tuple[int | Place, str]]  # the line or the place, and the message, of each


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One breach of one rule. `line` counts from 1; 0 means the resource as a whole."""

    rule: str
    section: str
    line: int
    message: str
    how_to_fix: str
    severity: Severity
    resource: str = ""
    box: str = ""
    segment: int | None = None


@dataclass(frozen=True, slots=True)
class Rule(Generic[Subject]):
    """A rule: its id, where it is written, how hard it is, what looks for breaches, and how to mend one."""

    rule: str
    section: str
    severity: Severity
    check: Callable[[Subject], Breaches]
    how_to_fix: str

    def findings(self, subject: Subject) -> Iterator[Finding]:
        """Every breach of this rule, in the order of lines."""
        for where, message in self.check(subject):
            place = where if isinstance(where, Place) else Place(line=where)
            yield Finding(
                rule=self.rule,
                section=self.section,
                line=place.line,
                message=message,
                how_to_fix=self.how_to_fix,
                severity=self.severity,
                resource=place.resource,
                box=place.box,
                segment=place.segment,
            )
