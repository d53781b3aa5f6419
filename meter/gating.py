"""Gated loudness (ITU-R BS.1770-4 §2, EBU Tech 3341 and 3342) from the energies of every 100 ms."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from model.loudness import LoudnessReport

BLOCK_STEPS = 4  # 400 ms
SHORT_TERM_STEPS = 30  # 3 s
RANGE_STEPS_MIN = 11  # short-term values in 4 s: a range needs several of them
ABSOLUTE_GATE_LUFS = -70.0
RELATIVE_GATE_LU = -10.0
RANGE_GATE_LU = -20.0
_OFFSET_LU = -0.691  # BS.1770-4: a 997 Hz sine at full scale in one channel is -3.01 LUFS
_LOW, _HIGH = 0.10, 0.95  # Tech 3342: the range lies between these percentiles
_PLACES = 4  # what is told: products of floats differ between makes of processors, by some millionths of a dB

Energies = NDArray[np.float64]


def report(energies: Sequence[float], peaks: Sequence[float], *, momentary_max: float = 0.0) -> LoudnessReport:
    """The measurement of one track to four places: K-weighted mean squares of every whole 100 ms, linear true peaks.

    `momentary_max` is the largest mean square of any 400 ms, where it was looked for on a finer grid.
    """
    return joint([(energies, peaks)], momentary_max=momentary_max)


def joint(tracks: Sequence[tuple[Sequence[float], Sequence[float]]], *, momentary_max: float = 0.0) -> LoudnessReport:
    """The measurement of several tracks as one programme, in which no block spans two of them.

    All gating blocks go through one gate, all short-term values into one range; maxima are over all tracks.
    Where nothing is above the gate of -70 LUFS there is no loudness; there may be a peak.
    """
    blocks = _windows(tracks, BLOCK_STEPS)
    peak = max((max(peaks, default=0.0) for _, peaks in tracks), default=0.0)
    true_peak = _told(20 * math.log10(peak)) if peak > 0 else None
    audible = _above(blocks, ABSOLUTE_GATE_LUFS)
    if not audible.size:
        return LoudnessReport(integrated_lufs=None, true_peak_dbtp=true_peak)
    gated = _above(audible, lufs(float(audible.mean())) + RELATIVE_GATE_LU)
    short_term = _windows(tracks, SHORT_TERM_STEPS)
    return LoudnessReport(
        integrated_lufs=_told(lufs(float(gated.mean()))),
        range_lu=_range(short_term),
        true_peak_dbtp=true_peak,
        momentary_max_lufs=_told(lufs(max(float(audible.max()), momentary_max))),
        short_term_max_lufs=_loudest(short_term),
    )


def _told(level: float) -> float:
    return round(level, _PLACES) + 0.0  # never -0.0: that is another text in a record


def lufs(energy: float) -> float:
    """The loudness of a K-weighted mean square above 0."""
    return _OFFSET_LU + 10 * math.log10(energy)


def _windows(tracks: Sequence[tuple[Sequence[float], Sequence[float]]], steps: int) -> Energies:
    """Mean energies of all windows of so many steps, one at every step."""
    whole = [np.asarray(energies, np.float64) for energies, _ in tracks if len(energies) >= steps]
    return np.concatenate([sliding_window_view(each, steps).mean(axis=1) for each in whole] or [np.empty(0)])


def _above(energies: Energies, gate_lufs: float) -> Energies:
    return energies[energies > 10 ** ((gate_lufs - _OFFSET_LU) / 10)]


def _loudest(short_term: Energies) -> float | None:
    audible = _above(short_term, ABSOLUTE_GATE_LUFS)
    return _told(lufs(float(audible.max()))) if audible.size else None


def _range(short_term: Energies) -> float | None:
    audible = _above(short_term, ABSOLUTE_GATE_LUFS)
    if short_term.size < RANGE_STEPS_MIN or not audible.size:
        return None
    gated = np.sort(_above(audible, lufs(float(audible.mean())) + RANGE_GATE_LU))
    low, high = (float(gated[round((gated.size - 1) * part)]) for part in (_LOW, _HIGH))
    return _told(10 * math.log10(high / low))
