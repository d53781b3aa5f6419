"""Batches whose sources are disturbed at a known moment: what is left of a run is published all the same."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from model.events import Event, Stage, StageStarted, TrackOutcome
from segue.config import load
from segue.intake import Finished, Intake
from segue.plan import Plan
from segue.wiring import workshop
from tests.support.cut_album import PublishedTrack, music, tracks_in, write_tracks

RATE_HZ = 44_100
TRACKS = 5


@dataclass
class Watcher:
    """Does something once, when a stage of a source begins; keeps how all sources ended."""

    stage: Stage
    name: str
    action: Callable[[], None]
    outcomes: dict[str, TrackOutcome] = field(default_factory=dict)
    acted: bool = False

    def notify(self, event: Event) -> None:
        """Take an event of the batch."""
        match event:
            case StageStarted(stage=stage, subject=subject) if (stage, Path(subject).name) == (self.stage, self.name):
                if not self.acted:
                    self.acted = True
                    self.action()
            case TrackOutcome():
                self.outcomes[Path(event.source).name] = event

    @property
    def codes(self) -> dict[str, str]:
        """Of those that failed, why."""
        return {name: outcome.code for name, outcome in self.outcomes.items() if outcome.code}


async def publish(folder: Path, watcher: Watcher, *, jobs: int = 2, loudness: str = "album") -> list[PublishedTrack]:
    """Publish `music` in the folder; what is live afterwards."""
    store = folder / "store"
    flags: dict[str, Any] = {
        "store": f"file:{store}", "catalog": str(folder / "catalog.sqlite3"), "aac": "64", "opus": "", "jobs": jobs,
        "loudness": loudness,
    }  # fmt: skip

    async def finished(_: Finished) -> None:
        return

    async with workshop(load(flags, {}), watcher) as shop:
        with Plan() as plan:
            plan.find([folder / "music"])
            await plan.survey(shop, watcher, remembered=True)
            await Intake(shop=shop, jobs=jobs, publish=True, observer=watcher, finished=finished).run(plan)
    return tracks_in(store)


def album(folder: Path, tracks: int = TRACKS) -> list[Path]:
    """An album that runs on, in `music`."""
    length = int(RATE_HZ * 2.1) + 17
    wave = music(length * tracks, rate=RATE_HZ)
    return write_tracks(folder / "music", wave, [length * number for number in range(1, tracks)], rate=RATE_HZ)


def numbers(tracks: Sequence[PublishedTrack]) -> list[tuple[int, int | None, int]]:
    """Of each track its number, its place in its run, and how many are in that."""
    return [(track.record["tags"]["track_number"], track.position, len(track.run)) for track in tracks]


def changed(path: Path) -> None:
    """Another state of the file."""
    os.utime(path, ns=(1, 1))


def nothing() -> None:
    """Nothing happens."""


@pytest.mark.parametrize(
    ("act", "code", "jobs"),
    [(Path.unlink, "source-vanished", 1), (Path.unlink, "source-vanished", 3), (changed, "source-changed", 1)],
)
async def test_one_that_is_lost_fails_alone(tmp_path: Path, act: Callable[[Path], None], code: str, jobs: int) -> None:
    """While its neighbour is being written with it around: it is told, the others are live, in shorter runs."""
    paths = album(tmp_path)
    watcher = Watcher(stage=Stage.NORMALISE, name="1.flac", action=lambda: act(paths[1]))
    tracks = await publish(tmp_path, watcher, jobs=jobs)
    assert watcher.acted
    assert watcher.codes == {"2.flac": code}
    assert numbers(tracks) == [(1, None, 0), (3, 0, 3), (4, 1, 3), (5, 2, 3)]


async def test_what_is_left_is_as_if_the_lost_one_had_never_been_there(tmp_path: Path) -> None:
    """No mezzanine is kept that heard a neighbour which is not published."""
    calm, wild = tmp_path / "calm", tmp_path / "wild"
    for folder in (calm, wild):
        paths = album(folder)
    (calm / "music" / "2.flac").unlink()
    losing = Watcher(stage=Stage.NORMALISE, name="3.flac", action=paths[1].unlink)
    left = await publish(wild, losing, loudness="off", jobs=1)
    wanted = await publish(calm, Watcher(stage=Stage.NORMALISE, name="", action=nothing), loudness="off")
    assert losing.codes == {"2.flac": "source-vanished"}
    assert numbers(left) == numbers(wanted) == [(1, None, 0), (3, 0, 3), (4, 1, 3), (5, 2, 3)]
    assert [track.record for track in left] == [track.record for track in wanted]
    assert [track.package for track in left] == [track.package for track in wanted]


async def test_a_neighbour_that_was_lost_at_the_last_moment_is_not_needed_any_more(tmp_path: Path) -> None:
    """Encoding works on mezzanines: all tracks are live, the run is whole."""
    paths = album(tmp_path, 3)
    watcher = Watcher(stage=Stage.ENCODE, name="1.flac", action=paths[1].unlink)
    tracks = await publish(tmp_path, watcher)
    assert watcher.acted
    assert watcher.codes == {}
    assert numbers(tracks) == [(1, 0, 3), (2, 1, 3), (3, 2, 3)]
