"""`segue publish`: ingest and package, the everyday command."""

import argparse

from segue.commands.sources import add_sources, run_sources
from segue.config import Config
from segue.engine import SETTINGS as ENGINE
from segue.output import Output

HELP = "ingest and package: from source files to live tracks"
LADDER = ("aac", "opus", "lossless")
PROTECTION = ("protect", "key_store", "key_rotation")
LOUDNESS = ("loudness", "target", "true_peak")
SETTINGS = ("store", "catalog", "features", "scratch", "ffmpeg", "jobs", *ENGINE, *LOUDNESS, *LADDER, *PROTECTION)
EXAMPLE = "segue publish ~/Music --store file:store --jobs 4 --report report.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    add_sources(parser)


def run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    """Publish every source; 1 if any failed."""
    return run_sources(config, arguments, output, publish=True)
