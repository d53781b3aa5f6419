"""What the commands that take track ids share."""

import argparse
from collections.abc import Sequence

from model.errors import UsageError
from model.track import is_id
from storage.base import ObjectStore
from storage.keys import TRACKS, pointer_in


def add_track_ids(parser: argparse.ArgumentParser, *, default: str) -> None:
    """[TRACK_ID...]."""
    parser.add_argument("track_ids", nargs="*", metavar="TRACK_ID", help=f"which tracks (default: {default})")


def checked_id(track_id: str) -> str:
    """The id itself. Raises UsageError for what cannot be one."""
    if not is_id(track_id):
        raise UsageError("not a track id", subject=ascii(track_id), hint="`segue ls` shows the tracks and their ids")
    return track_id


async def chosen_tracks(store: ObjectStore, track_ids: Sequence[str], *, live: bool) -> list[str]:
    """The tracks that were named; else all in the store that are ingested, or all that are live."""
    if track_ids:
        return list(dict.fromkeys(checked_id(track_id) for track_id in track_ids))
    pointers = [pointer_in(entry.key) async for entry in store.walk(TRACKS)]
    return [pointer.track_id for pointer in pointers if pointer is not None and pointer.live == live]
