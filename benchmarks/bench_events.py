"""What a play event costs: checked, judged and kept, beside SQLite alone writing the same rows, turn by turn.

    nice python -m benchmarks.bench_events > events.json

JSON on stdout, in half a minute. Plays of 2,000 listeners, four events each, come in the order of their moments, so a
batch has events of as many listeners. All batches are committed to a file with `synchronous=FULL`, as in service.

`keep`: what `Plays.add` takes, per event, so many in one write. `floor`: `executemany` of the same rows into the same
table, without consent, plays or counts. `read`: JSON to checked events, in batches of 50.
CPU of the process; a figure is the median over alternating rounds, so a busy machine slows both sides.
"""

import json
import os
import platform
import random
import sqlite3
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import fields
from operator import attrgetter
from pathlib import Path
from statistics import median

from catalog.listener_database import ListenerDatabase
from catalog.listener_open import open_listeners
from catalog.plays import PlayRow, Plays
from discovery.listening.events import PlayEvent, read_batch
from discovery.listening.service import play_row
from model.track import recording_id_of, track_id_of

LISTENERS, TRACKS, EVENTS = 2_000, 5_000, 20_000
AT_ONCE = (1, 100, 1_000)
ROUNDS = 5
DURATION_S = 200.0
NOW_MS = 1_790_000_000_000
BAR_US = 40.0
_VALUES = attrgetter(*(field.name for field in fields(PlayRow)))
_INSERT = f"INSERT OR IGNORE INTO play_events VALUES ({', '.join('?' * len(fields(PlayRow)))})"


def sent(count: int) -> list[tuple[str, dict[str, object]]]:
    """So many events, each with its listener, in the order of their moments."""
    luck = random.Random(7)
    listeners = [track_id_of("listener", str(number)) for number in range(LISTENERS)]
    tracks = [track_id_of(recording_id_of(str(number)), "Album") for number in range(TRACKS)]
    events: list[tuple[str, dict[str, object]]] = []
    for number in range(count // 4):
        listener_id, play_id = luck.choice(listeners), str(uuid.UUID(int=luck.getrandbits(128)))
        track_id = tracks[min(int(luck.paretovariate(0.8)), TRACKS - 1)]
        for kind, played_ms in (("start", 0), ("progress", 60_000), ("progress", 120_000), ("complete", 199_000)):
            event = {
                "event_id": str(uuid.UUID(int=luck.getrandbits(128))), "play_id": play_id, "track_id": track_id,
                "kind": kind, "at_ms": NOW_MS + 50 * number + played_ms, "position_ms": played_ms,
                "played_ms": played_ms, "source": f"album:{track_id}",
            }  # fmt: skip
            events.append((listener_id, event))
    return sorted(events, key=lambda each: int(str(each[1]["at_ms"])))


def cpu_us(work: Callable[[], object], count: int) -> float:
    """CPU of the process for each of so many."""
    began_s = time.process_time()
    work()
    return (time.process_time() - began_s) / count * 1e6


def rows_of(events: list[tuple[str, dict[str, object]]]) -> list[PlayRow]:
    """The events as they are kept."""
    read: list[PlayEvent] = [read_batch({"events": [event]}).events[0][1] for _, event in events]
    pairs = zip(events, read, strict=True)
    return [play_row(listener_id, event, event.at_ms, DURATION_S) for (listener_id, _), event in pairs]


def keep(path: Path, rows: list[PlayRow], at_once: int) -> float:
    """The product: CPU in us of an event."""
    with open_listeners(path) as database:
        plays = Plays(database)
        _agree(database)
        writes = [rows[start : start + at_once] for start in range(0, len(rows), at_once)]
        return cpu_us(lambda: [plays.add(each) for each in writes], len(rows))


def floor(path: Path, rows: list[PlayRow], at_once: int) -> float:
    """SQLite alone."""
    with open_listeners(path) as database:
        Plays(database)  # for its tables
        _agree(database)
        values = [_VALUES(row) for row in rows]
        writes = [values[start : start + at_once] for start in range(0, len(values), at_once)]

        def write() -> None:
            for each in writes:
                with database.writing() as db:
                    db.executemany(_INSERT, each)

        return cpu_us(write, len(rows))


def _agree(database: ListenerDatabase) -> None:
    listeners = [track_id_of("listener", str(number)) for number in range(LISTENERS)]
    with database.writing() as db:
        db.executemany("INSERT INTO listeners VALUES (?, ?, '', 0)", ((each, each.encode()) for each in listeners))
        db.executemany("INSERT INTO consents VALUES (?, 0)", ((each,) for each in listeners))


def main() -> None:
    """Measure, and print."""
    events = sent(EVENTS)
    rows = rows_of(events)
    bodies = [json.dumps({"events": [event for _, event in events[at : at + 50]]}) for at in range(0, EVENTS, 50)]
    figures: dict[str, object] = {}
    for at_once in AT_ONCE:
        some = rows if at_once > 1 else rows[: EVENTS // 10]
        ours, theirs = [], []
        for _ in range(ROUNDS):
            with tempfile.TemporaryDirectory() as folder:
                ours.append(keep(Path(folder) / "ours", some, at_once))
                theirs.append(floor(Path(folder) / "floor", some, at_once))
        figures[f"{at_once} events a write"] = {
            "keep_cpu_us": round(median(ours), 1),
            "floor_cpu_us": round(median(theirs), 1),
            "ratio": round(median(one / two for one, two in zip(ours, theirs, strict=True)), 2),
        }
    read_us = median(cpu_us(lambda: [read_batch(json.loads(each)) for each in bodies], EVENTS) for _ in range(ROUNDS))
    figures["read_cpu_us"] = round(read_us, 1)
    machine = {"cpus": os.cpu_count(), "load": round(os.getloadavg()[0], 1), "python": platform.python_version()}
    machine["sqlite"] = sqlite3.sqlite_version
    json.dump({"machine": machine, "bar_keep_cpu_us": BAR_US, "events": EVENTS, **figures}, sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
