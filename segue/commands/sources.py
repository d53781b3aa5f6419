"""What the commands that take sources share."""

import argparse
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from ingest.scan import Source, find_sources
from model.errors import UsageError
from model.events import TrackOutcome
from segue.batch import run_batch
from segue.config import Config
from segue.loop import run_loop
from segue.output import Output
from segue.progress import Progress
from segue.wiring import Workshop, workshop

Work = Callable[[Workshop, Source], Awaitable[TrackOutcome]]


def add_sources(parser: argparse.ArgumentParser) -> None:
    """SOURCE..., files and folders."""
    parser.add_argument(
        "sources", nargs="+", type=Path, metavar="SOURCE", help="a music file, or a folder that is walked by name"
    )


def run_sources(config: Config, named: Sequence[Path], output: Output, work: Work) -> int:
    """Do the work for every source that was named or found; 1 if any failed."""
    sources = find_sources(named)
    if not sources:
        raise UsageError(
            "no music files found", subject=", ".join(map(str, named)), hint="name a file to try it anyway"
        )
    return run_loop(_run(config, sources, output, work))


async def _run(config: Config, sources: Sequence[Source], output: Output, work: Work) -> int:
    progress = Progress(output)
    async with workshop(config, progress) as shop:
        try:
            await run_batch(
                sources,
                lambda source: work(shop, source),
                name=lambda source: source.name,
                jobs=config["jobs"],
                observer=progress,
            )
        finally:
            progress.close()
    return 1 if progress.failed else 0
