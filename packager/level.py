"""Every rendition of a recording has one level, and none passes the true-peak ceiling. Pure arithmetic.

Encoders change loudness a little (ffmpeg's AAC loses up to 0.2 LU of music, more of noise) and add true peak. So each
rendition is decoded and measured, and what is off is encoded again with a trim: one more linear gain. What overshoots
a little is made softer inside the tolerance; where that is not enough the level of all goes down, by what the tolerance
does not cover. What an encoder overshot by chance was mended before (`packager.mend`, `packager.dip`): what is measured
here stays whatever is tried.

What comes out depends on nothing but what the encoders make of each trim: `settle` begins anew each time, with all
that is known, and says what it has to know next. Attempts that were made for another ladder are as good as new ones.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from model.errors import LoudnessMissed
from model.loudness import LoudnessReport
from model.package import Attempt
from model.rendition import Codec, Ladder, Rendition

PASSES_MAX = 16
TOLERANCE_LU = 0.2  # promised
AIM_LU = 0.19  # encoded again beyond this; the rest is for the error of measuring
SLACK_DB = 0.17  # how much softer than its level a rendition is made to stay under the ceiling
TRIES_MAX = 3  # encodings of one that overshoots at one level
SOFTER_DB = 0.06  # from one of them to the next
LITTLE_ROOM_DB = 1.0  # under the ceiling: with less, peaks most likely pass it
# All begin softer by this then: fewer peaks are left to mend, and all are inside the tolerance. AAC loses level, too.
CAUTION_DB = {Codec.AAC: 0.06, Codec.OPUS: 0.12, Codec.FLAC: 0.0}
_MARGIN_DB = 0.03

Known = Mapping[tuple[str, float], Attempt]  # by rendition id and trim


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """Where every rendition shall be: at a level in LUFS, and not above a true peak in dBTP."""

    level_lufs: float
    ceiling_dbtp: float


@dataclass(frozen=True, slots=True)
class Standing:
    """What was made of a rendition: all attempts in their order, and how many of them were for the present level."""

    attempts: tuple[Attempt, ...] = ()
    tries: int = 0

    def best(self, aim: Aim) -> Attempt:
        """The attempt that keeps the promise and is nearest to the level; the last one if none keeps it."""
        keeping = [each for each in self.attempts if kept(each.loudness, aim)]
        return min(keeping, key=lambda each: abs(off_by(each.loudness, aim)), default=self.attempts[-1])

    def least_overshoot(self, aim: Aim) -> float:
        """The least that any try at this level would pass the ceiling by, brought to the level, in dB."""
        tried = self.attempts[len(self.attempts) - self.tries :]
        return min((overshoot_at(aim, each.loudness) for each in tried), default=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Which trim each rendition gets, the level that they have then, and the attempts that led there, in their order.

    `missing` has the trims that must be tried before more can be said; the rest is final only if there are none.
    """

    trims: Mapping[Rendition, float]
    aim: Aim | None
    attempts: tuple[Attempt, ...]
    missing: Mapping[Rendition, float]


def key_of(attempt: Attempt) -> tuple[str, float]:
    """What an attempt is known by."""
    return attempt.rendition_id, attempt.trim_db


def settle(
    ladder: Ladder,
    aim: Aim | None,
    known: Known,
    *,
    trim_db: float = 0.0,
    room_db: float = math.inf,
) -> Settled:
    """The trims that bring all renditions to one level, as far as they are `known`; each is tried with `trim_db` first.

    `room_db` is how far the true peak that the encoders are given then is below the ceiling. Where it is little, all
    begin a little softer.

    Without an aim (silence, loudness off) all keep that trim. Ends after `PASSES_MAX` passes: see `check_kept`.
    """
    caution = CAUTION_DB if aim is not None and room_db < LITTLE_ROOM_DB else {}
    wanted = {each: _whole(trim_db - caution.get(each.codec, 0.0)) for each in ladder.renditions}
    standings = dict.fromkeys(wanted, Standing())
    attempts: dict[Attempt, None] = {}
    for passes in range(1, PASSES_MAX + 1):
        missing = {each: trim for each, trim in wanted.items() if (each.rendition_id, trim) not in known}
        if missing:
            return Settled(trims={}, aim=aim, attempts=tuple(attempts), missing=missing)
        made = {each: known[each.rendition_id, trim] for each, trim in wanted.items()}
        attempts |= dict.fromkeys(made.values())
        standings |= {each: _after(standings[each], attempt) for each, attempt in made.items()}
        if aim is None:
            break
        lower = next_level(aim, standings.values(), passes=passes)
        if lower < aim.level_lufs:
            aim = replace(aim, level_lufs=lower)
            standings = {each: replace(standing, tries=0) for each, standing in standings.items()}
        wanted = _corrections(standings, aim)
        if not wanted:
            break
    chosen = {each: standing.best(aim) if aim else standing.attempts[-1] for each, standing in standings.items()}
    trims = {each: attempt.trim_db for each, attempt in chosen.items()}
    return Settled(trims=trims, aim=aim, attempts=tuple(attempts), missing={})


def _after(standing: Standing, attempt: Attempt) -> Standing:
    return Standing((*standing.attempts, attempt), standing.tries + 1)


def _corrections(standings: Mapping[Rendition, Standing], aim: Aim) -> dict[Rendition, float]:
    """The trims to encode with again, for the renditions that need it."""
    trims = {each: next_trim(standing, aim) for each, standing in standings.items()}
    return {each: trim for each, trim in trims.items() if trim is not None}


def next_level(aim: Aim, standings: Collection[Standing], *, passes: int = 1) -> float:
    """The level to go on with: this one, or less where true peaks leave no more room; in whole hundredths then.

    The more `passes` it took so far, the wider the margin: peaks that come by chance must not go on for ever.
    """
    again = [each for each in standings if next_trim(each, aim) is not None]
    over = [overshoot_at(aim, each.attempts[-1].loudness) - SLACK_DB for each in again]
    tried = [each.least_overshoot(aim) for each in again if each.tries >= TRIES_MAX or _softest(each, aim)]
    stubborn = [max(least - SLACK_DB, SOFTER_DB) for least in tried if least]
    return _lowered(aim, [*over, *stubborn], passes=passes)


def _softest(standing: Standing, aim: Aim) -> bool:
    """Whether it is above the ceiling and cannot be made softer without being off the level."""
    last = standing.attempts[-1].loudness
    return _overshoot(aim, last) > 0 and off_by(last, aim) - SOFTER_DB < -AIM_LU


def _lowered(aim: Aim, drops_db: Sequence[float], *, passes: int) -> float:
    drop = max([0.0, *drops_db])
    if not drop:
        return aim.level_lufs
    return math.floor(100 * (aim.level_lufs - drop - _MARGIN_DB * passes)) / 100


def next_trim(standing: Standing, aim: Aim) -> float | None:
    """The gain to encode this rendition with next, in whole hundredths; None if an attempt is as it should be."""
    best, last = standing.best(aim), standing.attempts[-1]
    if kept(best.loudness, aim) and abs(off_by(best.loudness, aim)) <= AIM_LU:
        return None
    softer, over = 0.0, _overshoot(aim, last.loudness)
    if over:
        enough = overshoot_at(aim, last.loudness) + _MARGIN_DB
        softer = SOFTER_DB * standing.tries
        if enough <= SLACK_DB + 1e-6:  # the level goes down to just there
            softer = min(SLACK_DB, max(softer, enough))
    trim = _whole(last.trim_db - off_by(last.loudness, aim) - softer)
    if over:
        trim = min(trim, _whole(last.trim_db - SOFTER_DB))
    while any(abs(trim - each.trim_db) < SOFTER_DB / 2 for each in standing.attempts):  # it would tell little new
        trim = _whole(trim - SOFTER_DB / 2)
    return trim


def _whole(trim_db: float) -> float:
    """In whole hundredths, and never −0.0: that is another text in JSON."""
    return round(trim_db, 2) + 0.0


def together(reports: Sequence[LoudnessReport], samples: Sequence[int]) -> LoudnessReport:
    """What tracks that share one gain are levelled by: the mean of their powers, and the highest of their peaks.

    A track that is alone is levelled by its own report. The mean is no programme's loudness; but a gain changes it as
    it changes theirs, and an encoder's loss shows in it as in the longest and loudest of them.
    """
    if len(reports) == 1:
        return reports[0]
    heard = [(each.integrated_lufs, count) for each, count in zip(reports, samples, strict=True)]
    powers = [(count * 10 ** (level / 10), count) for level, count in heard if level is not None]
    peaks = [each.true_peak_dbtp for each in reports if each.true_peak_dbtp is not None]
    power, count = (sum(column) for column in zip(*powers, strict=True)) if powers else (0.0, 1)
    return LoudnessReport(
        integrated_lufs=10 * math.log10(power / count) if power else None,
        true_peak_dbtp=max(peaks, default=None),
    )


def check_kept(settled: Settled, *, subject: str) -> None:
    """Raise LoudnessMissed if a rendition is off the level by more than the tolerance, or above the ceiling."""
    reports = {(each.rendition_id, each.trim_db): each.loudness for each in settled.attempts}
    for rendition, trim in settled.trims.items():
        report = reports[rendition.rendition_id, trim]
        if settled.aim and not kept(report, settled.aim):
            message = (
                f"{rendition.rendition_id} is at {report.integrated_lufs} LUFS and {report.true_peak_dbtp} dBTP, "
                f"not at {settled.aim.level_lufs:.2f} LUFS"
            )
            raise LoudnessMissed(message, subject=subject, hint="lower --true-peak, or publish with --loudness off")


def kept(report: LoudnessReport, aim: Aim) -> bool:
    """Whether a rendition keeps the promise: within the tolerance of the level, and not above the ceiling.

    One in which nothing is left to measure is as good as it gets.
    """
    silent = report.integrated_lufs is None
    return silent or (not _overshoot(aim, report) and abs(off_by(report, aim)) <= TOLERANCE_LU)


def off_by(report: LoudnessReport, aim: Aim) -> float:
    """How much louder than the level, in LU; 0 for silence."""
    return 0.0 if report.integrated_lufs is None else report.integrated_lufs - aim.level_lufs


def overshoot_at(aim: Aim, report: LoudnessReport) -> float:
    """How far this true peak would be above the ceiling if a gain brought the rendition to the level, in dB."""
    if report.integrated_lufs is None or report.true_peak_dbtp is None:
        return 0.0
    return max(0.0, report.true_peak_dbtp + aim.level_lufs - report.integrated_lufs - aim.ceiling_dbtp)


def _overshoot(aim: Aim, report: LoudnessReport) -> float:
    """How far the true peak is above the ceiling, in dB; 0 if it is not."""
    if report.true_peak_dbtp is None:
        return 0.0
    return max(0.0, report.true_peak_dbtp - aim.ceiling_dbtp)
