"""Time left comes from seconds of audio, not from the number of files."""

import pytest

from model.events import Rested, Stage, StageProgress, StageStarted, Status, TrackOutcome
from segue.pace import Pace


def _done(source: str, seconds: float, **more: str) -> TrackOutcome:
    return TrackOutcome(source=source, status=Status.DONE, seconds=seconds, **more)  # type: ignore[arg-type]


def test_time_left_follows_the_audio_not_the_count() -> None:
    """One long track of three is most of the work: after it, little is left."""
    pace = Pace(total=3, seconds=1000.0, now=0.0)
    pace.ended(_done("long", 900.0), now=90.0)
    assert pace.rate(90.0) == pytest.approx(10.0)
    assert pace.left_s(90.0) == pytest.approx(10.0)
    assert pace.fraction == pytest.approx(0.9)


def test_what_was_not_looked_at_is_as_long_as_the_mean() -> None:
    """Without known durations, two of four tracks are half of the audio."""
    pace = Pace(total=4, seconds=None, now=0.0)
    assert (pace.seconds_total, pace.left_s(5.0)) == (None, None)
    pace.ended(_done("a", 100.0), now=10.0)
    pace.ended(_done("b", 300.0), now=20.0)
    assert pace.seconds_total == pytest.approx(800.0)
    assert pace.left_s(20.0) == pytest.approx(20.0)


def test_a_running_track_counts_in_part() -> None:
    """Half through its stage it is somewhere in the middle; in its next stage it is further, never back."""
    pace = Pace(total=1, seconds=100.0, now=0.0)
    seen = []
    for stage in (Stage.READ, Stage.MEASURE, Stage.NORMALISE, Stage.ENCODE, Stage.VERIFY):
        pace.started(StageStarted(subject="a", stage=stage), now=0.0)
        for done in (0.0, 50.0, 100.0):
            pace.progressed(StageProgress(subject="a", stage=stage, done=done, total=100.0))
            seen.append(pace.seconds_done)
    assert seen == sorted(seen)
    assert 0.0 < seen[len(seen) // 2] < seen[-1] <= 100.0


def test_stages_weigh_what_they_cost_here() -> None:
    """After a track that spent nearly all its time measuring, a measured track is nearly done."""
    pace = Pace(total=2, seconds=200.0, now=0.0)
    pace.started(StageStarted(subject="a", stage=Stage.MEASURE), now=0.0)
    pace.started(StageStarted(subject="a", stage=Stage.VERIFY), now=9990.0)
    pace.ended(_done("a", 100.0), now=10_000.0)
    pace.started(StageStarted(subject="b", stage=Stage.MEASURE), now=10_000.0)
    pace.progressed(StageProgress(subject="b", stage=Stage.MEASURE, done=100.0, total=100.0))
    assert pace.seconds_done > 195.0


def test_what_was_done_before_tells_nothing_of_the_speed() -> None:
    """A resumed batch skips thousands in no time: the rate is that of real work alone."""
    pace = Pace(total=1001, seconds=100_100.0, now=0.0)
    for number in range(999):
        pace.ended(TrackOutcome(source=f"{number}", status=Status.SKIPPED, seconds=100.0), now=50.0)
    assert pace.rate(50.0) is None
    pace.ended(_done("new", 100.0), now=60.0)
    assert pace.rate(60.0) == pytest.approx(10.0)
    assert pace.left_s(60.0) == pytest.approx(10.0)
    pace.ended(_done("twin", 100.0, duplicate_of="new"), now=60.0)
    assert pace.rate(60.0) == pytest.approx(10.0)
    assert pace.left_s(60.0) == pytest.approx(0.0)


def test_a_failure_with_no_length_counts_with_what_was_seen_of_it() -> None:
    """Its seconds, known from its progress, lie behind; it is no work that tells of the speed."""
    pace = Pace(total=2, seconds=200.0, now=0.0)
    pace.started(StageStarted(subject="a", stage=Stage.MEASURE), now=0.0)
    pace.progressed(StageProgress(subject="a", stage=Stage.MEASURE, done=1.0, total=100.0))
    pace.ended(TrackOutcome(source="a", status=Status.FAILED), now=4.0)
    assert (pace.seconds_done, pace.failed, pace.rate(4.0)) == (100.0, 1, None)


def test_an_input_that_waits_for_its_album_is_not_worked_on() -> None:
    """Its clock stands, and what was done of it counts."""
    pace = Pace(total=2, seconds=200.0, now=0.0)
    pace.started(StageStarted(subject="a", stage=Stage.MEASURE), 0.0)
    pace.progressed(StageProgress(subject="a", stage=Stage.MEASURE, done=50.0, total=100.0))
    pace.rested(Rested(subject="a"), 2.0)
    assert pace.running["a"].entered is None
    done = pace.seconds_done
    assert done > 0
    pace.started(StageStarted(subject="a", stage=Stage.NORMALISE), 60.0)
    ran = pace.ended(TrackOutcome(source="a", status=Status.DONE, seconds=100.0), 63.0)
    assert ran is not None
    assert ran.worked == 5.0
    pace.rested(Rested(subject="nobody"), 64.0)
