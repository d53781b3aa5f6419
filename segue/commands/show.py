"""`segue show`: everything that is known of a track."""

import argparse
import json

from model.errors import ObjectNotFound
from model.package import Package
from model.records import to_json
from packager.records import live_package, read_package, read_track
from segue.commands.tracks import checked_id
from segue.config import Config
from segue.describe import described
from segue.loop import run_loop
from segue.opened import opened_store
from segue.output import Output
from storage.base import ObjectStore

HELP = "show what is known of a track: tags, source, loudness, renditions"
SETTINGS = ("store",)
EXAMPLE = "segue show zhm33ugdte2jdxmix5ak --store file:store"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """TRACK_ID."""
    parser.add_argument("track_id", metavar="TRACK_ID", help="as `segue ls` shows it")


def run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    """Show one track."""
    return run_loop(_run(config, checked_id(arguments.track_id), output))


async def _run(config: Config, track_id: str, output: Output) -> int:
    async with opened_store(config) as store:
        track = await read_track(store, track_id)
        package = await _live(store, track_id)
    live = json.loads(to_json(package)) if package else None
    output.data({"event": "show", "ingest": json.loads(to_json(track)), "package": live})
    for line in described(track, package):
        output.text(line)
    return 0


async def _live(store: ObjectStore, track_id: str) -> Package | None:
    current = await live_package(store, track_id)
    try:
        return await read_package(store, current.recording_id, current.package_id) if current else None
    except ObjectNotFound:
        return None
