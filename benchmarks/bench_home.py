"""What a home page costs: the operation over HTTP, for listeners of a library that this makes up.

    nice python -m benchmarks.bench_home [--tracks 3646] [--listeners 1000] [--requests 300] [--rounds 3] [--sounds]

Listening is drawn as it comes about (benchmarks/listening_data.py: made_up). The model is trained of it as
`segue train` does it; with `--sounds` every track is in it, for what all sound like is known. Then listeners, each
another one, ask for `/api/v1/home` one after the other, on a socket of this machine; and once again, when nothing has
changed. In every round a new server is asked, and for each listener the least of the rounds counts: what a page takes,
not what else the machine did. Among them are one who has played more than counts, one whose tracks are gone for the
most part, and one who has played nothing. What is made ready before somebody asks, is. CPU is that of the process for
one request: the server with all its threads, and the client here. BLAS has one thread, and cycles are looked for as
seldom, as in `segue serve`. JSON on stdout.
"""

import argparse
import asyncio
import gc
import json
import os
import platform
import random
import resource
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory

from aiohttp import web
from threadpoolctl import threadpool_limits

from benchmarks.listening_data import made_up, made_up_sounds
from catalog.listener_database import ListenerDatabase
from catalog.listener_open import open_listeners
from catalog.listeners import Listeners
from catalog.plays import Plays as PlayTables
from catalog.schema import TrackRow
from catalog.store import Catalog
from discovery.frame import Frame
from discovery.rates import Rates
from discovery.recommend.files import write_model
from discovery.recommend.plays import Played, gathered
from discovery.recommend.recipe import Known, TrainSettings
from discovery.recommend.train import train
from discovery.recommend.web import Recommending
from model.track import digest_of

P99_MS_MAX = 10.0
MANY, BEREFT, NEW = (f"{name:a<20}" for name in ("many", "bereft", "new"))  # listeners like few others


def rows(artist_of: dict[str, str]) -> list[TrackRow]:
    """The library: every track that was made up, with its artist."""
    return [
        TrackRow(
            track_id=track_id, ingest_version="1", current_version="1", package_id=digest_of("package", length=16),
            recording_id=digest_of("recording", track_id, length=20), art_id=digest_of("art", artist, length=16),
            title=f"Song {number}", artist=artist, album=f"Album {number % 3} of {artist}", album_artist="",
            track_number=1, disc_number=None, duration_s=200.0, level_lufs=-14.0, families="aac opus", protected=False,
            genres=("Dub",), year=1999, published_s=number,
        )
        for number, (track_id, artist) in enumerate(artist_of.items())
    ]  # fmt: skip


def unusual(track_ids: Sequence[str]) -> tuple[list[Played], list[str]]:
    """What the listeners heard who are like few others, and the tracks that are gone since then."""
    luck = random.Random(2)
    many, bereft = luck.sample(track_ids, min(600, len(track_ids))), luck.sample(track_ids, min(60, len(track_ids)))
    heard = [(MANY, track_id, luck.randint(1, 9), at) for at, track_id in enumerate(many)]
    return heard + [(BEREFT, track_id, 1, at) for at, track_id in enumerate(bereft)], bereft[10:]


def kept(database: ListenerDatabase, played: Sequence[Played]) -> None:
    """Put what was played into its tables as the service does; counts only, for nothing here asks for events."""
    PlayTables(database)
    names = sorted({listener for listener, *_ in played} | {NEW})
    with database.writing() as db:
        db.executemany("INSERT INTO listeners VALUES (?, ?, '', 0)", ((each, each.encode()) for each in names))
        db.executemany("INSERT INTO consents VALUES (?, 0)", ((each,) for each in names))
        db.executemany("INSERT INTO heard VALUES (?, ?, ?, 0, ?)", played)


@contextmanager
def serving(catalog: Catalog, database: ListenerDatabase, models: Path) -> Iterator[int]:
    """The operations on a port."""
    started, port, stop = threading.Event(), list[int](), list[Callable[[], object]]()

    async def serve() -> None:
        recommending = Recommending(catalog, database, models)
        app = web.Application()
        Frame(Listeners(database), Rates(0)).add(app, recommending.served)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        stop.append(lambda: loop.call_soon_threadsafe(ended.set))
        async with recommending.following():
            while await asyncio.to_thread(recommending.recommender.fill):  # what is made ready now and then, is
                pass
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port.append(runner.addresses[0][1])
            started.set()
            await ended.wait()
        await runner.cleanup()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        if not started.wait(600):
            raise TimeoutError("not started")
        yield port[0]
    finally:
        for each in stop:
            each()
        thread.join()


@dataclass(frozen=True, slots=True)
class Sample:
    """What one page took, how large it was, and the kinds of its shelves."""

    cpu_ms: float
    wall_ms: float
    size_bytes: int
    kinds: tuple[str, ...]


def measured(port: int, keys: Sequence[str]) -> list[Sample]:
    """What a page costs each of these listeners."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    samples = []
    for key in keys:
        wall, cpu = time.perf_counter_ns(), time.process_time_ns()
        connection.request("GET", "/api/v1/home", headers={"Authorization": f"Bearer {key}"} if key else {})
        answer = connection.getresponse()
        body = answer.read()
        cpu_ms, wall_ms = (time.process_time_ns() - cpu) / 1e6, (time.perf_counter_ns() - wall) / 1e6
        assert answer.status == 200, body
        kinds = tuple(each["kind"] for each in json.loads(body)["shelves"])
        samples.append(Sample(cpu_ms, wall_ms, len(body), kinds))
    return samples


def told(rounds: Sequence[Sequence[Sample]]) -> dict[str, object]:
    """Of all listeners, each by its least of the rounds."""
    last = rounds[-1]
    kinds = Counter(kind for each in last for kind in each.kinds)
    return {
        "requests": len(last),
        "cpu_ms": _parts([min(each.cpu_ms for each in own) for own in zip(*rounds, strict=True)]),
        "wall_ms": _parts([min(each.wall_ms for each in own) for own in zip(*rounds, strict=True)]),
        "cpu_ms_of_each_round": [_parts([each.cpu_ms for each in some]) for some in rounds],
        "bytes": sum(each.size_bytes for each in last) // len(last),
        "shelves": {kind: round(count / len(last), 2) for kind, count in kinds.items()},
    }


def _parts(values: list[float]) -> dict[str, float]:
    values.sort()
    return {name: round(values[int(len(values) * part)], 2) for name, part in (("p50", 0.5), ("p99", 0.99))}


def main() -> None:
    """Make the library, train, serve, ask."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--tracks", type=int, default=3_646)
    options.add_argument("--listeners", type=int, default=1_000)
    options.add_argument("--requests", type=int, default=300)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--sounds", action="store_true")
    asked = options.parse_args()
    load_before = os.getloadavg()[0]
    artist_of, scene_of, played = made_up(asked.tracks, asked.listeners)
    more, gone = unusual(list(artist_of))
    played += more
    sounds = made_up_sounds(artist_of, scene_of) if asked.sounds else {}
    known = {track_id: Known(artist, sounds.get(track_id)) for track_id, artist in artist_of.items()}
    with TemporaryDirectory() as folder, Catalog() as catalog, open_listeners(None) as database:
        catalog.apply(rows(artist_of), [])
        kept(database, played)
        started = time.process_time()
        model = train(gathered(PlayTables(database).all_plays()), TrainSettings(), known)
        train_s = time.process_time() - started
        models = Path(folder)
        write_model(models, model, made_ms=1, kind="blend", facts={})
        catalog.apply([], gone)
        accounts = Listeners(database)
        heard = sorted({each for each, *_ in played})
        some = [MANY, BEREFT, NEW, *random.Random(1).sample(heard, min(asked.requests, len(heard)))]
        keys = [key for each in some if (key := accounts.new_key(each))]
        own, again, everybody = list[list[Sample]](), list[list[Sample]](), list[list[Sample]]()
        for _ in range(asked.rounds):
            with serving(catalog, database, models) as port:
                measured(port, keys[-3:])  # what is made once, is made
                own.append(measured(port, keys[:-3]))
                again.append(measured(port, keys[:-3]))
                everybody.append(measured(port, [""] * asked.requests))
    of_a_listener = told(own)
    own_cpu = of_a_listener["cpu_ms"]
    assert isinstance(own_cpu, dict)
    result = {
        "benchmark": "home",
        "tracks": asked.tracks,
        "listeners": asked.listeners,
        "plays": len(played),
        "tracks_of_a_listener": round(len(played) / asked.listeners, 1),
        "items": len(model.tracks),
        "train_cpu_s": round(train_s, 1),
        "of_a_listener": of_a_listener,
        "of_a_listener_again": told(again),
        "of_everybody": told(everybody),
        "held": {"p99_ms": own_cpu["p99"] <= P99_MS_MAX},
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000,
        "machine": {
            "cpus": os.cpu_count(),
            "python": platform.python_version(),
            "load": [round(load_before, 1), round(os.getloadavg()[0], 1)],
        },
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    gc.set_threshold(20_000, 20, 20)
    with threadpool_limits(1, "blas"):
        main()
