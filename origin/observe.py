"""What the origin tells of itself: counters in Prometheus' text form, and whether it is healthy."""

import bisect
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum

LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

Labels = tuple[tuple[str, str], ...]


class Cache(StrEnum):
    """The tiers before the store."""

    READY = "ready"  # whole answers, before all others
    POINTER = "pointer"
    PACKAGE = "package"
    DOCUMENT = "document"
    MEDIA = "media"
    DISK = "disk"  # asked where the index says that it holds what is wanted: a miss is damage
    NEGATIVE = "negative"  # what is known not to be there; only hits are counted


class Cut(StrEnum):
    """Why we ended a connection."""

    SLOW_HEAD = "slow-head"  # its request did not become whole
    SLOW_READER = "slow-reader"  # it did not take its answer
    EVICTED = "evicted"  # it was idle, and its place was needed


class Health(StrEnum):
    """Why the origin should get requests, or should not."""

    OK = "ok"
    DRAINING = "draining"
    STORE_FAILING = "store-failing"


class _Histogram:
    """Counts of durations by upper bound."""

    def __init__(self) -> None:
        self.counts = [0] * (len(LATENCY_BUCKETS_S) + 1)
        self.sum_s = 0.0

    def add(self, duration_s: float) -> None:
        self.counts[bisect.bisect_left(LATENCY_BUCKETS_S, duration_s)] += 1
        self.sum_s += duration_s


class Metrics:
    """Counters of one process since its start. All methods are cheap and never wait."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str]] = Counter()
        self.sent_bytes: Counter[str] = Counter()
        self.cache: Counter[tuple[Cache, str]] = Counter()
        self.store_reads: Counter[str] = Counter()
        self.store_read_bytes = 0
        self.coalesced_waits = 0
        self.stale_answers = 0
        self.disk_failures = 0
        self.disconnects = 0
        self.requests_in_progress = 0
        self.shed: Counter[str] = Counter()  # by what there was too much of
        self.cut: Counter[Cut] = Counter()
        self._durations: dict[str, _Histogram] = {}

    def request_served(self, kind: str, status: int, *, sent_bytes: int, duration_s: float) -> None:
        """Count an answer of a resource class: its status, its bytes (head included), the time to the last one."""
        self.requests[kind, f"{status // 100}xx"] += 1
        self.sent_bytes[kind] += sent_bytes
        self._durations.setdefault(kind, _Histogram()).add(duration_s)

    def requests_served_at_once(self, kind: str, status: int, *, answers: int, sent_bytes: int) -> None:
        """Count answers that were ready: whole answers out of memory, each in microseconds."""
        if not answers:
            return
        self.cache[Cache.READY, "hit"] += answers
        self.requests[kind, f"{status // 100}xx"] += answers
        self.sent_bytes[kind] += sent_bytes
        self._durations.setdefault(kind, _Histogram()).counts[0] += answers

    def cache_asked(self, cache: Cache, *, hit: bool) -> None:
        """Count a look into a cache."""
        self.cache[cache, "hit" if hit else "miss"] += 1

    def store_read(self, result: str, *, size_bytes: int = 0) -> None:
        """Count a read of the store: `ok` or an error code."""
        self.store_reads[result] += 1
        self.store_read_bytes += size_bytes

    def coalesced(self) -> None:
        """Count a caller who waits for a fetch that another one began."""
        self.coalesced_waits += 1

    def stale_answered(self) -> None:
        """Count an object given though it is past its time, because the store fails or is too slow."""
        self.stale_answers += 1

    def disk_failed(self) -> None:
        """Count a failure of the disk cache."""
        self.disk_failures += 1

    def render(self, gauges: Mapping[str, float]) -> bytes:
        """Everything in Prometheus' text exposition format 0.0.4, with some gauges of the moment."""
        return ("\n".join(self._lines(gauges)) + "\n").encode()

    def _lines(self, gauges: Mapping[str, float]) -> Iterator[str]:
        requests = {_labels(resource=kind, status=status): n for (kind, status), n in self.requests.items()}
        yield from _counter("segue_requests_total", "answers sent", requests)
        sent = {_labels(resource=kind): n for kind, n in self.sent_bytes.items()}
        yield from _counter("segue_sent_bytes_total", "bytes of answers, heads included", sent)
        cache = {_labels(cache=name, result=result): n for (name, result), n in self.cache.items()}
        yield from _counter("segue_cache_requests_total", "looks into the caches", cache)
        reads = {_labels(result=result): n for result, n in self.store_reads.items()}
        yield from _counter("segue_storage_reads_total", "reads of the object store", reads)
        yield from _counter("segue_storage_read_bytes_total", "bytes read of the store", {(): self.store_read_bytes})
        yield from _counter("segue_coalesced_waits_total", "callers who shared a fetch", {(): self.coalesced_waits})
        old = "old pointers and labels that had to do"
        yield from _counter("segue_stale_objects_total", old, {(): self.stale_answers})
        yield from _counter("segue_disk_cache_failures_total", "failures of the disk cache", {(): self.disk_failures})
        yield from _counter("segue_disconnects_total", "clients gone before their answer", {(): self.disconnects})
        shed = {_labels(limit=name): n for name, n in self.shed.items()}
        yield from _counter("segue_shed_total", "requests and connections refused at a limit", shed)
        cut = {_labels(reason=reason): n for reason, n in self.cut.items()}
        yield from _counter("segue_connections_cut_total", "connections ended by us", cut)
        for name, value in {"segue_requests_in_progress": self.requests_in_progress, **gauges}.items():
            yield f"# TYPE {name} gauge"
            yield f"{name} {value:g}"
        yield from self._duration_lines()

    def _duration_lines(self) -> Iterator[str]:
        name = "segue_request_duration_seconds"
        yield f"# HELP {name} time from the request's head to the answer's last byte"
        yield f"# TYPE {name} histogram"
        for kind, histogram in sorted(self._durations.items()):
            below = 0
            for bound, count in zip((*LATENCY_BUCKETS_S, "+Inf"), histogram.counts, strict=True):
                below += count
                yield f"{name}_bucket{_text(_labels(resource=kind, le=str(bound)))} {below}"
            yield f"{name}_sum{_text(_labels(resource=kind))} {histogram.sum_s:.6f}"
            yield f"{name}_count{_text(_labels(resource=kind))} {below}"


class HealthState:
    """Whether to send requests here: not while draining, nor when the store failed lately without an answer since."""

    def __init__(self, *, failure_memory_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._failure_memory_s = failure_memory_s
        self._clock = clock
        self._failed_s: float | None = None
        self.draining = False

    def store_answered(self) -> None:
        """The store did what it was asked."""
        self._failed_s = None

    def store_failed(self) -> None:
        """The store did not answer, or not in time."""
        self._failed_s = self._clock()

    def state(self) -> Health:
        """The health at this moment."""
        if self.draining:
            return Health.DRAINING
        failing = self._failed_s is not None and self._clock() - self._failed_s < self._failure_memory_s
        return Health.STORE_FAILING if failing else Health.OK


def _labels(**labels: str) -> Labels:
    return tuple(labels.items())


def _text(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels) + "}" if labels else ""


def _counter(name: str, meaning: str, values: Mapping[Labels, int]) -> Iterator[str]:
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} counter"
    for labels, value in sorted(values.items()):
        yield f"{name}{_text(labels)} {value}"
