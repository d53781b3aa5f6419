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
from cmaf.splice import frames_at, frames_of
from cmaf.timeline import UNIT_TICKS
from model.errors import MediaError
from model.rendition import Rendition
from packager.dip import FRAME_SAMPLES
from packager.excerpt import Window, shifts, windows_around
from packager.job import EncodeJob, Excerpt, encode_excerpt, put_in

FRAMES_PER_UNIT = UNIT_TICKS // FRAME_SAMPLES
PART_MAX = 2  # more than half of the whole is not worth it
WINDOWS_MAX = 64
# So many frames before and after: mostly they are in step after one or two seconds, but for the lowest rates after ten.
_AROUND = ((240, 160), (720, 320))
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
    grafts: dict[range, dict[int, bytes]] = {}
    left = frozenset(changed)
    async with scratch_folder(str(job.scratch)) as scratch:
        for before, after in _AROUND:
            windows = windows_around(left, job.samples, per_unit=FRAMES_PER_UNIT, before=before, after=after)
            if not _worth(windows, job.samples):
                return False
            grown = scratch / f"{before}.mp4"
            await _encode(job, mezzanine, of, dips, windows, grown)
            found = await asyncio.to_thread(_grafts, encoding, grown, windows)
            if any(_touch(one, other) for one in grafts for other in found):
                return False
            grafts |= found
            left -= {at for each in found for at in each}
            if not left:
                return await asyncio.to_thread(_put_in, encoding, scratch / "grafted.mp4", grafts)
    return False


def _worth(windows: Sequence[Window], samples: int) -> bool:
    units = sum(each.units for each in windows)
    return units * PART_MAX <= samples // UNIT_TICKS and len(windows) <= WINDOWS_MAX


async def _encode(
    job: EncodeJob,
    mezzanine: Path,
    of: tuple[Rendition, float],
    dips: Sequence[Dip],
    windows: Sequence[Window],
    path: Path,
) -> None:
    """Encode these windows, with the dips that are in them."""
    rendition, trim_db = of
    inside = tuple(_shifted(dips, windows))
    excerpt = Excerpt(mezzanine=mezzanine, windows=windows, rendition=rendition)
    output = EncodeOutput(rendition=rendition, path=str(path), gain_db=trim_db, dips=inside)
    await encode_excerpt(job, excerpt, [output], name=f"{rendition.rendition_id}-dips")


def _shifted(dips: Sequence[Dip], windows: Sequence[Window]) -> Iterator[Dip]:
    """The dips as they lie in the excerpt of these windows."""
    for window, shift in zip(windows, shifts(windows), strict=True):
        around = window.numbers(FRAMES_PER_UNIT)
        for dip in dips:
            first, end = max(dip.first, around.start), min(dip.end, around.stop)
            if first < end:
                yield Dip(first + FRAMES_PER_UNIT * shift, end + FRAMES_PER_UNIT * shift, dip.softer_db)


def _grafts(encoding: Path, grown: Path, windows: Sequence[Window]) -> dict[range, dict[int, bytes]]:
    """What is to be put in: of the windows that are in step, from joint to joint, the frames that are others, by their
    numbers in the whole. Blocking."""
    with encoding.open("rb") as file:
        ours = dict(frames_at(file, {at for each in windows for at in each.numbers(FRAMES_PER_UNIT)}))
    with grown.open("rb") as file:
        encoded = read_encoded(file)
        frames = frames_of(encoded, file, 0, len(encoded.sizes))
    found: dict[range, dict[int, bytes]] = {}
    for window, shift in zip(windows, shifts(windows), strict=True):
        theirs = dict(
            zip(window.numbers(FRAMES_PER_UNIT), frames[FRAMES_PER_UNIT * (window.first + shift) :], strict=False)
        )
        joints = _joints(window, ours, theirs)
        if joints is not None:
            found[joints] = {at: theirs[at] for at in joints if theirs[at] != ours[at]}
    return found


def _touch(one: range, other: range) -> bool:
    """Whether one is so near that it would change what the other goes on from."""
    return one.start - max(_IN_STEP_FRAMES) < other.stop and other.start - max(_IN_STEP_FRAMES) < one.stop


def _put_in(encoding: Path, scratch: Path, grafts: Mapping[range, Mapping[int, bytes]]) -> bool:
    """Blocking."""
    try:
        put_in(encoding, {at: frame for those in grafts.values() for at, frame in those.items()}, scratch)
    except MediaError:  # frames of one size, among which there would be another
        return False
    return True


def _joints(window: Window, ours: Mapping[int, bytes], theirs: Mapping[int, bytes]) -> range | None:
    """The frames of a window that go in; None if they are not in step before the first dip and after the last one."""
    around = window.numbers(FRAMES_PER_UNIT)
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
