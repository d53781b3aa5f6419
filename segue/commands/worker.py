"""`segue worker`: do the steps of batches with --engine dask on this machine, as many at once as it has processors."""

import argparse
import asyncio

from segue.config import Config
from segue.engine import dask_module, scheduler_address
from segue.output import Output

HELP = "work on this machine for batches with --engine dask"
SETTINGS = ("scheduler", "jobs", "scratch", "ffmpeg")
EXAMPLE = "segue worker --scheduler tcp://10.0.0.1:8786 --scratch /var/tmp"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What only a worker has."""
    parser.add_argument(
        "--memory",
        default="auto",
        metavar="SIZE",
        help="the worker's process is started anew past this, such as 4GB; ffmpeg is not counted (default: its share)",
    )


def run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    """Work until Ctrl-C or SIGTERM. Keys of the store and of sources are read from this machine's environment."""
    processes = dask_module("engine_processes")
    own = {f"SEGUE_{key.upper()}": str(config[key]) for key in ("jobs", "scratch", "ffmpeg") if config[key]}

    def ready(address: str) -> None:
        output.data({"event": "ready", "address": address})
        output.say(f"working at {address}, {config['jobs']} at once (Ctrl-C stops)")

    asyncio.run(
        processes.run_worker(
            scheduler_address(config),
            slots=config["jobs"],
            memory_limit=arguments.memory,
            environment=own,
            ready=ready,
        )
    )
    return 0
