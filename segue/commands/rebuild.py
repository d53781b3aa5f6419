"""`segue rebuild`: make the catalog's tracks anew from the bucket alone; the ledger of sources stays."""

import argparse
import asyncio
import time
from collections.abc import Collection, Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from catalog.schema import TrackRow
from catalog.store import Catalog
from discovery.sync import SyncReport, sync
from segue.config import Config
from segue.loop import run_loop
from segue.opened import opened_catalog, opened_store
from segue.output import Output
from segue.steps import Steps
from storage.base import ObjectStore

HELP = "make the catalog anew from the bucket alone"
SETTINGS = ("store", "catalog", "features", "scratch")
EXAMPLE = "segue rebuild --store file:store --catalog catalog.sqlite3"
ROWS_AT_ONCE = 500


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command has settings only."""


def run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    """Rebuild; 1 if a track could not be read."""
    return run_loop(_run(config, output))


async def _run(config: Config, output: Output) -> int:
    began_s = time.monotonic()
    steps = Steps(output)
    with TemporaryDirectory(dir=config["scratch"] or None, prefix="segue-rebuild-") as folder:
        async with opened_store(config) as store, opened_catalog(config) as catalog:
            with Catalog(Path(folder) / "catalog.sqlite3", features=config.features) as fresh:
                report = await _read(store, fresh, steps)
                removed = await _replace(catalog, fresh, steps)
    seconds = time.monotonic() - began_s
    summary = {"event": "summary", "tracks": report.updated, "removed": removed, "failed": report.failed}
    output.data({**summary, "seconds": round(seconds, 3)})
    output.say(
        f"{report.updated} tracks in {config.catalog_path}, {removed} removed, {report.failed} unreadable; "
        f"{seconds:.1f} s, {report.updated / seconds:.0f} tracks a second"
    )
    return 1 if report.failed else 0


async def _read(store: ObjectStore, fresh: Catalog, steps: Steps) -> SyncReport:
    """Every track of the store into an empty catalog."""
    steps.step("read")

    async def changed(rows: Sequence[TrackRow], _: Collection[str]) -> None:
        steps.add(len(rows))

    return await sync(store, fresh, changed)


async def _replace(catalog: Catalog, fresh: Catalog, steps: Steps) -> int:
    """Make the catalog's tracks those of the fresh one, some at a time, so that readers never find it empty."""
    steps.step("write")
    after, removed, rows = "", 0, fresh.iterate()
    while found := await asyncio.to_thread(lambda: list(islice(rows, ROWS_AT_ONCE))):
        through = found[-1].track_id
        gone = await asyncio.to_thread(catalog.versions_between, after, through)
        gone_ids = gone.keys() - {row.track_id for row in found}
        await asyncio.to_thread(catalog.apply, found, gone_ids)
        steps.add(len(found))
        removed += len(gone_ids)
        after = through
    rest = await asyncio.to_thread(catalog.versions_between, after, None)
    await asyncio.to_thread(catalog.apply, [], rest.keys())
    return removed + len(rest)
