"""What the quality study found: tables on standard output, pictures into docs/images.

    python -m scripts.quality_report [--results FILE] > tables.md

Every statement is about tracks: the two windows of a passage are averaged first, for they are not independent.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from scripts.quality_numbers import Estimate, estimate
from scripts.quality_plots import Axes, Dots, Line, dots_panel, lines_panel, picture
from scripts.quality_results import RESULTS, Result, read

IMAGES = Path("docs/images")
AAC_KBPS = (64, 96, 128, 192, 256)
METRICS = {"visqol_mos": "ViSQOL", "zimtohrli_mos": "Zimtohrli"}
_SERIES = (("AAC twoloop", "aac-twoloop", "#3b75af"), ("AAC fast", "aac-fast", "#c33"), ("Opus", "opus", "#3a8f3a"))
_STEPS = (
    *(("AAC", "aac-twoloop", low, high) for low, high in ((64, 96), (96, 128), (128, 192), (192, 256))),
    *(("Opus", "opus", low, high) for low, high in ((64, 96), (96, 128), (128, 160))),
    *(("AAC", "aac-twoloop", low, high) for low, high in ((48, 64), (64, 80), (80, 96), (128, 160), (256, 320))),
    *(("Opus", "opus", low, high) for low, high in ((48, 64), (64, 80), (160, 192))),
)
_EVERY_KBPS = (48, 64, 80, 96, 128, 160, 192, 256, 320)


class Results:
    """All results, by track and setting. Of one that is there twice the last counts."""

    def __init__(self, results: Sequence[Result]) -> None:
        self._results = {(result.track, result.setting): result for result in results}

    def tracks(self, *settings: str, origins: Sequence[str] = ("lossless", "vorbis")) -> list[str]:
        """The tracks that have all of these settings, in alphabetical order."""
        names = {name for name, _ in self._results}
        return sorted(name for name in names if self._has(name, settings, origins))

    def value(self, track: str, setting: str, what: str) -> float:
        """A cost of an encoding, or the mean of its windows' scores."""
        return self._results[track, setting].value(what)

    def of(self, setting: str, what: str, origins: Sequence[str] = ("lossless", "vorbis")) -> Estimate | None:
        """The mean over the tracks that have this setting, or None."""
        values = [self.value(track, setting, what) for track in self.tracks(setting, origins=origins)]
        return estimate(values) if values else None

    def differences(self, setting: str, other: str, what: str, origins: Sequence[str]) -> dict[str, float]:
        """By track, what `setting` has more than `other`."""
        names = self.tracks(setting, other, origins=origins)
        return {name: self.value(name, setting, what) - self.value(name, other, what) for name in names}

    def _has(self, name: str, settings: Sequence[str], origins: Sequence[str]) -> bool:
        found = [self._results.get((name, setting)) for setting in settings]
        return all(result is not None and result.origin in origins for result in found)


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="quality_report", description="tables and pictures of the quality study")
    parser.add_argument("--results", type=Path, default=RESULTS, help=f"default: {RESULTS}")
    results = Results(read(parser.parse_args(arguments).results))
    (IMAGES / "quality-ladder.svg").write_text(ladder_picture(results), encoding="utf-8")
    (IMAGES / "quality-coders.svg").write_text(coders_picture(results), encoding="utf-8")
    print("\n\n".join("\n".join(table) for table in tables(results)))
    return 0


def tables(results: Results) -> Iterator[list[str]]:
    """All tables, as Markdown lines."""
    yield coders_table(results, "", ("lossless", "vorbis"))
    yield coders_table(results, "", ("lossless",))
    yield coders_table(results, "-matched", ("lossless", "vorbis"))
    yield coders_table(results, "", ("computed",))
    yield cost_table(results)
    yield ladder_table(results)
    yield steps_table(results)


def coders_table(results: Results, suffix: str, origins: Sequence[str]) -> list[str]:
    """Fast less twoloop, per rung and metric, with the track where it is worst."""
    rows = ["| rung | tracks | " + " | ".join(f"{name} | worst track" for name in METRICS.values()) + " |"]
    rows.append("|---|---|" + "---|---|" * len(METRICS))
    for kbps in AAC_KBPS:
        cells: list[str] = []
        for metric in METRICS:
            found = results.differences(f"aac-fast-{kbps}{suffix}", f"aac-twoloop-{kbps}", metric, origins)
            if not found:
                break
            worst = min(found, key=lambda name: found[name])
            behind = sum(value < 0 for value in found.values())
            cells += [f"{shown(estimate([*found.values()]))}, worse on {behind}", f"{worst} {found[worst]:+.2f}"]
        else:
            rows.append(f"| {kbps} | {len(found)} | " + " | ".join(cells) + " |")
    return [f"fast{suffix} less twoloop, {' and '.join(origins)}:", "", *rows]


def cost_table(results: Results) -> list[str]:
    """Bits, CPU and overshoot of both coders."""
    rows = ["| rung | real kbit/s | fast | CPU of fast | overshoot dB | fast | highest | fast |", "|---|" + "---|" * 7]
    for kbps in AAC_KBPS:
        pair = (f"aac-twoloop-{kbps}", f"aac-fast-{kbps}")
        names = results.tracks(*pair)
        if not names:
            continue
        of = [{what: [results.value(name, setting, what) for name in names] for what in _COSTS} for setting in pair]
        rates = [mean(coder["real_kbps"]) for coder in of]
        cpu = sum(of[1]["cpu_s"]) / sum(of[0]["cpu_s"])
        over = [shown(estimate(coder["overshoot_db"])) for coder in of]
        most = [f"{max(coder['overshoot_db']):+.1f}" for coder in of]
        cells = [f"{rates[0]:.1f}", f"{rates[1]:.1f}", f"{cpu:.2f} ×", *over, *most]
        rows.append(f"| {kbps} | " + " | ".join(cells) + " |")
    return ["costs, real music:", "", *rows]


def ladder_table(results: Results) -> list[str]:
    """Every rung of every series: its real rate and scores, mean and worst track."""
    rows = ["| | tracks | real kbit/s | " + " | ".join(f"{name} | worst track" for name in METRICS.values()) + " |"]
    rows.append("|---|---|---|" + "---|---|" * len(METRICS))
    for name, prefix, _ in _SERIES:
        for kbps in _EVERY_KBPS:
            setting = f"{prefix}-{kbps}"
            tracks = results.tracks(setting)
            if not tracks:
                continue
            cells = []
            for metric in METRICS:
                by_track = {track: results.value(track, setting, metric) for track in tracks}
                worst = min(tracks, key=by_track.__getitem__)
                cells += [shown(estimate([*by_track.values()]), signed=False), f"{worst} {by_track[worst]:.2f}"]
            rate = mean([results.value(track, setting, "real_kbps") for track in tracks])
            rows.append(f"| {name} {kbps} | {len(tracks)} | {rate:.0f} | " + " | ".join(cells) + " |")
    return ["rungs, real music:", "", *rows]


def steps_table(results: Results) -> list[str]:
    """What each step up buys, on the tracks that have both rungs: the ladder's, then some that it does not have."""
    rows = ["| step | tracks | " + " | ".join(METRICS.values()) + " |", "|---|---|" + "---|" * len(METRICS)]
    for name, prefix, low, high in _STEPS:
        pair = (f"{prefix}-{high}", f"{prefix}-{low}")
        gains = [results.differences(*pair, metric, ("lossless", "vorbis")) for metric in METRICS]
        if gains[0]:
            cells = [shown(estimate([*gain.values()])) for gain in gains]
            rows.append(f"| {name} {low} → {high} | {len(gains[0])} | " + " | ".join(cells) + " |")
    return ["steps, real music:", "", *rows]


def ladder_picture(results: Results) -> str:
    """Scores over real bit rates, a panel per metric."""
    panels = []
    for metric, name in METRICS.items():
        lines = [
            Line(name=label, colour=colour, points=list(_points(results, prefix, metric)))
            for label, prefix, colour in _SERIES
        ]
        axes = Axes(
            title=f"{name}, real music, mean and 95 % interval",
            x_name="real kbit/s",
            y_name="score",
            x_ticks=(32, 64, 96, 128, 160, 192, 256, 320),
            y_ticks=(2.5, 3.0, 3.5, 4.0, 4.5, 5.0),
        )
        panels.append(lines_panel(axes, lines))
    return picture(panels)


def coders_picture(results: Results) -> str:
    """Fast less twoloop for every track: scores, and overshoot of the true peak."""
    wanted = (
        ("visqol_mos", "ViSQOL: fast less twoloop", (-1.25, -1.0, -0.75, -0.5, -0.25, 0.0, 0.25)),
        ("zimtohrli_mos", "Zimtohrli: fast less twoloop", (-1.5, -1.0, -0.5, 0.0, 0.5)),
        ("overshoot_db", "overshoot in dB: fast less twoloop", (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0)),
    )
    panels = []
    for what, title, ticks in wanted:
        columns = []
        for kbps in AAC_KBPS:
            pair = (f"aac-fast-{kbps}", f"aac-twoloop-{kbps}")
            values = [*results.differences(*pair, what, ("lossless", "vorbis")).values()]
            columns.append(Dots(name=str(kbps), values=values, mean=estimate(values)))
        x_ticks = (0.4, len(AAC_KBPS) + 0.7)
        axes = Axes(title=title, x_name="rung, kbit/s", y_name="difference", x_ticks=x_ticks, y_ticks=ticks)
        panels.append(dots_panel(axes, columns))
    return picture(panels)


def shown(value: Estimate, *, signed: bool = True) -> str:
    """A mean and its interval, like `-0.12 (-0.15 … -0.09)`."""
    form: Callable[[float], str] = (lambda number: f"{number:+.2f}") if signed else (lambda number: f"{number:.2f}")
    return f"{form(value.mean)} ({form(value.low)} … {form(value.high)})"


def mean(values: Sequence[float]) -> float:
    """Of at least one value."""
    return sum(values) / len(values)


def _points(results: Results, prefix: str, metric: str) -> Iterator[tuple[float, Estimate]]:
    for kbps in _EVERY_KBPS:
        rate, score = (results.of(f"{prefix}-{kbps}", what) for what in ("real_kbps", metric))
        if rate is not None and score is not None:
            yield rate.mean, score


_COSTS = ("real_kbps", "cpu_s", "overshoot_db")

if __name__ == "__main__":
    sys.exit(main())
