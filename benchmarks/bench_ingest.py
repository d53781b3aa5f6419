"""Ingest beside what others use for its parts: the same files, in turn within the same minutes.

`measure`: ours decodes each file once and finds loudness, range, true peaks over time, clipping, silence, bandwidth
and a hash of the samples. Theirs: `ffmpeg -af ebur128=peak=true` by the same ffmpeg; loudgain, if it is installed;
pyloudnorm, which finds integrated loudness only, and once more with a true peak by scipy; both hold whole files.

`normalise`: `segue ingest` of each file into an empty store, with tags, art, hashes and reports, beside
ffmpeg-normalize (EBU mode, two passes) to 24-bit FLAC at 48 kHz, both with one job and the same ffmpeg; how far the
result is from −14 LUFS, and how much of the dynamics is left, is measured by ffmpeg's ebur128.

CPU is that of a program and all that it starts, memory that of the largest of them; of each tool the best of three
rounds counts. The ratio is ours over theirs.

    python3 -m venv .cache/bench-venv
    .cache/bench-venv/bin/pip install pyloudnorm soundfile scipy ffmpeg-normalize
    python -m benchmarks.bench_ingest [SECONDS [TRACKS]] > result.json
"""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import imageio_ffmpeg

import segue.config  # noqa: F401 - as the command starts: BLAS with one thread
from avtool.decode import decode
from avtool.locate import locate
from meter.meter import Meter

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
ROUNDS = 3
SECONDS, TRACKS = 240, 10  # an album
RATE, CHANNELS = 44_100, 2
PEERS = Path(".cache/bench-venv/bin")
PYLOUDNORM, FFMPEG_NORMALIZE = PEERS / "python", PEERS / "ffmpeg-normalize"
TARGET_LUFS = -14.0
_MUSIC = (
    "aevalsrc=exprs='0.2*sin(2*PI*{hertz}*t)*exp(-2*mod(t,0.5))+0.1*sin(2*PI*554*t)*exp(-4*mod(t,0.25))"
    "+0.12*sin(2*PI*55*t)*(1+sin(t/5))+0.2*(random(0)-0.5)*exp(-20*mod(t,0.5))"
    "|0.2*sin(2*PI*{hertz}*t+1)*exp(-2*mod(t,0.5))+0.2*(random(1)-0.5)*exp(-20*mod(t,0.25))':s=44100:d={seconds}"
)
_PYLOUDNORM = """
import sys, pyloudnorm, soundfile
for path in sys.argv[1:]:
    samples, rate = soundfile.read(path)
    print(pyloudnorm.Meter(rate).integrated_loudness(samples))
"""
_WITH_TRUE_PEAK = """
import math, sys, pyloudnorm, soundfile
from scipy.signal import resample_poly
for path in sys.argv[1:]:
    samples, rate = soundfile.read(path)
    peak = abs(resample_poly(samples, 4, 1, axis=0)).max()
    print(pyloudnorm.Meter(rate).integrated_loudness(samples), 20 * math.log10(peak))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What some programs took: seconds of time and CPU together, and the memory of the largest in MiB."""

    wall_s: float
    cpu_s: float
    peak_mib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a tool said of the first file; None is what it does not measure."""

    integrated_lufs: float
    true_peak_dbtp: float | None


def timed(commands: Sequence[Sequence[str]]) -> tuple[Cost, str]:
    """Run commands one after another: what they took, and what the first one said."""
    started, cpu_s, peak_kib, said = time.monotonic(), 0.0, 0, ""
    for number, command in enumerate(commands):
        with tempfile.TemporaryFile("w+") as words:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=words, stderr=words)
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            words.seek(0)
            if process.returncode:
                raise SystemExit(f"{command[0]} failed: {words.read()[-500:]}")
            said = said if number else words.read()
        cpu_s += used.ru_utime + used.ru_stime
        peak_kib = max(peak_kib, used.ru_maxrss)
    return Cost(wall_s=time.monotonic() - started, cpu_s=cpu_s, peak_mib=peak_kib / 1024), said


def best(costs: Sequence[Cost]) -> dict[str, float]:
    """The least of each figure over the rounds."""
    each = [asdict(cost) for cost in costs]
    return {name: round(min(cost[name] for cost in each), 2) for name in each[0]}


def measuring(files: Sequence[str]) -> dict[str, tuple[list[list[str]], Callable[[str], Reading]]]:
    """The tools that are installed: their commands for these files, and how to read what they say."""
    ebur128 = ["-af", "ebur128=peak=true:framelog=quiet", "-f", "null", "-"]
    tools: dict[str, tuple[list[list[str]], Callable[[str], Reading]]] = {
        "segue": ([[sys.executable, "-m", "benchmarks.bench_ingest", "--measure", *files]], _of_segue),
        "ffmpeg_ebur128": (
            [[FFMPEG, "-nostdin", "-hide_banner", "-nostats", "-i", file, *ebur128] for file in files],
            _of_ffmpeg,
        ),
    }
    if loudgain := shutil.which("loudgain"):
        tools["loudgain"] = ([[loudgain, "-q", "-O", "-s", "s", *files]], _of_loudgain)
    if PYLOUDNORM.exists():
        tools["pyloudnorm"] = ([[str(PYLOUDNORM), "-c", _PYLOUDNORM, *files]], _of_pyloudnorm)
        tools["pyloudnorm_true_peak"] = ([[str(PYLOUDNORM), "-c", _WITH_TRUE_PEAK, *files]], _of_pyloudnorm)
    return tools


def _of_segue(said: str) -> Reading:
    return Reading(**json.loads(said.splitlines()[0]))


def _of_ffmpeg(said: str) -> Reading:
    integrated, peak = re.findall(r"I: +(\S+) LUFS", said)[-1], re.findall(r"Peak: +(\S+) dBFS", said)[-1]
    return Reading(integrated_lufs=float(integrated), true_peak_dbtp=float(peak))


def _of_loudgain(said: str) -> Reading:
    row = dict(zip(*(line.split("\t") for line in said.splitlines()[:2]), strict=True))
    return Reading(
        integrated_lufs=float(row["Loudness"].split()[0]), true_peak_dbtp=float(row["True_Peak_dBTP"].split()[0])
    )


def _of_pyloudnorm(said: str) -> Reading:
    integrated, *peak = (round(float(word), 2) for word in said.splitlines()[0].split())
    return Reading(integrated_lufs=integrated, true_peak_dbtp=peak[0] if peak else None)


async def measure(files: Sequence[str]) -> None:
    """What one of our processes does: every file in turn, all that ingest asks of the meter."""
    tool = await locate()
    for file in files:
        meter = Meter(sample_rate_hz=RATE, channels=CHANNELS, signs=True)
        await decode(tool, file, meter.take_bytes, sample_rate_hz=RATE, channels=CHANNELS, timeout_s=600, subject=file)
        loudness = meter.result().loudness
        assert loudness.integrated_lufs is not None and loudness.true_peak_dbtp is not None
        reading = Reading(
            integrated_lufs=round(loudness.integrated_lufs, 2), true_peak_dbtp=round(loudness.true_peak_dbtp, 2)
        )
        print(json.dumps(asdict(reading)))


def compare_measuring(files: Sequence[str]) -> dict[str, object]:
    """All meters in turn, several rounds."""
    tools = measuring(files)
    costs: dict[str, list[Cost]] = {name: [] for name in tools}
    readings: dict[str, Reading] = {}
    for _ in range(ROUNDS):
        for name, (commands, read) in tools.items():
            cost, said = timed(commands)
            costs[name].append(cost)
            readings[name] = read(said)
    missing = [name for name in ("loudgain", "pyloudnorm") if name not in tools]
    return compared(costs, {name: asdict(reading) for name, reading in readings.items()}) | {"missing": missing}


def normalising(files: Sequence[str], folder: Path) -> dict[str, tuple[list[str], str]]:
    """The tools that are installed: their command for these files, and which files they write into `folder`."""
    store = ("--store", f"file:{folder / 'store'}", "--catalog", str(folder / "catalog.sqlite3"))
    policy = ("--loudness", "track", "--target", str(TARGET_LUFS), "--jobs", "1")
    ours = [sys.executable, "-m", "segue.main", "ingest", *files, *store, *policy]
    tools = {"segue": (ours, "store/recordings/*/mezzanine/*.mp4")}
    if FFMPEG_NORMALIZE.exists():
        theirs = ["env", f"FFMPEG_PATH={FFMPEG}", str(FFMPEG_NORMALIZE), *files, "-t", str(TARGET_LUFS), "-tp", "-1"]
        output = ["-c:a", "flac", "-ar", "48000", "-ext", "flac", "-of", str(folder / "out")]
        tools["ffmpeg_normalize"] = ([*theirs, "--keep-lra-above-loudness-range-target", *output], "out/*.flac")
    return tools


def compare_normalising(files: Sequence[str], folder: Path) -> dict[str, object]:
    """Both tools in turn, several rounds."""
    costs: dict[str, list[Cost]] = {}
    results: dict[str, dict[str, object]] = {}
    for number in range(ROUNDS):
        for name in normalising(files, folder):
            place = folder / f"{name}-{number}"
            place.mkdir()
            command, written = normalising(files, place)[name]
            cost, _ = timed([command])
            costs.setdefault(name, []).append(cost)
            results[name] = _results([str(path) for path in place.glob(written)])
            shutil.rmtree(place)
    return compared(costs, results) | {"missing": [] if FFMPEG_NORMALIZE.exists() else ["ffmpeg_normalize"]}


def _results(files: Sequence[str]) -> dict[str, object]:
    """How far from the target the farthest of these files is, in LU, and the mean of their ranges."""
    meter = ["-af", "ebur128=framelog=quiet", "-f", "null", "-"]
    said = [timed([[FFMPEG, "-nostdin", "-hide_banner", "-nostats", "-i", file, *meter]])[1] for file in files]
    levels = [float(re.findall(r"I: +(\S+) LUFS", each)[-1]) for each in said]
    ranges = [float(re.findall(r"LRA: +(\S+) LU", each)[-1]) for each in said]
    farthest = max(abs(level - TARGET_LUFS) for level in levels)
    return {"farthest_lu": round(farthest, 1), "range_lu": round(sum(ranges) / len(ranges), 1)}


def compared(costs: dict[str, list[Cost]], results: dict[str, dict[str, object]]) -> dict[str, object]:
    """The best costs and the results of every tool, and ours over theirs."""
    found = {name: best(each) for name, each in costs.items()}
    ours = found["segue"]
    return {
        "tools": {name: {**figures, **results[name]} for name, figures in found.items()},
        "ratio": {
            name: {figure: round(ours[figure] / figures[figure], 2) for figure in figures}
            for name, figures in found.items()
            if name != "segue"
        },
    }


def main() -> None:
    """Print the result as JSON."""
    if sys.argv[1:2] == ["--measure"]:
        asyncio.run(measure(sys.argv[2:]))
        return
    given = [int(word) for word in sys.argv[1:3]]
    seconds, tracks = (*given, *(SECONDS, TRACKS)[len(given) :])
    with tempfile.TemporaryDirectory(prefix="segue-bench-") as folder:
        files = [str(Path(folder) / f"{number}.flac") for number in range(tracks)]
        for number, file in enumerate(files):
            music = _MUSIC.format(hertz=220 + 10 * number, seconds=seconds)
            timed([[FFMPEG, "-nostdin", "-v", "error", "-f", "lavfi", "-i", music, file]])
        measured, normalised = compare_measuring(files), compare_normalising(files, Path(folder))
    result = {
        "benchmark": "ingest",
        "audio_s": seconds * tracks,
        "files": tracks,
        "measure": measured,
        "normalise": normalised,
        "machine": {"cpus": os.cpu_count(), "python": sys.version.split()[0], "load": round(os.getloadavg()[0], 1)},
        "ffmpeg": Path(FFMPEG).name,
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
