"""What a batch would do, how long it would take and how much it would write; nothing is touched."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from enum import StrEnum

from ingest.plan import Group, Planned
from ingest.work import stamp_of
from model.errors import ObjectNotFound, PackageError, SourceError
from model.loudness import LoudnessMode
from model.track import Track
from packager.records import live_package, read_package, read_track
from segue.output import Output
from segue.wiring import Workshop

# CPU seconds for a second of audio, on one core of the machine in docs/performance.md.
HEAR_COST = 0.0055
NORMALISE_COST = 0.0145
ENCODE_COST = 0.045  # for each rendition, measured and verified: 0.03 where peaks leave room, 0.06 where they do not
MEZZANINE_BPS = 800_000  # 24-bit FLAC of music at −14 LUFS
UNKNOWN_SECONDS = 240.0  # what is taken for a source whose tags do not tell


class Need(StrEnum):
    """What a source needs, as far as ledger and store tell without reading it."""

    NEW = "new"
    CHANGED = "changed"
    LEVEL = "new level"  # other loudness settings
    LADDER = "new ladder"  # renditions are missing, or protected in another manner
    KNOWN = "known"
    REFUSED = "refused before"


_HEARD = frozenset([Need.NEW, Need.CHANGED])
_WRITTEN = _HEARD | {Need.LEVEL}
_ENCODED = _WRITTEN | {Need.LADDER}


async def tell_plan(shop: Workshop, groups: AsyncIterator[Group], output: Output, *, jobs: int, publish: bool) -> None:
    """One line for each source, and the sums."""
    seconds_of: Counter[Need] = Counter()
    needs: Counter[Need] = Counter()
    async for group in groups:
        for each in group.members:
            need = await _need(shop, each, album=group.album, publish=publish)
            needs[need] += 1
            seconds_of[need] += round(each.seconds or UNKNOWN_SECONDS)
            line = {"source": each.source.name, "need": need.value, "seconds": each.seconds, "album": group.album}
            output.data({"event": "planned", **line})
            output.text(f"{need:15}{_clock(each.seconds):>9}  {each.source.name}")
    rates = (*shop.packaging.settings.aac_bitrates_bps, *shop.packaging.settings.opus_bitrates_bps) if publish else ()
    heard, written, encoded = (sum(seconds_of[need] for need in some) for some in (_HEARD, _WRITTEN, _ENCODED))
    work_s = (heard * HEAR_COST + written * NORMALISE_COST + encoded * ENCODE_COST * len(rates)) / jobs
    size_bytes = (written * MEZZANINE_BPS + encoded * sum(rates)) // 8
    audio_s = encoded if publish else written
    counts = {need.value.replace(" ", "_"): needs[need] for need in Need}
    estimate = {"audio_s": audio_s, "estimated_s": round(work_s), "estimated_bytes": size_bytes}
    output.data({"event": "plan", **counts, **estimate})
    output.say(", ".join(f"{needs[need]} {need}" for need in Need if needs[need]))
    output.say(
        f"to do: {audio_s / 3600:.1f} h of audio, about {_clock(work_s)} with {jobs} jobs, "
        f"at most {size_bytes / 1e9:.2f} GB more in the store"
    )


async def _need(shop: Workshop, planned: Planned, *, album: bool, publish: bool) -> Need:
    try:
        stamp = await asyncio.to_thread(stamp_of, planned.source)
    except SourceError:
        return Need.NEW
    row = await asyncio.to_thread(shop.ingest.ledger.last, stamp.path)
    if row is None:
        return Need.NEW
    if row.stamp != stamp.text:
        return Need.CHANGED
    if row.refusal is not None:
        return Need.REFUSED
    if not row.track_id:
        return Need.NEW
    return await _need_of_known(shop, row.track_id, album=album, publish=publish)


async def _need_of_known(shop: Workshop, track_id: str, *, album: bool, publish: bool) -> Need:
    try:
        track = await read_track(shop.store, track_id)
        if not _has_level(shop, track, album=album):
            return Need.LEVEL
        if publish and not await _has_ladder(shop, track):
            return Need.LADDER
    except (PackageError, ObjectNotFound):
        return Need.NEW
    return Need.KNOWN


def _has_level(shop: Workshop, track: Track, *, album: bool) -> bool:
    settings = shop.ingest.settings
    mode = LoudnessMode.TRACK if settings.mode is LoudnessMode.ALBUM and not album else settings.mode
    return (track.mode, track.target) == (mode, settings.target)


async def _has_ladder(shop: Workshop, track: Track) -> bool:
    live = await live_package(shop.store, track.track_id)
    if live is None:
        return False
    package = await read_package(shop.store, live.recording_id, live.package_id)
    if not shop.packaging.protector.is_manner_of(package):
        return False
    return shop.packaging.rendition_ids(track) == {each.rendition.rendition_id for each in package.renditions}


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
