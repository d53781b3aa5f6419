"""Machines that fail in the middle of a batch: what is published in the end is what an undisturbed run publishes.

A reader looks all through: what is live is whole at every moment, and no track goes back to a package that it had left.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.test_batches import song
from tests.support.apart import full_disk, network
from tests.support.cluster import AWAY_S, Cluster, HungEncoder, Process, cluster, until
from tests.support.command import SHORT_LADDER, objects, segue
from tests.support.polled import Seen, polled

TRACKS = 3
SECONDS = 1.5
STORE = ("--store", "file:store", "--catalog", "catalog.sqlite3")
PATIENT = "600s"  # how long silence means nothing to a worker: the scheduler gives it up first
PUBLISH = ("publish", "music", *STORE, *SHORT_LADDER[:-2])


def music(folder: Path) -> None:
    """An album, and a song of no album."""
    for number in range(1, TRACKS):
        tags = {"title": f"Song {number}", "album": "Album", "artist": "A", "tracknumber": str(number)}
        song(folder / "music" / "album" / f"{number}.flac", seconds=SECONDS, seed=number, **tags)
    song(folder / "music" / "alone.flac", seconds=SECONDS, seed=9, title="Alone", artist="B")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """All that a run in one process publishes."""
    folder = tmp_path_factory.mktemp("undisturbed")
    music(folder)
    done = segue(*PUBLISH, cwd=folder)
    assert done.summary == {"done": TRACKS, "skipped": 0, "failed": 0}, done.stderr
    return objects(folder / "store")


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Cluster]:
    """A scheduler, two workers that do one step at a time, and music."""
    music(tmp_path)
    with cluster(tmp_path) as found:
        yield found


def end_of(batch: Process) -> int:
    """The exit status of a batch that ends by itself."""
    return batch.process.wait(90)


def run_again(machines: Cluster) -> None:
    """The same command finds nothing lost: all is there, whoever did it."""
    done = segue(*PUBLISH, *machines.engine, cwd=machines.folder, **machines.environ)
    assert done.status == 0, done.stderr
    assert sum(done.summary.values()) == TRACKS


@contextmanager
def disk_that_hangs(store: Path, keys: Iterable[str]) -> Iterator[None]:
    """Whoever puts one of these objects waits in the middle of it, until the disk is well again.

    What the store knows of a file is read before that file gets its name. Here that is a pipe that nobody writes to.
    """
    pipes = [store / ".segue" / "meta" / f"{key}@.json" for key in keys]
    for pipe in pipes:
        pipe.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(pipe)
    yield
    for pipe in pipes:
        pipe.unlink()


def half_uploaded(store: Path) -> bool:
    """Whether a package has a track file, and no record yet."""
    return any(not (each.parent / "package.json").exists() for each in store.glob("recordings/*/*/aac-64.mp4"))


def written(store: Path) -> set[tuple[str, int]]:
    """The packages that were uploaded to their end, each time that one was."""
    return {(str(each), each.stat().st_mtime_ns) for each in store.glob("recordings/*/*/package.json")}


def encoding(worker: Process) -> bool:
    """Whether it runs an encoder."""
    return bool(worker.children("libopus"))


def check(machines: Cluster, seen: Seen, undisturbed: dict[str, bytes]) -> None:
    """The store is as if nothing had happened, and nothing was live twice."""
    assert objects(machines.folder / "store") == undisturbed
    assert seen.tracks == TRACKS
    assert all(len(set(lives)) == len(lives) for lives in seen.lives.values()), seen.lives


def test_a_worker_is_killed_while_it_encodes_and_another_while_it_uploads(
    machines: Cluster, undisturbed: dict[str, bytes]
) -> None:
    """The batch does not notice: the scheduler gives their steps to others."""
    machines.scheduler()
    first = machines.worker(SEGUE_FFMPEG=HungEncoder.made(machines.folder).program)
    store = machines.folder / "store"
    records = [key for key in undisturbed if key.endswith("/package.json")]
    with polled(store) as seen:
        with disk_that_hangs(store, records):
            batch = machines.start(*PUBLISH, *machines.engine)
            until(lambda: encoding(first), what="an encode")
            first.kill()
            second = machines.worker()
            until(lambda: half_uploaded(store), what="half an upload")
            second.kill()
        machines.worker()
        assert end_of(batch) == 0
    check(machines, seen, undisturbed)


def test_a_worker_is_cut_off_from_the_scheduler_and_goes_on_writing(
    machines: Cluster, undisturbed: dict[str, bytes], record_property: Callable[[str, object], None]
) -> None:
    """Its step is given to another; what it writes all the same, when all is done, makes nothing live."""
    store, encoder = machines.folder / "store", HungEncoder.made(machines.folder)
    with network(machines) as between, polled(store) as seen:
        record_property("means", between.means)
        machines.scheduler()
        apart = machines.worker(
            port=between.port,
            prefix=between.prefix,
            SEGUE_FFMPEG=encoder.program,
            DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP=PATIENT,
        )
        batch = machines.start(*PUBLISH, *machines.engine)
        until(lambda: encoding(apart), what="an encode")
        between.cut()
        machines.worker()
        assert end_of(batch) == 0
        assert encoding(apart)
        before = written(store)
        encoder.let_go()
        until(lambda: written(store) != before, what="the end of an upload that nobody waits for")
        assert objects(store) == undisturbed
        between.mend()
    check(machines, seen, undisturbed)


def test_the_scheduler_is_killed_and_another_takes_its_place(machines: Cluster, undisturbed: dict[str, bytes]) -> None:
    """Worker and batch come back to it, and what was under way is submitted again."""
    first = machines.scheduler()
    encoder = HungEncoder.made(machines.folder)
    worker = machines.worker(SEGUE_FFMPEG=encoder.program)
    with polled(machines.folder / "store") as seen:
        batch = machines.start(*PUBLISH, *machines.engine)
        until(lambda: encoding(worker), what="an encode")
        first.kill()
        encoder.let_go()
        machines.scheduler()
        assert end_of(batch) == 0
    check(machines, seen, undisturbed)


def test_the_coordinator_is_killed_and_the_batch_is_run_again(machines: Cluster, undisturbed: dict[str, bytes]) -> None:
    """The steps that were under way are taken back, and the second run finds what the first had done."""
    machines.scheduler()
    encoder = HungEncoder.made(machines.folder)
    worker = machines.worker(SEGUE_FFMPEG=encoder.program)
    with polled(machines.folder / "store") as seen:
        batch = machines.start(*PUBLISH, *machines.engine)
        until(lambda: encoding(worker), what="an encode")
        batch.kill()
        until(lambda: not encoding(worker), what="the end of what nobody wants any more")
        encoder.let_go()
        run_again(machines)
    check(machines, seen, undisturbed)


def test_the_batch_is_interrupted_and_its_steps_end(machines: Cluster, undisturbed: dict[str, bytes]) -> None:
    """Ctrl-C is exit status 130, and no worker goes on with what nobody wants any more."""
    machines.scheduler()
    encoder = HungEncoder.made(machines.folder)
    worker = machines.worker(SEGUE_FFMPEG=encoder.program)
    with polled(machines.folder / "store") as seen:
        batch = machines.start(*PUBLISH, *machines.engine)
        until(lambda: encoding(worker), what="an encode")
        assert batch.stop() == 130
        until(lambda: not encoding(worker), what="the end of the encode")
        encoder.let_go()
        run_again(machines)
    check(machines, seen, undisturbed)


def test_the_store_goes_away_and_comes_back(machines: Cluster, undisturbed: dict[str, bytes]) -> None:
    """Tracks fail meanwhile, each with its reason; the next run makes what is missing."""
    machines.scheduler()
    encoder = HungEncoder.made(machines.folder)
    worker = machines.worker(SEGUE_FFMPEG=encoder.program)
    store, away = machines.folder / "store", machines.folder / "away"
    with polled(store) as seen:
        batch = machines.start(*PUBLISH, *machines.engine)
        until(lambda: encoding(worker), what="an encode")
        store.rename(away)
        store.write_bytes(b"")  # as a share that is not mounted: nothing can be written below it
        back_s = time.monotonic() + AWAY_S
        encoder.let_go()
        assert end_of(batch) == 1
        failed = [line["code"] for line in batch.lines if line["event"] == "track" and line["status"] == "failed"]
        assert failed and set(failed) <= {"storage-error", "storage-unavailable", "storage-denied", "object-not-found"}
        until(lambda: time.monotonic() >= back_s, seconds=AWAY_S + 1, what="the time")
        store.unlink()
        away.rename(store)
        run_again(machines)
    check(machines, seen, undisturbed)


def test_the_disk_of_a_worker_is_full(
    machines: Cluster, undisturbed: dict[str, bytes], record_property: Callable[[str, object], None]
) -> None:
    """What was to be made there fails with a reason; with room again the next run makes it."""
    disk = full_disk(machines.folder / "scratch")
    record_property("means", disk.means)
    machines.scheduler()
    full = machines.worker("--scratch", str(disk.scratch), prefix=disk.prefix)
    with polled(machines.folder / "store") as seen:
        batch = machines.start(*PUBLISH, *machines.engine)
        assert end_of(batch) == 1
        failed = [line for line in batch.lines if line["event"] == "track" and line["status"] == "failed"]
        assert failed and all(line["code"] and line["hint"] for line in failed)
        full.kill()
        machines.worker()
        done = segue(*PUBLISH, *machines.engine, cwd=machines.folder)
        assert done.status == 0, done.stderr
    check(machines, seen, undisturbed)


def test_two_coordinators_work_on_the_same_batch(machines: Cluster, undisturbed: dict[str, bytes]) -> None:
    """Each with a ledger of its own: both end well, nothing is live twice, and what one makes the other does not."""
    machines.scheduler()
    machines.worker(slots=2)
    other = tuple(word.replace("catalog.", "another.") for word in PUBLISH)
    with polled(machines.folder / "store") as seen:
        batches = [machines.start(*words, *machines.engine) for words in (PUBLISH, other)]
        assert [end_of(batch) for batch in batches] == [0, 0]
    done = [line for batch in batches for line in batch.lines if line["event"] == "track" and line["status"] == "done"]
    assert len(done) == TRACKS
    check(machines, seen, undisturbed)
