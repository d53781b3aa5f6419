"""Run the meter over a file."""

from collections.abc import Callable

from avtool import argv
from avtool.locate import Ffmpeg
from avtool.output import MeterReading
from avtool.run import Limits, run
from model.loudness import LoudnessReport

PROGRESS_STEP_S = 1.0
METER_MAX_LUFS = 9.9  # ebur128 counts blocks above 10 LUFS as 10
QUIETER_DB = 40.0


async def measure_loudness(
    tool: Ffmpeg,
    path: str,
    *,
    timeout_s: float,
    subject: str,
    on_seconds: Callable[[float], None] = lambda _: None,
    mono: bool = False,
) -> LoudnessReport:
    """BS.1770 loudness and true peak of a file's first audio stream at 48 kHz stereo, trims of its container honoured.

    `on_seconds` is told about every second of audio. Raises ToolError, SourceUnreadable for what cannot be measured.
    """

    async def measured(gain_db: float) -> LoudnessReport:
        reading = MeterReading()
        await run(
            argv.measure(tool.path, path, mono=mono, gain_db=gain_db),
            limits=Limits(timeout_s=timeout_s),
            subject=subject,
            on_line=metered(reading, on_seconds),
        )
        return reading.report(subject=subject)

    report = await measured(0.0)
    if (report.momentary_max_lufs or 0.0) < METER_MAX_LUFS:
        return report
    return _raised(await measured(-QUIETER_DB), QUIETER_DB)  # a float source far above full scale


def _raised(report: LoudnessReport, by_db: float) -> LoudnessReport:
    """The measurement of the same sound before it was made quieter."""

    def raised(level: float | None) -> float | None:
        return None if level is None else level + by_db

    return LoudnessReport(
        integrated_lufs=raised(report.integrated_lufs),
        range_lu=report.range_lu,
        true_peak_dbtp=raised(report.true_peak_dbtp),
        momentary_max_lufs=raised(report.momentary_max_lufs),
        short_term_max_lufs=raised(report.short_term_max_lufs),
    )


def metered(reading: MeterReading, on_seconds: Callable[[float], None]) -> Callable[[str], None]:
    """A line handler that feeds the reading and tells of every second."""
    told = 0.0

    def take(line: str) -> None:
        nonlocal told
        if reading.take(line) and reading.seconds >= told + PROGRESS_STEP_S:
            told = reading.seconds
            on_seconds(told)

    return take
