"""Several tracks on one timeline: which frames of each are kept, and where they lie. Pure.

One decoder runs through all of it, so every frame that is kept lasts as long as what it decodes to, and the next begins
where it ended (docs/decisions/0032-joined.md).

- Pieces of one run that follow each other are one encoding: frames that are wholly priming are left out, and the frame
  that a border lies in, which both have, is taken once. No sample is lost, added or moved.
- Any other track in AAC or Opus keeps the priming that its encoder put before it, so its first sample is as exact as
  its last. Between two such tracks lie what is left of the last frame and the priming.
- A piece that does not follow the one before it in its run is without the frames that are wholly priming: they hold
  music of that other track.
- FLAC has neither priming nor frames of one length only: blocks are taken as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from types import MappingProxyType

from model.rendition import Codec
from model.segment import SegmentedRendition

JOINED_RATE_HZ = 48_000
JOINED_CHANNELS = 2
FRAME_TICKS: Mapping[Codec, int] = MappingProxyType({Codec.AAC: 1024, Codec.OPUS: 960, Codec.FLAC: 3840})

# Browsers take an overlap of less than a millisecond for carelessness and cut nothing off; one of exactly that may be
# rounded down.
UNTRIMMED_TICKS_MAX = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """The frames of a track file: `total_ticks` of them, of which the first `priming_ticks` come before the music.

    `run` names the mezzanines that were encoded as one, this one at `position`; it is empty for a track by itself.
    """

    codec: Codec
    priming_ticks: int
    total_ticks: int
    run: tuple[str, ...] = ()
    position: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.priming_ticks < self.total_ticks:
            raise ValueError(f"priming is shorter than the track: {self.priming_ticks} of {self.total_ticks}")

    @property
    def frame_ticks(self) -> int:
        """How long a frame is; in FLAC the last one may be shorter."""
        return FRAME_TICKS[self.codec]

    @property
    def frames(self) -> int:
        """How many frames there are."""
        return -(-self.total_ticks // self.frame_ticks)

    @property
    def shared_frame(self) -> bool:
        """Whether the end of the music lies inside the last frame."""
        return bool(self.total_ticks % self.frame_ticks)

    def follows(self, before: "Strip") -> bool:
        """Whether this is the piece after `before` in one run, frame on frame."""
        return (
            bool(self.run)
            and (self.codec, self.run, self.position) == (before.codec, before.run, before.position + 1)
            and before.total_ticks % self.frame_ticks == self.priming_ticks % self.frame_ticks
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The frames of a strip that are kept, from `first` up to, not including, `end`, and how long they last.

    Unless `whole_frames`, the last one has the duration that its file says; else it is as long as the others.
    """

    first: int
    end: int
    whole_frames: bool
    duration_ticks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """What is kept of a strip in a stream for browsers, and how it meets the one before: the next one begins
    `kept.duration_ticks` after this one, wherever its last frame ends.

    Of what its first frame decodes to, the player leaves out `skip_ticks`: it is so much shorter on the timeline. The
    init section says a priming of `init_ticks`.
    """

    kept: Kept
    skip_ticks: int
    init_ticks: int


def strip_of(rendition: SegmentedRendition, run: tuple[str, ...], position: int) -> Strip:
    """The strip of a rendition whose package says this of its run."""
    return Strip(
        codec=rendition.rendition.codec,
        priming_ticks=rendition.priming_ticks,
        total_ticks=rendition.duration_ticks,
        run=run,
        position=position,
    )


def joinable(rendition: SegmentedRendition) -> bool:
    """Whether a rendition has the one form that joined tracks have: then no decoder has to be set up anew."""
    form = (rendition.timescale, rendition.rendition.sample_rate_hz, rendition.rendition.channels)
    return form == (JOINED_RATE_HZ, JOINED_RATE_HZ, JOINED_CHANNELS)


def kept_of(strips: Sequence[Strip], *, endless: bool = False) -> tuple[Kept, ...]:
    """What is kept of each strip, in their order; `endless`: the first comes after the last again.

    Of the very first strip all frames are kept, and its priming is for the player to leave out, by the init section;
    the very last frame has the duration that its file says. An endless stream has neither.
    """
    kept = []
    for at, strip in enumerate(strips):
        before = strips[at - 1] if at or endless else None
        after = strips[(at + 1) % len(strips)] if at + 1 < len(strips) or endless else None
        kept.append(_kept(strip, before, after))
    return tuple(kept)


def kept_in_step(strips: Sequence[Strip], durations: Sequence[int]) -> tuple[Kept, ...]:
    """What is kept of strips with priming so that each begins, to half a frame, when its twin does that lasts so long
    in a stream without any: of tracks that the next one does not follow, the last frames are left out, at most two."""
    kept = list(kept_of(strips))
    frame, at, twin = strips[0].frame_ticks, 0, 0  # frames of this stream, ticks of the other
    for place, (strip, after) in enumerate(pairwise(strips)):
        own, twin = kept[place], twin + durations[place]
        if not after.follows(strip):
            inside = after.priming_ticks - kept[place + 1].first * frame
            wanted = (twin + strips[0].priming_ticks - inside + frame // 2) // frame
            end = own.first + min(max(wanted - at, 1), own.end - own.first)
            own = kept[place] = replace(own, end=end, duration_ticks=(end - own.first) * frame)
        at += own.end - own.first
    return tuple(kept)


def met_of(strips: Sequence[Strip]) -> tuple[Met, ...]:
    """How strips in AAC or Opus meet in a stream for browsers, whose media source cuts a frame off where the next
    thing that is appended begins: what their encoders put between them takes a tick at most, or UNTRIMMED_TICKS_MAX.

    - What is left of a last frame lies under the next track.
    - AAC begins with the frame before the first one that has music; all but a tick of it lies under that.
    - Opus says in its init section what to leave out of its first frame. A decoder reads that only where it is another
      one than before, so it may say a tick less.
    """
    met: list[Met] = []
    for at, (strip, kept) in enumerate(zip(strips, kept_of(strips), strict=True)):
        after, frame = strips[at + 1] if at + 1 < len(strips) else None, strip.frame_ticks
        skip, init = 0, met[-1].init_ticks if met else strip.priming_ticks
        if met and not strip.follows(strips[at - 1]):
            if strip.codec is Codec.AAC:
                kept = replace(kept, first=max(strip.priming_ticks // frame - 1, 0))
                skip = frame - 1 if strip.priming_ticks >= frame else 0
            elif inside := strip.priming_ticks - kept.first * frame:
                skip = inside - 1 if inside == init else inside
                init = skip
        ends = kept.end * frame if kept.whole_frames else strip.total_ticks
        over = ends - strip.total_ticks
        if after is not None and not after.follows(strip) and over > UNTRIMMED_TICKS_MAX:
            ends -= over
        met.append(
            Met(kept=replace(kept, duration_ticks=ends - kept.first * frame - skip), skip_ticks=skip, init_ticks=init)
        )
    return tuple(met)


def _kept(strip: Strip, before: Strip | None, after: Strip | None) -> Kept:
    frame = strip.frame_ticks
    if strip.codec is Codec.FLAC:
        return Kept(first=0, end=strip.frames, whole_frames=False, duration_ticks=strip.total_ticks)
    in_a_run = before is not None and (strip.position > 0 or strip.follows(before))
    first = strip.priming_ticks // frame if in_a_run else 0
    if after is None:
        ticks = strip.total_ticks - first * frame
        return Kept(first=first, end=strip.frames, whole_frames=False, duration_ticks=ticks)
    end = strip.frames - (1 if after.follows(strip) and strip.shared_frame else 0)
    return Kept(first=first, end=end, whole_frames=True, duration_ticks=(end - first) * frame)
