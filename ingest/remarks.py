"""What an operator should know of a source that was taken. Pure."""

from model.analysis import Analysis
from model.loudness import Gain
from model.track import SourceInfo

CLIPPED_RUNS_MIN = 10  # a few full-scale runs are inaudible and in most modern masters
SILENCE_S_MIN = 2.0
WITHHELD_DB_MIN = 0.5
BLOCK_S = 0.4  # BS.1770 measures nothing shorter
FAKE_BANDWIDTH_HZ_MAX = 20_500.0
FAKE_CLIFF_DB_MIN = 25.0
FAKE_RATE_HZ_MIN = 44_100


def remarks(info: SourceInfo, analysis: Analysis, gain: Gain) -> tuple[str, ...]:
    """Warnings in plain words, the most serious first; none for a master without fault."""
    signs = analysis.signs
    found = []
    if analysis.loudness.silent:
        found.append(_without_loudness(analysis))
    if _fake_lossless(info, analysis):
        found.append(
            f"fake lossless: the spectrum ends at {(signs.bandwidth_hz or 0) / 1000:.1f} kHz, as in a lossy copy"
        )
    if signs.clipped_runs >= CLIPPED_RUNS_MIN:
        found.append(f"clipping: {signs.clipped_runs} runs of samples at full scale")
    if signs.mono:
        found.append("mono in stereo: both channels are the same")
    if not analysis.loudness.silent:
        found += [
            f"silence: {seconds:.1f} s at the {end}"
            for end, seconds in (("start", signs.silence_start_s), ("end", signs.silence_end_s))
            if seconds >= SILENCE_S_MIN
        ]
    if gain.withheld_db >= WITHHELD_DB_MIN:
        found.append(f"quiet: {gain.withheld_db:.1f} dB of gain withheld, for its true peak leaves no more room")
    return tuple(found)


def _without_loudness(analysis: Analysis) -> str:
    if analysis.loudness.true_peak_dbtp is not None and analysis.duration_s < BLOCK_S:
        return "short: under 0.4 s there is no loudness to bring to the target"
    return "silence: there is nothing to hear"


def _fake_lossless(info: SourceInfo, analysis: Analysis) -> bool:
    signs = analysis.signs
    if not info.lossless or info.sample_rate_hz < FAKE_RATE_HZ_MIN or signs.bandwidth_hz is None:
        return False
    return signs.bandwidth_hz <= FAKE_BANDWIDTH_HZ_MAX and (signs.cliff_db or 0.0) >= FAKE_CLIFF_DB_MIN
