"""Dips are put into an Opus encoding without encoding the whole once more: only their surroundings are.

A frame depends on all before it, but hardly on those that are seconds away: an encoder that began a little earlier soon
writes the frames that the one of the whole wrote. Where several in a row are the same both are in step, and one may go
on for the other: so the frames around a dip go into the place of those that were there. Where they are not in step,
before a dip or after it, the whole has to be encoded again.
"""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from avtool.argv import Dip, EncodeOutput
from avtool.scratch import scratch_folder
from cmaf.encoded import read_encoded
from cmaf.splice import frames_at, frames_of, replaced
from cmaf.timeline import UNIT_TICKS
from model.errors import MediaError
from model.rendition import Rendition
from packager.dip import FRAME_SAMPLES
from packager.excerpt import Window, shifts, windows_around
from packager.job import EncodeJob, Excerpt, encode_excerpt

FRAMES_PER_UNIT = UNIT_TICKS // FRAME_SAMPLES
PART_MAX = 2  # more than half of the whole is not worth it
WINDOWS_MAX = 64
_BEFORE_FRAMES, _AFTER_FRAMES = 240, 160  # 4.8 and 3.2 s: mostly they are in step after one or two
# Alike in a row: better the first, else the second. After 8 what is heard differs by -33 dB, and soon by nothing.
_IN_STEP_FRAMES = (16, 8)


async def graft(
    job: EncodeJob,
    mezzanine: Path,
    encoding: Path,
    of: tuple[Rendition, float],
    dips: Sequence[Dip],
    changed: Collection[int],
) -> bool:
    """Put dips into an encoding of a mezzanine with this rendition and trim, which has all of them already but for
    those of the frames that are `changed`. Of a run the mezzanine is one, too.

    Whether it was done: else the encoding is as it was. Raises ToolError or MediaError.
    """
    windows = windows_around(changed, job.samples, per_unit=FRAMES_PER_UNIT, before=_BEFORE_FRAMES, after=_AFTER_FRAMES)
    units = sum(each.units for each in windows)
    if units * PART_MAX > job.samples // UNIT_TICKS or len(windows) > WINDOWS_MAX:
        return False
    rendition, trim_db = of
    async with scratch_folder(str(job.scratch)) as scratch:
        grown = scratch / "grown.mp4"
        output = EncodeOutput(
            rendition=rendition, path=str(grown), gain_db=trim_db, dips=tuple(_shifted(dips, windows))
        )
        excerpt = Excerpt(mezzanine=mezzanine, windows=windows, rendition=rendition)
        await encode_excerpt(job, excerpt, [output], name=f"{rendition.rendition_id}-dips")
        return await asyncio.to_thread(_put_in, encoding, grown, windows, scratch / "grafted.mp4")


def _shifted(dips: Sequence[Dip], windows: Sequence[Window]) -> Iterator[Dip]:
    """The dips as they lie in the excerpt of these windows."""
    for window, shift in zip(windows, shifts(windows), strict=True):
        around = _frames_of(window)
        for dip in dips:
            first, end = max(dip.first, around.start), min(dip.end, around.stop)
            if first < end:
                yield Dip(first + FRAMES_PER_UNIT * shift, end + FRAMES_PER_UNIT * shift, dip.softer_db)


def _put_in(encoding: Path, grown: Path, windows: Sequence[Window], target: Path) -> bool:
    """Put what was encoded of the windows into the encoding, where all are in step. Blocking."""
    other = _other_frames(encoding, grown, windows)
    if other is None:
        return False
    try:
        with encoding.open("rb") as source, target.open("wb") as out:
            replaced(source, out, other)
    except MediaError:  # frames of one size among which there is another now
        return False
    target.replace(encoding)
    return True


def _other_frames(encoding: Path, grown: Path, windows: Sequence[Window]) -> dict[int, bytes] | None:
    """The frames to be put in by their numbers in the whole; None if some window is not in step."""
    with encoding.open("rb") as file:
        ours = dict(frames_at(file, {at for each in windows for at in _frames_of(each)}))
    with grown.open("rb") as file:
        encoded = read_encoded(file)
        frames = frames_of(encoded, file, 0, len(encoded.sizes))
    other: dict[int, bytes] = {}
    for window, shift in zip(windows, shifts(windows), strict=True):
        theirs = dict(zip(_frames_of(window), frames[FRAMES_PER_UNIT * (window.first + shift) :], strict=False))
        joints = _joints(window, ours, theirs)
        if joints is None:
            return None
        other |= {at: theirs[at] for at in joints if theirs[at] != ours[at]}
    return other


def _joints(window: Window, ours: Mapping[int, bytes], theirs: Mapping[int, bytes]) -> range | None:
    """The frames of a window that go in; None if they are not in step before the first dip and after the last one."""
    around = _frames_of(window)
    alike = {at for at in around if at in ours and ours[at] == theirs.get(at)}
    first = _in_step(alike, range(window.frames[0], around.start, -1), before=True)
    end = _in_step(alike, range(window.frames[-1] + 1, around.stop))
    if first is None and window.first == 0:
        first = 0  # both begin with the track
    return None if first is None or end is None else range(first, end)


def _in_step(alike: Collection[int], joints: Sequence[int], *, before: bool = False) -> int | None:
    """The first of these joints that has enough frames that are alike after it, or before it."""
    for count in _IN_STEP_FRAMES:
        for joint in joints:
            start = joint - count if before else joint
            if all(at in alike for at in range(start, start + count)):
                return joint
    return None


def _frames_of(window: Window) -> range:
    return range(FRAMES_PER_UNIT * window.first, FRAMES_PER_UNIT * window.end)
