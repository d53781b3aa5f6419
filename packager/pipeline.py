"""One track end to end: encode what its recording lacks, cut, write playlists, upload, verify, make live."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from avtool.argv import SAMPLE_RATE_HZ
from avtool.locate import Ffmpeg
from avtool.scratch import scratch_folder
from catalog.turns import Turns
from manifests.build import target_duration_s
from manifests.rules import Finding, Severity
from meter.meter import METER
from model.errors import MediaError, ObjectNotFound, PackageInvalid
from model.events import Observer, Stage, StageProgress, StageStarted
from model.loudness import LoudnessMode
from model.package import Attempt, Current, Package
from model.rendition import Ladder, Rendition
from model.segment import SegmentedRendition
from model.track import Track, derived_id
from packager.encode import EncodeJob, Encoder
from packager.ladder import ladder_of
from packager.level import Aim, Settled, check_kept
from packager.publish import make_live, package_files, upload
from packager.records import find_package, live_package, packages_of, read_track
from packager.settings import PackageSettings
from packager.track_files import assembled, sha256_of, taken_over, track_file_name
from packager.verify import verify_package
from storage.base import ObjectStore
from storage.keys import mezzanine_key

ROUNDING_LU = 0.05  # a mezzanine is nearer to its target than this, or held back from it
FORMAT = "package 2"  # changes whenever the same inputs would give other bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Packaging:
    """What packaging works with. `slots` bounds how many programs run at once on this machine."""

    settings: PackageSettings
    tool: Ffmpeg
    store: ObjectStore
    slots: asyncio.Semaphore
    observer: Observer
    turns: Turns = field(default_factory=Turns)

    @property
    def recipe(self) -> str:
        """What the bytes of a rendition depend on, besides mezzanine, rendition and trim."""
        return f"{FORMAT}, {METER}, ffmpeg {self.tool.version}"

    @property
    def ladder(self) -> Ladder:
        """The renditions to make."""
        return ladder_of(self.settings.aac_bitrates_bps, self.settings.opus_bitrates_bps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Packaged:
    """The live package of a track, and whether anything had to be done for it."""

    track: Track
    package: Package
    fresh: bool

    @property
    def package_id(self) -> str:
        """The id of the live package."""
        return self.package.package_id

    @property
    def lowered_db(self) -> float:
        """How far the level of the package is below the mezzanine's, in dB: 0 or more, and 0 where it has no level."""
        level, mezzanine = self.package.level_lufs, self.track.mezzanine.loudness.integrated_lufs
        return 0.0 if level is None or mezzanine is None else max(0.0, mezzanine - level)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """A package that is wanted."""

    track: Track
    package_id: str
    lower_db: float
    subject: str


async def package(
    work: Packaging, track_id: str, *, subject: str, repair: bool = False, lower_db: float | None = None
) -> Packaged:
    """Make the package that a track's report and the settings ask for, and make it live.

    Packages belong to recordings: one that was made for another track of the same recording is made live for this one
    too. A package that is live already is left alone, or with `repair` verified; one that was uploaded whole but is
    not live is made live if it is sound. A broken one is made again. All renditions are `lower_db` softer than the
    mezzanine (0 or more, in hundredths; None: as the live package of the same mezzanine is, else 0), or more where
    true peaks leave no room: see `Packaged.lowered_db`.

    `subject` is what events call the track. Raises TrackUnknown, RecordMalformed, PackageInvalid, LoudnessMissed,
    MediaError or ObjectNotFound (of the mezzanine), ToolError or StorageError; players then see what they saw before.
    """
    track = await read_track(work.store, track_id)
    async with work.turns.hold(track.recording_id):
        live = await _live(work.store, track_id)
        if lower_db is None:
            lower_db = _lowered_before(track, live)
        wanted = wanted_package_id(work, track, lower_db=lower_db)
        order = _Order(track=track, package_id=wanted, lower_db=round(lower_db, 2), subject=subject)
        is_live = live is not None and live.package_id == wanted
        found = live if is_live else await find_package(work.store, track.recording_id, wanted)
        if found is not None and is_live and not repair:
            return Packaged(track=track, package=found, fresh=False)
        if found is not None and not await _broken(work, found, subject):
            made = found
        else:
            made = await _made(work, order, again=found is not None)
        fresh = made is not found or not is_live
        if fresh:
            current = Current(track_id=track_id, recording_id=track.recording_id, package_id=wanted)
            await make_live(work.store, current)
    return Packaged(track=track, package=made, fresh=fresh)


async def _live(store: ObjectStore, track_id: str) -> Package | None:
    """The live package of a track, if there is one and it can be read."""
    current = await live_package(store, track_id)
    return await find_package(store, current.recording_id, current.package_id) if current else None


def _lowered_before(track: Track, live: Package | None) -> float:
    """How much softer than this mezzanine the live package was asked to be: what its first attempt began with."""
    if live is None or live.mezzanine_id != track.mezzanine.mezzanine_id or not live.attempts:
        return 0.0
    return max(0.0, -live.attempts[0].trim_db)


def wanted_package_id(work: Packaging, track: Track, *, lower_db: float = 0.0) -> str:
    """The id of the package that this track's mezzanine, these settings and these tools give."""
    ceiling = repr(track.target.true_peak_dbtp) if track.target else "off"
    rates = repr((work.settings.aac_bitrates_bps, work.settings.opus_bitrates_bps))
    lowered = (f"lowered by {lower_db:.2f} dB",) if round(lower_db, 2) else ()
    return derived_id(track.mezzanine.mezzanine_id, work.recipe, ceiling, rates, *lowered)


async def _made(work: Packaging, order: _Order, *, again: bool) -> Package:
    """A package in the store that was verified. Nothing is taken over when it is made `again` because it is broken,
    nor when what was taken over turns out to be."""
    past = [] if again else await _earlier(work, order)
    made = await _make(work, order, past)
    broken = await _broken(work, made, order.subject)
    if broken and past:
        made = await _make(work, order, [])
        broken = await _broken(work, made, order.subject)
    if broken:
        message = f"not made live: {broken[0].rule}: {broken[0].message}"
        raise PackageInvalid(message, subject=order.subject, hint=broken[0].how_to_fix)
    return made


async def _broken(work: Packaging, made: Package, subject: str) -> list[Finding]:
    """What is wrong with a package, as far as it breaks playback."""
    work.observer.notify(StageStarted(subject=subject, stage=Stage.VERIFY))
    findings = await verify_package(work.store, made, scratch_dir=work.settings.scratch_dir)
    return [each for each in findings if each.severity is Severity.MUST]


async def _earlier(work: Packaging, order: _Order) -> list[Package]:
    """Packages of the same mezzanine by the same recipe: what they hold need not be encoded again."""
    mine = (order.track.mezzanine.mezzanine_id, work.recipe)
    packages = await packages_of(work.store, order.track.recording_id)
    return [each for each in packages if (each.mezzanine_id, each.tool) == mine]


async def _make(work: Packaging, order: _Order, past: Sequence[Package]) -> Package:
    async with scratch_folder(work.settings.scratch_dir) as scratch:
        work.observer.notify(StageStarted(subject=order.subject, stage=Stage.ENCODE))
        encoder = Encoder(_job(work, order, scratch))
        known = [attempt for each in past for attempt in _attempts_of(each, work.ladder)]
        settled = await encoder.settle(work.ladder, _aim(order), known, trim_db=-order.lower_db)
        check_kept(settled, subject=order.subject)
        ready = await _ready(work.store, encoder, settled, past, scratch)
        work.observer.notify(StageStarted(subject=order.subject, stage=Stage.PACKAGE))
        samples = order.track.media_samples
        renditions = await asyncio.to_thread(_assembled, encoder, settled, ready, scratch, samples)
        made = _package(work, order, settled, renditions)
        work.observer.notify(StageStarted(subject=order.subject, stage=Stage.UPLOAD))
        await upload(work.store, made, package_files(made, scratch))
        return made


def _attempts_of(past: Package, ladder: Ladder) -> list[Attempt]:
    """The attempts at renditions that are in this ladder too: 64.0 and 64.4 kbit/s share an id."""
    same = {each.rendition.rendition_id for each in past.renditions if each.rendition in ladder.renditions}
    return [each for each in past.attempts if each.rendition_id in same]


def _aim(order: _Order) -> Aim | None:
    """The target itself where the mezzanine is at it but for rounding; else the level that the mezzanine has."""
    track = order.track
    target, level = track.target, track.mezzanine.loudness.integrated_lufs
    if target is None or level is None:
        return None
    if track.mode is LoudnessMode.TRACK and abs(target.integrated_lufs - level) <= ROUNDING_LU:
        level = target.integrated_lufs
    return Aim(level_lufs=level - order.lower_db, ceiling_dbtp=target.true_peak_dbtp)


def _job(work: Packaging, order: _Order, scratch: Path) -> EncodeJob:
    seconds = order.track.media_samples / SAMPLE_RATE_HZ
    return EncodeJob(
        tool=work.tool,
        slots=work.slots,
        mezzanine=partial(_fetch_mezzanine, work.store, order.track, scratch / "mezzanine.mp4"),
        scratch=scratch,
        timeout_s=work.settings.tool_seconds_floor + work.settings.tool_seconds_per_second * seconds,
        subject=order.subject,
        on_seconds=_progress(work.observer, order.subject, seconds),
    )


async def _fetch_mezzanine(store: ObjectStore, track: Track, target: Path) -> Path:
    key = mezzanine_key(track.recording_id, track.mezzanine.mezzanine_id)
    try:
        await store.fetch(key, target)
    except ObjectNotFound as error:
        hint = f"publish the source again: {track.source_name}"
        raise ObjectNotFound("the mezzanine is missing", subject=key, hint=hint) from error
    if await asyncio.to_thread(sha256_of, target) != track.mezzanine.sha256:
        hint = f"delete this object, then publish the source again: {track.source_name}"
        raise MediaError("the mezzanine is damaged", subject=key, hint=hint)
    return target


def _progress(observer: Observer, subject: str, total: float) -> Callable[[float], None]:
    def tell(seconds: float) -> None:
        observer.notify(StageProgress(subject=subject, stage=Stage.ENCODE, done=min(seconds, total), total=total))

    return tell


async def _ready(
    store: ObjectStore, encoder: Encoder, settled: Settled, past: Sequence[Package], scratch: Path
) -> dict[Rendition, SegmentedRendition]:
    """The renditions taken over from earlier packages; all others are held by the encoder afterwards."""
    ready: dict[Rendition, SegmentedRendition] = {}
    lost: dict[Rendition, float] = {}
    for rendition, trim in settled.trims.items():
        if encoder.held(rendition, trim) is not None:
            continue
        found = await taken_over(store, past, rendition, trim, scratch / track_file_name(rendition.rendition_id))
        if found is None:
            lost[rendition] = trim
        else:
            ready[rendition] = found
    if lost:
        await encoder.encode(lost)
    return ready


def _assembled(
    encoder: Encoder,
    settled: Settled,
    ready: dict[Rendition, SegmentedRendition],
    scratch: Path,
    media_samples: int,
) -> list[SegmentedRendition]:
    """Every rendition with its track file in scratch. Blocking."""
    renditions = []
    for rendition, trim in settled.trims.items():
        found, encoding = ready.get(rendition), encoder.held(rendition, trim)
        if found is None:
            assert encoding is not None
            path = scratch / track_file_name(rendition.rendition_id)
            found = assembled(rendition, trim, encoding, path, media_samples=media_samples)
        renditions.append(found)
    return renditions


def _package(work: Packaging, order: _Order, settled: Settled, renditions: Sequence[SegmentedRendition]) -> Package:
    return Package(
        recording_id=order.track.recording_id,
        package_id=order.package_id,
        mezzanine_id=order.track.mezzanine.mezzanine_id,
        media_samples=order.track.media_samples,
        target_duration_s=target_duration_s(renditions),
        true_peak_dbtp=order.track.target.true_peak_dbtp if order.track.target else None,
        level_lufs=settled.aim.level_lufs if settled.aim else None,
        renditions=tuple(renditions),
        attempts=settled.attempts,
        tool=work.recipe,
    )
