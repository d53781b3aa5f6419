"""From master to published package, beside what one would write by hand: ffmpeg's two-pass loudnorm and its HLS muxer.

Same file, same ffmpeg, same nine bit rates, in turn within the same minutes. CPU and wall seconds of whole processes;
the ratio is ours over theirs. Ours measures every rendition after encoding and verifies what it published; theirs does
neither, and may compress the dynamics.

    python -m benchmarks.bench_publish [SECONDS] > result.json
"""

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
RUNGS = [*(("aac", kbps) for kbps in (64, 96, 128, 192, 256)), *(("libopus", kbps) for kbps in (64, 96, 128, 160))]
NORM = "loudnorm=I=-14:TP=-1:LRA=20"
MEASURED = {
    "measured_I": "input_i",
    "measured_TP": "input_tp",
    "measured_LRA": "input_lra",
    "measured_thresh": "input_thresh",
    "offset": "target_offset",
}
SECONDS = 60
_MUSIC = (
    "aevalsrc=exprs='0.2*sin(2*PI*220*t)*exp(-2*mod(t,0.5))+0.1*sin(2*PI*554*t)*exp(-4*mod(t,0.25))"
    "+0.12*sin(2*PI*55*t)+0.1*(random(0)-0.5)*exp(-20*mod(t,0.5))':s=44100:d={seconds},"
    "aformat=channel_layouts=stereo"
)


def run(*command: str) -> str:
    """Run a command to its end; what it said on stderr."""
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=900).stderr


def timed(work: Callable[[Path, Path], None], source: Path, folder: Path) -> dict[str, float]:
    """Wall seconds of some work, and CPU seconds of the processes it ran."""
    folder.mkdir()
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    work(source, folder)
    wall, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall_s": round(wall, 2), "cpu_s": round(cpu, 2)}


def ours(source: Path, folder: Path) -> None:
    """`segue publish` into an empty store."""
    store = ("--store", f"file:{folder / 'store'}", "--catalog", str(folder / "catalog.sqlite3"))
    run(sys.executable, "-m", "segue.main", "publish", str(source), *store)


def theirs(source: Path, folder: Path) -> None:
    """loudnorm, twice, then nine HLS renditions of fMP4 by ffmpeg's own muxer."""
    base = (FFMPEG, "-nostdin", "-hide_banner", "-y", "-i", str(source))
    found = dict(re.findall(r'"(\w+)" : "([^"]+)"', run(*base, "-af", f"{NORM}:print_format=json", "-f", "null", "-")))
    measured = ":".join(f"{name}={found[key]}" for name, key in MEASURED.items())
    labels = [f"[o{number}]" for number in range(len(RUNGS))]
    split = f"[0:a]{NORM}:{measured}:linear=true,aresample=48000,asplit={len(RUNGS)}{''.join(labels)}"
    outputs = [part for label, rung in zip(labels, RUNGS, strict=True) for part in hls_output(label, *rung, folder)]
    run(*base, "-filter_complex", split, *outputs)


def hls_output(label: str, codec: str, kbps: int, folder: Path) -> tuple[str, ...]:
    """One rendition by ffmpeg's HLS muxer."""
    name = f"{codec}-{kbps}"
    return (
        *("-map", label, "-c:a", codec, "-b:a", f"{kbps}k", "-f", "hls", "-hls_time", "6"),
        *("-hls_segment_type", "fmp4", "-hls_playlist_type", "vod", "-hls_fmp4_init_filename", f"{name}-init.mp4"),
        *("-hls_segment_filename", str(folder / f"{name}-%d.m4s"), str(folder / f"{name}.m3u8")),
    )


def main() -> None:
    """Print the result as JSON."""
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    with tempfile.TemporaryDirectory(prefix="segue-bench-") as scratch:
        folder = Path(scratch)
        source = folder / "source.flac"
        run(FFMPEG, "-v", "error", "-f", "lavfi", "-i", _MUSIC.format(seconds=seconds), str(source))
        segue, peer = timed(ours, source, folder / "ours"), timed(theirs, source, folder / "theirs")
    result = {
        "benchmark": "publish",
        "audio_s": seconds,
        "segue": segue,
        "ffmpeg_loudnorm_hls": peer,
        "ratio": {name: round(segue[name] / peer[name], 2) for name in segue},
        "machine": {"cpus": os.cpu_count(), "python": sys.version.split()[0], "load": round(os.getloadavg()[0], 1)},
        "ffmpeg": Path(FFMPEG).name,
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
