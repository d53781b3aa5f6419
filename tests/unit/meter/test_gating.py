"""Gates, maxima and ranges from the energies of every 100 ms: arithmetic that can be done by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter.gating import joint, lufs, report
from model.loudness import LoudnessReport


def _energy(level: float) -> float:
    """The mean square of a loudness in LUFS."""
    return float(10 ** ((level + 0.691) / 10))


def _steps(*levels_and_counts: tuple[float, int]) -> list[float]:
    return [_energy(level) for level, count in levels_and_counts for _ in range(count)]


def test_full_scale_is_as_bs1770_says() -> None:
    """A 997 Hz sine at 0 dBFS in one channel has a weighted mean square of 10^(-0.2319): -3.01 LUFS."""
    assert lufs(_energy(-3.01)) == pytest.approx(-3.01)


def test_what_is_far_below_the_rest_does_not_count() -> None:
    """As long at -40 as at -20: the quiet half is under the relative gate, but in the range."""
    found = report(_steps((-20, 100), (-40, 100)), [0.5])
    assert found.integrated_lufs == pytest.approx(-20, abs=0.1)
    assert found.range_lu == pytest.approx(20, abs=0.01)
    assert found.true_peak_dbtp == pytest.approx(-6.0206, abs=0.000_051)


def test_what_is_near_counts() -> None:
    """As long at -26 as at -20: both are above the gate, and the mean is that of the energies."""
    mean = 10 * math.log10((10**-2.0 + 10**-2.6) / 2)
    assert report(_steps((-20, 1000), (-26, 1000)), []).integrated_lufs == pytest.approx(mean, abs=0.01)


@pytest.mark.parametrize("level", [-70.1, -90.0, -300.0])
def test_below_the_absolute_gate_there_is_no_loudness(level: float) -> None:
    """None in every value but the peak, which there is."""
    assert report(_steps((level, 100)), [1e-4]) == LoudnessReport(integrated_lufs=None, true_peak_dbtp=-80.0)


def test_nothing_at_all_is_silence() -> None:
    """No step, or only zeros: not even a peak."""
    assert report([], []) == report([0.0] * 50, [0.0] * 50) == LoudnessReport(integrated_lufs=None)


@pytest.mark.parametrize(
    ("steps", "has"), [(3, set()), (4, {"M"}), (29, {"M"}), (30, {"M", "S"}), (39, {"M", "S"}), (40, {"M", "S", "R"})]
)
def test_values_need_their_time(steps: int, has: set[str]) -> None:
    """0.4 s for a loudness, 3 s for a short-term one, 4 s for a range."""
    found = report(_steps((-23, steps)), [])
    assert found.silent is ("M" not in has)
    assert (found.momentary_max_lufs is not None) is ("M" in has)
    assert (found.short_term_max_lufs is not None) is ("S" in has)
    assert (found.range_lu is not None) is ("R" in has)


def test_short_and_loud_may_have_no_short_term_value() -> None:
    """A click whose 3 s are under the gate though its 400 ms are not."""
    found = report([0.0] * 40 + [_energy(-63)] + [0.0] * 40, [])
    assert found.momentary_max_lufs == pytest.approx(-69.0, abs=0.1)
    assert (found.short_term_max_lufs, found.range_lu) == (None, None)


def test_a_finer_maximum_counts() -> None:
    """A burst between two steps is louder than the 400 ms that the steps show."""
    assert report(_steps((-23, 10)), [], momentary_max=_energy(-20)).momentary_max_lufs == pytest.approx(-20)
    assert report(_steps((-23, 10)), [], momentary_max=_energy(-26)).momentary_max_lufs == pytest.approx(-23)


def test_an_album_has_one_gate() -> None:
    """A quiet track beside a loud one is under the gate that both have together, and does not count."""
    loud, quiet = _steps((-14, 200)), _steps((-30, 200))
    found = joint([(loud, [0.9]), (quiet, [0.2])])
    assert found.integrated_lufs == pytest.approx(-14.0)
    assert found.true_peak_dbtp == pytest.approx(20 * math.log10(0.9), abs=0.000_051)
    assert found.range_lu == pytest.approx(16.0)


def test_no_block_spans_two_tracks() -> None:
    """Tracks too short for a block have none together either."""
    assert joint([(_steps((-14, 3)), [0.5])] * 10).silent
    assert joint([(_steps((-14, 29)), [0.5])] * 10).short_term_max_lufs is None


def test_an_album_of_one_is_the_track() -> None:
    """And silence in it changes nothing."""
    track = (_steps((-20, 50), (-25, 50)), [0.5])
    assert joint([track]) == report(*track)
    assert joint([track, ([0.0] * 100, [0.0])]) == report(*track)


@given(st.lists(st.lists(st.floats(-60, 0), min_size=4, max_size=40), min_size=1, max_size=4))
def test_an_album_is_its_tracks_without_the_seams(tracks: list[list[float]]) -> None:
    """The blocks of each track by itself, all through the gates of BS.1770-4; the order does not matter."""
    energies = [[_energy(level) for level in track] for track in tracks]
    found = joint([(track, []) for track in energies])
    assert joint([(track, []) for track in reversed(energies)]).integrated_lufs == pytest.approx(
        found.integrated_lufs, abs=0.001_01
    )
    blocks = [sum(track[at : at + 4]) / 4 for track in energies for at in range(len(track) - 3)]
    gate = 10 * math.log10(sum(blocks) / len(blocks)) - 10
    kept = [block for block in blocks if 10 * math.log10(block) > gate]
    assert found.integrated_lufs == pytest.approx(lufs(sum(kept) / len(kept)), abs=0.000_051)
