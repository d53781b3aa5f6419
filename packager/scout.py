"""Where a mezzanine leaves little room, its loudest places go ahead of it: what do encoders make of them?"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from avtool.scratch import scratch_folder
from model.loudest import NEAR_DB, PLACES_MAX, PLACES_PER_UNIT, loudest
from model.loudness import LoudnessReport
from model.rendition import Codec, Rendition
from packager.excerpt import Window, shifts, windows_around
from packager.job import Draw, Draws, EncodeJob, draw, places_of

# Softer by so much in each draw. What comes by chance in AAC is mended: so it is tried again before it is believed.
DRAWS_DB = {
    Codec.AAC: ((0.0, 0.08), (0.03, 0.06, 0.1, 0.14), (0.0, 0.02, 0.05, 0.12)),
    Codec.OPUS: ((0.0,),),
}
_HEARD_BELOW_DB = 3.0
_RESTLESS = 6, 2  # places at the start and the end of a window that are not counted: there the music jumps
_Peaks = dict[Window, float]


async def scout(
    job: EncodeJob, mezzanines: Sequence[Path], trims: Mapping[Rendition, float], *, peak_dbtp: float
) -> dict[Rendition, LoudnessReport]:
    """Encode the loudest places of mezzanines that peak at `peak_dbtp`: the true peak that stays in each rendition.

    Of several encodings of each place, each a little softer, the best counts. Raises ToolError.
    """
    windows = await _loudest(job, mezzanines, peak_dbtp - NEAR_DB)
    found: dict[Rendition, _Peaks] = {each: dict.fromkeys(windows, math.inf) for each in trims}
    async with scratch_folder(str(job.scratch)) as scratch:
        for number in range(max(map(len, DRAWS_DB.values()))):
            high = {each: [at for at, peak in found[each].items() if peak > job.ceiling_dbtp] for each in trims}
            softer_db = {each: DRAWS_DB[each.codec][number] for each in trims if len(DRAWS_DB[each.codec]) > number}
            again = [window for window in windows if any(window in high[each] for each in softer_db)]
            if not again:
                break
            folder = scratch / f"scouts-{number}"
            folder.mkdir()
            draws = Draws(
                mezzanines=mezzanines,
                windows=again,
                gains_db={each: [trims[each] - softer for softer in of_it] for each, of_it in softer_db.items()},
                above_dbtp=job.ceiling_dbtp - _HEARD_BELOW_DB,
            )
            for each, drawn in (await draw(job, draws, folder)).items():
                for window, peak in _peaks(again, drawn).items():
                    found[each][window] = min(peak, found[each][window])
    return {each: _report(found[each]) for each in trims}


def _report(peaks: _Peaks) -> LoudnessReport:
    """Of an excerpt, nothing but its peak; None if it is far below the ceiling."""
    lasting = max(peaks.values(), default=-math.inf)
    return LoudnessReport(integrated_lufs=None, true_peak_dbtp=lasting if math.isfinite(lasting) else None)


async def _loudest(job: EncodeJob, mezzanines: Sequence[Path], above_dbtp: float) -> list[Window]:
    """The surroundings of the highest peaks, each in a unit of its own; in the order of the mezzanines.

    Those that nobody took note of are looked for.
    """
    found: list[tuple[float, int, int]] = []
    for number, (each, samples) in enumerate(zip(mezzanines, job.lengths, strict=True)):
        noted = job.loudest[number] if job.loudest else None
        if noted is None:
            async with job.slots:
                noted = loudest(await places_of(job, each, samples, above_dbtp))
        found += [(peak_dbtp, -number, -place) for place, peak_dbtp in noted if peak_dbtp > above_dbtp]
    chosen = sorted(found, reverse=True)[:PLACES_MAX]
    return [
        window
        for number, samples in enumerate(job.lengths)
        for window in windows_around([-at for _, file, at in chosen if file == -number], samples, file=number)
    ]


def _peaks(windows: Sequence[Window], drawn: Sequence[Draw]) -> _Peaks:
    """The highest peak of each window in the draw that is best for it."""
    before, after = _RESTLESS
    found: _Peaks = {}
    for window, shift in zip(windows, shifts(windows), strict=True):
        first, end = (PLACES_PER_UNIT * unit + shift for unit in (window.first, window.end))
        heard = range(first + (before if window.first else 0), end - after)
        found[window] = min(max((each.places.get(at, -math.inf) for at in heard), default=-math.inf) for each in drawn)
    return found
