"""EBU Tech 3341 and 3342: every test signal that can be made, within the tolerances of the EBU."""

import numpy as np
import pytest

from tests.unit.meter import ebu
from tests.unit.meter.ebu import report, tones


@pytest.mark.parametrize("name", ebu.INTEGRATED)
def test_integrated_loudness(name: str) -> None:
    """Cases 1 to 5, within 0.1 LU; the first two in all three loudnesses."""
    lufs = -33.0 if name == "3341-2" else -23.0
    found = report(ebu.signal(name))
    assert found.integrated_lufs == pytest.approx(lufs, abs=0.1)
    if name in ("3341-1", "3341-2"):
        assert found.momentary_max_lufs == pytest.approx(lufs, abs=0.1)
        assert found.short_term_max_lufs == pytest.approx(lufs, abs=0.1)


def test_integrated_loudness_of_surround() -> None:
    """Case 6, five channels, and the same with a loud LFE, which does not count."""
    five = ebu.surround()
    assert report(five).integrated_lufs == pytest.approx(-23.0, abs=0.1)
    six = np.insert(five, 3, tones((-6, 20), channels=1)[:, 0], axis=1)
    assert report(six).integrated_lufs == report(five).integrated_lufs


def test_short_term_loudness() -> None:
    """Case 9, and the twenty of case 10: bursts of 3 s wherever they begin."""
    for number, samples in enumerate(ebu.short_term()):
        assert report(samples).short_term_max_lufs == pytest.approx(-23.0, abs=0.1), number


def test_short_term_loudness_of_growing_bursts() -> None:
    """Case 11: after each part, the largest so far is that of its burst."""
    parts = list(ebu.growing())
    for number in (0, 1, 7, 13, 19):
        so_far = np.concatenate(parts[: number + 1])
        assert report(so_far).short_term_max_lufs == pytest.approx(-38.0 + number, abs=0.1), number


def test_momentary_loudness() -> None:
    """Case 12, and the twenty of case 13: bursts of 400 ms wherever they begin."""
    for number, samples in enumerate(ebu.momentary()):
        assert report(samples).momentary_max_lufs == pytest.approx(-23.0, abs=0.1), number


@pytest.mark.parametrize("name", ebu.PEAKS)
def test_true_peak(name: str) -> None:
    """Cases 15 to 23: crests that no sample meets, within +0.2 and -0.4 dB."""
    dbtp, found = ebu.PEAKS[name], report(ebu.signal(name)).true_peak_dbtp
    assert found is not None
    assert dbtp - 0.4 <= found <= dbtp + 0.2


@pytest.mark.parametrize("name", ebu.RANGES)
def test_loudness_range(name: str) -> None:
    """Tech 3342 cases 1 to 4, within 1 LU."""
    assert report(ebu.signal(name)).range_lu == pytest.approx(ebu.RANGES[name][1], abs=1.0)
