"""What an endless stream plays at any moment: a function of the clock and a list, with no state. Pure.

Time is counted in frames from an epoch of its own. It is cut into segments of one length, a whole number of frames in
AAC and in Opus, and these into slots: so the number of a segment, its place on the timeline and its slot follow from
the clock alone, whatever is on.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from model.joining import FRAME_TICKS, JOINED_RATE_HZ
from model.rendition import Codec

EPOCH_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z; sums of seconds since then are exact to the sample in a double
SEGMENT_TICKS = 276_480  # 5.76 s: the longest under 6 s of which a whole number makes four hours
SEGMENT_MS = 1000 * SEGMENT_TICKS // JOINED_RATE_HZ
SLOT_SEGMENTS = 2500  # four hours


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Frames `first` to `end` of what is on, counted from its own beginning at `began_frame`."""

    index: int
    first: int
    end: int
    began_frame: int


class Schedule:
    """Things of these lengths in frames, one after another, again and again; the first begins at `base_frame`."""

    def __init__(self, lengths: Sequence[int], *, base_frame: int = 0) -> None:
        if not lengths or min(lengths) < 1:
            raise ValueError("a schedule has something to play, and all of it has a length")
        self._starts = list(accumulate(lengths, initial=0))
        self._base = base_frame

    @property
    def turn_frames(self) -> int:
        """How long everything is, once."""
        return self._starts[-1]

    def slices(self, first_frame: int, frames: int) -> Iterator[Slice]:
        """What is on for so many frames from one on, which is not before the base; in O(log n) for each slice."""
        at, end = first_frame - self._base, first_frame - self._base + frames
        if at < 0:
            raise ValueError(f"frame {first_frame} comes before the schedule begins")
        while at < end:
            turn, within = divmod(at, self.turn_frames)
            index = bisect_right(self._starts, within) - 1
            begin = turn * self.turn_frames + self._starts[index]
            stop = min(end, turn * self.turn_frames + self._starts[index + 1])
            yield Slice(index=index, first=at - begin, end=stop - begin, began_frame=self._base + begin)
            at = stop


def segment_frames(codec: Codec) -> int:
    """How many frames a segment has. Raises ValueError for FLAC, whose blocks end with each track."""
    if codec is Codec.FLAC:
        raise ValueError("blocks of FLAC have no one length")
    return SEGMENT_TICKS // FRAME_TICKS[codec]


def segment_at(now_ms: int) -> int:
    """The number of the segment that is on; negative before there was one."""
    return (now_ms - EPOCH_MS) // SEGMENT_MS


def segment_start_ms(number: int) -> int:
    """When a segment begins, in milliseconds since 1970."""
    return EPOCH_MS + number * SEGMENT_MS


def slot_of(number: int) -> int:
    """The slot of a segment."""
    return number // SLOT_SEGMENTS
