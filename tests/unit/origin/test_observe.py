"""What the origin counts, read back by Prometheus' own parser."""

import math

import pytest
from prometheus_client.parser import text_string_to_metric_families

from origin.cache_policy import ResourceClass
from origin.cmcd import parse
from origin.metrics_table import CACHED_BYTES, METRICS, REQUESTS, Cache, Tier
from origin.observe import LAYOUT, Metrics, Turns
from origin.series import Kind

MEDIA, API = ResourceClass.MEDIA, ResourceClass.API
Samples = dict[tuple[str, ...], float]


def _samples(metrics: Metrics) -> Samples:
    """Each sample by its name and the values of its labels, as Prometheus reads them."""
    metrics.sample()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(metrics.told().decode())
        for sample in family.samples
    }


def test_requests_are_counted_by_class_and_status() -> None:
    """One counter for each resource class and status, bytes by resource class; odd statuses share one."""
    metrics = Metrics()
    for status in (200, 206, 206, 404, 299, 599):
        metrics.request_served(MEDIA, status, sent_bytes=100, duration_s=0.003)
    samples = _samples(metrics)
    counted = {status: samples["segue_requests_total", "media", status] for status in ("200", "206", "404", "other")}
    assert counted == {"200": 1, "206": 2, "404": 1, "other": 2}
    assert samples["segue_sent_bytes_total", "media"] == 600


def test_durations_are_a_cumulative_histogram() -> None:
    """Each bucket counts all that took at most its bound; +Inf counts all."""
    metrics = Metrics()
    for duration_s in (0.0004, 0.001, 0.3, 60.0):
        metrics.request_served(API, 200, sent_bytes=0, duration_s=duration_s, first_byte_s=0.002)
    samples = _samples(metrics)
    name = "segue_request_duration_seconds"
    buckets = {bound: samples[f"{name}_bucket", "api", bound] for bound in ("0.001", "0.25", "0.5", "10", "+Inf")}
    assert buckets == {"0.001": 2, "0.25": 2, "0.5": 3, "10": 3, "+Inf": 4}
    assert samples[f"{name}_count", "api"] == 4
    assert samples[f"{name}_sum", "api"] == pytest.approx(60.3014)
    assert samples["segue_first_byte_duration_seconds_bucket", "api", "0.001"] == 0
    assert samples["segue_first_byte_duration_seconds_bucket", "api", "0.0025"] == 4


def test_an_answer_at_once_has_its_first_byte_at_its_end() -> None:
    """Who does not tell the time to the head is counted with the whole time."""
    metrics = Metrics()
    metrics.request_served(API, 200, sent_bytes=0, duration_s=0.02)
    assert _samples(metrics)["segue_first_byte_duration_seconds_sum", "api"] == pytest.approx(0.02)


def test_caches_and_the_store_are_counted() -> None:
    """Hits and misses by tier and cache; reads of the store by result, with their times."""
    metrics = Metrics()
    metrics.cache_asked(Cache.MEDIA, hit=True)
    metrics.cache_asked(Cache.MEDIA, hit=False)
    metrics.cache_asked(Cache.MEDIA, hit=True, tier=Tier.DISK)
    metrics.store_read("ok", size_bytes=42, duration_s=0.2, first_byte_s=0.1)
    metrics.store_read("storage-unavailable")
    metrics.store_read("no-such-code")
    metrics.coalesced()
    metrics.watch(CACHED_BYTES, lambda: 5.0, Tier.MEMORY)
    metrics.watch(CACHED_BYTES, lambda: 2.0, Tier.MEMORY)
    samples = _samples(metrics)
    cache = "segue_cache_requests_total"
    assert samples[cache, "memory", "media", "hit"] == samples[cache, "memory", "media", "miss"] == 1
    assert samples[cache, "disk", "media", "hit"] == 1 and samples[cache, "disk", "media", "miss"] == 0
    for result in ("ok", "storage-unavailable", "other"):
        assert samples["segue_storage_reads_total", result] == 1
    assert samples["segue_storage_read_bytes_total",] == 42
    assert samples["segue_storage_read_duration_seconds_sum",] == pytest.approx(0.2)
    assert samples["segue_storage_first_byte_duration_seconds_sum",] == pytest.approx(0.1)
    assert samples["segue_storage_read_duration_seconds_count",] == 1
    assert samples["segue_coalesced_waits_total",] == 1
    assert samples["segue_cached_bytes", "memory"] == 7


def test_what_players_tell_is_counted() -> None:
    """Stops, starts, buffers and rates; object types that music has not are one."""
    metrics = Metrics()
    metrics.player_told(parse("bl=21300,br=128,bs,mtp=5000,ot=a"))
    metrics.player_told(parse("ot=av,su"))
    samples = _samples(metrics)
    assert samples["segue_cmcd_requests_total", "a"] == samples["segue_cmcd_requests_total", "other"] == 1
    assert samples["segue_cmcd_buffer_starvations_total",] == samples["segue_cmcd_startup_requests_total",] == 1
    assert samples["segue_cmcd_buffer_length_seconds_sum",] == pytest.approx(21.3)
    assert samples["segue_cmcd_throughput_bytes_per_second_sum", "a"] == 625_000
    name = "segue_cmcd_requested_bytes_per_second_bucket"
    assert (samples[name, "14000"], samples[name, "18000"]) == (0, 1)


def test_every_metric_is_told_as_prometheus_wants_it() -> None:
    """A counter ends in `_total`, every metric has its meaning, and each is read as what it is."""
    metrics = Metrics()
    metrics.request_served(MEDIA, 200, sent_bytes=1, duration_s=1.0)
    families = {family.name: family for family in text_string_to_metric_families(metrics.told().decode())}
    for metric in METRICS:
        family = families[metric.name.removesuffix("_total") if metric.kind is Kind.COUNTER else metric.name]
        assert (family.type, family.documentation) == (metric.kind, metric.meaning)
        assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
    info = families["segue_build_info"].samples[0]
    assert info.labels["version"] and info.value == 1
    assert not any(math.isnan(sample.value) for family in families.values() for sample in family.samples)


def test_series_are_bounded() -> None:
    """The row has a fixed length; what nobody counted is left out where there could be much of it."""
    assert LAYOUT.size < 2500
    assert not any(name == "segue_requests_total" for name, *_ in _samples(Metrics()))
    with pytest.raises(KeyError):
        Metrics().count(REQUESTS, "media", "no such status")


async def test_a_gate_tells_who_waits() -> None:
    """Holders and waiters, also when one that waits gives up."""
    gate = Turns(1)
    async with gate:
        assert (gate.holders, gate.waiters) == (1, 0)
        waiting = gate.acquire()
        waiting.send(None)
        assert (gate.holders, gate.waiters) == (1, 1)
        waiting.close()
        assert (gate.holders, gate.waiters) == (1, 0)
    assert (gate.holders, gate.waiters) == (0, 0)
