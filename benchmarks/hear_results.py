"""Hear track files as the packager hears what it encoded: decoded whole, loudness and true peaks measured.

    python -m benchmarks.hear_results [FILE ...]

A part of `bench_package`. Without files it only starts.
"""

import argparse
import asyncio
from pathlib import Path

from avtool import argv
from avtool.decode import play_back
from avtool.locate import Ffmpeg, locate
from meter.meter import LoudnessMeter

CEILING_DBTP = -1.0
TIMEOUT_S = 600


async def hear(tool: Ffmpeg, file: Path) -> None:
    """Hear one file to its end."""
    meter = LoudnessMeter(sample_rate_hz=argv.SAMPLE_RATE_HZ, channels=argv.CHANNELS, ceiling_dbtp=CEILING_DBTP)
    await play_back(tool, str(file), meter.take_bytes, timeout_s=TIMEOUT_S, subject=file.name)
    meter.loudness()


async def hear_all(files: list[Path]) -> None:
    """Hear all, two at a time."""
    tool = await locate()
    slots = asyncio.Semaphore(2)

    async def in_turn(file: Path) -> None:
        async with slots:
            await hear(tool, file)

    async with asyncio.TaskGroup() as group:
        for file in files:
            group.create_task(in_turn(file))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="hear_results")
    parser.add_argument("files", nargs="*", type=Path)
    asyncio.run(hear_all(parser.parse_args().files))
