"""The timeline of a stream as SVG: lanes over one time axis, with boundaries, bit rates, trims and findings.

It takes its colours from the page that it stands in.
"""

from collections.abc import Iterable, Sequence

from model.rule import Severity
from model.timebase import MICROSECONDS
from segue.report_plots import clock_time
from segue.report_rows import escaped
from segue.verify_lanes import Lane, Mark, Piece

WIDTH, _RIGHT = 1_000, 120  # of the picture, and of it for the labels of the lines
LANES_MAX = 40
_PLOT = WIDTH - _RIGHT
_NAME, _BARS, _BLOCKS, _GAP = 20, 52, 10, 26  # heights in a lane
_LANE = _NAME + _BARS + _BLOCKS + _GAP
_AXIS = 24
_SKIP_LEAST = 3.0  # wide enough to be seen
_TICKS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_200, 3_600, 7_200, 14_400, 28_800, 86_400)


def timeline(lanes: Sequence[Lane]) -> str:
    """The picture; empty where there is nothing to show."""
    shown = lanes[:LANES_MAX]
    total_us = max((each.pieces[-1].start_us + each.pieces[-1].duration_us for each in shown if each.pieces), default=0)
    if not total_us:
        return ""
    height = _AXIS + _LANE * len(shown)
    drawn = "".join(_lane(lane, _AXIS + _LANE * number, total_us) for number, lane in enumerate(shown))
    return (
        f'<svg class="timeline" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="segments, bit rates and findings '
        f'over time">{_axis(total_us, height)}{drawn}</svg>'
    )


def _axis(total_us: int, height: int) -> str:
    seconds = total_us / MICROSECONDS
    step = next((each for each in _TICKS_S if seconds / each <= 10), _TICKS_S[-1])
    places = [(_PLOT * tick / seconds, tick) for tick in range(0, min(int(seconds), 20 * step) + 1, step)]
    lines = "".join(f"M{x:.5g} 16V{height - _GAP + 8}" for x, _ in places)
    texts = "".join(f'<text x="{x:.5g}" y="10">{clock_time(tick)}</text>' for x, tick in places)
    return f'<path class="grid" d="{lines}"/><g class="time">{texts}</g>'


def _lane(lane: Lane, top: int, total_us: int) -> str:
    across = _PLOT / total_us
    floor = top + _NAME + _BARS
    most_bps = _scale(lane)
    numbers = " ".join(f"[{number}]" for number in sorted(lane.numbers))
    name = (
        f'<text class="name" x="0" y="{top + 12}">{escaped(lane.name)}'
        f'<tspan class="soft" dx="8">{escaped(lane.detail)}</tspan><tspan class="mark" dx="8">{numbers}</tspan></text>'
    )
    return (
        name
        + _rates(lane, floor, across, most_bps)
        + _blocks(lane, floor + 2, across)
        + _findings(lane.marks, floor + 2 + _BLOCKS, across)
    )


def _scale(lane: Lane) -> int:
    """The rate at the top of a lane; a tiny segment may pass it."""
    return max(lane.bandwidth_bps, lane.measured_peak_bps, 1) * 9 // 8


def _rates(lane: Lane, floor: int, across: float, most_bps: int) -> str:
    first, end = lane.peak or (0, 0)
    inside = [first <= number < end for number in range(len(lane.pieces))]
    usual = _bars((each for each, peak in zip(lane.pieces, inside, strict=True) if not peak), floor, across, most_bps)
    peak = _bars((each for each, peak in zip(lane.pieces, inside, strict=True) if peak), floor, across, most_bps)
    drawn = f'<path class="bar" d="{usual}"/><path class="bar peak" d="{peak}"/>'
    above = float("-inf")
    for kind, rate_bps, word in (("goal", lane.bandwidth_bps, "BANDWIDTH"), ("average", lane.average_bps, "AVERAGE")):
        if rate_bps:
            y = floor - _BARS * min(1.0, rate_bps / most_bps)
            above = min(max(y + 3, above + 13), floor - 13)  # where the label fits
            drawn += f'<path class="line {kind}" d="M0 {y:.5g}H{_PLOT}"/>'
            drawn += _told(above, kind, f"{word} {_kilobits(rate_bps)}")
    if lane.measured_peak_bps:
        drawn += _told(floor, "peak", f"measured {_kilobits(lane.measured_peak_bps)}")
    return drawn


def _told(y: float, kind: str, text: str) -> str:
    return f'<text class="{kind}" x="{_PLOT + 6}" y="{y:.5g}">{text}</text>'


def _kilobits(rate_bps: int) -> str:
    return f"{rate_bps / 1000:,.1f}k"


def _bars(pieces: Iterable[Piece], floor: int, across: float, most_bps: int) -> str:
    words = []
    for each in pieces:
        if each.size_bytes and each.duration_us:
            rate_bps = 8 * each.size_bytes * MICROSECONDS / each.duration_us
            height = _BARS * min(1.0, rate_bps / most_bps)
            wide = max(0.4, each.duration_us * across - 0.6)
            words.append(f"M{each.start_us * across:.5g} {floor}v{-height:.4g}h{wide:.4g}V{floor}z")
    return "".join(words)


def _blocks(lane: Lane, top: int, across: float) -> str:
    """The segments, every other one darker; what is not known is left open, what is encrypted is told by its class."""
    paths: dict[str, list[str]] = {}
    for number, each in enumerate(lane.pieces):
        kind = "open" if each.size_bytes is None else "locked" if each.encrypted else ("odd" if number % 2 else "even")
        wide = max(0.4, each.duration_us * across)
        paths.setdefault(kind, []).append(f"M{each.start_us * across:.5g} {top}h{wide:.4g}v{_BLOCKS}h{-wide:.4g}z")
        if each.breaks:
            paths.setdefault("break", []).append(f"M{each.start_us * across:.5g} {top - _BARS}v{_BARS + _BLOCKS}")
    drawn = "".join(f'<path class="{kind}" d="{"".join(words)}"/>' for kind, words in paths.items())
    if lane.skipped_us:
        wide = max(_SKIP_LEAST, lane.skipped_us * across)
        label = f"skipped at the start: {lane.skipped_us / 1000:.1f} ms"
        drawn += f'<path class="skip" d="M0 {top}h{wide:.4g}v{_BLOCKS}h{-wide:.4g}z"><title>{label}</title></path>'
    return drawn


def _findings(marks: Sequence[Mark], top: int, across: float) -> str:
    return "".join(
        f'<g class="{"must" if each.severity is Severity.MUST else "should"}">'
        f'<path d="M{each.at_us * across:.5g} {top + 1}l4 7h-8z"/>'
        f'<text x="{each.at_us * across + 6:.5g}" y="{top + 10}">{each.number}</text>'
        f"<title>{escaped(each.message)}</title></g>"
        for each in marks
    )
