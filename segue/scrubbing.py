"""What `segue verify` does beyond looking at live packages: read everything, mend what can be mended."""

from collections.abc import Collection, Sequence
from contextlib import aclosing

from model.errors import PipelineError
from packager.pipeline import package
from segue.config import Config
from segue.output import Output
from segue.progress import Progress
from segue.steps import Steps
from segue.wiring import workshop
from storage.base import ObjectStore
from upkeep.scrub import scrub


async def tell_damage(store: ObjectStore, seen: Collection[tuple[str, str]], output: Output) -> int:
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
    """Make the packages of these tracks again, one after the other, from their mezzanines; what fails is told."""
    async with workshop(config, Progress(output)) as shop:
        for track_id in track_ids:
            try:
                done = await package(shop.packaging, track_id, subject=track_id, repair=True)
                repaired, message, hint = done.fresh, "", ""
            except PipelineError as error:
                repaired, message, hint = False, str(error), error.hint
            line = {"event": "repair", "track_id": track_id, "repaired": repaired, "message": message, "hint": hint}
            output.data(line)
            output.text(f"{'repaired' if repaired else 'NOT repaired'}  {track_id}  {message}")
