"""`segue publish`: ingest and package, the everyday command."""

import argparse

from ingest.pipeline import ingest
from ingest.scan import Source
from model.events import Status, TrackOutcome
from packager.pipeline import package
from segue.commands.sources import add_sources, run_sources
from segue.config import Config
from segue.output import Output
from segue.wiring import Workshop

HELP = "ingest and package: from source files to live tracks"
SETTINGS = ("store", "catalog", "scratch", "ffmpeg", "jobs", "loudness", "target", "true_peak", "aac", "opus")
EXAMPLE = "segue publish ~/Music --store file:store --jobs 4"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    add_sources(parser)


def run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    """Publish every source; 1 if any failed."""
    return run_sources(config, arguments.sources, output, _publish)


async def _publish(shop: Workshop, source: Source) -> TrackOutcome:
    ingested = await ingest(shop.ingest, source)
    track = ingested.track
    packaged = await package(shop.packaging, track.track_id, subject=source.name)
    status = Status.DONE if ingested.fresh or packaged.fresh else Status.SKIPPED
    return TrackOutcome(source=source.name, status=status, track_id=track.track_id, title=track.tags.title)
