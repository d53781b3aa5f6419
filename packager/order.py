"""What is asked for: the package of a recording, or those of all recordings of a run, and what they are called."""

import asyncio
import math
from dataclasses import dataclass, field

from avtool.locate import Ffmpeg
from catalog.turns import Turns
from meter.meter import METER
from model.engine import Engine, InProcess
from model.events import Observer
from model.loudness import LoudnessMode, LoudnessReport, as_told
from model.package import Package
from model.rendition import Ladder
from model.track import Mezzanine, Piece, Track, derived_id
from packager.ladder import LOSSLESS, ladder_of
from packager.level import Aim, together
from packager.protect import Protector
from packager.records import packages_of, read_mezzanine
from packager.settings import PackageSettings
from storage.base import ObjectStore

ROUNDING_LU = 0.05  # a mezzanine is nearer to its target than this, or held back from it
FORMAT = "package 9"  # changes whenever the same inputs would give other bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Packaging:
    """What packaging works with. `slots` bounds how many programs run at once on this machine; `engine` does what is
    heavy, here or elsewhere."""

    settings: PackageSettings
    tool: Ffmpeg
    store: ObjectStore
    slots: asyncio.Semaphore
    observer: Observer
    turns: Turns = field(default_factory=Turns)
    protector: Protector = field(default_factory=Protector)
    engine: Engine = field(default_factory=InProcess)

    @property
    def recipe(self) -> str:
        """What the bytes of a rendition depend on, besides mezzanine, rendition and trim."""
        return f"{FORMAT}, {METER}, ffmpeg {self.tool.version}"

    @property
    def ladder(self) -> Ladder:
        """The renditions to encode."""
        return ladder_of(self.settings.aac_bitrates_bps, self.settings.opus_bitrates_bps)

    def rendition_ids(self, track: Track) -> frozenset[str]:
        """The renditions that a track gets, the lossless one included."""
        lossless = (LOSSLESS,) if self.settings.lossless and track.source.lossless else ()
        return frozenset(each.rendition_id for each in (*self.ladder.renditions, *lossless))


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Packages that are wanted: of a track's recording, or of all recordings of its run, in their order.

    The track's own is at `position`. All are to be `lower_db` softer than their mezzanines. `lossless` says which of
    them get a lossless rendition.
    """

    track: Track
    mezzanines: tuple[Mezzanine, ...]
    package_ids: tuple[str, ...]
    lossless: tuple[bool, ...]
    position: int
    lower_db: float
    subject: str

    @property
    def mezzanine_ids(self) -> tuple[str, ...]:
        """Those of the run, or the one of a recording that is alone."""
        return tuple(each.mezzanine_id for each in self.mezzanines)

    @property
    def lengths(self) -> tuple[int, ...]:
        """The samples of each recording at 48 kHz."""
        return tuple(each.media_samples for each in self.mezzanines)

    @property
    def level_lufs(self) -> float | None:
        """The level that the mezzanines have together, see `packager.level.together`."""
        return together([each.loudness for each in self.mezzanines], self.lengths).integrated_lufs

    @property
    def room_db(self) -> float:
        """How far the highest true peak of the mezzanines is below the ceiling, once they are as soft as is asked."""
        peak = together([each.loudness for each in self.mezzanines], self.lengths).true_peak_dbtp
        if peak is None or self.track.target is None:
            return math.inf
        return self.track.target.true_peak_dbtp - (peak - self.lower_db)

    @property
    def aim(self) -> Aim | None:
        """The target itself where the mezzanine is at it but for rounding; else the level that the mezzanines have."""
        target, level = self.track.target, self.level_lufs
        if target is None or level is None:
            return None
        if self.track.mode is LoudnessMode.TRACK and abs(target.integrated_lufs - level) <= ROUNDING_LU:
            level = target.integrated_lufs
        return Aim(level_lufs=level - self.lower_db, ceiling_dbtp=target.true_peak_dbtp)


def pieces_of(track: Track) -> tuple[Piece, ...]:
    """The run that a track is part of, or the track alone."""
    if track.run is not None:
        return track.run.pieces
    mezzanine = track.mezzanine
    alone = Piece(
        recording_id=mezzanine.recording_id, mezzanine_id=mezzanine.mezzanine_id, lossless=track.source.lossless
    )
    return (alone,)


def turn_of(track: Track) -> str:
    """What is worked on by one at a time: a recording, or a run."""
    return track.recording_id if track.run is None else derived_id(*(each.mezzanine_id for each in track.run.pieces))


async def order_of(work: Packaging, track: Track, *, lower_db: float, subject: str) -> Order:
    """What a track asks for. Raises ObjectNotFound or RecordMalformed for the mezzanines of its run."""
    if track.run is None:
        mezzanines: tuple[Mezzanine, ...] = (track.mezzanine,)
    else:
        mezzanines = tuple([await read_mezzanine(work.store, each) for each in track.run.pieces])
    return Order(
        track=track,
        mezzanines=mezzanines,
        package_ids=wanted_package_ids(work, track, lower_db=lower_db),
        lossless=_lossless(work, track),
        position=track.run.position if track.run else 0,
        lower_db=round(lower_db, 2),
        subject=subject,
    )


def wanted_package_ids(work: Packaging, track: Track, *, lower_db: float = 0.0) -> tuple[str, ...]:
    """The ids of the packages that this track's mezzanines, these settings and these tools give."""
    ceiling = repr(track.target.true_peak_dbtp) if track.target else "off"
    rates = repr((work.settings.aac_bitrates_bps, work.settings.opus_bitrates_bps))
    lowered = (f"lowered by {lower_db:.2f} dB",) if round(lower_db, 2) else ()
    told = album_told(track, lower_db=lower_db)
    album = f"album {told.integrated_lufs} {told.true_peak_dbtp}" if told else "no album"
    words = (work.recipe, ceiling, rates, repr(_lossless(work, track)), album, *lowered, *work.protector.recipe)
    ids = [each.mezzanine_id for each in pieces_of(track)]
    if len(ids) == 1:
        return (derived_id(*ids, *words),)
    return tuple(derived_id(*ids, f"piece {position}", *words) for position in range(len(ids)))


def album_told(track: Track, *, lower_db: float) -> LoudnessReport | None:
    """What the renditions of a track tell of its album, where they are so much softer than the mezzanine."""
    return as_told(track.album.loudness, track.mezzanine.gain_db - lower_db) if track.album else None


def _lossless(work: Packaging, track: Track) -> tuple[bool, ...]:
    return tuple(work.settings.lossless and each.lossless for each in pieces_of(track))


def own_package_id(work: Packaging, track: Track, *, lower_db: float) -> str:
    """Of the wanted packages the track's own."""
    return wanted_package_ids(work, track, lower_db=lower_db)[track.run.position if track.run else 0]


async def earlier(work: Packaging, order: Order) -> list[list[Package]]:
    """Packages of the same mezzanines by the same recipe, for each recording, that are in the clear or that we have the
    keys to: they need not be encoded again."""
    return [
        [each for each in await packages_of(work.store, mezzanine.recording_id) if _alike(each, work, order, position)]
        for position, mezzanine in enumerate(order.mezzanines)
    ]


def _alike(past: Package, work: Packaging, order: Order, position: int) -> bool:
    same = (past.tool, past.mezzanine_ids, past.position) == (work.recipe, order.mezzanine_ids, position)
    return same and work.protector.opens(past)
