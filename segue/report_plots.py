"""The plots of the report as compact SVG: a track's waveform, loudness and true peaks; levels of a whole batch.

Scales are the same for all tracks, so that they can be compared at a glance. What a gain does to a plot in dB is to
move it, and to a waveform is to stretch it: each curve is written once and shown twice, as it was and as published.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, pairwise

from model.analysis import Analysis
from model.loudness import LoudnessTarget

POINTS_MAX = 240
SPARK_POINTS_MAX = 80
MOMENTARY, SHORT_TERM = 4, 30  # steps of 100 ms (BS.1770-4, EBU Tech 3341)
LUFS_FLOOR = -48.0
DBTP_TOP, DBTP_FLOOR = 3.0, -21.0
_SILENCE = -120.0
_STEP_S = 0.1
_SIZE = (720, 328)
_LEFT, _WIDTH, _RIGHT = 44, 600, 644
_WAVE_MIDDLE, _WAVE_HALF = 38, 30
_LOUD_TOP = 98
_PEAK_TOP = 244
_PX = 2.5  # of a dB
_BOTTOM = _PEAK_TOP + (DBTP_TOP - DBTP_FLOOR) * _PX
_FINE = 4  # curves are written in quarters of a dB, waveforms in hundredths
_IN_URL = str.maketrans({"%": "%25", "#": "%23", "<": "%3C", ">": "%3E", '"': "'"})
_PANELS = (("wave", 4, 68), ("loud", _LOUD_TOP - 4, 4 - LUFS_FLOOR * _PX), ("peak", _PEAK_TOP, _BOTTOM - _PEAK_TOP))
_CLIPS = "".join(
    f'<clipPath id="{name}"><path d="M{_LEFT} {top:.4g}h{_WIDTH}v{height:.4g}h-{_WIDTH}z"/></clipPath>'
    for name, top, height in _PANELS
)
_OPENING = (
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_SIZE[0]} {_SIZE[1]}" font-size="10.5" '
    f'font-family="Segoe UI, Helvetica Neue, Liberation Sans, Arial, sans-serif">'
)
# A picture sees nothing of the page's style but whether it is dark; the colours are those of report_page.html.
_STYLE = (
    "g,.was{color:#a3a5ad}.now{color:#0068a8}.goal{color:#bf4d00}text{fill:#5d5f68}.time{text-anchor:middle}"
    "use,text.goal{fill:currentColor}.band{fill:#0068a8;fill-opacity:.2}.grid{color:#e4e2dc}"
    ".thin{fill:none;stroke:currentColor;stroke-width:1.3;stroke-linejoin:round;vector-effect:non-scaling-stroke}"
    ".dash{stroke-dasharray:2 3}.thin.goal{stroke-dasharray:5 4}"
    "@media(prefers-color-scheme:dark){g,.was{color:#666872}.now{color:#5db4ea}.goal{color:#f0a04b}"
    "text{fill:#a9abb4}.band{fill:#5db4ea}.grid{color:#2a2c33}}"
)
_TICKS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400)
_TICKS_MAX = 4


def number(value: float, places: int = 1) -> str:
    """A number for people, with a real minus sign: `−14.0`."""
    text = f"{value:.{places}f}"
    return text.replace("-", "−") if float(text) else text.lstrip("-")


def clock_time(seconds: float) -> str:
    """A length for people: `4:07`, `1:02:03`."""
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def means(energies: Sequence[float], steps: int) -> list[float]:
    """The mean energy at every 100 ms over the last `steps` of them, fewer at the start."""
    sums = [0.0, *accumulate(energies)]
    return [(sums[n] - sums[max(0, n - steps)]) / min(n, steps) for n in range(1, len(sums))]


def lufs(energy: float) -> float:
    """The loudness of a mean energy (BS.1770-4), with a floor far below what is heard."""
    return max(_SILENCE, -0.691 + 10 * math.log10(energy)) if energy > 1e-12 else _SILENCE


def decibels(peak: float) -> float:
    """A linear peak in dB, with the same floor."""
    return 20 * math.log10(peak) if peak > 1e-6 else _SILENCE


def extremes(values: Sequence[float], points: int = POINTS_MAX) -> list[tuple[float, float]]:
    """The least and the greatest of each of at most `points` equal stretches."""
    count = min(points, len(values))
    edges = [len(values) * n // count for n in range(count + 1)] if count else [0]
    return [(min(values[a:b]), max(values[a:b])) for a, b in pairwise(edges)]


def wave_path(peaks: Sequence[float], points: int = POINTS_MAX) -> str:
    """A waveform about 0, in hundredths of full scale, one unit of width a point; mirrored, for peaks have no sign."""
    heights = _doubled([min(400, round(100 * high)) for _, high in extremes(peaks, points)])
    return _curve([(n, -height) for n, height in heights] + heights[::-1])


def _doubled(heights: Sequence[int]) -> list[tuple[int, int]]:
    """Points at 0 to n for n stretches: the last is said twice."""
    return list(enumerate([*heights, *heights[-1:]]))


def _curve(points: Iterable[tuple[int, int]]) -> str:
    """A path through the points, in steps from one to the next: short to write."""
    words, x, y = [], 0, 0
    for n, (to_x, to_y) in enumerate(points):
        words.append(f"M{to_x} {to_y}l" if n == 0 else f"{to_x - x} {to_y - y}")
        x, y = to_x, to_y
    return words[0] + " ".join(words[1:]).replace(" -", "-") if words else ""


def _fine(levels: Iterable[float], floor: float) -> list[tuple[int, int]]:
    """Levels in dB as points in quarters of a dB, downwards."""
    return _doubled([round(-_FINE * max(floor, level)) for level in levels])


def sparkline(analysis: Analysis, gain_db: float) -> str:
    """The waveform as published, small."""
    points = min(SPARK_POINTS_MAX, len(analysis.peaks)) or 1
    half = 105 / 10 ** (gain_db / 20)
    return (
        f'<svg class="spark" viewBox="0 {-half:.4g} {points} {2 * half:.4g}" preserveAspectRatio="none" '
        f'aria-hidden="true"><path d="{wave_path(analysis.peaks, SPARK_POINTS_MAX)}"/></svg>'
    )


def track_figure(analysis: Analysis, *, gain_db: float, target: LoudnessTarget | None) -> str:
    """Waveform, loudness and true peak over time, as the source was and as it is published: an SVG of its own.

    It lies on `axes`.
    """
    panels = [
        _wave(analysis, gain_db),
        _loudness(analysis, gain_db, target),
        _true_peak(analysis, gain_db, target),
        _time_axis(analysis.duration_s),
    ]
    return f"{_OPENING}<style>{_STYLE}</style>{_CLIPS}{''.join(panels)}</svg>"


def as_url(svg: str) -> str:
    """The picture as a `data:` URL that may stand between double quotes."""
    return f"data:image/svg+xml,{svg.translate(_IN_URL)}"


def _across(values: Sequence[float]) -> float:
    """The width of one point of a curve."""
    return _WIDTH / (min(POINTS_MAX, len(values)) or 1)


def _wave(analysis: Analysis, gain_db: float) -> str:
    def shown(kind: str, factor: float) -> str:
        scale = f"scale({_across(analysis.peaks):.4g} {_WAVE_HALF * factor / 100:.4g})"
        return f'<use href="#w" class="{kind}" transform="translate({_LEFT} {_WAVE_MIDDLE}) {scale}"/>'

    published, before = shown("now", 10 ** (gain_db / 20)), shown("was", 1.0) if gain_db else ""
    waves = before + published if gain_db < 0 else published + before  # the smaller one in front
    return f'<defs><path id="w" d="{wave_path(analysis.peaks)}"/></defs><g clip-path="url(#wave)">{waves}</g>'


def _loudness(analysis: Analysis, gain_db: float, target: LoudnessTarget | None) -> str:
    floor = LUFS_FLOOR - 24
    momentary = extremes(means(analysis.energies, MOMENTARY))
    upper, lower = (_fine(map(lufs, side), floor) for side in zip(*momentary, strict=True)) if momentary else ([], [])
    short = _fine((lufs(high) for _, high in extremes(means(analysis.energies, SHORT_TERM))), floor)
    across = _across(analysis.energies)
    lines = _curves("s", _curve(short), _placed(_LOUD_TOP, across), gain_db)
    integrated = analysis.loudness.integrated_lufs
    if gain_db and integrated is not None:
        lines += _line("was dash", _LOUD_TOP - integrated * _PX)
    label = ""
    if target is not None:
        height = _LOUD_TOP - target.integrated_lufs * _PX
        lines += _line("goal", height)
        label = _label(height, f"target {number(target.integrated_lufs)}")
    place = _placed(_LOUD_TOP - gain_db * _PX, across)
    band = f'<path class="band" d="{_curve([*upper, *reversed(lower)])}" transform="{place}"/>'
    return f'<g clip-path="url(#loud)">{band}{lines}</g>{label}'


def _true_peak(analysis: Analysis, gain_db: float, target: LoudnessTarget | None) -> str:
    zero = _PEAK_TOP + DBTP_TOP * _PX
    path = _curve(_fine((decibels(high) for _, high in extremes(analysis.peaks)), DBTP_FLOOR - 24))
    lines, label = _curves("p", path, _placed(zero, _across(analysis.peaks)), gain_db), ""
    if target is not None:
        height = zero - target.true_peak_dbtp * _PX
        lines += _line("goal", height)
        label = _label(height, f"ceiling {number(target.true_peak_dbtp)}")
    return f'<g clip-path="url(#peak)">{lines}</g>{label}'


def _curves(name: str, path: str, place: str, gain_db: float) -> str:
    """A curve where it was, and moved by the gain to where it is published; `use` gives it its colour."""
    if not gain_db:
        return f'<path id="{name}" class="thin now" d="{path}" transform="{place}"/>'
    moved = f'<use href="#{name}" class="now" transform="translate(0 {-gain_db * _PX:.4g})"/>'
    return f'<path id="{name}" class="thin" d="{path}" transform="{place}"/>{moved}'


def _placed(zero: float, across: float) -> str:
    """Where a curve in quarters of a dB lies."""
    return f"translate({_LEFT} {zero:.4g}) scale({across:.4g} {_PX / _FINE:.4g})"


def _line(kind: str, height: float) -> str:
    return f'<path class="thin {kind}" d="M{_LEFT} {height:.4g}H{_RIGHT}"/>'


def _label(height: float, text: str) -> str:
    return f'<text class="goal" x="{_RIGHT + 5}" y="{height + 3.5:.4g}">{text}</text>'


def _time_axis(seconds: float) -> str:
    step = next((each for each in _TICKS_S if seconds / each <= _TICKS_MAX), _TICKS_S[-1])
    ticks = range(0, min(int(seconds), 20 * step) + 1, step)
    places = [(_LEFT + _WIDTH * tick / seconds, tick) for tick in ticks]
    marks = "".join(f"M{x:.4g} {_BOTTOM:.4g}v4" for x, _ in places)
    texts = "".join(
        f'<text class="word" x="{x:.4g}" y="{_BOTTOM + 15:.4g}">{clock_time(tick)}</text>' for x, tick in places
    )
    return f'<path class="thin grid" d="{marks}"/><g class="time">{texts}</g>'


def axes(*, rule: str, soft: str, ink: str) -> str:
    """The scales and their labels in these colours: a picture that lies behind every track figure."""
    loud = [(_LOUD_TOP - level * _PX, number(level, 0)) for level in (0, -12, -24, -36, -48)]
    peak = [(_PEAK_TOP + (DBTP_TOP - level) * _PX, number(level, 0)) for level in (0, -10, -20)]
    lines = "".join(f"M{_LEFT} {y:.4g}H{_RIGHT}" for y, _ in [(_WAVE_MIDDLE, ""), *loud, *peak])
    scale = "".join(f'<text x="{_LEFT - 6}" y="{y + 3.5:.4g}">{text}</text>' for y, text in [*loud, *peak])
    names = "".join(
        f'<text x="{_LEFT}" y="{y}">{text}</text>'
        for y, text in ((_LOUD_TOP - 8, "Loudness, LUFS"), (_PEAK_TOP - 7, "True peak, dBTP"))
    )
    return (
        f'{_OPENING}<path d="{lines}" stroke="{rule}"/><g fill="{soft}" text-anchor="end">{scale}</g>'
        f'<g fill="{ink}" font-weight="600">{names}</g></svg>'
    )


def histogram(before: Mapping[int, int], after: Mapping[int, int], *, low: int, high: int, mark: float | None) -> str:
    """How many tracks have which level, in whole dB: sources grow up, what is published grows down.

    Both sides have a scale of their own. What lies outside is counted at the ends. `mark` is the target.
    """
    across, middle, most = 480 / (high - low), 66, 54

    def bars(counts: Mapping[int, int], direction: int) -> str:
        inside = dict.fromkeys(range(low, high), 0)
        for level, count in counts.items():
            inside[min(high - 1, max(low, level))] += count
        full = max(inside.values(), default=0) or 1
        return "".join(
            f"M{(level - low) * across + 1:.4g} {middle}v{-direction * max(2.0, most * count / full):.4g}"
            f"h{across - 2:.4g}V{middle}z"
            for level, count in inside.items()
            if count
        )

    ticks = [level for level in range(low, high + 1) if level % 6 == 0]
    texts = "".join(f'<text class="word" x="{(t - low) * across:.4g}" y="138">{number(t, 0)}</text>' for t in ticks)
    goal = f'<path class="thin goal" d="M{(mark - low) * across:.4g} 8V126"/>' if mark is not None else ""
    return (
        f'<svg class="histogram" viewBox="-14 0 508 144" role="img" aria-label="levels before and after">'
        f'<path class="was bar" d="{bars(before, 1)}"/><path class="now bar" d="{bars(after, -1)}"/>'
        f'<path class="thin grid" d="M0 {middle}H480"/>{goal}<g class="time">{texts}</g></svg>'
    )
