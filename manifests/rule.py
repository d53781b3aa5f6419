"""What a rule is, and what its breach looks like."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

Subject = TypeVar("Subject")
Breaches = Iterator[tuple[int, str]]  # the line (0: the playlist as a whole) and the message of each


class Severity(StrEnum):
    """MUST: players may fail, do not publish. SHOULD: it plays, but somebody should look."""

    MUST = "must"
    SHOULD = "should"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One breach of one rule. `line` counts from 1; 0 means the playlist as a whole."""

    rule: str
    section: str
    line: int
    message: str
    how_to_fix: str
    severity: Severity


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
        for line, message in self.check(subject):
            yield Finding(
                rule=self.rule,
                section=self.section,
                line=line,
                message=message,
                how_to_fix=self.how_to_fix,
                severity=self.severity,
            )
