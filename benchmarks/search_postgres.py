"""The search of bench_search in a PostgreSQL server: the same catalogue, queries and bars.

CPU is that of the searching thread and of the server's process for its connection; when the index is made, and changed,
that of all processes of the server. So the server has to run on this machine (Linux, with /proc/*/schedstat), for
nothing else, as one whose processes this user may look at. The schema of the index is thrown away.

    python -m benchmarks.search_postgres postgresql://USER@127.0.0.1:PORT/DATABASE CATALOGUE > result.json

CATALOGUE is what benchmarks/search_catalogue.py makes.
"""

import argparse
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from benchmarks.bench_search import BARS, Cases, Names, changes, judged, measured_all, rows_of
from catalog.search_postgres import PostgresPostings
from discovery.search import RULES, SearchIndex

SCHEMA = "segue_search_benchmark"
LOOK_S = 0.2
_SIZE = """SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %s AND c.relkind = 'r'"""
_ASKED = "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"


def cpu_ns_of(pid: int) -> int:
    """CPU that a process has used, of all of its time; 0 if it has ended."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
    except FileNotFoundError:
        return 0


class ServerWatch:
    """CPU of all processes of a server, looked at again and again: one that ends counts as it was seen last."""

    def __init__(self, postmaster: int) -> None:
        self._postmaster = postmaster
        self._seen: dict[int, int] = {}

    def look(self) -> int:
        """What all have used together, in nanoseconds."""
        children = Path(f"/proc/{self._postmaster}/task/{self._postmaster}/children").read_text().split()
        for pid in (self._postmaster, *map(int, children)):
            self._seen[pid] = max(self._seen.get(pid, 0), cpu_ns_of(pid))
        return sum(self._seen.values())

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look all the time."""
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(LOOK_S):
                self.look()

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def in_postgres(url: str, file: Path) -> dict[str, object]:
    """The index in a server: made, asked, changed."""
    with psycopg.connect(url, autocommit=True) as db, PostgresPostings(url, RULES, schema=SCHEMA) as postings:
        ((backend,),) = db.execute(_ASKED).fetchall()
        watch = ServerWatch(_parent_of(backend))
        index = SearchIndex(postings)
        started, started_server = time.process_time(), watch.look()
        with watch.watching():
            tracks = index.index(rows_of(file))
        client_s, server_s = time.process_time() - started, (watch.look() - started_server) / 1e9
        figures: dict[str, object] = {
            "tracks": tracks,
            "build_cpu_s": round(client_s + server_s, 1),
            "build_cpu_s_of_server": round(server_s, 1),
        }
        ((size,),) = db.execute(_SIZE, (SCHEMA,)).fetchall()
        figures["index_mb"] = round(int(size) / 1e6, 1)

        def ask(text: str) -> list[Names]:
            return [(found.title, found.artist) for found in index.search(text, limit=10).tracks]

        figures |= measured_all(Cases(file).all(), ask, lambda: time.thread_time_ns() + cpu_ns_of(backend))
        in_server = changes(index, file, lambda: time.thread_time_ns() + watch.look())
        db.execute(f"DROP SCHEMA {SCHEMA} CASCADE")
    bursts = in_server["burst_cpu_s"]
    assert isinstance(bursts, dict)
    return figures | {
        "changes": in_server,
        "update_visible_s": in_server["longest_of_20_s"],
        "burst_cpu_s": max(bursts.values()),
    }


def _parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def main() -> None:
    """Print the result as JSON."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("url", help="a database of a server on this machine")
    options.add_argument("catalogue", type=Path)
    asked = options.parse_args()
    load_before = os.getloadavg()[0]
    figures = in_postgres(asked.url, asked.catalogue)
    load = [round(load_before, 1), round(os.getloadavg()[0], 1)]
    result = {"benchmark": "search_postgres", "ours": figures, "bars": BARS, "held": judged(figures), "load": load}
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
