"""How good the ladder's rungs are, and whether ffmpeg's fast AAC coder is as good as its default: measured.

    make study
    python -m scripts.quality_study [--folder FOLDER] [--results FILE]

Every passage is levelled as the product does it, encoded with the product's own options, decoded, checked to lie on
the original to the sample, and scored by two metrics. Results are appended to the file one by one: what is in it is not
done again, so it may be stopped at any time. For another ffmpeg begin another file. `scripts.quality_report` turns
results into tables and pictures.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from model.rendition import Codec
from scripts.quality_codec import Setting, decode, encode, make_passage, true_peak_dbtp
from scripts.quality_material import RATE_HZ, TRACKS, Track
from scripts.quality_metrics import Listeners, Scores
from scripts.quality_numbers import Samples, gain_to_match_db, lag_samples, matched_rate_bps, scaled
from scripts.quality_results import RESULTS, Result, append, read

FOLDER = Path(".cache/study")
AAC_KBPS = (64, 96, 128, 192, 256)
OPUS_KBPS = (64, 96, 128, 160)
MORE_AAC_KBPS = (48, 80, 160, 320)  # not in the ladder: would they be better steps?
MORE_OPUS_KBPS = (48, 80, 192)
WINDOWS_S = ((4.0, 9.0), (14.0, 19.0))  # what the metrics hear of a passage
SAME_RATE = 0.005  # nearer bit rates need no matching
PADDING_SAMPLES = 1_024  # a last frame may be played to its end
NICE = 15


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
    parser.add_argument("--folder", type=Path, default=FOLDER, help=f"where the music is kept (default: {FOLDER})")
    parser.add_argument("--results", type=Path, default=RESULTS, help=f"default: {RESULTS}")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    os.nice(NICE)
    run(options.folder, options.results)
    return 0


def run(folder: Path, results: Path) -> None:
    """Measure what is not in `results` yet, the ladder first, and append it line by line."""
    known = {(result.track, result.setting): result for result in read(results)}
    todo = [item for item in _work() if (item[0].name, item[1].name) not in known]
    study, started = Study(folder), time.monotonic()
    for done, (track, setting) in enumerate(todo, start=1):
        result = study.measure(track, setting, known)
        known[track.name, setting.name] = result
        append(results, result)
        left_min = (time.monotonic() - started) / done * (len(todo) - done) / 60
        print(f"{done}/{len(todo)} {_told(result)}; {left_min:.0f} min left", file=sys.stderr)


class Study:
    """Measures one encoding after another; the original of a passage is kept until another one's turn."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._listeners = Listeners()
        self._of = ""
        self._passage = folder
        self._original: Samples | None = None
        self._peak_dbtp = 0.0

    def measure(self, track: Track, setting: Setting, known: dict[tuple[str, str], Result]) -> Result:
        """One result. A matched setting needs the results of both coders at its bit rate in `known`."""
        nominal_bps = 1_000 * setting.kbps
        if not setting.matched:
            return self._encoded(track, setting, nominal_bps)
        wanted, found = (known[track.name, f"aac-{coder}-{setting.kbps}"] for coder in ("twoloop", "fast"))
        if abs(found.real_kbps / wanted.real_kbps - 1) < SAME_RATE:
            return replace(found, setting=setting.name)
        rate_bps = matched_rate_bps(nominal_bps, wanted.real_kbps, found.real_kbps)
        return self._encoded(track, setting, rate_bps)

    def _encoded(self, track: Track, setting: Setting, rate_bps: int) -> Result:
        original = self._original_of(track)
        encoded = encode(self._passage, setting, rate_bps)
        lag, longer = lag_samples(original, encoded.samples), len(encoded.samples) - len(original)
        if lag or not 0 <= longer < PADDING_SAMPLES:
            raise RuntimeError(f"{track.name}, {setting.name}: {lag} samples late, {longer} samples longer")
        decoded = encoded.samples[: len(original)]
        gain_db = gain_to_match_db(original, decoded)
        first, second = self._scores(original, scaled(decoded, gain_db))
        return Result(
            track=track.name,
            origin=track.origin,
            setting=setting.name,
            rate_bps=rate_bps,
            real_kbps=round(encoded.real_kbps, 2),
            cpu_s=round(encoded.cpu_s, 3),
            gain_db=round(gain_db, 3),
            overshoot_db=round(true_peak_dbtp(decoded) - self._peak_dbtp, 3),
            visqol_mos_1=round(first.visqol_mos, 4),
            zimtohrli_mos_1=round(first.zimtohrli_mos, 4),
            zimtohrli_distance_1=round(first.zimtohrli_distance, 7),
            visqol_mos_2=round(second.visqol_mos, 4),
            zimtohrli_mos_2=round(second.zimtohrli_mos, 4),
            zimtohrli_distance_2=round(second.zimtohrli_distance, 7),
        )

    def _scores(self, original: Samples, decoded: Samples) -> list[Scores]:
        windows = [slice(int(start * RATE_HZ), int(end * RATE_HZ)) for start, end in WINDOWS_S]
        return [self._listeners.hear(original[window], decoded[window]) for window in windows]

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


def _told(result: Result) -> str:
    heard = f"ViSQOL {result.value('visqol_mos'):.2f}, Zimtohrli {result.value('zimtohrli_mos'):.2f}"
    return f"{result.track} {result.setting}: {result.real_kbps} kbit/s, {heard}"


if __name__ == "__main__":
    sys.exit(main())
