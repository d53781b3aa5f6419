"""Plots as SVG text: lines with intervals over bit rates, and dots per track. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from scripts.quality_numbers import Estimate

WIDTH, HEIGHT = 460, 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 14, 40, 46
_INK, _RULE = "#222", "#ddd"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Points of one codec: bit rates and estimates, in one colour."""

    name: str
    colour: str
    points: Sequence[tuple[float, Estimate]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dots:
    """A column of values over one place of the axis, with the estimate of their mean."""

    name: str
    values: Sequence[float]
    mean: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """What a panel shows: its title, the axes' names, ranges and ticks."""

    title: str
    x_name: str
    y_name: str
    x_ticks: Sequence[float]
    y_ticks: Sequence[float]

    def x(self, value: float) -> float:
        """Where a value of the horizontal axis is."""
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * _share(value, self.x_ticks)

    def y(self, value: float) -> float:
        """Where a value of the vertical axis is; what is off the axis is at its end."""
        return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * min(max(_share(value, self.y_ticks), 0.0), 1.0)


def picture(panels: Sequence[Sequence[str]]) -> str:
    """The panels beside each other, as one SVG file."""
    shifted = [
        f'<g transform="translate({number * WIDTH},0)">{"".join(panel)}</g>' for number, panel in enumerate(panels)
    ]
    size = f'width="{WIDTH * len(panels)}" height="{HEIGHT}" viewBox="0 0 {WIDTH * len(panels)} {HEIGHT}"'
    style = 'font-family="sans-serif" font-size="12"'
    paper = '<rect width="100%" height="100%" fill="#fff"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{paper}\n' + "\n".join(shifted) + "\n</svg>\n"


def lines_panel(axes: Axes, lines: Sequence[Line]) -> list[str]:
    """Lines through the means, bars for the intervals, a legend in the lower right corner."""
    drawn = _frame(axes)
    for number, line in enumerate(lines):
        path = " ".join(f"{axes.x(x):.1f},{axes.y(point.mean):.1f}" for x, point in line.points)
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{line.colour}" stroke-width="1.8"/>')
        for x, point in line.points:
            drawn.append(_stroke(axes.x(x), axes.y(point.low), axes.x(x), axes.y(point.high), line.colour))
            drawn.append(f'<circle cx="{axes.x(x):.1f}" cy="{axes.y(point.mean):.1f}" r="3" fill="{line.colour}"/>')
        height = HEIGHT - _BOTTOM - 14 - 16 * (len(lines) - 1 - number)
        drawn.append(_stroke(WIDTH - 150, height - 4, WIDTH - 130, height - 4, line.colour))
        drawn.append(_text(WIDTH - 124, height, line.name, "start"))
    return drawn


def dots_panel(axes: Axes, columns: Sequence[Dots]) -> list[str]:
    """A dot for every value, beside it the mean and its interval; a rule at zero."""
    drawn = [*_frame(axes), _stroke(_LEFT, axes.y(0.0), WIDTH - _RIGHT, axes.y(0.0), "#888")]
    for place, column in enumerate(columns, start=1):
        x = axes.x(place)
        for number, value in enumerate(column.values):
            aside = x + 3.0 * (number % 5 - 2)
            drawn.append(f'<circle cx="{aside:.1f}" cy="{axes.y(value):.1f}" r="2.4" fill="#3b75af" opacity="0.55"/>')
        low, mean, high = (axes.y(value) for value in (column.mean.low, column.mean.mean, column.mean.high))
        drawn.append(_stroke(x + 14, low, x + 14, high, "#c33"))
        drawn.append(f'<circle cx="{x + 14:.1f}" cy="{mean:.1f}" r="3" fill="#c33"/>')
        drawn.append(_text(x, HEIGHT - _BOTTOM + 16, column.name, "middle"))
    return drawn


def _frame(axes: Axes) -> list[str]:
    named = bool(axes.x_name) and len(axes.x_ticks) > 2
    drawn = [_text(_LEFT, 20, axes.title, "start", bold=True)]
    for tick in axes.y_ticks:
        drawn.append(_stroke(_LEFT, axes.y(tick), WIDTH - _RIGHT, axes.y(tick), _RULE))
        drawn.append(_text(_LEFT - 6, axes.y(tick) + 4, f"{tick:g}", "end"))
    if named:
        drawn += [_text(axes.x(tick), HEIGHT - _BOTTOM + 16, f"{tick:g}", "middle") for tick in axes.x_ticks]
    drawn.append(_text((_LEFT + WIDTH - _RIGHT) / 2, HEIGHT - 10, axes.x_name, "middle"))
    middle = (_TOP + HEIGHT - _BOTTOM) / 2
    drawn.append(f'<g transform="translate(14,{middle:.0f}) rotate(-90)">{_text(0, 0, axes.y_name, "middle")}</g>')
    return drawn


def _share(value: float, ticks: Sequence[float]) -> float:
    return (value - ticks[0]) / (ticks[-1] - ticks[0])


def _stroke(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="1.5"/>'


def _text(x: float, y: float, text: str, anchor: str, *, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{_INK}"{weight}>{escape(text)}</text>'
