"""The quality study's results are kept as they were measured, and a study that was stopped goes on."""

from pathlib import Path

import pytest

from scripts.quality_results import RESULTS, Result, append, read

ROOT = Path(__file__).resolve().parents[2]


def result(track: str) -> Result:
    """Some result of a track."""
    return Result(
        track=track, origin="vorbis", setting="opus-64", rate_bps=64_000, real_kbps=61.25, cpu_s=0.5, gain_db=0.01,
        overshoot_db=-0.2, visqol_mos_1=4.5, zimtohrli_mos_1=4.75, zimtohrli_distance_1=0.0012,
        visqol_mos_2=4.0, zimtohrli_mos_2=4.25, zimtohrli_distance_2=2.5e-05,
    )  # fmt: skip


def test_what_is_appended_is_read_again(tmp_path: Path) -> None:
    """Line by line, whatever the track is called."""
    path = tmp_path / "results.csv"
    written = [result("one"), result('a "song", in two parts')]
    for each in written:
        append(path, each)
    assert read(path) == written
    assert written[0].value("visqol_mos") == 4.25


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    """A study that was killed while it wrote measures that encoding again."""
    path = tmp_path / "results.csv"
    append(path, result("one"))
    append(path, result("two"))
    path.write_bytes(path.read_bytes()[:-9])
    assert read(path) == [result("one")]


def test_results_of_other_columns_are_refused(tmp_path: Path) -> None:
    """Numbers must not move from one column to another unseen."""
    path = tmp_path / "results.csv"
    path.write_text("track,setting\none,opus-64\n", encoding="utf-8")
    with pytest.raises(ValueError, match="other columns"):
        read(path)


def test_nothing_was_measured_yet_where_there_is_no_file(tmp_path: Path) -> None:
    """A study begins with an empty list."""
    assert read(tmp_path / "results.csv") == []


def test_the_kept_results_are_of_at_least_ten_real_tracks() -> None:
    """The document's figures come from this file: both coders at every rung."""
    kept = read(ROOT / RESULTS)
    for kbps in (64, 96, 128, 192, 256):
        for coder in ("twoloop", "fast"):
            real = {each.track for each in kept if each.setting == f"aac-{coder}-{kbps}" and each.origin != "computed"}
            assert len(real) >= 10
