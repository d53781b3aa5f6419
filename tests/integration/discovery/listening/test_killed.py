"""A process killed while it writes: what it said is kept is kept, and sending all again gives the same state."""

import json
import random
import subprocess
import sys
from pathlib import Path

from catalog.listener_data import export_listener
from catalog.listener_open import open_listeners
from catalog.plays import Plays
from tests.integration.discovery.listening.played import NOW, add_listener, event, track_id
from tests.support.command import CHECKOUT

BATCHES, EVENTS = 300, 20
KEPT_BEFORE_THE_KILL = 40


def _made(path: Path) -> Path:
    """A database with one listener, who agreed."""
    with open_listeners(path) as database:
        add_listener(database, "anna")
        Plays(database).consent("anna", at_ms=NOW)
    return path


def _batches() -> list[str]:
    """Events of a few hundred plays, some of them in two batches."""
    luck = random.Random(5)
    batches = []
    for number in range(BATCHES):
        ids = [number * EVENTS + each for each in range(EVENTS)]
        events = [
            event(
                each,
                luck.choice(("start", "progress", "skip", "complete")),
                play_id=f"play-{luck.randrange(2000):05}",
                track_id=track_id(luck.randrange(10)),
                played_ms=luck.choice((0, 10_000, 150_000)),
            )
            for each in ids
        ]
        batches.append(json.dumps({"events": [*events, *luck.sample(events, 2)]}) + "\n")
    return batches


def _taking(path: Path, batches: list[str], *, kill_after: int | None = None) -> list[int]:
    """The batches that a process said it kept, killed after so many."""
    words = [sys.executable, "-m", "tests.integration.discovery.listening.taker", str(path)]
    kept = []
    with subprocess.Popen(words, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        process.stdin.writelines(batches)
        process.stdin.close()
        for line in process.stdout:
            if line.endswith("\n"):
                kept.append(int(line))
            if len(kept) == kill_after:
                process.kill()
    assert process.returncode == (0 if kill_after is None else -9)
    return kept


def test_killed_in_the_middle_and_sent_again(tmp_path: Path) -> None:
    """Nothing that was acknowledged is lost, nothing is counted twice."""
    batches = _batches()
    path, unharmed = _made(tmp_path / "killed"), _made(tmp_path / "unharmed")
    kept = _taking(path, batches, kill_after=KEPT_BEFORE_THE_KILL)
    with open_listeners(path) as database:
        there = {str(row["event_id"]) for row in export_listener(database, "anna")["play_events"]}
    promised = {each["event_id"] for number in kept for each in json.loads(batches[number])["events"]}
    assert promised <= there
    assert len(there) < BATCHES * EVENTS, "the process had ended before it was killed"
    for where in (path, unharmed):
        assert len(_taking(where, batches)) == BATCHES
    with open_listeners(path) as one, open_listeners(unharmed) as other:
        assert export_listener(one, "anna") == export_listener(other, "anna")
        assert len(export_listener(one, "anna")["play_events"]) == BATCHES * EVENTS
