"""`segue verify`: check tracks of ours, or anybody's HLS streams, against the rules and the bytes."""

import argparse
from collections.abc import AsyncGenerator
from contextlib import aclosing, nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import Self

from catalog.marks import Marks
from inspector.judge import Inspection, inspected, is_foreign
from inspector.limits import Limits
from manifests.rules import Finding
from model.errors import PackageError, StorageError, TrackUnknown, UsageError
from model.records import from_json, to_json
from model.track import is_id
from packager.records import live_package, read_package, read_track
from packager.verify import verify_art, verify_package
from protection.keys import KeyRing
from segue.commands.tracks import counted_tracks
from segue.config import Config
from segue.loop import run_loop
from segue.opened import key_ring, opened_store
from segue.output import Output
from segue.scrubbing import repair, tell_damage
from segue.verify_lanes import Group, grouped, lanes_of
from segue.verify_page import Verdict, Verdicts, where
from storage.base import ObjectStore

HELP = "check tracks of ours, or anybody's HLS streams, against the rules and the bytes"
SETTINGS = (
    "store", "scratch", "key_store",
    "catalog", "ffmpeg", "jobs", "aac", "opus", "lossless", "protect", "key_rotation",  # of --repair
)  # fmt: skip
EXAMPLE = "segue verify https://example.com/album/master.m3u8 --html found.html"
PLACES_SHOWN = 5  # of one rule, on a terminal
UNSEEN_SHOWN = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument(
        "targets",
        nargs="*",
        metavar="WHAT",
        help="track ids (default: all that are live); or the URL of a playlist, a playlist file, a folder",
    )
    parser.add_argument(
        "--deep",
        action="store_true",
        help="read every object of the store: mezzanines, covers, records, packages that are not live",
    )
    parser.add_argument("--repair", action="store_true", help="make broken packages again from their mezzanines")
    parser.add_argument("--html", metavar="FILE", type=Path, help="write one page with all findings and a timeline")


def run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    """Verify what was named; 1 if anything that players need is wrong."""
    if arguments.html is not None and arguments.html.is_dir():
        raise UsageError("the page must be a file", subject=str(arguments.html), hint="say --html found.html")
    foreign = [each for each in arguments.targets if is_foreign(each)]
    if foreign and (arguments.deep or arguments.repair):
        raise UsageError("only our own tracks can be repaired or read deeply", subject=foreign[0])
    if arguments.deep and arguments.targets:
        raise UsageError("--deep reads the whole store", subject=arguments.targets[0], hint="leave the tracks out")
    return run_loop(_run(config, arguments, output))


async def _run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    targets: list[str] = arguments.targets
    foreign = [each for each in dict.fromkeys(targets) if is_foreign(each)]
    track_ids = [_checked(each) for each in targets if each not in foreign]
    with TemporaryFile() if arguments.html is not None else nullcontext() as sections:
        verdicts = Verdicts(sections)
        for target in foreign:
            async with aclosing(_streams(target, output)) as found:
                async for verdict in found:
                    verdicts.add(verdict)
        ours = track_ids or not foreign
        damaged = await _verify_tracks(config, arguments, output, track_ids, verdicts) if ours else 0
        if arguments.html is not None:
            verdicts.write_page(arguments.html)
    more = {"damaged": damaged} if arguments.deep else {}
    output.data({"event": "summary", "verified": verdicts.verified, "broken": verdicts.broken, **more})
    output.say(
        f"{verdicts.verified} verified, {verdicts.broken} broken"
        + (f", {damaged} damaged objects" if arguments.deep else "")
    )
    return 1 if verdicts.broken or damaged else 0


async def _verify_tracks(
    config: Config, arguments: argparse.Namespace, output: Output, track_ids: list[str], verdicts: Verdicts
) -> int:
    """Verify tracks of ours, broken ones again after an attempt to mend them; how many objects are damaged."""
    async with opened_store(config) as store, counted_tracks(store, track_ids, live=True) as (_, chosen):
        opened = partial(_Verifier, store, config["scratch"] or None, key_ring(config))
        with opened() as verifier:
            to_mend: list[str] = []
            async for track_id in chosen:
                verdict = await _verify(verifier, track_id, output)
                if arguments.repair and not verdict.sound:
                    to_mend.append(track_id)
                else:
                    verdicts.add(verdict)
            if to_mend:
                await repair(config, to_mend, output)
                with opened() as again:
                    for track_id in to_mend:
                        verdicts.add(await _verify(again, track_id, output))
            return await tell_damage(store, verifier, output) if arguments.deep else 0


def _checked(target: str) -> str:
    """A track id. Raises UsageError for what cannot be one: a path, most likely, that is not there."""
    if not is_id(target):
        hint = "name a track id (`segue ls` shows them), the URL of a playlist, or a file or folder that is there"
        raise UsageError("neither a track id nor a stream", subject=ascii(target), hint=hint)
    return target


@dataclass(frozen=True, slots=True)
class _Found:
    """What is wrong with a package."""

    findings: tuple[Finding, ...]


class _Verifier:
    """Tracks may share a package: each is looked at once. It contains the packages that were, by recording and id. A
    context manager: what was found goes to a temporary file."""

    def __init__(self, store: ObjectStore, scratch_dir: str | None, keys: KeyRing) -> None:
        self._store = store
        self._scratch_dir = scratch_dir
        self._keys = keys
        self._marks = Marks()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._marks.close()

    def __contains__(self, package: object) -> bool:
        return isinstance(package, tuple) and self._marks.record("/".join(package)) is not None

    async def verify(self, track_id: str) -> tuple[str, list[Finding]]:
        """The live package of a track and everything that is wrong. Raises PackageError or StorageError."""
        current = await live_package(self._store, track_id)
        if current is None:
            raise TrackUnknown("the track is not live", subject=track_id, hint="`segue package` makes it so")
        art = await verify_art(self._store, await read_track(self._store, track_id))
        found = await self._findings(current.recording_id, current.package_id)
        return current.package_id, [*found, *art]

    async def _findings(self, recording_id: str, package_id: str) -> tuple[Finding, ...]:
        name = f"{recording_id}/{package_id}"
        known = self._marks.record(name)
        if known is None:
            package = await read_package(self._store, recording_id, package_id)
            found = await verify_package(self._store, package, scratch_dir=self._scratch_dir, keys=self._keys)
            known = to_json(_Found(tuple(found)))
            self._marks.hold(name, known)
        return from_json(_Found, known, subject=name).findings


async def _verify(verifier: _Verifier, track_id: str, output: Output) -> Verdict:
    """Whether a track is as it must be; everything found is told."""
    try:
        package_id, findings = await verifier.verify(track_id)
    except (PackageError, StorageError) as error:
        output.data({"event": "verify", "track_id": track_id, "status": "broken", "code": error.code, "findings": []})
        output.text(f"broken  {track_id}  {error}")
        return Verdict(name=track_id, findings=(), trouble=str(error))
    verdict = Verdict(name=track_id, findings=findings)
    status = "sound" if verdict.sound else "broken"
    told = [asdict(each) for each in findings]
    output.data({"event": "verify", "track_id": track_id, "package_id": package_id, "status": status, "findings": told})
    output.text(f"{status:8}{track_id}  {package_id}")
    _tell(grouped(findings), output)
    return verdict


async def _streams(target: str, output: Output) -> AsyncGenerator[Verdict, None]:
    """Every stream that a URL, a file or a folder leads to; everything found is told."""
    async with aclosing(inspected(target, Limits())) as found:
        async for inspection in found:
            groups = grouped(inspection.findings)
            _tell_stream(target, inspection, groups, output)
            yield Verdict(
                name=_name(target, inspection),
                findings=inspection.findings,
                unseen=inspection.unseen,
                lanes=lanes_of(inspection, groups),
            )


def _tell_stream(target: str, inspection: Inspection, groups: list[Group], output: Output) -> None:
    stream, status = inspection.stream, "sound" if inspection.sound else "broken"
    segments = sum(len(track.listing.segments) for track in stream.tracks)
    output.data(
        {
            "event": "verify",
            "target": target,
            "location": stream.location,
            "status": status,
            "playlists": len(stream.tracks) + (stream.multivariant is not None),
            "segments": segments,
            "findings": [asdict(each) for each in inspection.findings],
            "not_looked_into": [asdict(each) for each in inspection.unseen],
        }
    )
    output.text(f"{status:8}{_name(target, inspection)}  {len(stream.tracks)} media playlists, {segments} segments")
    _tell(groups, output)
    for unseen in inspection.unseen[:UNSEEN_SHOWN]:
        output.text(f"        not looked into: {unseen.resource}: {unseen.reason}")
    if len(inspection.unseen) > UNSEEN_SHOWN:
        output.text(f"        and {len(inspection.unseen) - UNSEEN_SHOWN} more not looked into")


def _name(target: str, inspection: Inspection) -> str:
    """What people call a stream: its URL, or its path as seen from here."""
    location = inspection.stream.location
    if inspection.stream.remote:
        return location
    path = Path(target)
    return str(path / location if path.is_dir() else path)


def _tell(groups: list[Group], output: Output) -> None:
    for group in groups:
        first = group.first
        output.text(f"        {first.severity}: {first.rule} ({first.section})")
        for finding in group.findings[:PLACES_SHOWN]:
            place = where(finding)
            output.text(f"          {place}: {finding.message}" if place else f"          {finding.message}")
        if len(group.findings) > PLACES_SHOWN:
            output.text(f"          and {len(group.findings) - PLACES_SHOWN} more")
        output.text(f"          fix: {first.how_to_fix}")
