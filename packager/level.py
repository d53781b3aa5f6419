"""Every rendition of a track has one level, and none passes the true-peak ceiling. Pure arithmetic.

Encoders change loudness a little (ffmpeg's AAC loses up to 0.2 LU of music) and add up to 1.6 dB of true peak. So the
decoded renditions are measured and those that are off are encoded again with a trim: one more linear gain.
"""

from collections.abc import Iterable

from model.loudness import LoudnessReport, LoudnessTarget

TOLERANCE_LU = 0.2  # promised
AIM_LU = 0.12  # encoded again beyond this: the next encoding may differ a little too
OVERSHOOT_DB = 1.6  # the most that an encoder was seen to add to the true peak
_MARGIN_DB = 0.05


def reachable_level(level_lufs: float, target: LoudnessTarget, measured: Iterable[LoudnessReport]) -> float:
    """The level that all renditions can have: `level_lufs`, or less where the true peak of one leaves no more room."""
    rooms = (
        report.integrated_lufs + target.true_peak_dbtp - _MARGIN_DB - report.true_peak_dbtp
        for report in measured
        if report.integrated_lufs is not None
        and report.true_peak_dbtp is not None
        and report.true_peak_dbtp > target.true_peak_dbtp
    )
    return min(level_lufs, *rooms, level_lufs)


def off_level(report: LoudnessReport, level_lufs: float, target: LoudnessTarget, *, within_lu: float) -> bool:
    """Whether a rendition is further from the level than `within_lu`, or peaks above the ceiling."""
    if report.integrated_lufs is None:
        return False
    too_high = report.true_peak_dbtp is not None and report.true_peak_dbtp > target.true_peak_dbtp
    return too_high or abs(report.integrated_lufs - level_lufs) > within_lu


def may_overshoot(report: LoudnessReport, target: LoudnessTarget) -> bool:
    """Whether encoding something with these peaks may pass the ceiling."""
    return report.true_peak_dbtp is not None and report.true_peak_dbtp + OVERSHOOT_DB > target.true_peak_dbtp
