"""Every metric of the origin: names, meanings, labels, bounds. To count something new, add it here. Pure.

Names are as Prometheus' own conventions have them: base units, `_total` on counters.
"""

from enum import StrEnum

from origin.cache_policy import ResourceClass
from origin.series import Kind, Metric


class Tier(StrEnum):
    """Where an answer is looked for before the store is asked, and `stale`: what is kept for a store that fails."""

    MEMORY = "memory"
    DISK = "disk"
    NEGATIVE = "negative"
    STALE = "stale"


class Cache(StrEnum):
    """What is kept in a tier."""

    READY = "ready"  # whole answers, before all others
    POINTER = "pointer"
    PACKAGE = "package"
    DOCUMENT = "document"
    MEDIA = "media"
    OBJECT = "object"  # any of the store's


class Cut(StrEnum):
    """Why we ended a connection."""

    SLOW_HEAD = "slow-head"  # its request did not become whole
    SLOW_READER = "slow-reader"  # it did not take its answer
    EVICTED = "evicted"  # it was idle, and its place was needed


OTHER = "other"
LIMITS = ("requests", "connections", "fetches", "waiters", OTHER)
STATUSES = (
    *(200, 201, 204, 206, 304, 400, 401, 403, 404, 405, 408, 409, 411, 412, 413, 414, 415, 416, 417, 421, 422, 429),
    *(431, 500, 501, 502, 503, 504),
)  # fmt: skip
READ_RESULTS = (
    *("ok", "object-not-found", "range-not-satisfiable", "storage-denied", "storage-unavailable", "storage-error"),
    *("deadline", OTHER),
)
OBJECT_TYPES = ("a", "i", "m", "k", OTHER)  # CMCD's `ot`, as far as music has them

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_BUFFER_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0)
_LINE_RATES = (8e3, 16e3, 32e3, 64e3, 125e3, 250e3, 500e3, 1e6, 2e6, 4e6, 8e6, 16e6)  # bytes per second
# Bytes per second, between the rungs of the ladder (64 to 256 kbit/s, FLAC about 1000) as BANDWIDTH has them, which is
# 80, 112, 144, 176, 224, 288, 400, 720, 1000, 1400, 2400 and 4000 kbit/s: a bucket for each rung.
_RUNG_RATES = (10e3, 14e3, 18e3, 22e3, 28e3, 36e3, 50e3, 90e3, 125e3, 175e3, 300e3, 500e3)

_RESOURCE = ("resource", tuple(ResourceClass))
_STATUS = ("status", (*map(str, STATUSES), OTHER))

REQUESTS = Metric(
    name="segue_requests_total",
    kind=Kind.COUNTER,
    meaning="answers sent, by what was asked for and status",
    labels=(_RESOURCE, _STATUS),
)
SENT_BYTES = Metric(
    name="segue_sent_bytes_total", kind=Kind.COUNTER, meaning="bytes of answers, heads included", labels=(_RESOURCE,)
)
REQUEST_SECONDS = Metric(
    name="segue_request_duration_seconds",
    kind=Kind.HISTOGRAM,
    meaning="time from the request's head to the answer's last byte",
    labels=(_RESOURCE,),
    bounds=_SECONDS,
)
FIRST_BYTE_SECONDS = Metric(
    name="segue_first_byte_duration_seconds",
    kind=Kind.HISTOGRAM,
    meaning="time from the request's head to the answer's head",
    labels=(_RESOURCE,),
    bounds=_SECONDS,
)
DISCONNECTS = Metric(name="segue_disconnects_total", kind=Kind.COUNTER, meaning="clients gone before their answer")
SHED = Metric(
    name="segue_shed_total",
    kind=Kind.COUNTER,
    meaning="requests and connections refused at a limit",
    labels=(("limit", LIMITS),),
)
CONNECTIONS_CUT = Metric(
    name="segue_connections_cut_total",
    kind=Kind.COUNTER,
    meaning="connections that the origin ended",
    labels=(("reason", tuple(Cut)),),
)
CACHE_REQUESTS = Metric(
    name="segue_cache_requests_total",
    kind=Kind.COUNTER,
    meaning="looks into a tier of the cache",
    labels=(("tier", tuple(Tier)), ("cache", tuple(Cache)), ("result", ("hit", "miss"))),
)
DISK_CACHE_FAILURES = Metric(
    name="segue_disk_cache_failures_total", kind=Kind.COUNTER, meaning="failures of the disk cache, each a pause for it"
)
STORAGE_READS = Metric(
    name="segue_storage_reads_total",
    kind=Kind.COUNTER,
    meaning="reads of the object store, by how they ended",
    labels=(("result", READ_RESULTS),),
)
STORAGE_READ_BYTES = Metric(
    name="segue_storage_read_bytes_total", kind=Kind.COUNTER, meaning="bytes read of the object store"
)
STORAGE_READ_SECONDS = Metric(
    name="segue_storage_read_duration_seconds",
    kind=Kind.HISTOGRAM,
    meaning="time of a read of the object store, its wait for a turn left out",
    bounds=_SECONDS,
)
STORAGE_FIRST_BYTE_SECONDS = Metric(
    name="segue_storage_first_byte_duration_seconds",
    kind=Kind.HISTOGRAM,
    meaning="time until the object store sent the first byte of a read, where it is read as it comes",
    bounds=_SECONDS,
)
COALESCED_WAITS = Metric(
    name="segue_coalesced_waits_total", kind=Kind.COUNTER, meaning="callers who waited for a read that another began"
)
LOG_LINES_LEFT_OUT = Metric(
    name="segue_access_log_left_out_total", kind=Kind.COUNTER, meaning="answers without a log line, by access_log_every"
)

CMCD_REQUESTS = Metric(
    name="segue_cmcd_requests_total",
    kind=Kind.COUNTER,
    meaning="requests with CMCD, by object type",
    labels=(("object_type", OBJECT_TYPES),),
)
CMCD_STARVATIONS = Metric(
    name="segue_cmcd_buffer_starvations_total",
    kind=Kind.COUNTER,
    meaning="requests whose player ran dry since its last one (bs)",
)
CMCD_STARTUPS = Metric(
    name="segue_cmcd_startup_requests_total",
    kind=Kind.COUNTER,
    meaning="requests that a player needs before it can start or go on (su)",
)
CMCD_BUFFER_SECONDS = Metric(
    name="segue_cmcd_buffer_length_seconds",
    kind=Kind.HISTOGRAM,
    meaning="music that a player has buffered (bl)",
    bounds=_BUFFER_SECONDS,
)
CMCD_LINE_RATE = Metric(
    name="segue_cmcd_throughput_bytes_per_second",
    kind=Kind.HISTOGRAM,
    meaning="throughput as the player measures it (mtp), by object type",
    labels=(("object_type", OBJECT_TYPES),),
    bounds=_LINE_RATES,
)
CMCD_RUNG_RATE = Metric(
    name="segue_cmcd_requested_bytes_per_second",
    kind=Kind.HISTOGRAM,
    meaning="bit rate of what a player asked for (br); bounds lie between the rungs of the ladder",
    bounds=_RUNG_RATES,
)

REQUESTS_IN_PROGRESS = Metric(
    name="segue_requests_in_progress", kind=Kind.GAUGE, meaning="requests without their answer yet"
)
OPEN_CONNECTIONS = Metric(name="segue_open_connections", kind=Kind.GAUGE, meaning="connections of clients")
STORAGE_READS_IN_PROGRESS = Metric(
    name="segue_storage_reads_in_progress", kind=Kind.GAUGE, meaning="reads of the object store under way"
)
STORAGE_READS_WAITING = Metric(
    name="segue_storage_reads_waiting", kind=Kind.GAUGE, meaning="reads that wait for a turn (store_reads_max)"
)
CACHED_BYTES = Metric(
    name="segue_cached_bytes", kind=Kind.GAUGE, meaning="what a tier holds", labels=(("tier", tuple(Tier)),)
)
DISK_CACHES_USABLE = Metric(
    name="segue_disk_caches_usable", kind=Kind.GAUGE, meaning="workers that use their disk cache"
)
WORKERS = Metric(name="segue_workers", kind=Kind.GAUGE, meaning="origin processes that live")
WORKERS_READY = Metric(name="segue_workers_ready", kind=Kind.GAUGE, meaning="of these, those whose /readyz is 200")
WORKERS_STORE_FAILING = Metric(
    name="segue_workers_store_failing", kind=Kind.GAUGE, meaning="of these, those whose last read of the store failed"
)

LOOP_LAG_SECONDS = Metric(
    name="segue_event_loop_lag_seconds",
    kind=Kind.HISTOGRAM,
    meaning="how late the event loop wakes a timer of half a second",
    bounds=_SECONDS,
)
START_TIME_SECONDS = Metric(
    name="segue_process_start_time_seconds",
    kind=Kind.GAUGE,
    meaning="when the worker started, in seconds since the epoch",
    by_worker=True,
)
CPU_SECONDS = Metric(
    name="segue_process_cpu_seconds_total", kind=Kind.COUNTER, meaning="processor time of the worker", by_worker=True
)
RESIDENT_BYTES = Metric(
    name="segue_process_resident_memory_bytes",
    kind=Kind.GAUGE,
    meaning="resident memory of the worker",
    by_worker=True,
)
OPEN_FDS = Metric(
    name="segue_process_open_fds", kind=Kind.GAUGE, meaning="file descriptors of the worker", by_worker=True
)

METRICS = (
    REQUESTS, SENT_BYTES, REQUEST_SECONDS, FIRST_BYTE_SECONDS, DISCONNECTS, SHED, CONNECTIONS_CUT,
    REQUESTS_IN_PROGRESS, OPEN_CONNECTIONS,
    CACHE_REQUESTS, CACHED_BYTES, DISK_CACHES_USABLE, DISK_CACHE_FAILURES, COALESCED_WAITS,
    STORAGE_READS, STORAGE_READ_BYTES, STORAGE_READ_SECONDS,
    STORAGE_FIRST_BYTE_SECONDS, STORAGE_READS_IN_PROGRESS, STORAGE_READS_WAITING, LOG_LINES_LEFT_OUT, CMCD_REQUESTS,
    CMCD_STARVATIONS, CMCD_STARTUPS, CMCD_BUFFER_SECONDS, CMCD_LINE_RATE, CMCD_RUNG_RATE, WORKERS, WORKERS_READY,
    WORKERS_STORE_FAILING, LOOP_LAG_SECONDS, START_TIME_SECONDS, CPU_SECONDS, RESIDENT_BYTES, OPEN_FDS,
)  # fmt: skip
