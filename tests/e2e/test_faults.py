"""Machines that fail in the middle of a batch: what is published in the end is what an undisturbed run publishes.

A reader looks all through: what is live is whole at every moment, and no track goes back to a package that it had left.
"""

import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.test_batches import song
from tests.support.cluster import Cluster, Process, cluster, until
from tests.support.command import SHORT_LADDER, objects, segue
from tests.support.polled import Seen, polled

TRACKS = 4
SECONDS = 1.5
STORE = ("--store", "file:store", "--catalog", "catalog.sqlite3")
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


def caught(worker: Process, what: Callable[[], object], *, stays: Callable[[], bool] = lambda: True) -> None:
    """Freeze the worker at a moment when `what` holds; one that is over when it is frozen does not count."""

    def frozen() -> bool:
        if not what():
            return False
        worker.signal(signal.SIGSTOP)
        if stays():
            return True
        worker.signal(signal.SIGCONT)
        return False

    until(frozen, what="the moment")


def half_uploaded(store: Path) -> bool:
    """Whether a package has a track file, and no record yet."""
    return any(not (each.parent / "package.json").exists() for each in store.glob("recordings/*/*/aac-64.mp4"))


def encoding(worker: Process) -> bool:
    """Whether it runs an encoder."""
    return bool(worker.children("libopus"))


def check(machines: Cluster, seen: Seen, undisturbed: dict[str, bytes]) -> None:
    """The store is as if nothing had happened, and nothing was live twice."""
    assert objects(machines.folder / "store") == undisturbed
    assert all(len(set(lives)) == len(lives) for lives in seen.lives.values()), seen.lives


def test_a_worker_is_killed_while_it_encodes_and_another_while_it_uploads(
    machines: Cluster, undisturbed: dict[str, bytes]
) -> None:
    """The batch does not notice: the scheduler gives their steps to others."""
    machines.scheduler()
    first = machines.worker()
    store = machines.folder / "store"
    with polled(store) as seen:
        batch = machines.start(*PUBLISH, *machines.engine)
        caught(first, lambda: encoding(first))
        first.kill()
        second = machines.worker()
        caught(second, lambda: half_uploaded(store), stays=lambda: half_uploaded(store))
        second.kill()
        machines.worker()
        assert end_of(batch) == 0
    check(machines, seen, undisturbed)
