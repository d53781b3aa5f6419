"""Workers count together: whoever is asked tells the sum, and the dead stay in it."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from origin import board
from origin.board import Board
from origin.metrics_table import DISCONNECTS, METRICS
from origin.series import Layout, Row
from tests.integration.origin.published import Published
from tests.support.served_album import serving_at

LAYOUT = Layout(METRICS)
PLACE = LAYOUT.place(DISCONNECTS)
HOLDER = """
import sys, time
from pathlib import Path
from origin.board import Board
from origin.metrics_table import DISCONNECTS, METRICS
from origin.series import Layout
layout = Layout(METRICS)
held, place = Board(layout, Path(sys.argv[1])), layout.place(DISCONNECTS)
for _ in range(10_000):
    held.values[place] += 1
print(held.worker, flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that has counted to 10,000 in a row of its own."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]) as process:
        assert process.stdout is not None and process.stdout.readline() == "0\n"
        yield process
        process.kill()


def test_a_dead_workers_count_stays_and_its_row_is_taken_over(tmp_path: Path, holder: "subprocess.Popen[str]") -> None:
    """SIGKILL it: not one count is lost, its gauges no longer count, and the next worker counts on from there."""
    own = Board(LAYOUT, tmp_path)
    own.values[PLACE] += 5
    assert own.worker == 1
    assert _sum(own) == 10_005 and [row.live for row in own.rows()] == [True, True]
    holder.kill()
    holder.wait(60)
    assert _sum(own) == 10_005
    successor = Board(LAYOUT, tmp_path)
    assert successor.worker == 0
    successor.values[PLACE] += 1
    assert _sum(own) == _sum(successor) == 10_006
    successor.close()
    assert _sum(own) == 10_006 and [row.live for row in own.rows()] == [True, False]
    own.close()


def test_a_silent_worker_is_not_taken_for_alive(
    tmp_path: Path, holder: "subprocess.Popen[str]", monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that hangs, or was killed, stops to beat: its gauges no longer count."""
    monkeypatch.setattr(board, "SILENT_S", 0.2)
    own = Board(LAYOUT, tmp_path)
    own.beat()
    _until(lambda: [row.live for row in own.rows()] == [True, False])
    own.close()


def test_rows_of_other_code_are_not_read(tmp_path: Path) -> None:
    """Other metrics, another layout: each adds up its own, and nobody reads a number as what it is not."""
    old, new = Board(Layout(METRICS[:-1]), tmp_path), Board(LAYOUT, tmp_path)
    assert (old.worker, new.worker) == (0, 0)
    assert [_numbers(each) for each in (old, new)] == [[0], [0]]
    (tmp_path / f"{LAYOUT.fingerprint}-7").write_bytes(b"")  # one that is just being made
    assert _numbers(new) == [0]
    old.close()
    new.close()


def test_the_command_tells_the_sum_of_its_workers_through_crash_and_renewal(shelf: tuple[Path, Published]) -> None:
    """`segue serve --workers 3`: every scrape, whoever takes it, counts every answer; SIGKILL and SIGHUP lose none."""
    folder, track = shelf
    with serving_at(f"file:{folder}", os.environ, "--workers", "3") as url:
        asked = asyncio.run(_ask(url, f"{track.package_base}/aac-64/0.mp4", 60))
        figures = _settled(url, asked)
        assert figures["segue_workers",] == 3
        workers = [series[1] for series in figures if series[0] == "segue_process_start_time_seconds"]
        assert sorted(workers) == ["0", "1", "2"]
        _kill_one_worker()
        asked += asyncio.run(_ask(url, f"{track.package_base}/aac-64/0.mp4", 60))
        _settled(url, asked)
        _until(lambda: asyncio.run(_figures(url))["segue_workers",] == 3)
        os.kill(_command(), signal.SIGHUP)  # renew all, one by one, while listeners go on asking
        while _started(asyncio.run(_figures(url))) & _started(figures):
            asked += asyncio.run(_ask(url, f"{track.package_base}/aac-64/0.mp4", 20))
        _settled(url, asked)
        assert {figures["segue_requests_total", "media", "200"] for figures in asyncio.run(_scrapes(url, 12))} == {
            asked
        }


def _numbers(one: Board) -> list[int]:
    return [row.worker for row in one.rows()]


def _sum(one: Board) -> float:
    def of(row: Row) -> float:
        return row.values[PLACE]

    return sum(map(of, one.rows()))


def _settled(url: str, asked: int) -> dict[tuple[str, ...], float]:
    """The figures once the last answer is counted: that is done after its last byte went out."""
    _until(lambda: asyncio.run(_figures(url))["segue_requests_total", "media", "200"] == asked)
    return asyncio.run(_figures(url))


def _started(figures: dict[tuple[str, ...], float]) -> set[float]:
    """When each worker began."""
    return {value for series, value in figures.items() if series[0] == "segue_process_start_time_seconds"}


def _command() -> int:
    """The process of `segue serve` that this test started: the one that has workers."""
    below = [os.getpid()]
    while not _workers(below[0]):
        below = below[1:] + _children(below[0])
    return below[0]


def _kill_one_worker() -> None:
    os.kill(_workers(_command())[0], signal.SIGKILL)


def _workers(pid: int) -> list[int]:
    return [each for each in _children(pid) if b"spawn_main" in Path(f"/proc/{each}/cmdline").read_bytes()]


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def _ask(url: str, path: str, times: int) -> int:
    """Ask over a new connection each time; how many were answered with 200 (a killed worker takes some with it)."""
    good = 0
    async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(force_close=True)) as client:
        for _ in range(times):
            try:
                async with client.get(path) as response:
                    await response.read()
                    good += response.status == 200
            except aiohttp.ClientError:
                continue
    return good


async def _figures(url: str) -> dict[tuple[str, ...], float]:
    return (await _scrapes(url, 1))[0]


async def _scrapes(url: str, times: int) -> list[dict[tuple[str, ...], float]]:
    """/metrics over a new connection each time, as Prometheus' own parser reads it."""
    found = []
    async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(force_close=True)) as client:
        for _ in range(times):
            async with client.get("/metrics") as response:
                text = await response.text()
            found.append(
                {
                    (sample.name, *sample.labels.values()): sample.value
                    for family in text_string_to_metric_families(text)
                    for sample in family.samples
                }
            )
    return found


def _until(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    end_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.05)
