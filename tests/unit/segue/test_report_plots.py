"""The plots say what was measured: their paths, read back, give the levels again."""

import math
import re
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.report_plots import (
    POINTS_MAX,
    as_url,
    axes,
    clock_time,
    decibels,
    extremes,
    histogram,
    lufs,
    means,
    number,
    sparkline,
    track_figure,
    wave_path,
)
from tests.unit.segue.report_samples import TARGET, made_analysis

SVG = "{http://www.w3.org/2000/svg}"


def _points(path: str) -> list[tuple[int, int]]:
    """The corners of a path of one `M` and relative lines."""
    numbers = [int(each) for each in re.findall(r"-?\d+", path)]
    places = [(numbers[0], numbers[1])]
    for x, y in zip(numbers[2::2], numbers[3::2], strict=True):
        places.append((places[-1][0] + x, places[-1][1] + y))
    return places


@pytest.mark.parametrize("steps", [4, 30])
def test_loudness_over_time_is_the_mean_of_the_last_energies(steps: int) -> None:
    """As BS.1770 has it, at every 100 ms; silence after music is silence."""
    energies = [*made_analysis(1, seconds=20).energies, *[0.0] * 40]
    found = [lufs(mean) for mean in means(energies, steps)]
    assert len(found) == len(energies)
    for place in (steps - 1, 77, 150):
        direct = sum(energies[place - steps + 1 : place + 1]) / steps
        assert found[place] == pytest.approx(-0.691 + 10 * math.log10(direct), abs=1e-6)
    assert found[-1] == -120.0


@given(st.lists(st.floats(min_value=-100, max_value=10), max_size=2000), st.integers(min_value=1, max_value=300))
def test_no_extreme_is_lost(values: list[float], points: int) -> None:
    """However much a curve is thinned out: its highest and lowest values stay, in at most so many stretches."""
    found = extremes(values, points)
    assert len(found) == min(points, len(values))
    assert [min((low for low, _ in found), default=0), max((high for _, high in found), default=0)] == [
        min(values, default=0),
        max(values, default=0),
    ]


def test_a_waveform_is_mirrored_and_closed_by_its_own_points() -> None:
    """Up by the peak, down by the same, the last stretch as wide as the others."""
    assert _points(wave_path([0.5, 1.0])) == [(0, -50), (1, -100), (2, -100), (2, 100), (1, 100), (0, 50)]
    assert wave_path([]) == ""


def test_curves_hold_the_levels_that_were_measured() -> None:
    """In quarters of a dB, one point a stretch: true peaks and short-term loudness."""
    analysis = made_analysis(5, seconds=180)
    tree = ElementTree.fromstring(track_figure(analysis, gain_db=-3.0, target=TARGET))
    curves = {path.get("id"): _points(path.get("d", "")) for path in tree.iter(f"{SVG}path") if path.get("id")}
    peaks = [decibels(high) for _, high in extremes(analysis.peaks)]
    levels = [lufs(high) for _, high in extremes(means(analysis.energies, 30))]
    for curve, expected in ((curves["p"], peaks), (curves["s"], levels)):
        assert len(curve) == POINTS_MAX + 1
        for (x, y), (n, level) in zip(curve, enumerate(expected), strict=False):
            assert x == n
            assert -y / 4 == pytest.approx(level, abs=0.13)


def test_a_figure_is_small_and_well_formed() -> None:
    """A track of an hour takes no more than one of four minutes, some kilobytes; silence and shorts have one too."""
    for seconds in (0.3, 3.0, 240.0, 3600.0):
        analysis = made_analysis(2, seconds=seconds)
        shown = sparkline(analysis, 2.0) + track_figure(analysis, gain_db=2.0, target=TARGET)
        ElementTree.fromstring(f"<p>{shown}</p>")
        assert len(shown) < 10_000
        assert re.search(r"nan|inf|e\+", shown) is None
    ElementTree.fromstring(axes(rule="#111", soft="#222", ink="#333"))


def test_a_picture_goes_into_a_url_and_comes_out_of_it() -> None:
    """Between double quotes, in a style, in an attribute: nothing in it ends any of these."""
    figure = track_figure(made_analysis(2), gain_db=2.0, target=TARGET)
    url = as_url(figure)
    assert not set(url) & set('"<>#&\\\n')
    assert ElementTree.canonicalize(unquote(url.partition(",")[2])) == ElementTree.canonicalize(figure)


def test_without_a_target_there_is_no_line_for_it() -> None:
    """Loudness off: one curve, as it is."""
    figure = track_figure(made_analysis(2), gain_db=0.0, target=None).partition("</style>")[2]
    assert "goal" not in figure and "was" not in figure and figure.count("<use") == 1


def test_a_histogram_has_a_bar_for_every_level() -> None:
    """What lies outside of the scale is counted at its ends; the highest bar is as high on both sides."""
    shown = histogram({-60: 1, -9: 2, -8: 4}, {-14: 400}, low=-36, high=0, mark=-14.0)
    before, after = (path.get("d", "") for path in ElementTree.fromstring(shown).findall("path")[:2])
    assert (before.count("M"), after.count("M")) == (3, 1)
    assert [float(v) for v in re.findall(r"v(-?[\d.]+)", before + after)] == [-13.5, -27.0, -54.0, 54.0]


@pytest.mark.parametrize(("value", "text"), [(-14.04, "−14.0"), (-0.04, "0.0"), (3.25, "3.2"), (0.0, "0.0")])
def test_numbers_have_a_real_minus_sign(value: float, text: str) -> None:
    """And nothing is minus zero."""
    assert number(value) == text


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (247, "4:07"), (3723, "1:02:03")])
def test_lengths_read_like_a_clock(seconds: float, text: str) -> None:
    """Minutes and seconds, hours if there are some."""
    assert clock_time(seconds) == text
