"""Counters and health."""

from origin.observe import Cache, Health, HealthState, Metrics


def _samples(metrics: Metrics) -> dict[str, float]:
    lines = metrics.render({"segue_cached_bytes": 5.0}).decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def test_requests_are_counted_by_class_and_status() -> None:
    """One counter for each resource class and status class, bytes by resource class."""
    metrics = Metrics()
    for status in (200, 206, 404):
        metrics.request_served("media", status, sent_bytes=100, duration_s=0.003)
    samples = _samples(metrics)
    assert samples['segue_requests_total{resource="media",status="2xx"}'] == 2
    assert samples['segue_requests_total{resource="media",status="4xx"}'] == 1
    assert samples['segue_sent_bytes_total{resource="media"}'] == 300


def test_durations_are_a_cumulative_histogram() -> None:
    """Each bucket counts all that took at most its bound; +Inf counts all."""
    metrics = Metrics()
    for duration_s in (0.0005, 0.001, 0.3, 60.0):
        metrics.request_served("api", 200, sent_bytes=0, duration_s=duration_s)
    samples = _samples(metrics)
    buckets = {
        bound: samples[f'segue_request_duration_seconds_bucket{{resource="api",le="{bound}"}}']
        for bound in ("0.001", "0.25", "0.5", "10.0", "+Inf")
    }
    assert buckets == {"0.001": 2, "0.25": 2, "0.5": 3, "10.0": 3, "+Inf": 4}
    assert samples['segue_request_duration_seconds_count{resource="api"}'] == 4
    assert abs(samples['segue_request_duration_seconds_sum{resource="api"}'] - 60.3015) < 1e-6


def test_caches_and_the_store_are_counted() -> None:
    """Hits and misses by cache; reads of the store by result; gauges as they are given."""
    metrics = Metrics()
    metrics.cache_asked(Cache.MEDIA, hit=True)
    metrics.cache_asked(Cache.MEDIA, hit=False)
    metrics.store_read("ok", size_bytes=42)
    metrics.store_read("storage-unavailable")
    metrics.coalesced()
    samples = _samples(metrics)
    assert samples['segue_cache_requests_total{cache="media",result="hit"}'] == 1
    assert samples['segue_cache_requests_total{cache="media",result="miss"}'] == 1
    assert samples['segue_storage_reads_total{result="ok"}'] == 1
    assert samples['segue_storage_reads_total{result="storage-unavailable"}'] == 1
    assert samples["segue_storage_read_bytes_total"] == 42
    assert samples["segue_coalesced_waits_total"] == 1
    assert samples["segue_cached_bytes"] == 5


def test_health_remembers_a_failing_store_for_a_while() -> None:
    """A failure turns it, an answer or time turns it back, draining beats all."""
    now_s = 100.0
    health = HealthState(failure_memory_s=10.0, clock=lambda: now_s)
    assert health.state() is Health.OK
    health.store_failed()
    assert health.state() is Health.STORE_FAILING
    health.store_answered()
    assert health.state() is Health.OK
    health.store_failed()
    now_s = 110.0
    assert health.state() is Health.OK
    health.draining = True
    assert health.state() is Health.DRAINING
