"""`segue scheduler`: where batches with --engine dask and their workers meet. It holds nothing that matters."""

import argparse
import asyncio

from model.errors import EngineUnavailable
from segue.config import Config
from segue.engine import dask_module, scheduler_address
from segue.output import Output

HELP = "run the scheduler that batches and workers meet at (--engine dask)"
SETTINGS = ("scheduler",)
EXAMPLE = "segue scheduler --scheduler tcp://10.0.0.1:8786"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command has settings only."""


def run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    """Listen until Ctrl-C or SIGTERM."""
    processes = dask_module("engine_processes")
    address = scheduler_address(config)

    def ready(listening: str) -> None:
        output.data({"event": "ready", "address": listening})
        output.say(f"scheduling at {listening} (Ctrl-C stops); whoever reaches it can run programs on the workers")

    try:
        asyncio.run(processes.run_scheduler(address, ready=ready))
    except OSError as error:
        hint = "name an address of this machine and a free port"
        raise EngineUnavailable(f"cannot listen ({error})", subject=address, hint=hint) from error
    return 0
