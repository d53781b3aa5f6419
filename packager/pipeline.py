"""One track end to end: what is live, what is wanted, what has to be made, verified and made live."""

from collections.abc import Sequence
from dataclasses import dataclass

from manifests.rules import Finding, Severity
from model.errors import PackageInvalid
from model.events import Stage, StageStarted
from model.package import Current, Package
from model.track import Track
from packager.make import make_packages
from packager.order import Order, Packaging, earlier, order_of, own_package_id, turn_of
from packager.publish import keep_in_use, make_live
from packager.records import find_package, live_package, read_track
from packager.verify import verify_package
from storage.base import ObjectStore


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
    def asked_db(self) -> float:
        """How much softer than the mezzanine it was asked to be, in dB: 0 or more."""
        return self.package.asked_db

    @property
    def lowered_db(self) -> float:
        """How far the level of the package is below the mezzanine's, in dB: 0 or more, and 0 where it has no level."""
        level, mezzanine = self.package.level_lufs, self.track.mezzanine.loudness.integrated_lufs
        return 0.0 if level is None or mezzanine is None else max(0.0, mezzanine - level)


async def package(
    work: Packaging, track_id: str, *, subject: str, repair: bool = False, lower_db: float | None = None
) -> Packaged:
    """Make the package that a track's report and the settings ask for, and make it live.

    Packages belong to recordings: one that was made for another track of the same recording is made live for this one
    too. The packages of a run are made together, so the first of its tracks makes those of all. A package that is live
    already is left alone, or with `repair` verified; one that was uploaded whole but is not live is made live if it is
    sound. A broken one is made again. All renditions are `lower_db` softer than the mezzanine (0 or more, in
    hundredths; None: as the live package of the same mezzanine is, else 0), or more where true peaks leave no room: see
    `Packaged.lowered_db`.

    `subject` is what events call the track. Raises TrackUnknown, RecordMalformed, PackageInvalid, LoudnessMissed,
    MediaError or ObjectNotFound (of a mezzanine), ToolError or StorageError; players then see what they saw before.
    """
    track = await read_track(work.store, track_id)
    async with work.turns.hold(turn_of(track)):
        live = await _live(work.store, track_id)
        if lower_db is None:
            lower_db = _lowered_before(track, live)
        package_id = own_package_id(work, track, lower_db=lower_db)
        is_live = live is not None and live.package_id == package_id
        if live is not None and is_live and not repair:
            return Packaged(track=track, package=live, fresh=False)
        sound, made = await work.engine.submit(
            sound_package, work, track, is_live=is_live, lower_db=lower_db, subject=subject
        )
        if fresh := made or not is_live:
            current = Current(track_id=track_id, recording_id=track.recording_id, package_id=package_id)
            await make_live(work.store, current)
    return Packaged(track=track, package=sound, fresh=fresh)


async def sound_package(
    work: Packaging, track: Track, *, is_live: bool, lower_db: float, subject: str
) -> tuple[Package, bool]:
    """A package in the store that was verified, and whether it had to be made: a step.

    It writes nothing but what has the name of its contents: one who is late with it, or does it twice, does no harm.
    """
    package_id = own_package_id(work, track, lower_db=lower_db)
    found = await find_package(work.store, track.recording_id, package_id)
    if found is not None and not is_live:
        await keep_in_use(work.store, found)
    if found is not None and not await _broken(work, [found], subject):
        return found, False
    order = await order_of(work, track, lower_db=lower_db, subject=subject)
    return await _made(work, order, again=found is not None), True


async def _live(store: ObjectStore, track_id: str) -> Package | None:
    """The live package of a track, if there is one and it can be read."""
    current = await live_package(store, track_id)
    return await find_package(store, current.recording_id, current.package_id) if current else None


def _lowered_before(track: Track, live: Package | None) -> float:
    """How much softer than this mezzanine the live package was asked to be."""
    return live.asked_db if live is not None and live.mezzanine_id == track.mezzanine.mezzanine_id else 0.0


async def _made(work: Packaging, order: Order, *, again: bool) -> Package:
    """Packages in the store that were verified, and of them the one of this track.

    Nothing is taken over when they are made `again` because one is broken, nor when what was taken over turns out to
    be.
    """
    none: list[list[Package]] = [[] for _ in order.mezzanines]
    past = none if again else await earlier(work, order)
    made = await make_packages(work, order, past)
    broken = await _broken(work, made, order.subject)
    if broken and any(past):
        made = await make_packages(work, order, none)
        broken = await _broken(work, made, order.subject)
    if broken:
        message = f"not made live: {broken[0].rule}: {broken[0].message}"
        raise PackageInvalid(message, subject=order.subject, hint=broken[0].how_to_fix)
    return made[order.position]


async def _broken(work: Packaging, made: Sequence[Package], subject: str) -> list[Finding]:
    """What is wrong with packages, as far as it breaks playback."""
    work.observer.notify(StageStarted(subject=subject, stage=Stage.VERIFY))
    scratch_dir, keys = work.settings.scratch_dir, work.protector.keys
    findings = [
        each for one in made for each in await verify_package(work.store, one, scratch_dir=scratch_dir, keys=keys)
    ]
    return [each for each in findings if each.severity is Severity.MUST]
