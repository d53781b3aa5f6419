"""What librosa hears: the middle of a recording, in a confined child that imports it. It is an extra."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

from avtool.decode import decode
from avtool.locate import Ffmpeg
from avtool.run import CLEAN, Limits, run
from meter.sound import Sound
from model.errors import RecordMalformed, ToolFailed
from model.records import from_json

RATE_HZ = 22_050
SECONDS_MAX = 180  # from the middle, so that memory is bounded whatever the length
CHILD_SECONDS_MAX = 600.0  # some seconds; and some minutes where Numba compiles for the first time, on a busy machine
MEMORY_BYTES_MAX = 3 << 30  # address space; what it uses is some 600 MB
_SAMPLE_BYTES = 4
_CHILD = "meter.librosa_child"
_ROOT = Path(__file__).resolve().parents[1]
# One thread, so that sums come out the same; and no more work for a compiler than pays off in some seconds.
_ENVIRONMENT = {
    **CLEAN,
    "PYTHONPATH": os.fspath(_ROOT),
    "NUMBA_NUM_THREADS": "1",
    "NUMBA_OPT": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


async def heard_by_librosa(
    tool: Ffmpeg,
    file: Path,
    scratch: Path,
    *,
    duration_s: float,
    timeout_s: float,
    subject: str,
    ignore_trims: bool = False,
) -> Sound:
    """What a file sounds like to librosa: at most SECONDS_MAX of it. Raises ToolError."""
    middle = bytearray()
    skipped = max(0, round((duration_s - SECONDS_MAX) / 2 * RATE_HZ)) * _SAMPLE_BYTES
    await decode(
        tool,
        str(file),
        part_of(middle, skipped, SECONDS_MAX * RATE_HZ * _SAMPLE_BYTES),
        sample_rate_hz=RATE_HZ,
        channels=1,
        ignore_trims=ignore_trims,
        timeout_s=timeout_s,
        subject=subject,
    )
    samples = scratch / "middle.f32"
    await asyncio.to_thread(samples.write_bytes, middle)
    argv = (sys.executable, "-P", "-s", "-B", "-W", "ignore", "-m", _CHILD, str(samples), str(RATE_HZ))
    limits = Limits(timeout_s=CHILD_SECONDS_MAX, memory_bytes=MEMORY_BYTES_MAX)
    done = await run(argv, limits=limits, subject=subject, environment=_ENVIRONMENT)
    try:
        return from_json(Sound, done.stdout, subject=subject)
    except RecordMalformed as error:
        raise ToolFailed("the process that runs librosa gave no answer of ours", subject=subject) from error


def part_of(kept: bytearray, skipped: int, most: int) -> Callable[[bytes], None]:
    """What takes a stream in pieces and keeps `most` bytes of it, after those that are skipped."""
    taken = 0

    def take(data: bytes) -> None:
        nonlocal taken
        begin = max(0, skipped - taken)
        kept.extend(data[begin : begin + most - len(kept)])
        taken += len(data)

    return take
