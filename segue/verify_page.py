"""`verify --html`: one self-contained page of what was found. It asks the network for nothing and forbids itself to."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import IO

from inspector.gathered import Unseen
from model.rule import Finding, Severity
from segue.page_file import write_page
from segue.report_rows import escaped
from segue.verify_lanes import Group, Lane, grouped
from segue.verify_plot import LANES_MAX, timeline

_PIECE_BYTES = 1 << 16
PLACES_MAX = 50  # of one rule; the JSON has them all
_KEY = (
    '<p class="key"><span>bit rate of a segment</span><span class="peak">the run with the peak</span>'
    '<span class="goal">BANDWIDTH</span><span class="average">AVERAGE-BANDWIDTH</span>'
    '<span class="skip">skipped at the start</span><span class="must">must</span><span class="should">should</span></p>'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the page tells of one stream or track."""

    name: str
    findings: Sequence[Finding]
    unseen: Sequence[Unseen] = ()
    lanes: Sequence[Lane] = ()
    trouble: str = ""  # why it could not be verified at all

    @property
    def sound(self) -> bool:
        """Whether nothing was found that players may fail on."""
        return not self.trouble and not any(each.severity is Severity.MUST for each in self.findings)


class Verdicts:
    """Counts verdicts and writes each down for the page, if there is a file for that: a store has many tracks."""

    def __init__(self, sections: IO[bytes] | None) -> None:
        self.verified = self.broken = 0
        self._sections = sections

    def add(self, verdict: Verdict) -> None:
        """The next one; the page has them in this order."""
        self.verified += 1
        self.broken += not verdict.sound
        if self._sections:
            self._sections.writelines(part.encode() for part in _stream(verdict))

    def write_page(self, target: Path) -> None:
        """Write the page, all or nothing. Raises UsageError if it cannot be written."""
        write_page(target, self._page())

    def _page(self) -> Iterator[bytes]:
        slots = {
            "title": "Verified" if not self.broken else "Verified: broken",
            "summary": f"{self.verified} looked at, {self.broken} broken",
        }
        skeleton = (files("segue") / "verify_page.html").read_text(encoding="utf-8")
        for number, piece in enumerate(skeleton.split("{{")):
            slot, _, text = piece.partition("}}") if number else ("", "", piece)
            if slot == "streams" and self._sections:
                self._sections.seek(0)
                yield from iter(partial(self._sections.read, _PIECE_BYTES), b"")
            elif slot:
                yield slots[slot].encode()
            yield text.encode()


def where(finding: Finding) -> str:
    """Where a finding lies, for people: the resource, the line, the segment, the box."""
    parts = [finding.resource] if finding.resource else []
    parts += [f"line {finding.line}"] if finding.line else []
    parts += [f"segment {finding.segment}"] if finding.segment is not None else []
    parts += [f"box {finding.box}"] if finding.box else []
    return ", ".join(parts)


def _stream(verdict: Verdict) -> Iterator[str]:
    kind = "sound" if verdict.sound else "broken"
    groups = grouped(verdict.findings)
    yield f'<section><h2 dir="auto">{escaped(verdict.name)}</h2>'
    yield f'<p class="lead"><span class="verdict {kind}">{kind}</span>'
    yield f" · {_counted(verdict.findings)}</p>"
    if verdict.trouble:
        yield f'<p class="lead">{escaped(verdict.trouble)}</p>'
    picture = timeline(verdict.lanes)
    if picture:
        yield _KEY + picture
        if len(verdict.lanes) > LANES_MAX:
            yield f'<p class="lead">and {len(verdict.lanes) - LANES_MAX} renditions more</p>'
    if groups:
        yield f'<ol class="rules">{"".join(map(_rule, groups))}</ol>'
    if verdict.unseen:
        items = "".join(f"<li>{escaped(each.resource)}: {escaped(each.reason)}</li>" for each in verdict.unseen)
        yield f'<h3>Not looked into</h3><ul class="unseen">{items}</ul>'
    yield "</section>\n"


def _counted(findings: Iterable[Finding]) -> str:
    found = list(findings)
    must = sum(each.severity is Severity.MUST for each in found)
    return f"{must} must, {len(found) - must} should" if found else "nothing found"


def _rule(group: Group) -> str:
    first = group.first
    shown = group.findings[:PLACES_MAX]
    places = "".join(
        f'<li><span class="where">{escaped(where(each))}</span> {escaped(each.message)}</li>' for each in shown
    )
    if len(group.findings) > len(shown):
        places += f"<li>and {len(group.findings) - len(shown)} more</li>"
    return (
        f'<li><b>{group.number}</b><div><span class="severity {first.severity}">{first.severity}</span>'
        f'<code>{escaped(first.rule)}</code> <span class="section">{escaped(first.section)}</span>'
        f'<ul class="places">{places}</ul><p class="fix">{escaped(first.how_to_fix)}</p></div></li>'
    )
