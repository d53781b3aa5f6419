"""`segue verify`: check what is published against the rules and the bytes."""

import argparse
from dataclasses import asdict

from manifests.rules import Finding, Severity
from model.errors import PackageError, StorageError, TrackUnknown
from packager.records import live_package, read_package, read_track
from packager.verify import verify_art, verify_package
from protection.keys import KeyRing
from segue.commands.tracks import add_track_ids, chosen_tracks
from segue.config import Config
from segue.loop import run_loop
from segue.output import Output
from segue.wiring import key_ring, opened_store
from storage.base import ObjectStore

HELP = "check what is published against the rules and the bytes"
SETTINGS = ("store", "scratch", "key_store")
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
        verifier = _Verifier(store, config["scratch"] or None, key_ring(config))
        for track_id in await chosen_tracks(store, track_ids, live=True):
            verified += 1
            if not await _verify(verifier, track_id, output):
                broken += 1
    output.data({"event": "summary", "verified": verified, "broken": broken})
    output.say(f"{verified} verified, {broken} broken")
    return 1 if broken else 0


class _Verifier:
    """Tracks may share a package: each package is looked at once."""

    def __init__(self, store: ObjectStore, scratch_dir: str | None, keys: KeyRing) -> None:
        self._store = store
        self._scratch_dir = scratch_dir
        self._keys = keys
        self._findings: dict[tuple[str, str], list[Finding]] = {}

    async def verify(self, track_id: str) -> tuple[str, list[Finding]]:
        """The live package of a track and everything that is wrong. Raises PackageError or StorageError."""
        current = await live_package(self._store, track_id)
        if current is None:
            raise TrackUnknown("the track is not live", subject=track_id, hint="`segue package` makes it so")
        art = await verify_art(self._store, await read_track(self._store, track_id))
        which = (current.recording_id, current.package_id)
        if which not in self._findings:
            package = await read_package(self._store, *which)
            self._findings[which] = await verify_package(
                self._store, package, scratch_dir=self._scratch_dir, keys=self._keys
            )
        return current.package_id, [*self._findings[which], *art]


async def _verify(verifier: _Verifier, track_id: str, output: Output) -> bool:
    """Whether a track is as it must be; everything found is told."""
    try:
        package_id, findings = await verifier.verify(track_id)
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
