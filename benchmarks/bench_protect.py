"""What protection costs: CPU seconds to encrypt a four-minute track with ten renditions, and to open it for a check.

    python -m benchmarks.bench_protect > protect.json

JSON on stdout, in about 3 seconds. Hashes of what is written are part of it. The media is random bytes of the right
sizes; a figure is the median of a few rounds.
"""

import hashlib
import json
import os
import platform
import sys
import time
from importlib.metadata import version
from io import BytesIO
from statistics import median

from cmaf.write import segment_index
from model.loudness import LoudnessReport
from model.rendition import Codec, Rendition
from model.segment import Segment, SegmentedRendition
from packager.protect import cleared, protected
from protection.keys import MasterKey

ROUNDS = 5
SECONDS = 240
SEGMENT_TICKS = 291_840
INIT_BYTES = 700
BITRATES_BPS = (64_000, 96_000, 128_000, 192_000, 256_000, 64_000, 96_000, 128_000, 160_000, 900_000)
MASTER = MasterKey(bytes(range(32)))


def track_file(bitrate_bps: int) -> tuple[SegmentedRendition, bytes]:
    """A rendition of 6.08 s segments, and its bytes."""
    count, size = SECONDS * 48_000 // SEGMENT_TICKS, bitrate_bps * SEGMENT_TICKS // (8 * 48_000)
    index = segment_index(timescale=48_000, sizes=[size] * count, durations=[SEGMENT_TICKS] * count)
    start = INIT_BYTES + len(index)
    data = os.urandom(INIT_BYTES) + index + os.urandom(count * size)
    rendition = SegmentedRendition(
        rendition=Rendition(rendition_id="aac-1", codec=Codec.AAC, bitrate_bps=bitrate_bps),
        timescale=48_000,
        priming_ticks=0,
        init_size_bytes=INIT_BYTES,
        index_size_bytes=len(index),
        segments=tuple(
            Segment(duration_ticks=SEGMENT_TICKS, offset_bytes=start + number * size, size_bytes=size)
            for number in range(count)
        ),
        sha256=hashlib.sha256(data).hexdigest(),
        loudness=LoudnessReport(integrated_lufs=-14.0),
    )
    return rendition, data


def measured(files: list[tuple[SegmentedRendition, bytes]]) -> tuple[float, float]:
    """CPU seconds to protect all files, and to open them again."""
    to_protect_s = to_open_s = 0.0
    for clear, data in files:
        encrypted = BytesIO()
        begun_s = time.process_time()
        rendition = protected(clear, BytesIO(data), encrypted, master=MASTER)
        between_s = time.process_time()
        cleared(rendition, encrypted, BytesIO(), master=MASTER)
        to_open_s += time.process_time() - between_s
        to_protect_s += between_s - begun_s
    return to_protect_s, to_open_s


def main() -> None:
    """Print the figures."""
    files = [track_file(rate) for rate in BITRATES_BPS]
    rounds = [measured(files) for _ in range(ROUNDS)]
    figures = {
        "track_bytes": sum(len(data) for _, data in files),
        "protect_cpu_s": round(median(each[0] for each in rounds), 3),
        "open_cpu_s": round(median(each[1] for each in rounds), 3),
    }
    machine = {"python": platform.python_version(), "cryptography": version("cryptography"), "cpus": os.cpu_count()}
    json.dump({"benchmark": "protect", "machine": machine, "figures": figures}, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
