"""Gain is one factor for the whole track, and the true peak has the last word."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.loudness import Gain, LoudnessReport, LoudnessTarget, covering, gain_to

LEVELS = st.floats(-69.9, 0)
PEAKS = st.floats(-69.9, 6)
TARGETS = st.builds(LoudnessTarget, integrated_lufs=st.floats(-40, -5), true_peak_dbtp=st.floats(-20, 0))


@given(target=TARGETS, level=LEVELS, peak=PEAKS)
def test_the_result_is_at_the_target_or_at_the_ceiling(target: LoudnessTarget, level: float, peak: float) -> None:
    """Never louder than the target, never above the ceiling, and no dB less than the tighter of the two allows."""
    gain = gain_to(target, LoudnessReport(integrated_lufs=level, true_peak_dbtp=peak))
    room_to_target = target.integrated_lufs - (level + gain.applied_db)
    room_to_ceiling = target.true_peak_dbtp - (peak + gain.applied_db)
    assert min(room_to_target, room_to_ceiling) == pytest.approx(0, abs=1e-9)
    assert gain.withheld_db >= 0
    assert gain.withheld_db == pytest.approx(room_to_target, abs=1e-9)


def test_a_quiet_master_with_headroom_reaches_the_target() -> None:
    """−23 LUFS with a peak of −12 dBTP is raised by 9 dB, nothing withheld."""
    quiet = LoudnessReport(integrated_lufs=-23.0, true_peak_dbtp=-12.0)
    assert gain_to(LoudnessTarget(), quiet) == Gain(applied_db=9.0)


def test_what_the_peak_forbids_is_reported() -> None:
    """−23 LUFS with a peak of −6 dBTP is raised by 5 dB; 4 dB are withheld."""
    peaky = LoudnessReport(integrated_lufs=-23.0, true_peak_dbtp=-6.0)
    assert gain_to(LoudnessTarget(), peaky) == Gain(applied_db=5.0, withheld_db=4.0)


def test_silence_gets_no_gain() -> None:
    """It has no loudness, so there is nothing to bring anywhere, whatever peak its hiss has."""
    assert gain_to(LoudnessTarget(), LoudnessReport(integrated_lufs=None)) == Gain(applied_db=0.0)
    hiss = LoudnessReport(integrated_lufs=None, true_peak_dbtp=-60.0)
    assert hiss.silent
    assert gain_to(LoudnessTarget(), hiss) == Gain(applied_db=0.0)


def test_without_a_peak_only_the_level_counts() -> None:
    """A level with no peak beside it is brought to the target."""
    assert gain_to(LoudnessTarget(), LoudnessReport(integrated_lufs=-20.0)).applied_db == 6.0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "field", ["integrated_lufs", "range_lu", "true_peak_dbtp", "momentary_max_lufs", "short_term_max_lufs"]
)
def test_a_measurement_is_a_number(field: str, value: float) -> None:
    """Infinity is what silence is not, and NaN would spread."""
    with pytest.raises(ValueError, match="finite"):
        LoudnessReport(**({"integrated_lufs": -14.0} | {field: value}))


@pytest.mark.parametrize(
    ("lufs", "dbtp"), [(-41, -1), (-4, -1), (math.nan, -1), (-14, 0.1), (-14, -21), (-14, math.nan)]
)
def test_a_target_is_sane(lufs: float, dbtp: float) -> None:
    """A typing mistake (14 for −14) must not deafen anybody."""
    with pytest.raises(ValueError, match="must be"):
        LoudnessTarget(integrated_lufs=lufs, true_peak_dbtp=dbtp)


def test_an_album_is_told_no_lower_than_its_track() -> None:
    """In steps of 1/32 dB, as files tell it; its loudness stays, and where nothing is known nothing is told."""
    album = LoudnessReport(integrated_lufs=-14.0, true_peak_dbtp=-1.5)
    for track_dbtp, told_dbtp in ((-1.27, -1.28125), (-3.0, -1.5)):
        track = LoudnessReport(integrated_lufs=-12.0, true_peak_dbtp=track_dbtp)
        assert covering(album, track) == LoudnessReport(integrated_lufs=-14.0, true_peak_dbtp=told_dbtp)
        assert covering(None, track) is None
    silence = LoudnessReport(integrated_lufs=None)
    assert covering(album, silence) == album
    peakless = LoudnessReport(integrated_lufs=-14.0)
    assert covering(peakless, album) == album
