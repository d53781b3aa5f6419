"""What `segue verify` does beyond looking at live packages: read everything, mend what can be mended."""

from collections.abc import Container, Sequence
from contextlib import aclosing
from dataclasses import replace

from model.errors import PipelineError, UsageError
from model.rendition import Codec
from packager.order import Packaging
from packager.pipeline import package
from packager.records import find_package, live_package, read_track
from segue.config import Config
from segue.output import Output
from segue.packing import packing
from segue.progress import Progress
from segue.steps import Steps
from storage.base import ObjectStore
from upkeep.scrub import scrub


async def tell_damage(store: ObjectStore, seen: Container[tuple[str, str]], output: Output) -> int:
    """Read every object that is in no package of `seen`, and tell what is damaged: how many objects are."""
    count = 0
    async with aclosing(scrub(store, seen=seen, report=Steps(output))) as found:
        async for each in found:
            count += 1
            line = {"event": "damage", "key": each.key, "message": each.message, "how_to_fix": each.how_to_fix}
            output.data(line)
            output.text(f"damaged {each.key}: {each.message}")
            output.text(f"          fix: {each.how_to_fix}")
    return count


async def repair(config: Config, track_ids: Sequence[str], output: Output) -> None:
    """Make the packages of these tracks again, one after the other, from their mezzanines and as they were published;
    what fails is told."""
    async with packing(config, Progress(output)) as shop:
        for track_id in track_ids:
            try:
                work = await _as_published(shop.packaging, track_id)
                await package(work, track_id, subject=track_id, repair=True)
                # What was made again for an earlier one, as those of a run are, is repaired for this one too.
                repaired, message, hint = True, "", ""
            except PipelineError as error:
                repaired, message, hint = False, str(error), error.hint
            line = {"event": "repair", "track_id": track_id, "repaired": repaired, "message": message, "hint": hint}
            output.data(line)
            output.text(f"{'repaired' if repaired else 'NOT repaired'}  {track_id}  {message}")


async def _as_published(work: Packaging, track_id: str) -> Packaging:
    """With the ladder of the live package, if its record can be read. Raises UsageError where it is protected and would
    not be again, or the other way round."""
    track, current = await read_track(work.store, track_id), await live_package(work.store, track_id)
    live = await find_package(work.store, current.recording_id, current.package_id) if current else None
    if live is None:
        return work
    if not work.protector.is_manner_of(live):
        hint = "say --protect, --key-store and --key-rotation as it was published"
        raise UsageError("it was published with other protection", subject=track_id, hint=hint)
    found = [each.rendition for each in live.renditions]
    settings = replace(
        work.settings,
        aac_bitrates_bps=tuple(each.bitrate_bps for each in found if each.codec is Codec.AAC),
        opus_bitrates_bps=tuple(each.bitrate_bps for each in found if each.codec is Codec.OPUS),
        lossless=any(each.codec is Codec.FLAC for each in found) if track.source.lossless else work.settings.lossless,
    )
    return replace(work, settings=settings)
