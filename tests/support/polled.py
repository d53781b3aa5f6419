"""A reader that never sleeps: looks at a store in a folder all through a batch, and keeps all that was not whole."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from m3u8 import loads

PAUSE_S = 0.05


@dataclass
class Seen:
    """What the reader saw: how many whole tracks at most, in how many looks, and what was broken."""

    looks: int = 0
    tracks: int = 0
    broken: list[str] = field(default_factory=list)
    lives: dict[str, list[str]] = field(default_factory=dict)  # the packages that were live, in their order

    def look(self, store: Path) -> None:
        """One look at everything that a player could find."""
        self.looks += 1
        tracks = 0
        for pointer in sorted(store.glob("tracks/*/current.json")):
            try:
                tracks += self._track(store, pointer)
            except (OSError, ValueError, KeyError) as error:
                self.broken.append(f"{pointer}: {error!r}")
        self.tracks = max(self.tracks, tracks)

    def _track(self, store: Path, pointer: Path) -> int:
        live = json.loads(pointer.read_bytes())
        lives = self.lives.setdefault(live["track_id"], [])
        if lives[-1:] != [live["package_id"]]:
            lives.append(live["package_id"])
        folder = store / "recordings" / live["recording_id"] / live["package_id"]
        for variant in loads((folder / "index.m3u8").read_text()).playlists:
            media = loads((folder / variant.uri).read_text())
            end = sum(int(each) for each in str(media.segments[-1].byterange).split("@"))
            size = (folder / str(media.segments[-1].uri)).stat().st_size
            if not media.is_endlist or size < end:
                raise ValueError(f"{variant.uri} names {end} bytes of {size}")
        return 1


@contextmanager
def polled(store: Path) -> Iterator[Seen]:
    """Look all the while; afterwards nothing broken was seen."""
    seen, over = Seen(), threading.Event()

    def run() -> None:
        while not over.is_set():
            seen.look(store)
            time.sleep(PAUSE_S)

    reader = threading.Thread(target=run)
    reader.start()
    try:
        yield seen
    finally:
        over.set()
        reader.join()
    seen.look(store)
    assert not seen.broken, seen.broken[:3]
