"""`segue ls`: the tracks of a store."""

import argparse
from dataclasses import asdict

from catalog.schema import TrackRow
from discovery.sync import sync
from segue.config import Config
from segue.loop import run_loop
from segue.opened import opened_catalog, opened_store
from segue.output import Output

HELP = "list the tracks of a store"
SETTINGS = ("store", "catalog")
EXAMPLE = "segue ls --store file:store"
PAGE = 500


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command has settings only."""


def run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    """Bring the catalog up to date with the store, then list it."""
    return run_loop(_run(config, output))


async def _run(config: Config, output: Output) -> int:
    async with opened_store(config) as store, opened_catalog(config) as catalog:
        await sync(store, catalog)
        offset = 0
        while rows := catalog.page(offset, PAGE, live_only=False):
            for row in rows:
                output.data({"event": "track", **asdict(row), "live": row.package_id is not None})
                output.text(_line(row))
            offset += len(rows)
    output.data({"event": "summary", "tracks": offset})
    output.say(f"{offset} tracks")
    return 0


def _line(row: TrackRow) -> str:
    minutes, seconds = divmod(round(row.duration_s), 60)
    level = f"{row.level_lufs:6.1f} LUFS" if row.level_lufs is not None else " " * 11
    state = "live    " if row.package_id else "ingested"
    names = " · ".join(name for name in (row.artist, row.album, row.title) if name)
    return f"{row.track_id}  {state}  {minutes:3}:{seconds:02}  {level}  {names}"
