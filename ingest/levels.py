"""Which gain each source gets: by itself, or all sources of an album the same. Linear, and never past the ceiling."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from meter.gating import joint
from model.analysis import Analysis
from model.loudness import Gain, LoudnessMode, LoudnessReport, LoudnessTarget, gain_to
from model.track import AlbumLoudness

ALBUM_TRACKS_MAX = 500  # more are no album, but a folder of strangers with the same tag
OFF_LU = 0.03  # how far a mezzanine may be off its target: encoders need nearly all of what is promised
_STEPS_PER_DB = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """The gain of a source, and how it was found."""

    mode: LoudnessMode
    gain: Gain
    album: AlbumLoudness | None = None


def levels(
    mode: LoudnessMode, target: LoudnessTarget | None, analyses: Sequence[Analysis], *, album: bool
) -> list[Level]:
    """The level of each source of a group that belongs together (`album`) or not.

    In album mode the group is measured as one programme and gets one gain, so its tracks keep their relation; a group
    that is no album, or too large to be one, is levelled track by track.
    """
    if mode is LoudnessMode.OFF or target is None:
        return [Level(mode=LoudnessMode.OFF, gain=Gain(applied_db=0.0))] * len(analyses)
    if mode is LoudnessMode.ALBUM and album and len(analyses) <= ALBUM_TRACKS_MAX:
        maxima = [each.loudness.momentary_max_lufs for each in analyses]
        loudest = max((each for each in maxima if each is not None), default=None)
        together = joint([(each.energies, each.peaks) for each in analyses])
        together = replace(together, momentary_max_lufs=loudest)  # it was looked for on a finer grid than the energies'
        gain = _gain(target, together)
        said = AlbumLoudness(loudness=together, tracks=len(analyses))
        return [Level(mode=LoudnessMode.ALBUM, gain=gain, album=said)] * len(analyses)
    return [Level(mode=LoudnessMode.TRACK, gain=_gain(target, each.loudness)) for each in analyses]


def as_written(level: Level, target: LoudnessTarget | None, written: LoudnessReport, *, applied_db: float) -> Gain:
    """The gain that a mezzanine really got, and what it lacks: resampling may have changed its loudness and peaks."""
    withheld = level.gain.withheld_db
    if level.mode is LoudnessMode.ALBUM:
        withheld += max(0.0, level.gain.applied_db - applied_db)
    elif target is not None:
        missing = 0.0 if written.integrated_lufs is None else target.integrated_lufs - written.integrated_lufs
        withheld = missing if missing > OFF_LU else 0.0
    return Gain(applied_db=applied_db, withheld_db=round(withheld, 2))


def _gain(target: LoudnessTarget, measured: LoudnessReport) -> Gain:
    """Rounded down to 0.01 dB, so that the last bits of a measurement do not decide what is encoded.

    What is too short for a loudness keeps the ceiling, and is else left as it is.
    """
    exact = gain_to(target, measured)
    if measured.silent and measured.true_peak_dbtp is not None:
        exact = Gain(applied_db=min(0.0, target.true_peak_dbtp - measured.true_peak_dbtp))
    applied = math.floor(exact.applied_db * _STEPS_PER_DB + 1e-6) / _STEPS_PER_DB
    return Gain(applied_db=applied, withheld_db=round(exact.withheld_db, 2))
