"""The demo: publish an album and serve it, with the player's address as soon as the first track is live.

    python -m scripts.demo              serve until Ctrl-C
    DEMO_EXIT=1 python -m scripts.demo  check that the whole stream answers, then exit

DEMO_PORT is where to serve (default: 8080, or the next free port), DEMO_ALBUM another folder to publish.
"""

import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

from model.errors import UsageError
from scripts.sample_album import ALBUM_FOLDER
from scripts.segue_process import CommandFailed, publish, serving
from scripts.stream_walk import StreamBroken, live_tracks, walk_track

SEGUE = Path(sys.executable).with_name("segue")
STORE = "file:.cache/demo-store"
SERVE_LOG = Path(".cache/demo-serve.log")
PORT = 8080
PORTS_TRIED = 20
JOBS = 3  # while one waits for a lone encoder, two keep both cores of a small machine busy
LISTED_TIMEOUT_S = 30
POLL_S = 0.2


def main(environ: Mapping[str, str]) -> int:
    """Run the demo. Exit status: 0 if all is well, 1 if a track or the check failed."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    album = Path(environ.get("DEMO_ALBUM") or ALBUM_FOLDER)
    try:
        with ExitStack() as stack:
            url = stack.enter_context(serving(SEGUE, STORE, port=_port(environ.get("DEMO_PORT", "")), log=SERVE_LOG))
            failed = _publish_album(album, url)
            if not environ.get("DEMO_EXIT"):
                _say("serving until Ctrl-C")
                signal.pause()
            return 1 if failed else 0
    except (CommandFailed, StreamBroken, UsageError) as error:
        _say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        _say("\nstopped")
        return 0 if not environ.get("DEMO_EXIT") else 130


def _publish_album(album: Path, url: str) -> int:
    """Publish and check every track of the album; how many sources failed."""
    _announce(url)
    _say("each track is there as soon as it is live")
    outcomes = publish(SEGUE, [album], STORE, jobs=JOBS)
    tracks = _await_listed(url, outcomes)
    renditions = sum(walk_track(url, track) for track in tracks)
    _say(f"checked: {len(tracks)} tracks, {renditions} renditions answer")
    _announce(url)
    return sum(outcome["status"] == "failed" for outcome in outcomes)


def _await_listed(url: str, outcomes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The origin's entries of the tracks that were published, once it lists them all. Raises StreamBroken."""
    wanted = {outcome["track_id"] for outcome in outcomes if outcome["status"] != "failed"}
    deadline = time.monotonic() + LISTED_TIMEOUT_S
    while True:
        listed = [track for track in live_tracks(url) if track["track_id"] in wanted]
        if len(listed) == len(wanted):
            return listed
        if time.monotonic() > deadline:
            raise StreamBroken(f"published but not listed within {LISTED_TIMEOUT_S} s: {url}")
        time.sleep(POLL_S)


def _port(wanted: str) -> int:
    """The port that was asked for, else the first free one from 8080."""
    if wanted:
        return int(wanted)
    for port in range(PORT, PORT + PORTS_TRIED):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise CommandFailed(f"no free port from {PORT} to {PORT + PORTS_TRIED - 1}: choose one with DEMO_PORT")


def _announce(url: str) -> None:
    line = f"   listen: {url}   "
    rule = "─" * len(line)
    _say(f"\n┌{rule}┐\n│{line}│\n└{rule}┘\n")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(os.environ))
