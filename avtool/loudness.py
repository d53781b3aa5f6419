"""Run the meter over a file."""

from collections.abc import Callable

from avtool import argv
from avtool.locate import Ffmpeg
from avtool.output import MeterReading
from avtool.run import Limits, run
from model.loudness import LoudnessReport

PROGRESS_STEP_S = 1.0


async def measure_loudness(
    tool: Ffmpeg, path: str, *, timeout_s: float, subject: str, on_seconds: Callable[[float], None] = lambda _: None
) -> LoudnessReport:
    """BS.1770 loudness and true peak of a file's first audio stream at 48 kHz stereo, trims of its container honoured.

    `on_seconds` is told about every second of audio. Raises ToolError.
    """
    reading = MeterReading()
    await run(
        argv.measure(tool.path, path),
        limits=Limits(timeout_s=timeout_s),
        subject=subject,
        on_line=metered(reading, on_seconds),
    )
    return reading.report()


def metered(reading: MeterReading, on_seconds: Callable[[float], None]) -> Callable[[str], None]:
    """A line handler that feeds the reading and tells of every second."""
    told = 0.0

    def take(line: str) -> None:
        nonlocal told
        if reading.take(line) and reading.seconds >= told + PROGRESS_STEP_S:
            told = reading.seconds
            on_seconds(told)

    return take
