"""The head of the report: what was asked, how it went, and where the levels were and are."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from importlib import metadata

from model.events import Status, TrackOutcome
from model.loudness import LoudnessMode, LoudnessTarget
from model.track import Track
from segue.progress import duration
from segue.report_plots import histogram, number
from segue.report_rows import SHARED_RATE_HZ, WITHHELD_DB_MIN, escaped


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSummary:
    """What the page says of the batch as a whole: `finished_at` is aware, `wall_s` the seconds that it took."""

    command: str
    mode: LoudnessMode
    target: LoudnessTarget | None
    finished_at: datetime
    wall_s: float
    tool: str
    interrupted: bool = False


@dataclass(slots=True)
class Tally:
    """The sums over all outcomes; levels are counted in whole dB."""

    statuses: Counter[Status] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    worked_s: float = 0.0
    warned: int = 0
    held: int = 0
    unlisted: int = 0
    unplotted: int = 0
    before: Counter[int] = field(default_factory=Counter)
    after: Counter[int] = field(default_factory=Counter)
    peaks_before: Counter[int] = field(default_factory=Counter)
    peaks_after: Counter[int] = field(default_factory=Counter)

    def take(self, outcome: TrackOutcome, track: Track | None, warned: bool) -> None:
        """Count one outcome."""
        self.statuses[outcome.status] += 1
        if outcome.status is Status.FAILED:
            self.codes[outcome.code] += 1
            return
        seconds = track.media_samples / SHARED_RATE_HZ if track else outcome.seconds
        self.seconds += seconds
        self.worked_s += seconds if outcome.status is Status.DONE else 0.0
        self.warned += warned
        if track is None:
            return
        self.held += track.gain.withheld_db >= WITHHELD_DB_MIN
        for report, levels, peaks in (
            (track.loudness_source, self.before, self.peaks_before),
            (track.mezzanine.loudness, self.after, self.peaks_after),
        ):
            for value, counter in ((report.integrated_lufs, levels), (report.true_peak_dbtp, peaks)):
                if value is not None:
                    counter[round(value)] += 1


def title(summary: ReportSummary) -> str:
    """What the page is called."""
    return f"{escaped(summary.command)}, {summary.finished_at:%Y-%m-%d %H:%M}"


def summary_html(summary: ReportSummary, tally: Tally) -> str:
    """The head of the page below its title."""
    done, skipped, failed = (tally.statuses[status] for status in Status)
    rate = tally.worked_s / summary.wall_s if summary.wall_s > 0 else 0.0
    figures = [
        (f"{done:,}", "done"),
        (f"{skipped:,}", "unchanged"),
        (f"{failed:,}", "failed"),
        (f"{tally.warned:,}", "with warnings"),
        (f"{tally.held:,}", "held back by true peak"),
        (f"{tally.seconds / 3600:.1f} h", "of music"),
        (duration(summary.wall_s), f"at {rate:.0f}× real time"),
    ]
    shown = "".join(f"<div><dd>{figure}</dd><dt>{words}</dt></div>" for figure, words in figures)
    notes = "".join(f'<p class="note">{note}</p>' for note in _notes(summary, tally))
    levels = _levels(summary, tally) if tally.before else ""
    return f'<p class="how">{_how(summary)}</p>{notes}<dl class="figures">{shown}</dl>{levels}'


def _notes(summary: ReportSummary, tally: Tally) -> list[str]:
    notes = ["The batch was interrupted: what is not listed was not done."] if summary.interrupted else []
    notes += [f"{tally.unlisted:,} more are counted, but not listed."] if tally.unlisted else []
    notes += [f"{tally.unplotted:,} tracks are listed without plots."] if tally.unplotted else []
    return notes


def _levels(summary: ReportSummary, tally: Tally) -> str:
    target = summary.target
    lufs, dbtp = (target.integrated_lufs, target.true_peak_dbtp) if target else (None, None)
    plots = (
        ("Loudness, LUFS", histogram(tally.before, tally.after, low=-36, high=0, mark=lufs)),
        ("True peak, dBTP", histogram(tally.peaks_before, tally.peaks_after, low=-18, high=6, mark=dbtp)),
    )
    shown = "".join(f"<figure><figcaption>{name}</figcaption>{plot}</figure>" for name, plot in plots)
    key = '<p class="key"><span class="was">sources, upward</span><span class="now">published, downward</span></p>'
    return f'<div class="levels">{shown}{key}</div>'


def _how(summary: ReportSummary) -> str:
    words = {
        LoudnessMode.TRACK: "every track brought towards",
        LoudnessMode.ALBUM: "every album as a whole brought towards",
        LoudnessMode.OFF: "loudness measured, and left as it was",
    }[summary.mode]
    if summary.target is not None:
        words += f" {number(summary.target.integrated_lufs)} LUFS, as far as true peaks of"
        words += f" {number(summary.target.true_peak_dbtp)} dBTP allow, by linear gain alone"
    tool = escaped(f"Segue {metadata.version('segue')}, {summary.tool}")
    return f"{words} <span>{tool}</span>"
