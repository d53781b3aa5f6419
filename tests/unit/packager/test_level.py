"""Levelling against encoders that lose loudness and overshoot: it settles, or says that it could not."""

import asyncio
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.loudness import LoudnessReport, LoudnessTarget
from model.rendition import Rendition
from packager.encode import PASSES_MAX, Encoding, Settled, settle
from packager.ladder import ladder_of
from packager.level import (
    AIM_LU,
    OUTLIERS_MAX,
    SOFTER_DB,
    TOLERANCE_LU,
    TRIES_MAX,
    Attempt,
    kept,
    next_level,
    next_trim,
)

TARGET = LoudnessTarget()
LADDER = ladder_of((64_000, 96_000, 128_000), (64_000, 96_000))
Behaviour = Callable[[Rendition, float], LoudnessReport]


class Encoder:
    """Encodes a mezzanine of a level and a peak: what comes out is `behaviour(rendition, trim)`."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self.passes: list[dict[Rendition, float]] = []

    async def __call__(self, trims: dict[Rendition, float]) -> Sequence[Encoding]:
        """One pass."""
        self.passes.append(dict(trims))
        return [
            Encoding(rendition=each, path=Path("x"), trim_db=trim, loudness=self._behaviour(each, trim))
            for each, trim in trims.items()
        ]


def _settled(encoder: Encoder, level_lufs: float = -14.0, target: LoudnessTarget = TARGET) -> Settled:
    return asyncio.run(settle(LADDER, level_lufs, target, encoder))


def _linear(level: float, peak: float, losses: dict[str, float], overshoots: dict[str, float]) -> Behaviour:
    """An encoder that takes a fixed loss off the level and puts a fixed overshoot on the peak."""

    def behave(rendition: Rendition, trim: float) -> LoudnessReport:
        loss, over = losses[rendition.rendition_id], overshoots[rendition.rendition_id]
        return LoudnessReport(integrated_lufs=level + trim - loss, true_peak_dbtp=peak + trim + over)

    return behave


def _each(values: st.SearchStrategy[float]) -> st.SearchStrategy[dict[str, float]]:
    return st.fixed_dictionaries({each.rendition_id: values for each in LADDER.renditions})


@given(
    peak=st.floats(-20, -1),
    losses=_each(st.floats(-0.3, 1.0)),
    overshoots=_each(st.floats(-0.5, 1.6)),
)
def test_a_steady_encoder_settles(peak: float, losses: dict[str, float], overshoots: dict[str, float]) -> None:
    """Every rendition within the tolerance of one level, none above the ceiling, and not needlessly low."""
    encoder = Encoder(_linear(-14.0, peak, losses, overshoots))
    done = _settled(encoder)
    assert len(encoder.passes) <= PASSES_MAX
    assert [each.rendition for each in done.encodings] == list(LADDER.renditions)
    assert all(kept(each.loudness, done.level_lufs, TARGET) for each in done.encodings)
    worst = max(losses[name] + overshoots[name] for name in losses)  # what a rendition at the level peaks above it
    possible = min(-14.0, -14.0 + TARGET.true_peak_dbtp - peak - worst)
    assert possible - 0.45 <= done.level_lufs <= -14.0


@given(peak=st.floats(-20, -1), seed=st.integers(0, 10_000), spread=st.floats(0, 1.5))
def test_an_encoder_with_moods_is_levelled_or_refused(peak: float, seed: int, spread: float) -> None:
    """Overshoot by chance: what is called kept is kept, what is not is known, and the passes are bounded."""
    chance = random.Random(seed)

    def behave(_: Rendition, trim: float) -> LoudnessReport:
        loss, over = chance.uniform(0, 0.2), chance.uniform(0, spread)
        return LoudnessReport(integrated_lufs=-14.0 + trim - loss, true_peak_dbtp=peak + trim + over)

    encoder = Encoder(behave)
    done = _settled(encoder)
    assert len(encoder.passes) <= PASSES_MAX
    for each in done.encodings:
        if kept(each.loudness, done.level_lufs, TARGET):
            assert each.loudness.true_peak_dbtp is not None and each.loudness.true_peak_dbtp <= TARGET.true_peak_dbtp
            assert each.loudness.integrated_lufs == pytest.approx(done.level_lufs, abs=TOLERANCE_LU)
    if spread < -1.0 - peak - 0.5:  # there was always room
        assert done.level_lufs == -14.0
        assert all(kept(each.loudness, done.level_lufs, TARGET) for each in done.encodings)


def test_what_is_right_is_encoded_once() -> None:
    """One pass, no trims."""
    names = [each.rendition_id for each in LADDER.renditions]
    encoder = Encoder(_linear(-14.0, -6.0, dict.fromkeys(names, 0.1), dict.fromkeys(names, 0.3)))
    done = _settled(encoder)
    assert encoder.passes == [dict.fromkeys(LADDER.renditions, 0.0)]
    assert done.level_lufs == -14.0


def test_only_what_is_off_is_encoded_again() -> None:
    """A lossy low rung gets its trim; the others stay as they are."""
    names = [each.rendition_id for each in LADDER.renditions]
    losses = dict.fromkeys(names, 0.0) | {"aac-64": 0.4}
    encoder = Encoder(_linear(-14.0, -6.0, losses, dict.fromkeys(names, 0.0)))
    _settled(encoder)
    assert encoder.passes[1:] == [{LADDER.renditions[0]: pytest.approx(0.4)}]


def test_a_lone_peak_is_tried_softer_before_the_track_goes_down() -> None:
    """0.1 dB less at the input, and the overshoot of chance is gone; the level stays."""

    def behave(rendition: Rendition, trim: float) -> LoudnessReport:
        odd = rendition.rendition_id == "aac-96" and trim > -0.1
        return LoudnessReport(integrated_lufs=-14.0 + trim, true_peak_dbtp=0.4 if odd else -2.0)

    encoder = Encoder(behave)
    done = _settled(encoder)
    assert done.level_lufs == -14.0
    assert all(kept(each.loudness, -14.0, TARGET) for each in done.encodings)
    assert 2 <= len(encoder.passes) <= 1 + TRIES_MAX


def test_a_stubborn_peak_takes_the_whole_track_down() -> None:
    """A rung that overshoots by 0.5 dB whatever is tried: all renditions end at one level, a little over 0.5 lower."""
    names = [each.rendition_id for each in LADDER.renditions]
    overshoots = dict.fromkeys(names, 0.0) | {"opus-64": 0.5}
    done = _settled(Encoder(_linear(-14.0, -1.0, dict.fromkeys(names, 0.0), overshoots)))
    assert -14.8 < done.level_lufs <= -14.4
    for each in done.encodings:
        assert each.loudness.integrated_lufs == pytest.approx(done.level_lufs, abs=TOLERANCE_LU)


def test_an_encoder_that_cannot_be_levelled_is_seen() -> None:
    """One that ignores its input: the passes end, and nobody calls it kept."""
    deaf = Encoder(lambda _, __: LoudnessReport(integrated_lufs=-20.0, true_peak_dbtp=-6.0))
    done = _settled(deaf)
    assert len(deaf.passes) == PASSES_MAX
    assert not any(kept(each.loudness, done.level_lufs, TARGET) for each in done.encodings)


def test_an_encoder_that_hovers_between_aim_and_tolerance_is_good_enough() -> None:
    """Never nearer than 0.19 LU: encoded again until the passes end, and then kept, for the promise is 0.2."""
    hovering = Encoder(lambda _, __: LoudnessReport(integrated_lufs=-14.19, true_peak_dbtp=-6.0))
    done = _settled(hovering)
    assert AIM_LU < 0.19 < TOLERANCE_LU
    assert all(kept(each.loudness, done.level_lufs, TARGET) for each in done.encodings)


def test_silence_is_never_encoded_again() -> None:
    """A rendition in which nothing is left to measure is as good as it gets."""
    silent = LoudnessReport(integrated_lufs=None)
    assert next_trim(Attempt(trim_db=0.0, loudness=silent, tries=1), -14.0, TARGET) is None
    assert kept(silent, -14.0, TARGET)
    assert next_level(-14.0, TARGET, [Attempt(trim_db=0.0, loudness=silent, tries=9)]) == -14.0


def test_a_few_outliers_do_not_lower_the_level_but_more_do() -> None:
    """`OUTLIERS_MAX` may overshoot at first; the next one is the material's, not chance."""

    def attempts(over: int) -> list[Attempt]:
        peaks = [-0.5] * over + [-1.5] * (5 - over)
        reports = [LoudnessReport(integrated_lufs=-14.0, true_peak_dbtp=peak) for peak in peaks]
        return [Attempt(trim_db=0.0, loudness=each, tries=1) for each in reports]

    assert next_level(-14.0, TARGET, attempts(OUTLIERS_MAX)) == -14.0
    assert next_level(-14.0, TARGET, attempts(OUTLIERS_MAX + 1)) == pytest.approx(-14.53)


def test_an_outlier_is_tried_softer_each_time() -> None:
    """A little less with every try, from the level that it should have."""
    loud = LoudnessReport(integrated_lufs=-14.0, true_peak_dbtp=-0.5)
    trims = [next_trim(Attempt(trim_db=0.2, loudness=loud, tries=tries), -14.0, TARGET) for tries in (1, 2)]
    assert trims == pytest.approx([0.2 - SOFTER_DB, 0.2 - 2 * SOFTER_DB])
