"""What the commands that take track ids share."""

import argparse
import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from itertools import count

from catalog.plan import Line, PlanTable
from model.errors import UsageError
from model.track import is_id
from segue.batch import BATCH, in_batches
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
    return [track_id async for track_id in _chosen(store, track_ids, live=live)]


@asynccontextmanager
async def counted_tracks(
    store: ObjectStore, track_ids: Sequence[str], *, live: bool
) -> AsyncIterator[tuple[int, AsyncIterator[str]]]:
    """The same, but how many there are, and they: listed once, and not kept in memory."""
    with PlanTable() as table:
        numbers = count()
        async with aclosing(in_batches(_chosen(store, track_ids, live=live))) as listing:
            async for found in listing:
                names = [(next(numbers).to_bytes(8, "big"), track_id.encode()) for track_id in found]
                lines = [Line(place=place, path=name, source=name) for place, name in names]
                await asyncio.to_thread(table.add, lines)
        yield await asyncio.to_thread(table.count), _drawn(table)


async def _chosen(store: ObjectStore, track_ids: Sequence[str], *, live: bool) -> AsyncGenerator[str, None]:
    for track_id in dict.fromkeys(checked_id(track_id) for track_id in track_ids):
        yield track_id
    if not track_ids:
        async for entry in store.walk(TRACKS):
            pointer = pointer_in(entry.key)
            if pointer is not None and pointer.live == live:
                yield pointer.track_id


async def _drawn(table: PlanTable) -> AsyncIterator[str]:
    place = b""
    while found := await asyncio.to_thread(table.after, place, BATCH):
        for place, name in found:  # noqa: B007 - the last is where to go on
            yield name.decode()
