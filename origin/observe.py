"""What the origin counts. The numbers lie on a board that all workers share; what they are is in metrics_table.py."""

import asyncio
import platform
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from origin import metrics_table as table
from origin.board import Board
from origin.cache_policy import ResourceClass
from origin.cmcd import Told
from origin.metrics_table import Cache, Cut, Tier
from origin.series import Kind, Layout, Metric

LAYOUT = Layout(table.METRICS)

_BYTES_PER_KBIT = 125
_MS_PER_S = 1000
_BUILD = f"""# HELP segue_build_info what runs
# TYPE segue_build_info gauge
segue_build_info{{version="{version("segue")}",python="{platform.python_version()}"}} 1
"""


class Metrics:
    """Counters of this worker, and the sums over all of them. All methods but `told` are cheap and never wait."""

    def __init__(self, folder: Path | None = None) -> None:
        self.board = Board(LAYOUT, folder)
        self._values = self.board.values
        self._gauges: list[tuple[int, Callable[[], float]]] = []
        self._settlers: list[Callable[[], None]] = []
        self.requests_in_progress = 0
        self._answers = {
            (kind, status): LAYOUT.place(table.REQUESTS, kind, str(status))
            for kind in ResourceClass
            for status in (*table.STATUSES, table.OTHER)
        }
        self._per_kind = {kind: tuple(LAYOUT.place(each, kind) for each in _PER_KIND) for kind in ResourceClass}
        self._looks = {
            (tier, cache, hit): LAYOUT.place(table.CACHE_REQUESTS, tier, cache, "hit" if hit else "miss")
            for tier in Tier
            for cache in Cache
            for hit in (True, False)
        }
        self.watch(table.REQUESTS_IN_PROGRESS, lambda: self.requests_in_progress)
        self.watch(table.WORKERS, lambda: 1)
        for gauge in (each for each in table.METRICS if each.kind is Kind.GAUGE):
            for labels in gauge.series():
                self._values[LAYOUT.place(gauge, *labels)] = 0.0  # of the worker that had this row before

    def request_served(
        self, kind: ResourceClass, status: int, *, sent_bytes: int, duration_s: float, first_byte_s: float | None = None
    ) -> None:
        """Count an answer of a resource class: its status, its bytes (head included), the time to the last one and,
        if that was not at once, to its head."""
        values = self._values
        values[self._answer_place(kind, status)] += 1
        sent, whole, first = self._per_kind[kind]
        values[sent] += sent_bytes
        values[whole + bisect_left(_BOUNDS, duration_s)] += 1
        values[whole + _SUM] += duration_s
        if first_byte_s is None:
            first_byte_s = duration_s
        values[first + bisect_left(_BOUNDS, first_byte_s)] += 1
        values[first + _SUM] += first_byte_s

    def requests_served_at_once(self, kind: ResourceClass, status: int, *, answers: int, sent_bytes: int) -> None:
        """Count answers that were ready: whole answers out of memory, each in microseconds."""
        if not answers:
            return
        _, whole, first = self._per_kind[kind]
        for place in (self._answer_place(kind, status), whole, first):
            self._values[place] += answers
        self._values[self._looks[Tier.MEMORY, Cache.READY, True]] += answers
        self.count(table.SENT_BYTES, kind, by=sent_bytes)

    def cache_asked(self, cache: Cache, *, hit: bool, tier: Tier = Tier.MEMORY) -> None:
        """Count a look into a tier of the cache."""
        self._values[self._looks[tier, cache, hit]] += 1

    def store_read(
        self, result: str, *, size_bytes: int = 0, duration_s: float | None = None, first_byte_s: float | None = None
    ) -> None:
        """Count a read of the store: `ok` or an error code, and what is known of its size and its times."""
        self.count(table.STORAGE_READS, result if result in table.READ_RESULTS else table.OTHER)
        self.count(table.STORAGE_READ_BYTES, by=size_bytes)
        if duration_s is not None:
            self.note(table.STORAGE_READ_SECONDS, duration_s)
        if first_byte_s is not None:
            self.note(table.STORAGE_FIRST_BYTE_SECONDS, first_byte_s)

    def found_on_disk(self, *, hit: bool) -> None:
        """Count a piece of media that the disk should have."""
        self.cache_asked(Cache.MEDIA, hit=hit, tier=Tier.DISK)

    def known_missing(self) -> None:
        """Count an object that was not asked for, for it was not there a moment ago."""
        self.cache_asked(Cache.OBJECT, hit=True, tier=Tier.NEGATIVE)

    def stale_answered(self) -> None:
        """Count an object given though it is past its time, because the store fails or is too slow."""
        self.cache_asked(Cache.POINTER, hit=True, tier=Tier.STALE)

    def disk_failed(self) -> None:
        """Count a failure of the disk cache."""
        self.count(table.DISK_CACHE_FAILURES)

    def coalesced(self) -> None:
        """Count a caller who waits for a fetch that another one began."""
        self.count(table.COALESCED_WAITS)

    def disconnected(self) -> None:
        """Count a client who did not wait for the answer."""
        self.count(table.DISCONNECTS)

    def shed(self, limit: str) -> int:
        """Count a request or connection that was refused at a limit; how many that makes at this one."""
        limit = limit if limit in table.LIMITS else table.OTHER
        self.count(table.SHED, limit)
        return int(self.value(table.SHED, limit))

    def cut(self, why: Cut) -> None:
        """Count a connection that we ended."""
        self.count(table.CONNECTIONS_CUT, why)

    def player_told(self, told: Told) -> None:
        """Count what a player told of itself with a request."""
        kind = str(told.get("ot", table.OTHER))
        kind = kind if kind in table.OBJECT_TYPES else table.OTHER
        self.count(table.CMCD_REQUESTS, kind)
        if told.get("bs"):
            self.count(table.CMCD_STARVATIONS)
        if told.get("su"):
            self.count(table.CMCD_STARTUPS)
        if "bl" in told:
            self.note(table.CMCD_BUFFER_SECONDS, float(told["bl"]) / _MS_PER_S)
        if "mtp" in told:
            self.note(table.CMCD_LINE_RATE, float(told["mtp"]) * _BYTES_PER_KBIT, kind)
        if "br" in told:
            self.note(table.CMCD_RUNG_RATE, float(told["br"]) * _BYTES_PER_KBIT)

    def _answer_place(self, kind: ResourceClass, status: int) -> int:
        place = self._answers.get((kind, status))
        return self._answers[kind, table.OTHER] if place is None else place

    def count(self, metric: Metric, *labels: str, by: float = 1) -> None:
        """Count up a counter. Its labels have the values that the table lists, or KeyError is raised."""
        self._values[LAYOUT.place(metric, *labels)] += by

    def note(self, metric: Metric, value: float, *labels: str) -> None:
        """Put a value into a histogram."""
        place = LAYOUT.place(metric, *labels)
        self._values[place + bisect_left(metric.bounds, value)] += 1
        self._values[place + len(metric.bounds) + 1] += value

    def value(self, metric: Metric, *labels: str) -> float:
        """What this worker has counted, or shows, in a series."""
        return self._values[LAYOUT.place(metric, *labels)]

    def watch(self, metric: Metric, now: Callable[[], float], *labels: str) -> None:
        """Show what `now` gives, which must be cheap, as a gauge; where there are several, their sum."""
        self._gauges.append((LAYOUT.place(metric, *labels), now))

    def counted(self, metric: Metric) -> dict[tuple[str, ...], float]:
        """All that this worker has counted of a metric, by labels."""
        values = {labels: self.value(metric, *labels) for labels in metric.series()}
        return {labels: value for labels, value in values.items() if value}

    def settle_by(self, settle: Callable[[], None]) -> None:
        """Have counts that are kept elsewhere, for that is cheaper, told by `settle` when the figures are looked at,
        and twice a second."""
        self._settlers.append(settle)

    def sample(self) -> None:
        """Bring all figures up to date, for other workers that are asked."""
        self.board.beat()
        for settle in self._settlers:
            settle()
        sums: dict[int, float] = defaultdict(float)
        for place, now in self._gauges:
            sums[place] += now()
        for place, value in sums.items():
            self._values[place] = value

    def told(self) -> bytes:
        """The sums over all workers in Prometheus' text form. Reads files: call it in a thread, after `sample`."""
        return _BUILD.encode() + LAYOUT.told(self.board.rows())

    def close(self) -> None:
        """Leave what was counted to the sum."""
        self.sample()
        self.board.close()


class Turns(asyncio.Semaphore):
    """A semaphore that tells how many hold it and how many wait."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.holders = 0
        self.waiters = 0

    async def acquire(self) -> Literal[True]:
        """Wait for a turn."""
        self.waiters += 1
        try:
            await super().acquire()
        finally:
            self.waiters -= 1
        self.holders += 1
        return True

    def release(self) -> None:
        """Let the next one in."""
        self.holders -= 1
        super().release()


_PER_KIND = (table.SENT_BYTES, table.REQUEST_SECONDS, table.FIRST_BYTE_SECONDS)
_BOUNDS = table.REQUEST_SECONDS.bounds
_SUM = table.REQUEST_SECONDS.width - 1
