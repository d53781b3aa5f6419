"""True peaks above the ceiling that an AAC encoder makes by chance are taken out where they are.

Whether a frame overshoots depends on how its bits happen to fall: with another start or 0.05 dB less it mostly does
not. So the surroundings of such a place are encoded again a few times, a little softer (within what a rendition may
be off its level), and of the best of them the frames at that place are taken: those between two joints where both
encodings have the same windows. All other frames stay as they are, and what comes out is measured like any encoding.
Where that does not help a place that is short is made softer than that, as Opus is (`packager.dip`).

A few frames hold noise that is no more than described, and each decoder makes its own of it, after all that it decoded
before (ISO/IEC 14496-3 §4.6.13). So what is below the ceiling in an excerpt may be above it in the whole, and frames
that come after a place that was mended may be above it for the first time: then it is mended again, in other ways.
"""

import asyncio
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from avtool.scratch import scratch_folder
from cmaf.encoded import read_encoded
from cmaf.splice import Windows, frames_at, frames_of, windows_of
from cmaf.timeline import UNIT_TICKS
from model.rendition import Codec, Rendition
from packager.excerpt import Window, shifts, windows_around
from packager.job import Draw, EncodeJob, Excerpt, draw, put_in

DEEP_DB = (0.25, 0.45, 0.75, 1.2)  # for a place alone: what the encoder does there whatever is tried
# Softer by: two more where the first two did not do, for mostly they do. And others where what was put in did not hold.
DRAWS_DB = (
    ((0.08, 0.14), (0.05, 0.11), (0.0, 0.06), (0.02, 0.12), DEEP_DB),
    ((0.1, 0.13), (0.03, 0.07), (0.01, 0.09), (0.04, 0.12), DEEP_DB),
    ((0.12, 0.14), (0.06, 0.09), (0.02, 0.08), (0.05, 0.11), DEEP_DB),
)
MENDS_MAX = 9  # in hours of music there is always some place more
PATIENT_MENDS = 3  # after these what is left has to be a few places, or a quarter of what there was
FEW_PLACES = 3
WINDOWS_MAX = 256
PART_MAX = 3  # windows are no more than a third of the whole: else it is not chance
_ALWAYS = 2  # so many windows are mended in the shortest
FRAMES_PER_UNIT = 15  # a frame has as many samples as a place
_PRE_ROLL_FRAMES = 8  # until an encoder that began anew is at ease
_LOOKED_AHEAD_FRAMES = 2
_AROUND_FRAMES = 15  # before and after a place: pre-roll, and enough to find a joint in
_BRIEF_FRAMES = 8
_LOWER_DB = 0.05  # than the ceiling, and as much more each time it is mended again
_BEFORE, _AFTER = 1, 3  # a place is heard in two frames: with one more on each side, they are replaced


@dataclass(slots=True)
class _Wound:
    """A window with peaks above the ceiling; and the best that was found for it: from a frame on, these frames."""

    window: Window
    peak_dbtp: float
    first: int = 0
    frames: list[bytes] = field(default_factory=list)

    @property
    def brief(self) -> bool:
        """Whether it is so short that nobody hears it softer."""
        return self.window.frames[-1] - self.window.frames[0] < _BRIEF_FRAMES


async def mend(
    job: EncodeJob,
    mezzanine: Path,
    encoding: Path,
    of: tuple[Rendition, float],
    places: Mapping[int, float],
    *,
    again: int = 0,
) -> bool:
    """Mend an encoding of a mezzanine, with this rendition and trim, at the places where it is above the ceiling. Of a
    run the mezzanine is one, too.

    `again` says how often it was mended before, less than `MENDS_MAX` times. Whether it was changed: it is not where
    that is no use. Raises ToolError or MediaError.
    """
    rendition, trim_db = of
    wounds = [_Wound(each, max(places[at] for at in each.frames)) for each in _windows(job, rendition, places)]
    async with scratch_folder(str(job.scratch)) as scratch:
        below_dbtp = job.ceiling_dbtp - _LOWER_DB * again
        for number, softer_db in enumerate(DRAWS_DB[again % len(DRAWS_DB)]):
            deep = softer_db is DEEP_DB
            left = [each for each in wounds if each.peak_dbtp > below_dbtp and (each.brief or not deep)]
            if not left:
                break
            folder = scratch / f"{rendition.rendition_id}-{number}"
            folder.mkdir()
            excerpt = Excerpt(mezzanine=mezzanine, windows=[each.window for each in left], rendition=rendition)
            drawn = await draw(job, excerpt, [trim_db - softer for softer in softer_db], folder, above_dbtp=below_dbtp)
            await asyncio.to_thread(_compare, left, encoding, drawn, below_dbtp)
        frames = {each.first + at: frame for each in wounds for at, frame in enumerate(each.frames)}
        if frames:
            await asyncio.to_thread(put_in, encoding, frames, scratch / "mended.mp4")
    return bool(frames)


def helps(again: int, places: int, at_first: int) -> bool:
    """Whether to mend what was mended so often, and has so many places above the ceiling, and had so many at first."""
    limit = math.inf if again < PATIENT_MENDS else max(FEW_PLACES, at_first // 4)
    return 0 < places <= limit and again < MENDS_MAX


def _windows(job: EncodeJob, rendition: Rendition, places: Iterable[int]) -> list[Window]:
    """The windows to mend; none if that is no use. Opus frames depend on all frames before them: see `packager.dip`."""
    if rendition.codec is not Codec.AAC:
        return []
    windows = windows_around(places, job.samples, per_unit=FRAMES_PER_UNIT, before=_AROUND_FRAMES, after=_AROUND_FRAMES)
    few = sum(each.units for each in windows) * PART_MAX <= job.samples // UNIT_TICKS
    return windows if (few or len(windows) <= _ALWAYS) and len(windows) <= WINDOWS_MAX else []


def _compare(wounds: Sequence[_Wound], encoding: Path, drawn: Sequence[Draw], below_dbtp: float) -> None:
    """Keep of each draw what is better than what there is, where that is not below enough. Blocking."""
    numbers = {at for each in wounds for at in each.window.numbers(FRAMES_PER_UNIT)}
    with encoding.open("rb") as file:
        ours = {at: windows_of(frame) for at, frame in frames_at(file, numbers)}
    for each in drawn:
        theirs = _Frames(each.path)
        for wound, units in zip(wounds, shifts([wound.window for wound in wounds]), strict=True):
            shift = FRAMES_PER_UNIT * units
            joints = _joints(wound.window, ours, theirs, shift)
            if joints is None:
                continue
            first, end = joints
            heard = [each.places[at + shift] for at in range(first - 1, end) if at + shift in each.places]
            peak_dbtp = max(heard, default=-math.inf)
            if peak_dbtp < wound.peak_dbtp and wound.peak_dbtp > below_dbtp:
                wound.peak_dbtp, wound.first = peak_dbtp, first
                wound.frames = theirs.read(first + shift, end + shift)


class _Frames:
    """The frames of a draw."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("rb") as file:
            self._encoded = read_encoded(file)

    def __len__(self) -> int:
        return len(self._encoded.sizes)

    def read(self, first: int, end: int) -> list[bytes]:
        """From `first` up to, not including, `end`."""
        with self._path.open("rb") as file:
            return frames_of(self._encoded, file, first, end)


def _joints(window: Window, ours: Mapping[int, Windows | None], theirs: _Frames, shift: int) -> tuple[int, int] | None:
    """The first frame to be replaced, and the first that is not: as near to the places as the windows allow."""
    around = window.numbers(FRAMES_PER_UNIT)
    start, stop = around.start, min(around.stop, len(theirs) - shift)
    frames = enumerate(theirs.read(start + shift, stop + shift), start)
    here = {at + 1 for at, frame in frames if windows_of(frame) == ours.get(at) is not None}
    low, high = window.frames[0] - _BEFORE, window.frames[-1] + _AFTER
    first = next((at for at in range(low, start + _PRE_ROLL_FRAMES, -1) if at in here), None)
    end = next((at for at in range(high, stop - _LOOKED_AHEAD_FRAMES) if at in here), None)
    if first is None and window.first == 0:
        first = 0  # both begin with the track
    return None if first is None or end is None else (first, end)
