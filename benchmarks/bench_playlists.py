"""How fast playlists are: ours beside the `m3u8` package's writer and reader, in one process, turn by turn.

    python -m benchmarks.bench_playlists > playlists.json

JSON on stdout, in about 6 seconds. A figure is the median over alternating rounds: a busy machine slows both sides.
`*_ratio` says how many times as long the `m3u8` package takes for the same playlist.
"""

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from statistics import median

import m3u8

from manifests.build import media_playlist, multivariant, session_data_of
from manifests.parse import parse
from manifests.render import render
from model.loudness import LoudnessReport
from model.package import Package
from model.rendition import Codec, Rendition
from model.segment import Segment, SegmentedRendition
from model.track import TrackTags

ROUND_S = 0.05
BUDGET_S = 1.0  # for each pair that is compared
TRACKS_S = {"4_minutes": 240, "3_hours": 10_800}
SEGMENT_TICKS = 291_840
TAGS = TrackTags(title="Title", artists=("Artist",), album="Album")
BITRATES_BPS = (64_000, 96_000, 128_000, 192_000, 256_000)


def rendition_of(duration_s: int, bitrate_bps: int) -> SegmentedRendition:
    """A rendition of 6.08 s segments whose sizes vary by a fixed pattern."""
    segments, offset_bytes = [], 1_000
    for index in range(duration_s * 48_000 // SEGMENT_TICKS):
        size_bytes = bitrate_bps * 608 // 800 * (90 + index * 7 % 21) // 100
        segments.append(Segment(duration_ticks=SEGMENT_TICKS, offset_bytes=offset_bytes, size_bytes=size_bytes))
        offset_bytes += size_bytes
    return SegmentedRendition(
        rendition=Rendition(rendition_id=f"aac-{bitrate_bps // 1000}", codec=Codec.AAC, bitrate_bps=bitrate_bps),
        timescale=48_000,
        priming_ticks=1_024,
        init_size_bytes=700,
        index_size_bytes=300,
        segments=tuple(segments),
        sha256="0" * 64,
        loudness=LoudnessReport(integrated_lufs=-14.0),
    )


def package_of(renditions: tuple[SegmentedRendition, ...]) -> Package:
    """A package of these renditions."""
    return Package(
        recording_id="a" * 20,
        package_id="a" * 16,
        mezzanine_id="a" * 16,
        media_samples=renditions[0].media_ticks,
        target_duration_s=6,
        true_peak_dbtp=None,
        level_lufs=-14.0,
        renditions=renditions,
        attempts=(),
        tool="bench",
    )


def round_ms(work: Callable[[], object]) -> float:
    """Milliseconds per call, over one round of at least ROUND_S."""
    calls, start = 0, time.perf_counter()
    while (took := time.perf_counter() - start) < ROUND_S or not calls:
        work()
        calls += 1
    return took * 1000 / calls


def side_by_side(ours: Callable[[], object], theirs: Callable[[], object]) -> tuple[float, float]:
    """Medians in milliseconds, measured in alternating rounds until the budget is spent."""
    ours_ms: list[float] = []
    theirs_ms: list[float] = []
    until = time.perf_counter() + BUDGET_S
    while time.perf_counter() < until or not ours_ms:
        ours_ms.append(round_ms(ours))
        theirs_ms.append(round_ms(theirs))
    return median(ours_ms), median(theirs_ms)


def figures(duration_s: int) -> dict[str, float]:
    """All figures for a track of this duration."""
    renditions = tuple(rendition_of(duration_s, bitrate_bps) for bitrate_bps in BITRATES_BPS)
    package = package_of(renditions)
    playlist = media_playlist(renditions[2], target_duration_s=6, track_file_uri="aac-128.mp4")
    data = render(playlist)
    other = m3u8.loads(data.decode())
    render_ms, dumps_ms = side_by_side(lambda: render(playlist), other.dumps)
    parse_ms, loads_ms = side_by_side(lambda: parse(data), lambda: m3u8.loads(data.decode()))
    return {
        "segments": len(playlist.segments),
        "size_bytes": len(data),
        "render_ms": render_ms,
        "m3u8_dumps_ms": dumps_ms,
        "render_ratio": dumps_ms / render_ms,
        "parse_ms": parse_ms,
        "m3u8_loads_ms": loads_ms,
        "parse_ratio": loads_ms / parse_ms,
        "build_media_ms": round_ms(
            lambda: media_playlist(renditions[2], target_duration_s=6, track_file_uri="aac-128.mp4")
        ),
        "build_multivariant_ms": round_ms(
            lambda: multivariant(package, Codec.AAC, uri_of=str, session_data=session_data_of(TAGS))
        ),
    }


def report() -> dict[str, object]:
    """The figures with the machine and the versions that made them."""
    return {
        "benchmark": "playlists",
        "command": "python -m benchmarks.bench_playlists",
        "machine": {"cpus": os.cpu_count(), "system": platform.system(), "architecture": platform.machine()},
        "versions": {"python": platform.python_version(), "m3u8": version("m3u8")},
        "load_average_1min": os.getloadavg()[0],
        "tracks": {
            name: {key: round(value, 3) for key, value in figures(duration_s).items()}
            for name, duration_s in TRACKS_S.items()
        },
    }


if __name__ == "__main__":
    json.dump(report(), sys.stdout, indent=2)
    print()
