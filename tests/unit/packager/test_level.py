"""Levelling against encoders that lose loudness and overshoot: it settles, or says that it could not."""

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import LoudnessMissed
from model.loudness import LoudnessReport
from model.package import Attempt
from model.rendition import Ladder, Rendition
from packager.ladder import ladder_of
from packager.level import (
    AIM_LU,
    CAUTION_DB,
    PASSES_MAX,
    SLACK_DB,
    SOFTER_DB,
    TOLERANCE_LU,
    Aim,
    Settled,
    Standing,
    check_kept,
    kept,
    key_of,
    next_level,
    next_trim,
    settle,
    together,
)

AIM = Aim(level_lufs=-14.0, ceiling_dbtp=-1.0)
LADDER = ladder_of((64_000, 96_000, 128_000), (64_000, 96_000))
NAMES = [each.rendition_id for each in LADDER.renditions]
Behaviour = Callable[[str, float], LoudnessReport]
Losses = dict[str, float]


@dataclass
class Encoder:
    """Encodes a mezzanine of a level and a peak: what comes out is `behaviour(rendition id, trim)`, always."""

    behaviour: Behaviour
    known: dict[tuple[str, float], Attempt] = field(default_factory=dict)
    passes: list[dict[str, float]] = field(default_factory=list)

    def encode(self, trims: Mapping[Rendition, float]) -> None:
        """One pass."""
        self.passes.append({each.rendition_id: trim for each, trim in trims.items()})
        for name, trim in self.passes[-1].items():
            assert (name, trim) not in self.known, "encoded twice"
            attempt = Attempt(rendition_id=name, trim_db=trim, loudness=self.behaviour(name, trim))
            self.known[key_of(attempt)] = attempt


def _settled(
    encoder: Encoder,
    aim: Aim | None = AIM,
    *,
    ladder: Ladder = LADDER,
    trim_db: float = 0.0,
    room_db: float = math.inf,
) -> Settled:
    while (done := settle(ladder, aim, encoder.known, trim_db=trim_db, room_db=room_db)).missing:
        encoder.encode(done.missing)
    return done


def _reports(encoder: Encoder, done: Settled) -> list[LoudnessReport]:
    """What the renditions have in the end."""
    return [encoder.known[each.rendition_id, trim].loudness for each, trim in done.trims.items()]


def _kept(encoder: Encoder, done: Settled) -> list[bool]:
    assert done.aim is not None
    return [kept(each, done.aim) for each in _reports(encoder, done)]


def _linear(losses: Losses, overshoots: Losses, peak: float = -6.0) -> Behaviour:
    """An encoder that takes a fixed loss off the level and puts a fixed overshoot on the peak."""

    def behave(name: str, trim: float) -> LoudnessReport:
        loudness = AIM.level_lufs + trim - losses[name]
        return LoudnessReport(integrated_lufs=loudness, true_peak_dbtp=peak + trim + overshoots[name])

    return behave


def _moody(seed: int, peak: float, spread: float) -> Behaviour:
    """An encoder whose loss and overshoot look like chance; the same trim gives the same, as a real one does."""

    def behave(name: str, trim: float) -> LoudnessReport:
        chance = random.Random(f"{seed} {name} {trim}")
        loss, over = chance.uniform(0, 0.2), chance.uniform(0, spread)
        return LoudnessReport(integrated_lufs=AIM.level_lufs + trim - loss, true_peak_dbtp=peak + trim + over)

    return behave


def _each(values: st.SearchStrategy[float]) -> st.SearchStrategy[Losses]:
    return st.fixed_dictionaries(dict.fromkeys(NAMES, values))


NONE = dict.fromkeys(NAMES, 0.0)
ROOMS = st.sampled_from([math.inf, 0.0])  # enough, or none: then all begin softer


@given(
    peak=st.floats(-20, -1),
    losses=_each(st.floats(-0.3, 1.0)),
    overshoots=_each(st.floats(-0.5, 1.6)),
    room_db=ROOMS,
)
def test_a_steady_encoder_settles(peak: float, losses: Losses, overshoots: Losses, room_db: float) -> None:
    """Every rendition within the tolerance of one level, none above the ceiling, and not needlessly low."""
    encoder = Encoder(_linear(losses, overshoots, peak))
    done = _settled(encoder, room_db=room_db)
    assert len(encoder.passes) <= PASSES_MAX
    assert list(done.trims) == list(LADDER.renditions)
    assert all(_kept(encoder, done))
    check_kept(done, subject="x")
    assert done.aim is not None
    worst = max(losses[name] + overshoots[name] for name in NAMES)  # what a rendition at the level peaks above it
    possible = min(-14.0, -14.0 + AIM.ceiling_dbtp - peak - worst + SLACK_DB)
    assert possible - 0.45 <= done.aim.level_lufs <= -14.0


@given(
    peak=st.floats(-20, -1),
    seed=st.integers(0, 10_000),
    spread=st.floats(0, 1.5),
    room_db=ROOMS,
)
def test_an_encoder_with_moods_is_levelled_or_refused(peak: float, seed: int, spread: float, room_db: float) -> None:
    """Overshoot by chance: what is called kept is kept, what is not is known, and the passes are bounded."""
    encoder = Encoder(_moody(seed, peak, spread))
    done = _settled(encoder, room_db=room_db)
    assert len(encoder.passes) <= PASSES_MAX
    assert done.aim is not None
    for report, good in zip(_reports(encoder, done), _kept(encoder, done), strict=True):
        if good:
            assert report.true_peak_dbtp is not None and report.true_peak_dbtp <= AIM.ceiling_dbtp
            assert report.integrated_lufs == pytest.approx(done.aim.level_lufs, abs=TOLERANCE_LU)
    if spread < -1.0 - peak - 0.5:  # there was always room
        assert done.aim == AIM
        assert all(_kept(encoder, done))


@given(
    peak=st.floats(-4, -1),
    seed=st.integers(0, 10_000),
    spread=st.floats(0, 1.0),
    before=st.sets(st.sampled_from(LADDER.renditions), min_size=1),
    room_db=ROOMS,
)
def test_what_another_ladder_learnt_changes_nothing(
    peak: float, seed: int, spread: float, before: set[Rendition], room_db: float
) -> None:
    """With the attempts of an earlier ladder: the same trims, level and attempts as from scratch; fewer encodings."""
    afresh = Encoder(_moody(seed, peak, spread))
    expected = _settled(afresh, room_db=room_db)
    small = Encoder(_moody(seed, peak, spread))
    part = Ladder(renditions=tuple(each for each in LADDER.renditions if each in before))
    earlier = _settled(small, ladder=part, room_db=room_db)
    grown = Encoder(_moody(seed, peak, spread))
    grown.known |= {key_of(each): each for each in earlier.attempts}
    assert _settled(grown, room_db=room_db) == expected
    assert sum(map(len, grown.passes)) < sum(map(len, afresh.passes))


def test_all_attempts_are_told_in_their_order() -> None:
    """Pass by pass, in the order of the ladder; each once."""
    encoder = Encoder(_moody(1, -1.0, 1.0))
    done = _settled(encoder)
    made = [(name, trim) for each in encoder.passes for name, trim in each.items()]
    assert [(each.rendition_id, each.trim_db) for each in done.attempts] == made
    assert len(made) > len(LADDER.renditions)


def test_what_is_right_is_encoded_once() -> None:
    """One pass, no trims."""
    encoder = Encoder(_linear(dict.fromkeys(NAMES, 0.1), dict.fromkeys(NAMES, 0.3)))
    done = _settled(encoder)
    assert encoder.passes == [NONE]
    assert done.aim == AIM


def test_only_what_is_off_is_encoded_again() -> None:
    """A lossy low rung gets its trim; the others stay as they are."""
    encoder = Encoder(_linear(NONE | {"aac-64": 0.4}, NONE))
    _settled(encoder)
    assert encoder.passes[1:] == [{"aac-64": 0.4}]


def test_a_little_overshoot_stays_inside_the_tolerance() -> None:
    """However many rungs pass the ceiling by 0.1 dB: they are softened by as much, and the level stays."""
    encoder = Encoder(_linear(NONE, dict.fromkeys(NAMES, 0.1), peak=-1.0))
    done = _settled(encoder)
    assert done.aim == AIM
    assert all(_kept(encoder, done))
    assert encoder.passes == [NONE, dict.fromkeys(NAMES, -0.13)]


def test_a_stubborn_peak_takes_all_down_but_for_the_slack() -> None:
    """A rung that overshoots by 0.5 dB whatever is tried: all go down by that, but for the slack."""
    encoder = Encoder(_linear(NONE, NONE | {"opus-64": 0.5}, peak=-1.0))
    done = _settled(encoder)
    assert done.aim is not None
    assert -14.5 <= done.aim.level_lufs <= -14.0 - 0.5 + SLACK_DB
    assert all(_kept(encoder, done))


def test_what_mending_left_takes_the_level_down_at_once() -> None:
    """It is not chance: what the worst rung peaks above the ceiling is taken off all of them, in one more pass."""
    encoder = Encoder(_linear(NONE, NONE | {"aac-64": 0.8, "opus-96": 0.5, "aac-96": 0.4}, peak=-1.0))
    done = _settled(encoder)
    assert done.aim is not None
    assert done.aim.level_lufs == pytest.approx(-14.0 - 0.8 + SLACK_DB, abs=0.05)
    assert all(_kept(encoder, done))
    assert len(encoder.passes) == 2


def test_where_there_is_little_room_all_begin_a_little_softer() -> None:
    """So that what they overshoot by chance stays below the ceiling, inside the tolerance: each is encoded once."""
    encoder = Encoder(_linear(NONE, NONE | {"aac-128": 0.05, "opus-96": 0.11}, peak=-1.0))
    done = _settled(encoder, room_db=0.0)
    assert done.aim == AIM
    assert all(_kept(encoder, done))
    assert encoder.passes == [{each.rendition_id: -CAUTION_DB[each.codec] for each in LADDER.renditions}]


def test_too_high_and_as_soft_as_may_be_takes_the_level_down() -> None:
    """It is not tried louder, nor so soft that it would be off the level."""

    def behave(name: str, trim: float) -> LoudnessReport:
        peak = -0.95 if name == "opus-96" and trim > -0.2 else -1.5
        return LoudnessReport(integrated_lufs=-14.0 + trim, true_peak_dbtp=peak)

    encoder = Encoder(behave)
    done = _settled(encoder, trim_db=-0.16)
    first, second = (each["opus-96"] for each in encoder.passes)
    assert first == -0.16
    assert -0.3 < second < -0.2
    assert done.aim is not None
    assert -14.1 <= done.aim.level_lufs < -14.0
    assert all(_kept(encoder, done))


def test_a_lower_start_is_where_all_begin() -> None:
    """For the other tracks of an album that has to go down: at once at the lower level."""
    encoder = Encoder(_linear(NONE, NONE))
    done = _settled(encoder, Aim(level_lufs=-14.7, ceiling_dbtp=-1.0), trim_db=-0.7)
    assert encoder.passes == [dict.fromkeys(NAMES, -0.7)]
    assert done.aim is not None and done.aim.level_lufs == -14.7


def test_without_an_aim_nothing_is_tried_twice() -> None:
    """Loudness off, or silence: one pass, whatever comes out."""
    encoder = Encoder(_linear(dict.fromkeys(NAMES, 3.0), dict.fromkeys(NAMES, 9.0)))
    done = _settled(encoder, None)
    assert encoder.passes == [NONE]
    assert done.aim is None
    assert len(done.attempts) == len(NAMES)
    check_kept(done, subject="x")


def test_an_encoder_that_cannot_be_levelled_is_refused() -> None:
    """One that ignores its input: the passes end, and nobody calls it kept."""
    deaf = Encoder(lambda _, __: LoudnessReport(integrated_lufs=-20.0, true_peak_dbtp=-6.0))
    done = _settled(deaf)
    assert len(deaf.passes) == PASSES_MAX
    assert not any(_kept(deaf, done))
    with pytest.raises(LoudnessMissed, match="aac-64 is at -20") as refused:
        check_kept(done, subject="a song")
    assert refused.value.subject == "a song"
    assert refused.value.hint


def test_an_encoder_that_hovers_between_aim_and_tolerance_is_good_enough() -> None:
    """Never nearer than 0.195 LU: encoded again until the passes end, and then kept, for the promise is 0.2."""
    hovering = Encoder(lambda _, __: LoudnessReport(integrated_lufs=-14.195, true_peak_dbtp=-6.0))
    assert AIM_LU < 0.195 < TOLERANCE_LU
    assert all(_kept(hovering, _settled(hovering)))


def _standing(report: LoudnessReport, *, trim_db: float = 0.0, tries: int = 1) -> Standing:
    """A rendition that was tried so often, with this result each time."""
    return Standing((Attempt(rendition_id="aac-64", trim_db=trim_db, loudness=report),) * tries, tries)


def test_silence_is_never_encoded_again() -> None:
    """A rendition in which nothing is left to measure is as good as it gets."""
    silent = LoudnessReport(integrated_lufs=None)
    assert kept(silent, AIM)
    assert next_trim(_standing(silent), AIM) is None
    assert next_level(AIM, [_standing(silent, tries=9)]) == -14.0


def test_what_overshoots_a_little_is_tried_softer_each_time() -> None:
    """A little less with every try, from the level that it should have; trims are hundredths."""
    loud = LoudnessReport(integrated_lufs=-14.0, true_peak_dbtp=-0.5)
    trims = [next_trim(_standing(loud, trim_db=0.2, tries=tries), AIM) for tries in (1, 2)]
    assert trims == [round(0.2 - SOFTER_DB, 2), round(0.2 - 2 * SOFTER_DB, 2)]


def test_an_earlier_attempt_counts_when_the_level_comes_down_to_it() -> None:
    """It was too soft before; now it is right, and nothing has to be encoded."""
    soft = Attempt(rendition_id="aac-64", trim_db=-0.3, loudness=LoudnessReport(integrated_lufs=-14.3))
    loud = Attempt(
        rendition_id="aac-64", trim_db=0.0, loudness=LoudnessReport(integrated_lufs=-14.0, true_peak_dbtp=0.5)
    )
    standing = Standing((soft, loud), 1)
    assert next_trim(standing, AIM) is not None
    lower = Aim(level_lufs=-14.4, ceiling_dbtp=-1.0)
    assert next_trim(standing, lower) is None
    assert standing.best(lower) == soft


def test_a_trim_has_one_spelling() -> None:
    """Never −0.0: the same attempt must have the same bytes in package.json."""
    report = LoudnessReport(integrated_lufs=-14.2, true_peak_dbtp=-6.0)
    assert str(next_trim(_standing(report, trim_db=-0.2004), AIM)) == "0.0"
    assert str(_settled(Encoder(_linear(NONE, NONE)), trim_db=-0.0).trims[LADDER.renditions[0]]) == "0.0"


def _report(level: float | None, peak: float | None) -> LoudnessReport:
    return LoudnessReport(integrated_lufs=level, true_peak_dbtp=peak)


def test_a_recording_that_is_alone_is_levelled_by_its_own_report() -> None:
    """All of it."""
    report = LoudnessReport(integrated_lufs=-14.0, true_peak_dbtp=-1.0, range_lu=5.0)
    assert together([report], [48_000]) is report


def test_tracks_that_share_a_gain_are_levelled_by_the_mean_of_their_powers() -> None:
    """Each counts by its length; the peak is the highest."""
    assert together([_report(-14.0, -3.0), _report(-14.0, -1.5)], [1, 99]).integrated_lufs == pytest.approx(-14.0)
    halves = together([_report(-10.0, -3.0), _report(-70.0, None)], [48_000, 48_000])
    assert halves.integrated_lufs == pytest.approx(-13.01, abs=0.01)
    assert halves.true_peak_dbtp == -3.0
    assert together([_report(-10.0, -3.0), _report(-20.0, -1.0)], [1, 3]).true_peak_dbtp == -1.0
    assert together([_report(-10.0, 0.0), _report(-20.0, 0.0)], [1, 3]).integrated_lufs == pytest.approx(
        -14.88, abs=0.01
    )


@given(
    st.lists(st.tuples(st.floats(-60, -5), st.integers(96_000, 10**8)), min_size=2, max_size=12),
    st.floats(-20, 20),
)
def test_a_gain_shows_in_the_level_of_all_as_it_is(tracks: list[tuple[float, int]], gain_db: float) -> None:
    """So one trim brings all tracks of a run to the level."""
    lengths = [length for _, length in tracks]
    before = together([_report(level, -1.0) for level, _ in tracks], lengths).integrated_lufs
    after = together([_report(level + gain_db, -1.0) for level, _ in tracks], lengths).integrated_lufs
    assert before is not None
    assert after is not None
    assert after - before == pytest.approx(gain_db, abs=1e-6)
    assert min(level for level, _ in tracks) - 1e-6 <= before <= max(level for level, _ in tracks) + 1e-6


def test_what_is_too_soft_or_short_to_have_a_level_has_no_part_in_it() -> None:
    """Of silence alone there is no level."""
    assert together([_report(None, None), _report(-14.0, -2.0)], [10**9, 48_000]).integrated_lufs == pytest.approx(
        -14.0
    )
    assert together([_report(None, None), _report(None, -80.0)], [1, 1]) == _report(None, -80.0)
