"""One gain for an album, one for each track, or none."""

import math
from dataclasses import replace

import pytest

from ingest.levels import ALBUM_TRACKS_MAX, Level, as_written, levels
from meter.gating import report
from model.analysis import Analysis, Signs
from model.loudness import Gain, LoudnessMode, LoudnessReport, LoudnessTarget
from model.track import recording_id_of

TARGET = LoudnessTarget(integrated_lufs=-14.0, true_peak_dbtp=-1.0)


def analysis(lufs: float, *, peak: float = 0.1, seconds: int = 10) -> Analysis:
    """A recording of steady loudness."""
    energies = (10 ** ((lufs + 0.691) / 10),) * (10 * seconds)
    peaks = (peak,) * (10 * seconds)
    return Analysis(
        recording_id=recording_id_of(str(lufs)),
        meter="test",
        sample_rate_hz=48_000,
        samples=48_000 * seconds,
        loudness=report(energies, peaks),
        energies=energies,
        peaks=peaks,
        signs=Signs(clipped_runs=0, silence_start_s=0, silence_end_s=0, mono=False, bandwidth_hz=None, cliff_db=None),
    )


def test_the_tracks_of_an_album_keep_their_relation() -> None:
    """One gain, found from all blocks together: not the mean of −16 and −26, but what lies above the joint gate."""
    tracks = [analysis(-16.0), analysis(-26.0)]
    loud, quiet = levels(LoudnessMode.ALBUM, TARGET, tracks, album=True)
    assert loud.gain == quiet.gain
    assert loud.album is not None
    assert loud.album.tracks == 2
    joint = 10 * math.log10((10**-1.6 + 10**-2.6) / 2)
    assert loud.album.loudness.integrated_lufs == pytest.approx(joint, abs=0.2)
    assert loud.gain.applied_db == pytest.approx(-14.0 - joint, abs=0.2)


def test_the_loudest_peak_of_an_album_holds_all_of_it_back() -> None:
    """By as much as it needs, and the report says by how much."""
    tracks = [analysis(-24.0, peak=0.1), analysis(-24.0, peak=0.5)]
    for each in levels(LoudnessMode.ALBUM, TARGET, tracks, album=True):
        assert each.gain.applied_db == pytest.approx(-1.0 - 20 * math.log10(0.5), abs=0.011)
        assert each.gain.applied_db + each.gain.withheld_db == pytest.approx(10.0, abs=0.02)


def test_in_track_mode_and_without_an_album_each_is_by_itself() -> None:
    """Everything lands on the target."""
    tracks = [analysis(-16.0), analysis(-26.0)]
    for mode, album in ((LoudnessMode.TRACK, True), (LoudnessMode.ALBUM, False)):
        found = levels(mode, TARGET, tracks, album=album)
        assert [each.gain.applied_db for each in found] == pytest.approx([2.0, 12.0], abs=0.011)
        assert {each.mode for each in found} == {LoudnessMode.TRACK}


def test_off_touches_nothing() -> None:
    """No gain, no target."""
    (found,) = levels(LoudnessMode.OFF, None, [analysis(-30.0)], album=True)
    assert (found.mode, found.gain, found.album) == (LoudnessMode.OFF, Gain(applied_db=0.0), None)


def test_a_thousand_strangers_are_no_album() -> None:
    """ "Unknown Album" is levelled track by track."""
    found = levels(LoudnessMode.ALBUM, TARGET, [analysis(-20.0, seconds=1)] * (ALBUM_TRACKS_MAX + 1), album=True)
    assert {each.mode for each in found} == {LoudnessMode.TRACK}


def test_silence_gets_no_gain_alone_and_follows_its_album() -> None:
    """A pause between two movements is part of the album."""
    silent = analysis(-100.0)
    assert silent.loudness.silent
    (alone,) = levels(LoudnessMode.TRACK, TARGET, [silent], album=False)
    assert alone.gain == Gain(applied_db=0.0)
    together = levels(LoudnessMode.ALBUM, TARGET, [silent, analysis(-20.0)], album=True)
    assert together[0].gain == together[1].gain
    assert together[0].gain.applied_db == pytest.approx(6.0, abs=0.011)


def test_what_is_too_short_for_a_loudness_only_keeps_the_ceiling() -> None:
    """Under 400 ms there is a true peak and nothing else: it is never raised, and never above the ceiling."""
    short = replace(analysis(-20.0), loudness=LoudnessReport(integrated_lufs=None, true_peak_dbtp=1.505))
    soft = replace(short, loudness=LoudnessReport(integrated_lufs=None, true_peak_dbtp=-9.0))
    loud, left = levels(LoudnessMode.TRACK, TARGET, [short, soft], album=False)
    assert loud.gain == Gain(applied_db=-2.51)
    assert left.gain == Gain(applied_db=0.0)


@pytest.mark.parametrize(
    ("lufs", "applied_db", "withheld_db"),
    [(-14.02, 9.0, 0.0), (-14.0, 10.3, 0.0), (-16.5, 9.0, 2.5), (None, 9.0, 0.0)],
)
def test_a_report_says_what_the_mezzanine_lacks(lufs: float | None, applied_db: float, withheld_db: float) -> None:
    """Resampling may change loudness and peaks: what counts is what was written."""
    level = Level(mode=LoudnessMode.TRACK, gain=Gain(applied_db=9.0, withheld_db=1.0))
    made = as_written(level, TARGET, LoudnessReport(integrated_lufs=lufs), applied_db=applied_db)
    assert made.applied_db == applied_db
    assert made.withheld_db == pytest.approx(withheld_db)


def test_what_an_album_track_lost_to_its_peaks_is_withheld_too() -> None:
    """On top of what its album had to do without."""
    level = Level(mode=LoudnessMode.ALBUM, gain=Gain(applied_db=-2.0, withheld_db=1.0))
    made = as_written(level, TARGET, LoudnessReport(integrated_lufs=-20.0), applied_db=-2.3)
    assert made == Gain(applied_db=-2.3, withheld_db=1.3)


def test_the_last_bits_of_a_measurement_do_not_count() -> None:
    """Gains are whole hundredths of a decibel, never above what was asked for."""
    for lufs in (-20.0, -20.004, -20.0099, -19.999999999):
        (found,) = levels(LoudnessMode.TRACK, TARGET, [analysis(lufs)], album=False)
        assert found.gain.applied_db * 100 == pytest.approx(round(found.gain.applied_db * 100), abs=1e-9)
        assert found.gain.applied_db <= -14.0 - lufs + 1e-6
