"""`segue verify`: check what is published against the rules and the bytes."""

import argparse
from dataclasses import asdict

from manifests.rules import Severity
from model.errors import PackageError, StorageError, TrackUnknown
from packager.pipeline import live_package_id, read_package
from packager.verify import verify_package
from segue.commands.tracks import add_track_ids, chosen_tracks
from segue.config import Config
from segue.loop import run_loop
from segue.output import Output
from segue.wiring import opened_store
from storage.base import ObjectStore

HELP = "check what is published against the rules and the bytes"
SETTINGS = ("store", "scratch")
EXAMPLE = "segue verify --store file:store"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    add_track_ids(parser, default="all that are live")


def run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    """Verify the tracks; 1 if anything that players need is wrong."""
    return run_loop(_run(config, arguments.track_ids, output))


async def _run(config: Config, track_ids: list[str], output: Output) -> int:
    broken = verified = 0
    async with opened_store(config) as store:
        for track_id in await chosen_tracks(store, track_ids, live=True):
            verified += 1
            if not await _verify(store, track_id, output, scratch_dir=config["scratch"] or None):
                broken += 1
    output.data({"event": "summary", "verified": verified, "broken": broken})
    output.say(f"{verified} verified, {broken} broken")
    return 1 if broken else 0


async def _verify(store: ObjectStore, track_id: str, output: Output, *, scratch_dir: str | None) -> bool:
    """Whether a track is as it must be; everything found is told."""
    try:
        package_id = await live_package_id(store, track_id)
        if package_id is None:
            raise TrackUnknown("the track is not live", subject=track_id, hint="`segue package` makes it so")
        findings = await verify_package(store, await read_package(store, track_id, package_id), scratch_dir=scratch_dir)
    except (PackageError, StorageError) as error:
        output.data({"event": "verify", "track_id": track_id, "status": "broken", "code": error.code, "findings": []})
        output.text(f"broken  {track_id}  {error}")
        return False
    sound = not any(each.severity is Severity.MUST for each in findings)
    status = "sound" if sound else "broken"
    told = [asdict(each) for each in findings]
    output.data({"event": "verify", "track_id": track_id, "package_id": package_id, "status": status, "findings": told})
    output.text(f"{status:8}{track_id}  {package_id}")
    for finding in findings:
        place = f"line {finding.line}: " if finding.line else ""
        output.text(f"        {finding.severity}: {finding.section}: {place}{finding.message}")
        output.text(f"        fix: {finding.how_to_fix}")
    return sound
