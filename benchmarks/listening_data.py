"""Listening data of others, read as plays: FOLDER has the files as they are handed out, nothing of them is kept here.

- `LastFM.txt` or `LastFM.txt.gz` (S3-Rec, CIKM 2020): a line for each listener: its number, then artists in the order
  of time. How often each was played is not in it.
- `user_artists.dat` (hetrec2011-lastfm-2k): a line for each listener and artist, tab-separated, with plays, after a
  heading. In no order of time.

Last.fm's data are for non-commercial research; cite last.fm and Cantador et al., HetRec 2011.
"""

import gzip
from collections.abc import Iterator
from pathlib import Path

from discovery.recommend.plays import Played, Plays, gathered

SEQUENCES, COUNTS = "LastFM.txt", "user_artists.dat"
ROW_MAX = 1_000_000  # all of a row: nothing is cut off in a comparison


def sequences(folder: Path) -> Plays | None:
    """The plays in the order of time; None if the folder has none."""
    for name, opened in ((SEQUENCES, open), (f"{SEQUENCES}.gz", gzip.open)):
        if (folder / name).is_file():
            with opened(folder / name, "rt", encoding="ascii") as lines:
                return gathered(_in_order(lines), row_max=ROW_MAX)
    return None


def _in_order(lines: Iterator[str]) -> Iterator[Played]:
    for line in lines:
        listener, *items = line.split()
        for place, item in enumerate(items):
            yield listener, item.zfill(9), 1, place


def counts(folder: Path) -> Plays | None:
    """The plays with how many they are; None if the folder has none."""
    if not (folder / COUNTS).is_file():
        return None
    with (folder / COUNTS).open(encoding="ascii") as lines:
        next(lines)
        fields = [line.split("\t") for line in lines]
    return gathered(((user, artist.zfill(9), int(plays), 0) for user, artist, plays in fields), row_max=ROW_MAX)
