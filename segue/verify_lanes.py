"""What the picture of a stream shows: a lane for each rendition, and which findings lie where."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate

from inspector.gathered import ENCRYPTED, MediaTrack
from inspector.judge import Inspection
from manifests.listing import ListedVariant
from manifests.rates import average_rate_bps, peak_rate_bps, peak_run
from model.rule import Finding, Severity
from model.timebase import MICROSECONDS

MARKS_MAX = 200  # in one lane


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """All findings of one rule; `number` names the rule in the picture."""

    number: int
    findings: tuple[Finding, ...]

    @property
    def first(self) -> Finding:
        """The finding that tells the rule, the severity and the fix of all."""
        return self.findings[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One segment on the time axis. `size_bytes` is None where it is not known; `breaks`: a discontinuity before it."""

    start_us: int
    duration_us: int
    size_bytes: int | None
    encrypted: bool
    breaks: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A finding at a place in time."""

    at_us: int
    number: int
    severity: Severity
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One rendition. Rates are 0 where they are not known; `peak` is the run of segments that has the peak rate.

    `numbers` are the rules broken by the rendition as a whole.
    """

    name: str
    detail: str
    pieces: tuple[Piece, ...]
    bandwidth_bps: int
    average_bps: int
    measured_peak_bps: int
    measured_average_bps: int
    peak: tuple[int, int] | None
    skipped_us: int
    marks: tuple[Mark, ...]
    numbers: tuple[int, ...]


def grouped(findings: Iterable[Finding]) -> list[Group]:
    """The findings by rule, in the order of the first of each, numbered from 1."""
    by_rule: dict[str, list[Finding]] = {}
    for finding in findings:
        by_rule.setdefault(finding.rule, []).append(finding)
    return [Group(number=number, findings=tuple(each)) for number, each in enumerate(by_rule.values(), start=1)]


def lanes_of(inspection: Inspection, groups: list[Group]) -> list[Lane]:
    """A lane for every media playlist that was read."""
    numbers = {group.first.rule: group.number for group in groups}
    stream = inspection.stream
    variants = stream.multivariant.variants if stream.multivariant else ()
    lanes = []
    for track in stream.tracks:
        ours = [each for each in variants if each.uri in track.uris]
        of_variants = {each.line for each in ours}
        here = [each for each in inspection.findings if _concerns(each, track)]
        here += [each for each in inspection.findings if each.resource == stream.location and each.line in of_variants]
        lanes.append(_lane(track, ours[0] if ours else None, here, numbers))
    return lanes


def _concerns(finding: Finding, track: MediaTrack) -> bool:
    if finding.resource == track.location or finding.resource in track.init_locations.values():
        return True
    number = finding.segment
    return number is not None and number < len(track.parts) and track.parts[number].location == finding.resource


def _lane(
    track: MediaTrack, variant: ListedVariant | None, findings: list[Finding], numbers: Mapping[str, int]
) -> Lane:
    segments = track.listing.segments
    starts = list(accumulate((each.duration_us for each in segments), initial=0))
    pieces = tuple(
        Piece(
            start_us=start,
            duration_us=segment.duration_us,
            size_bytes=part.size_bytes,
            encrypted=part.kind == ENCRYPTED,
            breaks=bool(number and segment.period != segments[number - 1].period),
        )
        for number, (segment, part, start) in enumerate(zip(segments, track.parts, starts, strict=False))
    )
    sizes, durations = track.sizes(), [max(1, each.duration_us) for each in segments]
    target = max(1, track.listing.target_duration_s)
    init = track.first_init()
    marks, whole = _marks(track, starts, findings, numbers)
    return Lane(
        name=variant.uri if variant else track.location,
        detail=", ".join(variant.codecs) if variant and variant.codecs else (init.sample_entry if init else ""),
        pieces=pieces,
        bandwidth_bps=variant.bandwidth_bps if variant else 0,
        average_bps=(variant.average_bandwidth_bps or 0) if variant else 0,
        measured_peak_bps=peak_rate_bps(sizes, durations, target) if sizes else 0,
        measured_average_bps=average_rate_bps(sizes, durations) if sizes else 0,
        peak=peak_run(sizes, durations, target) if sizes else None,
        skipped_us=_skipped_us(track),
        marks=marks,
        numbers=whole,
    )


def _skipped_us(track: MediaTrack) -> int:
    """What players are told to drop at the start: by the edit list, by the pre-skip of Opus, or by the larger."""
    init = track.first_init()
    if init is None or not init.timescale:
        return 0
    edit_us = (init.edit_media_time or 0) * MICROSECONDS // init.timescale
    return min(max(edit_us, init.pre_skip * MICROSECONDS // 48_000), 10 * MICROSECONDS)


def _marks(
    track: MediaTrack, starts: list[int], findings: list[Finding], numbers: Mapping[str, int]
) -> tuple[tuple[Mark, ...], tuple[int, ...]]:
    """Findings that lie at a time, and the numbers of those that do not."""
    by_line = {segment.line: number for number, segment in enumerate(track.listing.segments)}
    marks: dict[tuple[int, int], Mark] = {}
    whole: list[int] = []
    for each in findings:
        number = each.segment
        if number is None and each.resource == track.location:
            number = by_line.get(each.line)
        rule = numbers[each.rule]
        if number is None or number >= len(starts):
            whole.append(rule)
        elif len(marks) < MARKS_MAX:
            mark = Mark(at_us=starts[number], number=rule, severity=each.severity, message=each.message)
            marks.setdefault((number, rule), mark)
    return tuple(marks.values()), tuple(dict.fromkeys(whole))
