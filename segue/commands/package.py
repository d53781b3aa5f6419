"""`segue package`: encode the ladder, cut, write playlists, verify, make live."""

import argparse

from model.events import Status, TrackOutcome
from packager.order import Packaging
from packager.pipeline import package
from segue.batch import run_batch
from segue.commands.tracks import add_track_ids, counted_tracks
from segue.config import Config
from segue.engine import SETTINGS as ENGINE
from segue.loop import run_loop
from segue.output import Output
from segue.packing import packing
from segue.progress import Progress

HELP = "encode the ladder, cut, write playlists, verify, make live"
PROTECTION = ("protect", "key_store", "key_rotation")
SETTINGS = ("store", "catalog", "scratch", "ffmpeg", "jobs", *ENGINE, "aac", "opus", "lossless", *PROTECTION)
EXAMPLE = "segue package --store file:store --opus 96,128"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    add_track_ids(parser, default="all that need it")
    parser.add_argument("--repair", action="store_true", help="verify what is live too, and make again what is broken")


def run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    """Package the tracks; 1 if any failed."""
    return run_loop(_run(config, arguments.track_ids, output, repair=arguments.repair))


async def _run(config: Config, track_ids: list[str], output: Output, *, repair: bool) -> int:
    progress = Progress(output)
    async with packing(config, progress) as shop:
        try:
            async with counted_tracks(shop.store, track_ids, live=False) as (total, chosen):
                await run_batch(
                    chosen,
                    lambda track_id: _package(shop.packaging, track_id, repair=repair),
                    total=total,
                    name=lambda track_id: track_id,
                    jobs=shop.jobs,
                    observer=progress,
                )
        finally:
            progress.close()
    return 1 if progress.failed else 0


async def _package(work: Packaging, track_id: str, *, repair: bool) -> TrackOutcome:
    done = await package(work, track_id, subject=track_id, repair=repair)
    status = Status.DONE if done.fresh else Status.SKIPPED
    return TrackOutcome(source=track_id, status=status, track_id=track_id, title=done.track.tags.title)
