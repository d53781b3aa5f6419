"""A stream in, findings out: gathers it and holds every rule against it."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cmaf.rules import TRACK_RULES, TrackLook, check_track
from inspector.folder import Folder, playlists_in
from inspector.frames import SoundLook
from inspector.gather import gather
from inspector.gathered import FMP4, MediaTrack, Stream, Unseen
from inspector.limits import Budget, Limits
from inspector.reach import Reach
from inspector.rules import STREAM_RULES
from inspector.sound_rules import SOUND_RULES
from inspector.source import Source
from inspector.web import opened_web, reachable
from manifests.media_rules import MediaTimes
from manifests.rules import LISTING_RULES, PLAIN_RULES, check_listed_media, check_listed_presentation, check_listing
from model.errors import OutOfReach, UsageError
from model.rule import Finding, Rule, Severity

RULES: tuple[Rule[Any], ...] = (
    *LISTING_RULES,
    *(each for each in PLAIN_RULES if not each.rule.startswith("SEGUE-")),
    *TRACK_RULES,
    *STREAM_RULES,
    *SOUND_RULES,
)
RULE_IDS: tuple[str, ...] = tuple(each.rule for each in RULES)
FINDINGS_MAX = 2_000  # of one stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What was found about one stream; `stream` is what it was found in."""

    stream: Stream
    findings: tuple[Finding, ...]
    unseen: tuple[Unseen, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing was found that players may fail on."""
        return not any(each.severity is Severity.MUST for each in self.findings)


def is_foreign(target: str) -> bool:
    """Whether a name means a stream of somebody's: a URL, or a path that is there; else it is a track of ours."""
    try:
        return "://" in target or Path(target).exists()
    except (OSError, ValueError):  # too long to be a path, or a NUL in it
        return False


async def inspected(target: str, limits: Limits) -> AsyncGenerator[Inspection, None]:
    """Every stream that a URL, a playlist file or a folder leads to.

    Raises UsageError for a URL of another scheme, and for a folder without playlists.
    """
    async with _opened(target, limits) as (source, locations):
        known: set[str] = set()
        for location in locations:
            if location in known:
                continue
            inspection = judged(await gather(source, location, limits))
            known |= {track.location for track in inspection.stream.tracks}
            yield inspection


@asynccontextmanager
async def _opened(target: str, limits: Limits) -> AsyncIterator[tuple[Source, list[str]]]:
    """Where to read, and from which playlists on; multivariant playlists first, as they lead to the others."""
    budget = Budget(limits)
    if "://" in target:
        try:
            url = reachable(target)
        except OutOfReach as error:
            raise UsageError(error.message, subject=target, hint="say http://… or https://…") from error
        async with opened_web(limits, budget, Reach()) as web:
            yield web, [url]
        return
    path = Path(target)
    root = path if path.is_dir() else path.parent
    source = Folder(root, limits, budget)
    locations = playlists_in(root, limits) if path.is_dir() else [path.name]
    multivariant = [each for each in locations if await _is_multivariant(source, each, limits)]
    yield source, [*multivariant, *(each for each in locations if each not in multivariant)]


async def _is_multivariant(source: Folder, location: str, limits: Limits) -> bool:
    return await source.contains(location, b"#EXT-X-STREAM-INF:", limits.playlist_bytes_max)


def judged(stream: Stream) -> Inspection:
    """Every rule held against what was gathered; the findings by resource and line, the worst first."""
    found = [*_playlist_findings(stream), *_box_findings(stream)]
    for rule in (*STREAM_RULES, *SOUND_RULES):
        found += [_placed(each, stream.location) for each in rule.findings(stream)]
    found = list(dict.fromkeys(found))  # an init section that is named again is looked at again
    order = {location: number for number, location in enumerate([stream.location, *_locations(stream)])}
    found.sort(key=lambda each: (each.severity is not Severity.MUST, order.get(each.resource, len(order)), each.line))
    unseen = stream.unseen
    if len(found) > FINDINGS_MAX:
        unseen = (*unseen, Unseen(resource=stream.location, reason=f"more than {FINDINGS_MAX} findings"))
    return Inspection(stream=stream, findings=tuple(found[:FINDINGS_MAX]), unseen=unseen)


def _locations(stream: Stream) -> Iterator[str]:
    return (track.location for track in stream.tracks)


def _placed(finding: Finding, resource: str) -> Finding:
    return finding if finding.resource else replace(finding, resource=resource)


def _playlist_findings(stream: Stream) -> Iterator[Finding]:
    multivariant = stream.multivariant
    if multivariant is not None:
        by_uri = stream.by_uri()
        media = {uri: track.listing for uri, track in by_uri.items()}
        sizes = {uri: known for uri, track in by_uri.items() if (known := track.sizes()) is not None}
        for finding in (
            *check_listing(multivariant),
            *check_listed_presentation(multivariant, media, segment_sizes=sizes),
        ):
            yield _placed(finding, stream.location)
    for track in stream.tracks:
        for finding in (
            *check_listing(track.listing),
            *check_listed_media(
                track.listing,
                fragmented=any(part.kind == FMP4 and part.size_bytes for part in track.parts),
                independent=multivariant is not None,
                file_sizes=track.file_sizes,
                times=_times(track),
            ),
        ):
            yield _placed(finding, track.location)


def _times(track: MediaTrack) -> MediaTimes | None:
    """What the media lasts, where all of it could be looked at and is on one timescale."""
    sounds = [part.sound for part in track.parts if part.sound and part.sound.measured]
    if sounds and len(sounds) == len(track.listing.segments):
        return _sound_times(sounds)
    scales = {init.timescale for init in track.inits.values()}
    looks = [part.look for part in track.parts if part.look and part.look.frames and not part.look.flaws]
    if len(scales) != 1 or 0 in scales or len(looks) != len(track.listing.segments):
        return None
    frame_ticks = max(-(-look.duration_ticks // look.frames) for look in looks)
    return _media_times([look.duration_ticks for look in looks], scales.pop(), frame_ticks)


def _sound_times(sounds: list[SoundLook]) -> MediaTimes | None:
    rates = {each.sample_rate_hz for each in sounds}
    frame_ticks = max(each.samples // each.frames for each in sounds)
    return _media_times([each.samples for each in sounds], rates.pop(), frame_ticks) if len(rates) == 1 else None


def _media_times(durations_ticks: list[int], timescale: int, frame_ticks: int) -> MediaTimes:
    """Apple 8.1 allows one frame of video; of sound we allow one, too, and what is lost in rounding to milliseconds:
    half of one at either end of a run."""
    tolerance_ticks = frame_ticks + 1 + timescale // 1_000
    return MediaTimes(durations_ticks=durations_ticks, timescale=timescale, tolerance_ticks=tolerance_ticks)


def _box_findings(stream: Stream) -> Iterator[Finding]:
    """The rules for boxes, over each stretch under one init section; what is wrong with a server's copy once."""
    for track in stream.tracks:
        total = len(track.listing.segments)
        for first, end, init in track.runs():
            parts = track.parts[first:end]
            if not any(part.look for part in parts) and any(part.kind != FMP4 for part in parts):
                continue
            look = TrackLook(
                init=init,
                segments=tuple(part.look for part in parts),
                from_start=first == 0 and track.listing.media_sequence == 0,
                whole=end == total and track.listing.ended,
                index=track.index if end - first == total else None,
            )
            for finding in check_track(look):
                yield _in_track(finding, track, first)


def _in_track(finding: Finding, track: MediaTrack, first: int) -> Finding:
    """The finding with the resource, the number and the line of the segment that it is in."""
    if finding.segment is None:
        segment = track.listing.segments[first]
        line = segment.init_map.line if segment.init_map else 0
        return replace(finding, resource=track.init_locations.get(line, track.location))
    number = first + finding.segment
    return replace(finding, resource=track.parts[number].location, segment=number)
