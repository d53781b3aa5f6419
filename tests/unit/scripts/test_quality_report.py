"""The study's report: statements are about tracks, and pictures are well-formed."""

from typing import Any
from xml.etree import ElementTree

import pytest

from scripts.quality_numbers import estimate
from scripts.quality_plots import Axes, Dots, Line, dots_panel, lines_panel, picture
from scripts.quality_report import AAC_KBPS, Results, coders_picture, coders_table, ladder_picture, steps_table, tables
from scripts.quality_results import METRICS, WINDOWS, Result

ORIGINS = ("lossless", "vorbis")


def row(track: str, setting: str, scores: tuple[float, float], origin: str = "vorbis") -> Result:
    """An encoding whose two windows have these scores in all metrics."""
    heard = {f"{name}_{window}": score for name in METRICS for window, score in zip(WINDOWS, scores, strict=True)}
    costs = {"real_kbps": 64.0, "cpu_s": 1.0, "gain_db": 0.0, "overshoot_db": 0.5}
    return Result(track=track, origin=origin, setting=setting, rate_bps=64_000, **costs, **heard)


def ladder(track: str, better: float) -> list[Result]:
    """All AAC rungs with both coders, and two of Opus; fast is `better` than twoloop on this track."""
    rows = []
    for kbps in AAC_KBPS:
        rows += [row(track, f"aac-{coder}-{kbps}", (3.0 + gain, 4.0 + gain)) for coder, gain in gains(better)]
    return [*rows, row(track, "opus-64", (4.0, 4.0)), row(track, "opus-96", (4.0, 4.5))]


def gains(better: float) -> tuple[tuple[str, float], ...]:
    """What each coder has more than the rung's score."""
    return ("twoloop", 0.0), ("fast", better)


def test_the_windows_of_a_passage_count_as_one() -> None:
    """Two windows of one track are not two tracks."""
    results = Results([row("one", "opus-64", (3.0, 4.0)), row("two", "opus-64", (4.0, 4.0))])
    found = results.of("opus-64", "visqol_mos")
    assert found is not None
    assert (found.mean, found.count) == (3.75, 2)


def test_of_a_row_that_is_there_twice_the_last_counts() -> None:
    """A result that was measured again replaces the one before."""
    results = Results([row("one", "opus-64", (1.0, 1.0)), row("one", "opus-64", (4.0, 4.0))])
    assert results.value("one", "opus-64", "visqol_mos") == 4.0


def test_differences_are_of_tracks_that_have_both_settings() -> None:
    """A study that was stopped compares like with like."""
    rows = [*ladder("one", -0.5), row("two", "aac-fast-64", (1.0, 1.0))]
    assert Results(rows).differences("aac-fast-64", "aac-twoloop-64", "visqol_mos", ORIGINS) == {"one": -0.5}


def test_what_was_computed_is_not_counted_as_music() -> None:
    """Castanets out of a generator stand in a table of their own."""
    rows = [*ladder("one", -0.5), row("clicks", "opus-64", (1.0, 1.0), origin="computed")]
    found = Results(rows).of("opus-64", "visqol_mos")
    assert found is not None and found.count == 1


def test_the_worst_track_is_named_and_those_behind_are_counted() -> None:
    """A mean hides the track that suffers most."""
    lines = coders_table(Results([*ladder("good", 0.25), *ladder("bad", -0.75)]), "", ORIGINS)
    line = next(line for line in lines if line.startswith("| 128 | 2 |"))
    assert "bad -0.75" in line
    assert "-0.25 (-0.75 … +0.25), worse on 1" in line


def test_a_step_says_what_it_buys() -> None:
    """From one rung to the next, by the tracks that have both."""
    lines = steps_table(Results(ladder("one", 0.0)))
    assert any(line.startswith("| Opus 64 → 96 | 1 | +0.25") for line in lines)


def test_a_study_that_has_just_begun_can_be_reported() -> None:
    """Tables of what is there; no row of what is not."""
    text = "\n".join("\n".join(table) for table in tables(Results([row("one", "opus-64", (3.0, 4.0))])))
    assert "| Opus 64 | 1 | 64 | 3.50 (3.50 … 3.50) | one 3.50 |" in text
    assert "AAC" not in text


@pytest.mark.parametrize("draw", [ladder_picture, coders_picture])
def test_a_picture_is_well_formed_and_shows_every_track(draw: Any) -> None:
    """Both pictures of the document come out of two tracks' results."""
    text = draw(Results([*ladder("good", 0.25), *ladder("bad", -0.75)]))
    circles = [element for element in ElementTree.fromstring(text).iter() if element.tag.endswith("circle")]
    assert len(circles) >= 2 * len(AAC_KBPS)


def test_names_are_escaped_and_values_stay_within_the_panel() -> None:
    """A title may have any character; a value off the axis is drawn at its end."""
    axes = Axes(title="<a & b>", x_name="x", y_name="y", x_ticks=(0, 1, 2), y_ticks=(0.0, 1.0))
    line = Line(name="l", colour="#000", points=[(1.0, estimate([9.0]))])
    text = picture([lines_panel(axes, [line]), dots_panel(axes, [Dots(name="d", values=[-9.0], mean=estimate([0.5]))])])
    heights = [float(e.attrib["cy"]) for e in ElementTree.fromstring(text).iter() if e.tag.endswith("circle")]
    assert min(heights) >= axes.y(1.0)
    assert max(heights) <= axes.y(0.0)
