"""Markdown tables, and numbers as people read them. Pure."""

from collections.abc import Iterable, Sequence

_PREFIXES = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown, with a line end after each line but the last."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def short(value: float, unit: str = "") -> str:
    """Three digits at least, with a prefix: 3.37 PB, 1,280 PB, 20.0 M."""
    for size, prefix in _PREFIXES:
        if abs(value) >= size:
            return f"{_three(value / size)} {prefix}{unit}"
    return f"{_three(value)} {unit}".rstrip()


def dollars(value: float) -> str:
    """$1,230,000: three digits that count."""
    if abs(value) < 1:
        return f"${value:.2g}"
    places = len(f"{abs(value):.0f}") - 3
    return f"${round(value, -max(0, places)):,.0f}"


def percent(share: float) -> str:
    """A share, with three digits near the ends."""
    return f"{100 * share:.1f} %"


def _three(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
