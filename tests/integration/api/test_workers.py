"""Several worker processes are one API: they share the listeners, and each has its own counts of who asks how often."""

import http.client
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from discovery.operations import Group
from discovery.rates import RATES
from tests.support.command import environment
from tests.support.forked import fork

WORKERS = 2
STOP_TIMEOUT_S = 35


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Where they listen, with the limits that everybody has."""
    (tmp_path / "store").mkdir()
    arguments = ("serve", "--json", "--store", f"file:{tmp_path / 'store'}", "--port", "0", "--workers", str(WORKERS))
    process = fork(*arguments, env=environment(tmp_path), cwd=tmp_path)
    with process.stdout as said:
        try:
            yield urlsplit(json.loads(said.readline())["url"]).netloc
        finally:
            process.terminate()
            process.wait(STOP_TIMEOUT_S)


def _ask(address: str, method: str, path: str, key: str = "") -> tuple[int, str, dict[str, str]]:
    """Status, which process answered, and the body; over a connection of its own."""
    connection = http.client.HTTPConnection(address, timeout=60)
    try:
        connection.request(method, path, headers={"Authorization": f"Bearer {key}"} if key else {})
        answer = connection.getresponse()
        return answer.status, answer.headers["X-Request-Id"][:8], json.loads(answer.read())
    finally:
        connection.close()


def test_a_listener_is_known_to_all_workers_at_once(address: str) -> None:
    """Whichever made it; and a key that was replaced by one is none for the other."""
    _, _, made = _ask(address, "POST", "/api/v1/listeners")
    _, _, renewed = _ask(address, "POST", "/api/v1/listeners/me/key", made["key"])
    seen: Counter[tuple[str, int]] = Counter()
    while len({process for process, _ in seen}) < WORKERS:
        status, process, _ = _ask(address, "GET", "/api/v1/listeners/me", renewed["key"])
        seen[process, status] += 1
        assert status == 200 and seen.total() < 200
    assert _ask(address, "GET", "/api/v1/listeners/me", made["key"])[0] == 401


def test_who_signs_up_too_often_is_told_to_wait(address: str) -> None:
    """429 by every worker in the end, and no more listeners than its burst from each, but for the time that passes."""
    burst = RATES[Group.SIGN_UP].burst
    answers = [_ask(address, "POST", "/api/v1/listeners")[:2] for _ in range(8 * WORKERS * burst)]
    assert {status for status, _ in answers} == {201, 429}
    first = Counter(process for status, process in answers[:burst] if status == 201)
    assert sum(first.values()) == burst


def test_a_store_whose_disk_is_not_mounted_is_no_empty_one(address: str, tmp_path: Path) -> None:
    """Started on a bare folder: 503 for nobody's cache, and not ready; once it is seen to be the store, 404."""
    segment = f"/recordings/{'a' * 20}/{'b' * 16}/aac-64/0.mp4"
    connection = http.client.HTTPConnection(address, timeout=60)
    for path, told in ((segment, {"error": "storage-unavailable"}), ("/readyz", {"store_failing": True})):
        connection.request("GET", path)
        answer = connection.getresponse()
        assert (answer.status, answer.headers["Cache-Control"]) == (503, "no-store")
        assert int(answer.headers["Retry-After"]) > 0
        assert told.items() <= json.loads(answer.read()).items()
    connection.close()
    (tmp_path / "store" / ".segue").mkdir()
    assert _ask(address, "GET", segment)[0] == 404
