"""A process that takes batches of play events from its standard input, several at a time, and says which are kept.

python -m tests.integration.discovery.listening.taker DATABASE
"""

import asyncio
import sys
from pathlib import Path

import msgspec

from catalog.listener_open import open_listeners
from catalog.store import Catalog
from discovery.listening.operations import Events
from discovery.listening.service import Listening
from tests.integration.discovery.listening.played import NOW, track_row

AT_ONCE = 8
LINE_BYTES = 4096  # so that a pipe soon is full, and the process cannot get far ahead of who reads what it says


async def main(path: Path) -> None:
    """One line is one batch; its number is printed when it is kept."""
    with open_listeners(path) as database, Catalog() as catalog:
        catalog.apply([track_row(number) for number in range(10)], [])
        listening = Listening(database, catalog, clock=lambda: NOW)
        gate = asyncio.Semaphore(AT_ONCE)

        async def take(number: int, line: str) -> None:
            async with gate:
                await listening.take("anna", msgspec.json.decode(line, type=Events))
            sys.stdout.write(f"{number:<{LINE_BYTES - 1}}\n")
            sys.stdout.flush()

        lines = await asyncio.to_thread(sys.stdin.readlines)
        await asyncio.gather(*(take(number, line) for number, line in enumerate(lines)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
