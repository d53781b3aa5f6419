"""What shows outside: figures that Prometheus reads, log lines, what players tell and are told."""

import asyncio
import logging
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from prometheus_client.parser import text_string_to_metric_families
from yarl import URL

from origin.answers import FIELDS
from origin.cmcd import KEYS
from origin.hot_path import HOT
from origin.metrics_table import METRICS, REQUESTS
from origin.state import METRICS as COUNTED
from tests.integration.origin.conftest import Running, Start, until
from tests.integration.origin.published import Published
from tests.integration.origin.watched_store import WatchedStore

OPERATIONS = Path(__file__).parents[3] / "docs/operations.md"
CMCD = 'bl=7300,br=64,bs,cid="c",d=6080,mtp=5100,ot=a,sf=h,sid="listener-7",st=v,su,nor="..%2F1.mp4%3Fhdnts%3Dx"'
STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
Samples = dict[tuple[str, ...], float]


async def figures(origin: Running) -> Samples:
    """/metrics as Prometheus' own parser reads it: each sample by its name and the values of its labels."""
    async with origin.client.get("/metrics") as response:
        assert response.status == 200
        text = await response.text()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def figures_when(origin: Running, name: str, least: float) -> Samples:
    """The same, as soon as this one is at least so much."""
    async with asyncio.timeout(50):
        while (seen := await figures(origin))[name,] < least:  # noqa: ASYNC110 - a figure is no event
            await asyncio.sleep(0.02)
    return seen


async def test_the_figures_follow_from_the_requests(origin: Running, track: Published, store: WatchedStore) -> None:
    """Answers, bytes, hits, reads and times of a known run of requests."""
    url, size = f"{track.package_base}/aac-64/0.mp4", len(track.segment_of("aac-64", 0))
    for _ in range(4):
        await _get(origin, url)
    await _get(origin, "/no/such/thing")
    seen = await figures(origin)
    assert seen["segue_requests_total", "media", "200"] == 4
    assert seen["segue_requests_total", "other", "404"] == 1
    assert 4 * size < seen["segue_sent_bytes_total", "media"] < 4 * size + 8000
    cache = "segue_cache_requests_total"
    assert (seen[cache, "memory", "media", "miss"], seen[cache, "memory", "ready", "hit"]) == (1, 2)
    assert seen["segue_storage_reads_total", "ok"] == store.reads.total() == 2
    assert seen["segue_storage_read_bytes_total",] == store.bytes_read
    assert seen["segue_storage_read_duration_seconds_count",] == 2
    for name in ("segue_request_duration_seconds", "segue_first_byte_duration_seconds"):
        assert seen[f"{name}_count", "media"] == 4
        assert 0 < seen[f"{name}_sum", "media"] < 20
    first, whole = (seen[f"segue_{name}_duration_seconds_sum", "media"] for name in ("first_byte", "request"))
    assert first <= whole


async def test_the_figures_of_the_process(origin: Running) -> None:
    """Who runs since when, what it takes, who is connected, and that the event loop turns."""
    await _get(origin, "/readyz")  # it holds nothing yet, so it asks the store
    seen = await figures_when(origin, "segue_event_loop_lag_seconds_count", 1)
    assert seen["segue_workers",] == seen["segue_workers_ready",] == 1
    assert seen["segue_workers_store_failing",] == 0
    assert seen["segue_open_connections",] == seen["segue_requests_in_progress",] == 1
    assert 1e9 < seen["segue_process_start_time_seconds", "0"] < 1e11
    assert 10e6 < seen["segue_process_resident_memory_bytes", "0"] < 10e9
    assert 3 < seen["segue_process_open_fds", "0"] < 1000
    assert seen["segue_process_cpu_seconds_total", "0"] > 0
    assert any(name == "segue_build_info" for name, *_ in seen)


async def test_the_queues_are_told(start: Start, track: Published, store: WatchedStore) -> None:
    """Reads under way and reads that wait for a turn, requests without an answer, callers who share a read.

    A quarter of the turns are for records.
    """
    async with start(store_reads_max=8) as origin:
        store.gate.clear()
        one = track.base
        urls = [
            f"{one}/index.m3u8",
            f"{one}/art.jpg",
            f"{track.package_base}/aac-64/0.mp4",
            f"{track.art_base}/160.jpg",
        ]
        asking = [asyncio.create_task(_get(origin, url)) for url in urls]
        await until(lambda: len(store.ranges) == 2)
        seen = await figures_when(origin, "segue_requests_in_progress", 5)
        store.gate.set()
        await asyncio.gather(*asking)
    assert seen["segue_storage_reads_in_progress",] == 2
    assert seen["segue_storage_reads_waiting",] == 1
    assert seen["segue_coalesced_waits_total",] == 1  # two of them want the pointer of the track


async def test_what_players_tell_changes_no_answer_and_is_counted(
    origin: Running, track: Published, store: WatchedStore
) -> None:
    """CMCD in the query or in headers, or junk in its place: the same bytes, read once, and the figures know."""
    url = f"{track.package_base}/aac-64/0.mp4"
    plain = await _get(origin, url)
    reads = store.reads.total()
    in_headers = {"CMCD-Request": "bl=7300,mtp=5100,su", "CMCD-Object": "br=64,d=6080,ot=a", "CMCD-Status": "bs"}
    assert await _get(origin, f"{url}?CMCD={quote(CMCD, safe='')}") == plain
    assert await _get(origin, url, in_headers | {"CMCD-Session": 'sid="x"'}) == plain
    for junk in ("%ff%00", "bl%3D", "%22" * 900, "a=1," * 900):
        assert await _get(origin, f"{url}?CMCD={junk}") == plain
        assert await _get(origin, url, {"CMCD-Request": junk}) == plain
    assert store.reads.total() == reads
    seen = await figures(origin)
    assert seen["segue_cmcd_requests_total", "a"] == 2
    assert seen["segue_cmcd_requests_total", "other"] == 0
    assert seen["segue_cmcd_buffer_starvations_total",] == seen["segue_cmcd_startup_requests_total",] == 2
    assert seen["segue_cmcd_buffer_length_seconds_sum",] == pytest.approx(14.6)
    assert seen["segue_cmcd_throughput_bytes_per_second_sum", "a"] == 1_275_000
    assert seen["segue_cmcd_requested_bytes_per_second_bucket", "10000"] == 2


async def test_a_log_line_has_what_is_documented_and_no_secret(
    start: Start, track: Published, caplog: pytest.LogCaptureFixture
) -> None:
    """Its fields are those of docs/operations.md; of the query CMCD only, of the listener nothing unless allowed."""
    url = f"{track.package_base}/aac-64/0.mp4?hdnts=secret&CMCD={quote(CMCD, safe='')}"
    quiet: dict[str, Any] = {}
    loud: dict[str, Any] = {}
    for allowed, into in ((False, quiet), (True, loud)):
        async with start(log_listeners=allowed, access_log_every=2) as origin:
            into.update((await _lines(origin, [url, url], caplog))[0])
    documented = re.findall(r"^\| `([a-z_]+)` \| in every line|^\| `([a-z_]+)` \| only", _log_table(), re.MULTILINE)
    assert {always or sometimes for always, sometimes in documented} == set(FIELDS) == set(loud)
    assert set(quiet) == set(FIELDS) - {"remote"}
    assert quiet["cmcd"] == {
        "bl": 7300,
        "br": 64,
        "bs": True,
        "cid": "c",
        "d": 6080,
        "mtp": 5100,
        "ot": "a",
        "sf": "h",
        "st": "v",
        "su": True,
    }
    assert loud["cmcd"] == quiet["cmcd"] | {"sid": "listener-7"}
    assert (loud["remote"], loud["one_of"]) == ("127.0.0.1", 2)
    assert 0 < quiet["first_byte_ms"] <= quiet["duration_ms"]
    assert "secret" not in repr(quiet) + repr(loud) and "listener-7" not in repr(quiet)


async def test_the_token_in_front_of_a_path_is_not_logged(
    start: Start, track: Published, caplog: pytest.LogCaptureFixture
) -> None:
    """Let in or refused: the line has the path without it."""
    async with start() as origin:
        (line,) = await _lines(origin, [f"/t/exp=1~acl=*~hmac=c0ffee{track.base}/index.m3u8"], caplog)
    assert (line["url_path"], line["status"]) == (f"{track.base}/index.m3u8", 403)
    assert "c0ffee" not in repr(line)


async def test_of_many_answers_some_have_a_line_and_errors_always(
    start: Start, track: Published, caplog: pytest.LogCaptureFixture
) -> None:
    """Every third good one; every one that failed; what was left out is counted."""
    async with start(access_log_every=3) as origin:
        lines = await _lines(origin, ["/healthz"] * 9 + ["/no/such/thing"] * 2, caplog)
        left_out = (await figures(origin))["segue_access_log_left_out_total",]
    assert [line["status"] for line in lines] == [200] * 3 + [404] * 2
    assert left_out == 6


async def test_media_tells_what_it_is(start: Start, track: Published) -> None:
    """CMSD-Static on init sections, segments and track files, the same on every answer for them; on nothing else."""
    package = track.package_base
    expected = {
        f"{package}/aac-64/init.mp4": 'ot=i,sf=h,st=v,n="ams-1"',
        f"{package}/aac-64/3.mp4": 'br=64,d=6080,ot=a,sf=h,st=v,n="ams-1"',
        f"{package}/aac-256/0.mp4": 'br=256,d=960,ot=a,sf=h,st=v,n="ams-1"',
        f"{package}/aac-64.mp4": f'br=64,d={_whole_ms(track)},ot=a,st=v,n="ams-1"',
        f"{track.base}/index.m3u8": None,
        f"{package}/aac-64.m3u8": None,
    }
    async with start(node_name="ams-1") as origin:
        for url, told in expected.items():
            async with origin.client.get(url) as response:
                etag = response.headers["ETag"]
                assert response.headers.get("CMSD-Static") == told
            for headers in ({"If-None-Match": etag}, {"Range": "bytes=0-9"}):
                async with origin.client.get(url, headers=headers) as response:
                    assert response.status in (304, 206)
                    assert response.headers.get("CMSD-Static") == told
    async with start() as origin, origin.client.head(f"{package}/aac-64/3.mp4") as response:
        assert response.headers["CMSD-Static"] == "br=64,d=6080,ot=a,sf=h,st=v"


def test_every_metric_and_every_key_is_explained() -> None:
    """docs/operations.md has each metric with its labels and its meaning, and each key of CMCD that is read."""
    text = OPERATIONS.read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(segue_[a-z_]+)`(?: by ([^|]+))? \|", text, re.MULTILINE))
    labels = {metric.name: [name for name, _ in metric.labels] + ["worker"] * metric.by_worker for metric in METRICS}
    assert {name: re.findall(r"`([a-z_]+)`", by) for name, by in rows.items() if name != "segue_build_info"} == labels
    (told,) = re.findall(r"^Keys that are read: (.+)\.$", text, re.MULTILINE)
    assert re.findall(r"`([a-z]+)`", told) == sorted(KEYS)


async def _get(origin: Running, url: str, headers: dict[str, str] | None = None) -> tuple[int, str, bytes]:
    async with origin.client.get(_as_it_is(origin, url), headers=headers) as response:
        return response.status, response.headers.get("ETag", ""), await response.read()


def _as_it_is(origin: Running, url: str) -> URL:
    return URL(origin.url.rstrip("/") + url, encoded=True)


async def _lines(origin: Running, urls: list[str], caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The log lines of some requests, each a dictionary of its fields."""
    caplog.clear()

    def counted() -> float:
        origin.app[HOT].settle()
        return sum(origin.app[COUNTED].counted(REQUESTS).values())

    before = counted()
    with caplog.at_level(logging.INFO, logger="origin.serve"):
        for url in urls:
            await _get(origin, url)
        await until(lambda: counted() == before + len(urls))
    records = [record for record in caplog.records if record.message == "request served"]
    return [{key: value for key, value in vars(record).items() if key not in STANDARD} for record in records]


def _log_table() -> str:
    return OPERATIONS.read_text(encoding="utf-8").partition("### Access log")[2].partition("\n### ")[0]


def _whole_ms(track: Published) -> int:
    rendition = track.package.rendition("aac-64")
    assert rendition is not None
    return round(rendition.duration_ticks / 48)
