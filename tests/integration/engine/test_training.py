"""`segue train --engine dask`: models are tried, and made, on workers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.listener_open import open_listeners
from catalog.listeners import Listeners
from catalog.plays import PlayRow, Plays
from model.track import recording_id_of
from tests.support.cluster import Cluster, cluster
from tests.support.command import segue

LISTENERS, TASTES, TRACKS_EACH = 40, 4, 15


@pytest.fixture
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A scheduler and a worker."""
    with cluster(tmp_path_factory.mktemp("machines")) as found:
        found.scheduler()
        found.worker()
        yield found


def test_models_are_tried_on_workers(machines: Cluster, tmp_path: Path) -> None:
    """The best of them is written here, and is the current one."""
    _played(tmp_path / "listeners.sqlite3")
    (tmp_path / "store").mkdir()
    known = (
        "--store",
        "file:store",
        "--listeners",
        "listeners.sqlite3",
        "--catalog",
        "c.sqlite3",
        "--models",
        "models",
    )
    ran = segue("train", "--tune", *known, "--engine", "dask", "--scheduler", machines.address, cwd=tmp_path)
    assert ran.status == 0, ran.stderr
    *tried, made = ran.lines
    assert {each["event"] for each in tried} == {"tried"} and len(tried) == 7
    assert (made["event"], made["listeners"]) == ("model", LISTENERS)
    assert (tmp_path / "models" / "current").read_text().strip() == made["model_id"]


def test_workers_need_a_store(tmp_path: Path) -> None:
    """Said before anything is asked of them."""
    ran = segue("train", "--engine", "dask", "--listeners", "listeners.sqlite3", cwd=tmp_path)
    assert (ran.status, ran.lines[-1]["code"]) == (2, "usage")


def _played(path: Path) -> None:
    """Each listener played most tracks of one taste of four, in an order of its own."""
    with open_listeners(path) as database:
        listeners, plays = Listeners(database), Plays(database)
        for number in range(LISTENERS):
            who, _ = listeners.add()
            plays.consent(who.listener_id, at_ms=1)
            first = (number % TASTES) * TRACKS_EACH
            heard = [first + (number + step * 7) % TRACKS_EACH for step in range(10)]
            plays.add([_listen(who.listener_id, step, track) for step, track in enumerate(heard)])


def _listen(listener_id: str, step: int, track: int) -> PlayRow:
    return PlayRow(
        listener_id=listener_id, play_id=f"play-{step:04}", event_id=f"event-{step:04}",
        track_id=recording_id_of(str(track)), kind="complete", at_ms=1000 + step, position_ms=1, played_ms=1, source="",
        reason="", listened=True, skipped=False,
    )  # fmt: skip
