"""What can be counted: every metric with all its label values, laid out as one row of numbers, and told in Prometheus'
text form. Pure.

Label values are closed sets, so a row has a fixed length: nothing that clients send can make it grow.
"""

import hashlib
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_LISTED_WHOLE_MAX = 64  # series; of larger metrics only what was ever counted is told


class Kind(StrEnum):
    """What a metric is to Prometheus."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric: name, kind, meaning, labels with all their values; for histograms the upper bounds.

    Workers' numbers are added up: counters and histograms of all that ever counted, gauges of those that live. What is
    `by_worker` is told for each living worker, under a label `worker`.
    """

    name: str
    kind: Kind
    meaning: str
    labels: tuple[tuple[str, tuple[str, ...]], ...] = ()
    bounds: tuple[float, ...] = ()
    by_worker: bool = False

    @property
    def width(self) -> int:
        """Numbers for each series: one, or the buckets, the one above them and the sum."""
        return len(self.bounds) + 2 if self.kind is Kind.HISTOGRAM else 1

    @property
    def count(self) -> int:
        """How many series there can be."""
        return math.prod(len(values) for _, values in self.labels)

    def series(self) -> Iterator[tuple[str, ...]]:
        """The label values of each series, in the order of their numbers."""
        return itertools.product(*(values for _, values in self.labels))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The numbers of one worker: its place in the crew, whether it lives, and its row."""

    worker: int
    live: bool
    values: Sequence[float]


class Layout:
    """Which number of a row belongs to which series."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = tuple(metrics)
        self._places: dict[tuple[str, tuple[str, ...]], int] = {}
        self.size = 0
        for metric in metrics:
            for labels in metric.series():
                self._places[metric.name, labels] = self.size
                self.size += metric.width

    @property
    def fingerprint(self) -> str:
        """Equal for equal layouts: other code must not read a row as its own."""
        return hashlib.sha256(repr(self._metrics).encode()).hexdigest()[:16]

    def place(self, metric: Metric, *labels: str) -> int:
        """Where the numbers of a series begin."""
        return self._places[metric.name, labels]

    def told(self, rows: Sequence[Row]) -> bytes:
        """The workers' numbers in Prometheus' text exposition format 0.0.4."""
        return "".join(f"{line}\n" for metric in self._metrics for line in self._lines(metric, rows)).encode()

    def _lines(self, metric: Metric, rows: Sequence[Row]) -> Iterator[str]:
        yield f"# HELP {metric.name} {metric.meaning}"
        yield f"# TYPE {metric.name} {metric.kind}"
        for labels in metric.series():
            place = self._places[metric.name, labels]
            named = [f'{name}="{value}"' for (name, _), value in zip(metric.labels, labels, strict=True)]
            if metric.by_worker:
                yield from _by_worker(metric, place, named, rows)
                continue
            counted = [row.values for row in rows if row.live or metric.kind is not Kind.GAUGE]
            sums = [math.fsum(values[place + at] for values in counted) for at in range(metric.width)]
            if any(sums) or metric.count <= _LISTED_WHOLE_MAX:
                yield from _histogram(metric, named, sums) if metric.bounds else [_sample(metric.name, named, sums[0])]


def _by_worker(metric: Metric, place: int, named: list[str], rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        if row.live and row.values[place]:  # 0: not known on this system
            yield _sample(metric.name, [*named, f'worker="{row.worker}"'], row.values[place])


def _histogram(metric: Metric, named: list[str], sums: list[float]) -> Iterator[str]:
    *buckets, total = sums
    below = 0.0
    for bound, count in zip((*metric.bounds, math.inf), buckets, strict=True):
        below += count
        le = "+Inf" if bound == math.inf else f"{bound:g}"
        yield _sample(f"{metric.name}_bucket", [*named, f'le="{le}"'], below)
    yield _sample(f"{metric.name}_sum", named, total)
    yield _sample(f"{metric.name}_count", named, below)


def _sample(name: str, named: Sequence[str], value: float) -> str:
    labels = "{" + ",".join(named) + "}" if named else ""
    return f"{name}{labels} {int(value) if value.is_integer() else repr(value)}"
