"""How good the ladder's rungs are, and whether ffmpeg's fast AAC coder is as good as its default: measured.

    make study
    python -m scripts.quality_study [--folder FOLDER]

Every passage is levelled as the product does it, encoded with the product's own options, decoded, checked to lie on
the original to the sample, and scored by two metrics. Results are appended to results.jsonl one by one: what is there
is not done again, so it may be stopped at any time. `scripts.quality_report` turns them into tables and pictures.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from model.rendition import Codec
from scripts.quality_codec import Setting, decode, encode, make_passage, true_peak_dbtp
from scripts.quality_material import RATE_HZ, TRACKS, Track
from scripts.quality_metrics import Listeners
from scripts.quality_numbers import Samples, gain_to_match_db, lag_samples, matched_rate_bps, scaled

FOLDER = Path(".cache/study")
AAC_KBPS = (64, 96, 128, 192, 256)
OPUS_KBPS = (64, 96, 128, 160)
MORE_AAC_KBPS = (48, 80, 160, 320)  # not in the ladder: would they be better steps?
MORE_OPUS_KBPS = (48, 80, 192)
WINDOWS_S = ((4.0, 9.0), (14.0, 19.0))  # what the metrics hear of a passage
SAME_RATE = 0.005  # nearer bit rates need no matching
PADDING_SAMPLES = 1_024  # a last frame may be played to its end
NICE = 15

Row = dict[str, Any]


def passes() -> list[list[Setting]]:
    """All settings; what comes first is measured for all tracks first.

    The ladder's rungs, AAC with both coders; the fast coder at the other's real bit rate; rungs that the ladder lacks.
    """
    coders = [Setting(codec=Codec.AAC, kbps=kbps, coder=coder) for kbps in AAC_KBPS for coder in ("twoloop", "fast")]
    opus = [Setting(codec=Codec.OPUS, kbps=kbps) for kbps in OPUS_KBPS]
    matched = [Setting(codec=Codec.AAC, kbps=kbps, coder="fast", matched=True) for kbps in AAC_KBPS]
    more_aac = [Setting(codec=Codec.AAC, kbps=kbps, coder="twoloop") for kbps in MORE_AAC_KBPS]
    more_opus = [Setting(codec=Codec.OPUS, kbps=kbps) for kbps in MORE_OPUS_KBPS]
    return [coders + opus, matched, more_aac + more_opus]


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="quality_study", description="score the ladder's rungs on real music")
    parser.add_argument("--folder", type=Path, default=FOLDER, help=f"music and results (default: {FOLDER})")
    folder: Path = parser.parse_args(arguments).folder
    folder.mkdir(parents=True, exist_ok=True)
    os.nice(NICE)
    run(folder, folder / "results.jsonl")
    return 0


def run(folder: Path, results: Path) -> None:
    """Measure what is not in `results` yet, the ladder first, and append it row by row."""
    known = {(row["track"], row["setting"]): row for row in read_results(results)}
    todo = [item for item in _work() if (item[0].name, item[1].name) not in known]
    study, started = Study(folder), time.monotonic()
    for done, (track, setting) in enumerate(todo, start=1):
        row = study.measure(track, setting, known)
        known[track.name, setting.name] = row
        with results.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(row) + "\n")
        left_min = (time.monotonic() - started) / done * (len(todo) - done) / 60
        print(f"{done}/{len(todo)} {_told(row)}; {left_min:.0f} min left", file=sys.stderr)


def read_results(results: Path) -> list[Row]:
    """The rows that are there; none if there is no file. A last line that was cut off is left out."""
    lines = results.read_text(encoding="utf-8").splitlines(keepends=True) if results.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


class Study:
    """Measures one encoding after another; the original of a passage is kept until another one's turn."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._listeners = Listeners()
        self._of = ""
        self._passage = folder
        self._original: Samples | None = None
        self._peak_dbtp = 0.0

    def measure(self, track: Track, setting: Setting, known: dict[tuple[str, str], Row]) -> Row:
        """One row of results. A matched setting needs the rows of both coders at its bit rate in `known`."""
        nominal_bps = 1_000 * setting.kbps
        if not setting.matched:
            return self._encoded(track, setting, nominal_bps)
        wanted, found = (known[track.name, f"aac-{coder}-{setting.kbps}"] for coder in ("twoloop", "fast"))
        if abs(found["real_kbps"] / wanted["real_kbps"] - 1) < SAME_RATE:
            return {**found, "setting": setting.name}
        rate_bps = matched_rate_bps(nominal_bps, wanted["real_kbps"], found["real_kbps"])
        return self._encoded(track, setting, rate_bps)

    def _encoded(self, track: Track, setting: Setting, rate_bps: int) -> Row:
        original = self._original_of(track)
        encoded = encode(self._passage, setting, rate_bps)
        lag, longer = lag_samples(original, encoded.samples), len(encoded.samples) - len(original)
        if lag or not 0 <= longer < PADDING_SAMPLES:
            raise RuntimeError(f"{track.name}, {setting.name}: {lag} samples late, {longer} samples longer")
        decoded = encoded.samples[: len(original)]
        gain_db = gain_to_match_db(original, decoded)
        return {
            "track": track.name,
            "origin": track.origin,
            "setting": setting.name,
            "rate_bps": rate_bps,
            "real_kbps": round(encoded.real_kbps, 2),
            "cpu_s": round(encoded.cpu_s, 3),
            "gain_db": round(gain_db, 3),
            "overshoot_db": round(true_peak_dbtp(decoded) - self._peak_dbtp, 3),
            "windows": self._scores(original, scaled(decoded, gain_db)),
        }

    def _scores(self, original: Samples, decoded: Samples) -> list[dict[str, float]]:
        windows = [slice(int(start * RATE_HZ), int(end * RATE_HZ)) for start, end in WINDOWS_S]
        heard = [asdict(self._listeners.hear(original[window], decoded[window])) for window in windows]
        return [{name: round(value, 7) for name, value in scores.items()} for scores in heard]

    def _original_of(self, track: Track) -> Samples:
        if self._original is None or self._of != track.name:
            self._passage = make_passage(track, self._folder)
            self._original, self._of = decode(self._passage), track.name
            self._peak_dbtp = true_peak_dbtp(self._original)
        return self._original


def _work() -> Iterator[tuple[Track, Setting]]:
    for some in passes():
        for track in TRACKS:
            for setting in some:
                yield track, setting


def _told(row: Row) -> str:
    scores = row["windows"][0]
    heard = f"ViSQOL {scores['visqol_mos']:.3f}, Zimtohrli {scores['zimtohrli_mos']:.3f}"
    return f"{row['track']} {row['setting']}: {row['real_kbps']} kbit/s, {heard}"


if __name__ == "__main__":
    sys.exit(main())
