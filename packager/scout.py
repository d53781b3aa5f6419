"""Where a mezzanine leaves little room, its loudest places go ahead of it: what do encoders make of them?"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from avtool.scratch import scratch_folder
from model.loudness import LoudnessReport
from model.rendition import Codec, Rendition
from packager.excerpt import PLACES_PER_UNIT, Window, shifts, windows_around
from packager.job import Draw, Draws, EncodeJob, draw, places_of

PLACES_MAX = 8
NEAR_DB = 1.0  # below the highest peak: what is softer seldom decides
SOFTER_DB = {Codec.AAC: (0.0, 0.06, 0.12), Codec.OPUS: (0.0,)}  # what is by chance in AAC is mended
_HEARD_BELOW_DB = 3.0
_RESTLESS = 6, 2  # places at the start and the end of a window that are not counted: there the music jumps


async def scout(
    job: EncodeJob, mezzanines: Sequence[Path], trims: Mapping[Rendition, float], *, peak_dbtp: float
) -> dict[Rendition, LoudnessReport]:
    """Encode the loudest places of mezzanines that peak at `peak_dbtp`: the true peak that stays in each rendition.

    Of several encodings of each place, a little softer one after the other, the best counts. Raises ToolError.
    """
    windows = await _loudest(job, mezzanines, peak_dbtp - NEAR_DB)
    if not windows:
        return dict.fromkeys(trims, LoudnessReport(integrated_lufs=None))
    async with scratch_folder(str(job.scratch)) as folder:
        draws = Draws(
            mezzanines=mezzanines,
            windows=windows,
            gains_db={each: [trim - softer for softer in SOFTER_DB[each.codec]] for each, trim in trims.items()},
            above_dbtp=job.ceiling_dbtp - _HEARD_BELOW_DB,
        )
        drawn = await draw(job, draws, folder)
    return {each: LoudnessReport(integrated_lufs=None, true_peak_dbtp=_lasting(windows, drawn[each])) for each in trims}


async def _loudest(job: EncodeJob, mezzanines: Sequence[Path], above_dbtp: float) -> list[Window]:
    """The surroundings of the highest peaks, each in a unit of its own; in the order of the mezzanines."""
    found: list[tuple[float, int, int]] = []
    for number, each in enumerate(mezzanines):
        async with job.slots:
            places = await places_of(job, each, above_dbtp)
        highest: dict[int, tuple[float, int, int]] = {}
        for place, peak_dbtp in places.items():
            unit = place // PLACES_PER_UNIT
            highest[unit] = max(highest.get(unit, (-math.inf, 0, 0)), (peak_dbtp, -number, -place))
        found += highest.values()
    chosen = sorted(found, reverse=True)[:PLACES_MAX]
    return [
        window
        for number, samples in enumerate(job.lengths)
        for window in windows_around([-at for _, file, at in chosen if file == -number], samples, file=number)
    ]


def _lasting(windows: Sequence[Window], drawn: Sequence[Draw]) -> float | None:
    """The highest peak of the windows, each in the draw that is best for it; None if all are far below the ceiling."""
    before, after = _RESTLESS
    found: list[float] = []
    for window, shift in zip(windows, shifts(windows), strict=True):
        first, end = (PLACES_PER_UNIT * unit + shift for unit in (window.first, window.end))
        heard = range(first + (before if window.first else 0), end - after)
        found.append(min(max((each.places.get(at, -math.inf) for at in heard), default=-math.inf) for each in drawn))
    lasting = max(found, default=-math.inf)
    return lasting if math.isfinite(lasting) else None
