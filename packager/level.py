"""Every rendition of a track has one level, and none passes the true-peak ceiling. Pure arithmetic.

Encoders change loudness a little (ffmpeg's AAC loses up to 0.2 LU of music, more of noise) and add true peak. So each
rendition is decoded and measured, and what is off is encoded again with a trim: one more linear gain. Part of an AAC
encoder's overshoot is chance: a lone peak 1.6 dB high was gone with 0.1 dB less at the input. So a few outliers are
tried again a little softer, within the tolerance; only when more overshoot, or one keeps to it, the whole track
goes down.
"""

from collections.abc import Collection
from dataclasses import dataclass

from model.loudness import LoudnessReport, LoudnessTarget

TOLERANCE_LU = 0.2  # promised
AIM_LU = 0.18  # encoded again beyond this; the rest is for the error of measuring
OUTLIERS_MAX = 2
TRIES_MAX = 3  # encodings of an outlier at one level
SOFTER_DB = 0.06  # from one of them to the next
_MARGIN_DB = 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One encoding of a rendition: the gain before the encoder, what came out, how often this level was tried.

    `least_overshoot_db` is the smallest that any of these tries would pass the ceiling by, brought to the level.
    """

    trim_db: float
    loudness: LoudnessReport
    tries: int
    least_overshoot_db: float = 0.0


def next_level(level_lufs: float, target: LoudnessTarget, attempts: Collection[Attempt], *, passes: int = 1) -> float:
    """The level to go on with: this one, or less where true peaks leave no more room.

    The more `passes` it took so far, the wider the margin: peaks that come by chance must not go on for ever.
    """
    again = [each for each in attempts if next_trim(each, level_lufs, target) is not None]
    over = sorted((overshoot_at(level_lufs, each.loudness, target) for each in again), reverse=True)
    stubborn = [each.least_overshoot_db for each in again if each.tries >= TRIES_MAX]
    drop = max([0.0, *over[OUTLIERS_MAX:], *stubborn])
    return level_lufs - drop - _MARGIN_DB * passes if drop else level_lufs


def next_trim(attempt: Attempt, level_lufs: float, target: LoudnessTarget) -> float | None:
    """The gain to encode this rendition with again; None if it is as it should be."""
    if attempt.loudness.integrated_lufs is None:
        return None
    off = level_lufs - attempt.loudness.integrated_lufs
    if _overshoot(attempt.loudness, target):
        return attempt.trim_db + off - SOFTER_DB * attempt.tries
    return attempt.trim_db + off if abs(off) > AIM_LU else None


def kept(report: LoudnessReport, level_lufs: float, target: LoudnessTarget) -> bool:
    """Whether a rendition keeps the promise: within the tolerance of the level, and not above the ceiling."""
    if report.integrated_lufs is None:
        return True
    return not _overshoot(report, target) and abs(report.integrated_lufs - level_lufs) <= TOLERANCE_LU


def overshoot_at(level_lufs: float, report: LoudnessReport, target: LoudnessTarget) -> float:
    """How far this true peak would be above the ceiling if a gain brought the rendition to the level, in dB."""
    if report.integrated_lufs is None or report.true_peak_dbtp is None:
        return 0.0
    return max(0.0, report.true_peak_dbtp + level_lufs - report.integrated_lufs - target.true_peak_dbtp)


def _overshoot(report: LoudnessReport, target: LoudnessTarget) -> float:
    """How far the true peak is above the ceiling, in dB; 0 if it is not."""
    if report.true_peak_dbtp is None:
        return 0.0
    return max(0.0, report.true_peak_dbtp - target.true_peak_dbtp)
