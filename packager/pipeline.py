"""One track end to end: encode the ladder, cut, write playlists, upload, verify, make live."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from avtool.argv import SAMPLE_RATE_HZ
from avtool.locate import Ffmpeg
from avtool.scratch import scratch_folder
from cmaf.assemble import assemble
from cmaf.encoded import read_encoded
from manifests.build import target_duration_s
from manifests.rules import Finding, Severity
from model.errors import MediaError, ObjectNotFound, PackageInvalid, RecordMalformed, TrackUnknown
from model.events import Observer, Stage, StageProgress, StageStarted
from model.package import Current, Package
from model.records import from_json, to_json
from model.rendition import Ladder
from model.segment import SegmentedRendition
from model.track import Track, derived_id
from packager.encode import Encoded, EncodeJob, Encoding, encode_ladder
from packager.ladder import ladder_of
from packager.publish import make_live, package_files, upload
from packager.settings import PackageSettings
from packager.verify import sha256_of, verify_package
from storage.base import ObjectStore
from storage.keys import art_key, current_key, ingest_key, mezzanine_key, package_key

FORMAT = "package 1"  # changes whenever the same inputs would give other bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Packaging:
    """What packaging works with. `slots` bounds how many programs run at once on this machine."""

    settings: PackageSettings
    tool: Ffmpeg
    store: ObjectStore
    slots: asyncio.Semaphore
    observer: Observer


@dataclass(frozen=True, slots=True, kw_only=True)
class Packaged:
    """The live package of a track, and whether anything had to be done for it."""

    track: Track
    package_id: str
    fresh: bool


async def package(work: Packaging, track_id: str, *, subject: str, repair: bool = False) -> Packaged:
    """Make the package of a track that its ingest report and the settings ask for, and make it live.

    A package that is live already is left alone, or with `repair` verified; one that was uploaded whole but not made
    live is made live if it is sound. A broken one is made again. `subject` is what events call the track. Raises
    TrackUnknown, PackageInvalid, LoudnessMissed, ToolError or StorageError; players then see what they saw before.
    """
    track = await read_track(work.store, track_id)
    package_id = wanted_package_id(work, track)
    live = await live_package_id(work.store, track_id)
    if live == package_id and not repair:
        return Packaged(track=track, package_id=package_id, fresh=False)
    made = await _uploaded(work, track_id, package_id)
    if made is None or _broken(await _verified(work, made, subject)):
        made = await _make(work, track, package_id, subject)
        _refuse(await _verified(work, made, subject), subject)
    elif live == package_id:
        return Packaged(track=track, package_id=package_id, fresh=False)
    await make_live(work.store, made)
    return Packaged(track=track, package_id=package_id, fresh=True)


def wanted_package_id(work: Packaging, track: Track) -> str:
    """The id of the package that this track, these settings and these tools give."""
    rates = (work.settings.aac_bitrates_bps, work.settings.opus_bitrates_bps)
    return derived_id(
        track.ingest_id, track.art_sha256, to_json(track.tags).decode(), FORMAT, repr(rates), work.tool.version
    )


async def read_track(store: ObjectStore, track_id: str) -> Track:
    """The ingest report of a track. Raises TrackUnknown."""
    key = ingest_key(track_id)
    try:
        return from_json(Track, (await store.read(key)).data, subject=key)
    except ObjectNotFound as error:
        hint = "`segue ls` shows the tracks; `segue ingest` adds one"
        raise TrackUnknown("no such track", subject=track_id, hint=hint) from error


async def live_package_id(store: ObjectStore, track_id: str) -> str | None:
    """Which package is live; None if none is, or if the pointer cannot be read."""
    key = current_key(track_id)
    try:
        return from_json(Current, (await store.read(key)).data, subject=key).package_id
    except (ObjectNotFound, RecordMalformed):
        return None


async def read_package(store: ObjectStore, track_id: str, package_id: str) -> Package:
    """The package of this id. Raises ObjectNotFound or RecordMalformed."""
    key = package_key(track_id, package_id, "package.json")
    package = from_json(Package, (await store.read(key)).data, subject=key)
    if (package.track_id, package.package_id) != (track_id, package_id):
        raise RecordMalformed("the record of another package", subject=key, hint="run `segue package --repair`")
    return package


async def _verified(work: Packaging, made: Package, subject: str) -> list[Finding]:
    work.observer.notify(StageStarted(subject=subject, stage=Stage.VERIFY))
    return await verify_package(work.store, made, scratch_dir=work.settings.scratch_dir)


async def _uploaded(work: Packaging, track_id: str, package_id: str) -> Package | None:
    """A package that an earlier run uploaded whole (package.json goes up last) but did not make live."""
    try:
        return await read_package(work.store, track_id, package_id)
    except (ObjectNotFound, RecordMalformed):
        return None


async def _fetch_mezzanine(store: ObjectStore, track: Track, target: Path) -> None:
    key = mezzanine_key(track.track_id, track.ingest_id)
    await store.fetch(key, target)
    if await asyncio.to_thread(sha256_of, target) != track.mezzanine_sha256:
        raise MediaError("the mezzanine is damaged", subject=key, hint="publish the source again")


async def _make(work: Packaging, track: Track, package_id: str, subject: str) -> Package:
    async with scratch_folder(work.settings.scratch_dir) as scratch:
        mezzanine = scratch / "mezzanine.mp4"
        await _fetch_mezzanine(work.store, track, mezzanine)
        work.observer.notify(StageStarted(subject=subject, stage=Stage.ENCODE))
        encoded = await encode_ladder(_job(work, track, mezzanine, subject), _ladder(work))
        work.observer.notify(StageStarted(subject=subject, stage=Stage.PACKAGE))
        made = await asyncio.to_thread(_assembled, track, package_id, encoded, scratch, work.tool.version)
        art = (await work.store.read(art_key(track.track_id, track.art_sha256))).data
        work.observer.notify(StageStarted(subject=subject, stage=Stage.UPLOAD))
        paths = {
            each.rendition.rendition_id: _track_file(scratch, each.rendition.rendition_id) for each in made.renditions
        }
        await upload(work.store, made, package_files(made, paths, art))
        return made


def _ladder(work: Packaging) -> Ladder:
    return ladder_of(work.settings.aac_bitrates_bps, work.settings.opus_bitrates_bps)


def _job(work: Packaging, track: Track, mezzanine: Path, subject: str) -> EncodeJob:
    seconds = track.media_samples / SAMPLE_RATE_HZ
    return EncodeJob(
        tool=work.tool,
        slots=work.slots,
        mezzanine=mezzanine,
        loudness=track.loudness_mezzanine,
        target=track.target,
        scratch=mezzanine.parent,
        timeout_s=work.settings.tool_seconds_floor + work.settings.tool_seconds_per_second * seconds,
        subject=subject,
        on_seconds=_progress(work.observer, subject, seconds),
    )


def _progress(observer: Observer, subject: str, total: float) -> Callable[[float], None]:
    def tell(seconds: float) -> None:
        observer.notify(StageProgress(subject=subject, stage=Stage.ENCODE, done=min(seconds, total), total=total))

    return tell


def _assembled(track: Track, package_id: str, encoded: Encoded, scratch: Path, tool: str) -> Package:
    renditions = tuple(_assemble_one(track, encoding, scratch) for encoding in encoded.encodings)
    return Package(
        track_id=track.track_id,
        package_id=package_id,
        tags=track.tags,
        media_samples=track.media_samples,
        target_duration_s=target_duration_s(renditions),
        target=track.target,
        level_lufs=encoded.level_lufs,
        renditions=renditions,
        tool=tool,
    )


def _assemble_one(track: Track, encoding: Encoding, scratch: Path) -> SegmentedRendition:
    path = _track_file(scratch, encoding.rendition.rendition_id)
    with encoding.path.open("rb") as frames, path.open("wb") as target:
        file = assemble(
            read_encoded(frames), frames, target, media_samples=track.media_samples, loudness=encoding.loudness
        )
    encoding.path.unlink()
    return SegmentedRendition(
        rendition=encoding.rendition,
        timescale=file.timescale,
        priming_ticks=file.priming_ticks,
        init_size_bytes=file.init_size_bytes,
        index_size_bytes=file.index_size_bytes,
        segments=file.segments,
        sha256=file.sha256,
        loudness=encoding.loudness,
        trim_db=encoding.trim_db,
    )


def _track_file(scratch: Path, rendition_id: str) -> Path:
    return scratch / f"{rendition_id}.mp4"


def _broken(findings: list[Finding]) -> list[Finding]:
    """The findings that break playback."""
    return [each for each in findings if each.severity is Severity.MUST]


def _refuse(findings: list[Finding], subject: str) -> None:
    """Raise for the first finding that breaks playback."""
    if broken := _broken(findings):
        message = f"not made live: {broken[0].rule}: {broken[0].message}"
        raise PackageInvalid(message, subject=subject, hint=broken[0].how_to_fix)
