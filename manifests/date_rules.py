"""The rules for dates in a media playlist of anybody: EXT-X-PROGRAM-DATE-TIME and EXT-X-DATERANGE."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from manifests.listing import ListedTag, MediaListing
from manifests.listing_text import DATE
from manifests.syntax import moment_of
from model.rule import Breaches, Rule, Severity

_SECONDS = re.compile(r"[0-9]{1,10}(?:\.[0-9]{1,20})?")
_DATES, _DURATIONS = ("START-DATE", "END-DATE"), ("DURATION", "PLANNED-DURATION")
_SECTION = "RFC 8216 §4.3.2.7"


@dataclass(frozen=True, slots=True)
class _Range:
    """A date range, out of all tags of its ID; times in milliseconds, None where they are not said or are none."""

    first: ListedTag
    said: dict[str, str]

    def moment(self, name: str) -> int | None:
        return moment_of(self.said.get(name, ""))

    def duration_ms(self) -> int | None:
        text = self.said.get("DURATION", "")
        return round(float(text) * 1_000) if _SECONDS.fullmatch(text) else None

    def end_ms(self) -> int | None:
        end, start, duration = self.moment("END-DATE"), self.moment("START-DATE"), self.duration_ms()
        return start + duration if end is None and start is not None and duration is not None else end


def _ranges(it: MediaListing) -> list[_Range]:
    """In the order of their first tags. A tag without an ID is a range of its own."""
    by_id: dict[str, _Range] = {}
    for each in it.date_ranges:
        known = by_id.setdefault(each["ID"] or f"\0{each.line}", _Range(each, {}))
        known.said.update({name: text for name, text in each.attributes.items() if name not in known.said})
    return list(by_id.values())


def _of_each(wrong: Callable[[_Range], Iterator[str]]) -> Callable[[MediaListing], Breaches]:
    def check(it: MediaListing) -> Breaches:
        for each in _ranges(it):
            for message in wrong(each):
                yield each.first.line, message

    return check


def _malformed(it: _Range) -> Iterator[str]:
    for name in ("ID", "START-DATE"):
        if not it.said.get(name):
            yield f"EXT-X-DATERANGE without {name}"
    for name in _DATES:
        if it.said.get(name) and it.moment(name) is None:
            yield f"{name} is no date and time of ISO 8601: {it.said[name][:40]!a}"
    for name in _DURATIONS:
        if name in it.said and not _SECONDS.fullmatch(it.said[name]):
            yield f"{name} is not seconds from 0: {it.said[name][:40]!a}"


def _other_end(it: _Range) -> Iterator[str]:
    start, end, duration = it.moment("START-DATE"), it.moment("END-DATE"), it.duration_ms()
    if start is None or end is None:
        return
    if end < start:
        yield "END-DATE is before START-DATE"
    elif duration is not None and abs(start + duration - end) > 1:  # rounding to milliseconds
        yield f"END-DATE is {(end - start) / 1_000} s after START-DATE, DURATION is {it.said['DURATION']}"


def _bad_end_on_next(it: _Range) -> Iterator[str]:
    if "END-ON-NEXT" not in it.said:
        return
    if it.said["END-ON-NEXT"] != "YES":
        yield f"END-ON-NEXT is not YES: {it.said['END-ON-NEXT'][:40]!a}"
    if not it.said.get("CLASS"):
        yield "END-ON-NEXT without CLASS: nothing says which range is the next"
    both = [name for name in ("DURATION", "END-DATE") if name in it.said]
    if both:
        yield f"END-ON-NEXT with {' and '.join(both)}"


def _told_otherwise(it: MediaListing) -> Breaches:
    first: dict[tuple[str, str], str] = {}
    for each in it.date_ranges:
        for name, text in each.attributes.items() if each["ID"] else ():
            known = first.setdefault((each["ID"], name), text)
            if text != known:
                yield each.line, f"{name} of {each['ID'][:40]!a} is {text[:40]!a}, it was {known[:40]!a} before"


def _overlap(it: MediaListing) -> Breaches:
    """In a class of which one range ends with the next; a range of no length overlaps nothing."""
    classes: dict[str, list[_Range]] = defaultdict(list)
    for each in _ranges(it):
        classes[each.said.get("CLASS", "")].append(each)
    for name, members in classes.items():
        if not name or all("END-ON-NEXT" not in each.said for each in members):
            continue
        placed = [(start, each) for each in members if (start := each.moment("START-DATE")) is not None]
        placed.sort(key=lambda each: each[0])
        for (_, before), (start, after) in pairwise(placed):
            end = before.end_ms()
            if end is not None and end > start:
                yield after.first.line, f"begins before another of the CLASS {name[:40]!a} ended"


def _no_dates(it: MediaListing) -> Breaches:
    if it.date_ranges and not it.dated:
        yield it.date_ranges[0].line, "no EXT-X-PROGRAM-DATE-TIME: nothing says where in the media a date is"


def _bad_dates(it: MediaListing) -> Breaches:
    yield from ((each.line, each.message) for each in it.troubles if each.rule == DATE)


DATE_RULES: tuple[Rule[MediaListing], ...] = (
    Rule(
        DATE,
        "RFC 8216 §4.3.2.6",
        Severity.MUST,
        _bad_dates,
        "write #EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00.000Z",
    ),
    Rule(
        "RFC8216-4.3.2.7",
        _SECTION,
        Severity.MUST,
        _of_each(_malformed),
        "write ID and START-DATE, dates as 2026-01-01T00:00:00.000Z and durations in seconds",
    ),
    Rule(
        "RFC8216-4.3.2.7-end",
        _SECTION,
        Severity.MUST,
        _of_each(_other_end),
        "write an END-DATE that is START-DATE plus DURATION, or one of both alone",
    ),
    Rule(
        "RFC8216-4.3.2.7-next",
        _SECTION,
        Severity.MUST,
        _of_each(_bad_end_on_next),
        "write END-ON-NEXT=YES with a CLASS, and without DURATION and END-DATE",
    ),
    Rule(
        "RFC8216-4.3.2.7-id",
        _SECTION,
        Severity.MUST,
        _told_otherwise,
        "give each date range an ID of its own, and an attribute one value in all tags of an ID",
    ),
    Rule(
        "RFC8216-4.3.2.7-overlap",
        _SECTION,
        Severity.MUST,
        _overlap,
        "end each range of a CLASS with END-ON-NEXT before the next one starts",
    ),
    Rule(
        "RFC8216-4.3.2.7-place",
        _SECTION,
        Severity.MUST,
        _no_dates,
        "write EXT-X-PROGRAM-DATE-TIME before a segment",
    ),
)
