"""Loudness in the terms of ITU-R BS.1770-4 and EBU R 128, and the gain that reaches a target.

Gain is linear, always: one factor for the whole track. A quiet source is raised only as far as its true peak
allows; what was withheld is reported. Silence has no loudness, so it is a case of its own and gets no gain.
"""

import math
from dataclasses import dataclass, replace
from enum import StrEnum


class LoudnessMode(StrEnum):
    """What is brought to the target: each track, each album as a whole (its tracks keep their relation), or nothing."""

    TRACK = "track"
    ALBUM = "album"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoudnessReport:
    """A measurement. All values are None for silence (nothing above the −70 LUFS gate); peaks may be None too.

    `integrated_lufs` in LUFS, `range_lu` in LU (EBU Tech 3342), `true_peak_dbtp` in dBTP (≥ 4× oversampled),
    `momentary_max_lufs` over 400 ms, `short_term_max_lufs` over 3 s (None when there is less than 3 s).
    """

    integrated_lufs: float | None
    range_lu: float | None = None
    true_peak_dbtp: float | None = None
    momentary_max_lufs: float | None = None
    short_term_max_lufs: float | None = None

    def __post_init__(self) -> None:
        levels = (self.integrated_lufs, self.momentary_max_lufs, self.short_term_max_lufs)
        for value in (*levels, self.range_lu, self.true_peak_dbtp):
            if value is not None and not math.isfinite(value):
                raise ValueError(f"a measurement is a finite number or None: {self}")

    @property
    def silent(self) -> bool:
        """Whether there was nothing to measure."""
        return self.integrated_lufs is None


def as_told(album: LoudnessReport, gain_db: float) -> LoudnessReport | None:
    """What files tell of their album's loudness after a gain, None for silence.

    It is as coarse as they can tell it (ISO/IEC 23003-4: 0.25 LU, 1/32 dB): what is finer shall make no other bytes.
    """
    if album.integrated_lufs is None:
        return None
    peak = None if album.true_peak_dbtp is None else _peak_as_told(album.true_peak_dbtp + gain_db)
    return LoudnessReport(integrated_lufs=round(4 * (album.integrated_lufs + gain_db)) / 4, true_peak_dbtp=peak)


def _peak_as_told(true_peak_dbtp: float) -> float:
    return round(32 * true_peak_dbtp) / 32


def covering(album: LoudnessReport | None, track: LoudnessReport) -> LoudnessReport | None:
    """What is told `as_told` of an album beside one of its tracks: a peak that is no lower than the track's own.

    The album was measured before it was resampled and encoded; both can add to a peak.
    """
    if album is None or track.true_peak_dbtp is None:
        return album
    peak = _peak_as_told(track.true_peak_dbtp)
    return replace(album, true_peak_dbtp=peak if album.true_peak_dbtp is None else max(peak, album.true_peak_dbtp))


@dataclass(frozen=True, slots=True, kw_only=True)
class LoudnessTarget:
    """Where tracks shall land: LUFS, and the true peak that must not be passed, in dBTP."""

    integrated_lufs: float = -14.0
    true_peak_dbtp: float = -1.0

    def __post_init__(self) -> None:
        if not -40.0 <= self.integrated_lufs <= -5.0:
            raise ValueError(f"target loudness must be −40 to −5 LUFS, got {self.integrated_lufs}")
        if not -20.0 <= self.true_peak_dbtp <= 0.0:
            raise ValueError(f"true-peak ceiling must be −20 to 0 dBTP, got {self.true_peak_dbtp}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """What was applied, and how many dB of the wish were withheld to respect the true-peak ceiling (≥ 0)."""

    applied_db: float
    withheld_db: float = 0.0


def gain_to(target: LoudnessTarget, measured: LoudnessReport) -> Gain:
    """The linear gain that brings a track to the target, held back by its true peak. Silence gets 0 dB."""
    if measured.integrated_lufs is None:
        return Gain(applied_db=0.0)
    wanted = target.integrated_lufs - measured.integrated_lufs
    if measured.true_peak_dbtp is None:
        return Gain(applied_db=wanted)
    allowed = min(wanted, target.true_peak_dbtp - measured.true_peak_dbtp)
    return Gain(applied_db=allowed, withheld_db=wanted - allowed)
