"""`segue ingest`: read, measure, normalise; keep the lossless mezzanine and a report."""

import argparse

from segue.commands.sources import add_sources, run_sources
from segue.config import Config
from segue.engine import SETTINGS as ENGINE
from segue.output import Output

HELP = "read, measure, normalise; keep the lossless mezzanine and a report"
SETTINGS = ("store", "catalog", "features", "scratch", "ffmpeg", "jobs", *ENGINE, "loudness", "target", "true_peak")
EXAMPLE = "segue ingest ~/Music/album --store file:store --jobs 4"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    add_sources(parser)


def run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    """Ingest every source; 1 if any failed."""
    return run_sources(config, arguments, output, publish=False)
