"""`segue features`: make the features of recordings that have none yet, from their mezzanines."""

import argparse
import secrets

from ingest.features import make_features
from ingest.work import track_in
from model.errors import TrackUnknown
from model.events import Status, TrackOutcome
from segue.batch import run_batch
from segue.commands.tracks import add_track_ids, counted_tracks
from segue.config import Config
from segue.loop import run_loop
from segue.output import Output
from segue.progress import Progress
from segue.wiring import Workshop, workshop
from storage.base import ObjectStore
from storage.defaults import REVALIDATE
from storage.keys import FEATURES_MARK

HELP = "make tempo, key, energy and timbre of recordings that have none yet"
SETTINGS = ("store", "catalog", "features", "scratch", "ffmpeg", "jobs")
EXAMPLE = "segue features --store file:store --jobs 2"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    add_track_ids(parser, default="all that have none of this version")


def run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    """Make what is missing; 1 if any failed. Safe to stop and to run again: what is made stays made."""
    return run_loop(_run(config, arguments.track_ids, output))


async def _run(config: Config, track_ids: list[str], output: Output) -> int:
    progress = Progress(output)
    async with workshop(config, progress) as shop:
        try:
            async with counted_tracks(shop.store, track_ids, live=False) as (total, chosen):
                await run_batch(
                    chosen,
                    lambda track_id: _make(shop, track_id),
                    total=total,
                    name=lambda track_id: track_id,
                    jobs=shop.jobs,
                    observer=progress,
                )
        finally:
            progress.close()
            await _tell(shop.store)
    return 1 if progress.failed else 0


async def _make(shop: Workshop, track_id: str) -> TrackOutcome:
    track = await track_in(shop.store, track_id)
    if track is None:
        raise TrackUnknown("no such track", subject=track_id, hint="`segue ls` shows the tracks")
    made = await make_features(shop.ingest, track)
    status = Status.DONE if made else Status.SKIPPED
    return TrackOutcome(source=track_id, status=status, track_id=track_id, title=track.tags.title)


async def _tell(store: ObjectStore) -> None:
    """Have every catalog of this store look for features that it does not know."""
    body = f'{{"mark": "{secrets.token_hex(8)}"}}\n'.encode()
    await store.put(FEATURES_MARK, body, media_type="application/json", cache_control=REVALIDATE)
