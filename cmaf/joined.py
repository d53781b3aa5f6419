"""Segments and init sections of joined tracks: frames of track files under a header that tells their place.

Nothing is decoded or encoded. Bytes depend on the arguments alone.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from cmaf.boxes import Box, boxes_in
from cmaf.write import TrackHeader, fragment_header, init_section
from model.errors import MediaError
from model.joining import FRAME_TICKS, JOINED_CHANNELS, JOINED_RATE_HZ
from model.loudness import LoudnessReport
from model.rendition import Codec

_SEQUENCE_TICKS = 960  # the shortest frame: no segment is shorter, so numbers made of its start only grow
_SEQUENCES = 1 << 32
_HAS_OFFSET, _HAS_DURATIONS, _HAS_SIZES = 0x1, 0x100, 0x200
_AAC_LC_48K_STEREO = b"\x11\x90"  # AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1)
_BIT_DEPTH = {Codec.AAC: 16, Codec.OPUS: 16, Codec.FLAC: 24}
# The largest that a frame of each can be, in bytes: AAC has 6144 bits a channel (ISO/IEC 13818-7 §8.2.2), an Opus
# packet of 20 ms 1275 bytes (RFC 6716 §3.4), a FLAC block its samples as they are and a header.
_FRAME_BYTES_MAX = {Codec.AAC: 1536, Codec.OPUS: 1275, Codec.FLAC: 3840 * 6 + 64}


@dataclass(frozen=True, slots=True)
class FrameRun:
    """Frames that follow each other: their sizes, their bytes, and how long the last one is."""

    sizes: tuple[int, ...]
    data: bytes
    last_ticks: int


def joined_init(codec: Codec, priming_ticks: int) -> bytes:
    """The init section of every joined stream of this codec whose player has to leave out so much at the start.

    It says nothing of loudness: tracks may differ. Average rates are unknown, the largest are what the codec can have.
    """
    frame_ticks, frame_bytes = FRAME_TICKS[codec], _FRAME_BYTES_MAX[codec]
    return init_section(
        TrackHeader(
            codec=codec,
            config=_config(codec, priming_ticks),
            timescale=JOINED_RATE_HZ,
            channels=JOINED_CHANNELS,
            bit_depth=_BIT_DEPTH[codec],
            priming_ticks=priming_ticks,
            frame_ticks=frame_ticks,
            frame_bytes_max=frame_bytes,
            bitrate_max_bps=8 * frame_bytes * JOINED_RATE_HZ // frame_ticks,
            bitrate_average_bps=0,
            loudness=LoudnessReport(integrated_lufs=None),
        )
    )


def _config(codec: Codec, priming_ticks: int) -> bytes:
    if codec is Codec.AAC:
        return _AAC_LC_48K_STEREO
    if codec is Codec.OPUS:  # Encapsulation of Opus in ISO BMFF §4.3.2
        return struct.pack(">BBHIhB", 0, JOINED_CHANNELS, priming_ticks, JOINED_RATE_HZ, 0, 0)
    # STREAMINFO (RFC 9639 §8.2): a block that ends a track is shorter; sizes, length and checksum are not known.
    form = JOINED_RATE_HZ << 44 | (JOINED_CHANNELS - 1) << 41 | (_BIT_DEPTH[codec] - 1) << 36
    return b"\x80\0\0\x22" + struct.pack(">HH6xQ16x", 16, FRAME_TICKS[codec], form)


def frames_in(segment: bytes, codec: Codec, first: int, end: int) -> FrameRun:
    """Frames `first` to `end` of a segment of ours: one `moof` and its `mdat`. Raises MediaError for anything else."""
    frame_ticks = FRAME_TICKS[codec]
    moof = next(boxes_in(segment, 0, len(segment)), None)
    if moof is None or moof.type != "moof":
        raise MediaError("the segment does not begin with moof")
    traf = moof.child("traf")
    tfhd, trun = traf.child("tfhd"), traf.child("trun")
    if not tfhd.uint(1, 3) & 0x08 or tfhd.uint(8, 4) != frame_ticks:
        raise MediaError(f"the segment's frames are not of {frame_ticks} ticks")
    sizes, last_ticks = _frames(trun, frame_ticks)
    if not 0 <= first < end <= len(sizes):
        raise MediaError(f"the segment has {len(sizes)} frames, not {first} to {end}")
    starts = list(accumulate(sizes, initial=trun.uint(8, 4)))  # from the `moof`, with which the segment begins
    if starts[-1] > len(segment):
        raise MediaError("the segment ends before its frames do")
    data = segment[starts[first] : starts[end]]
    return FrameRun(sizes[first:end], data, last_ticks if end == len(sizes) else frame_ticks)


def _frames(trun: Box, frame_ticks: int) -> tuple[tuple[int, ...], int]:
    """The sizes of all frames, and the duration of the last."""
    flags, count = trun.uint(1, 3), trun.uint(4, 4)
    if flags & ~_HAS_DURATIONS != _HAS_OFFSET | _HAS_SIZES:
        raise MediaError(f"trun with the flags {flags:#x} is none of ours")
    fields = 2 if flags & _HAS_DURATIONS else 1
    if not count or trun.start + 12 + 4 * fields * count != trun.end:
        raise MediaError("trun does not end with its frames")
    numbers = struct.unpack_from(f">{fields * count}I", trun.data, trun.start + 12)
    return numbers[fields - 1 :: fields], numbers[-2] if fields == 2 else frame_ticks


def joined_segment(codec: Codec, start_ticks: int, runs: Sequence[FrameRun], *, whole_frames: bool) -> bytes:
    """A segment that begins at `start_ticks` and holds these frames, one run after another.

    With `whole_frames` each is as long as what it decodes to, else the last one keeps its own duration. Raises
    MediaError where a shorter one would stand in the middle of frames that cannot be.
    """
    frame_ticks = FRAME_TICKS[codec]
    if codec is Codec.FLAC and (whole_frames or len(runs) > 1) and any(r.last_ticks != frame_ticks for r in runs):
        raise MediaError("a shorter block of FLAC stands at the end of a segment")
    return _fragment(codec, start_ticks, runs, last_ticks=frame_ticks if whole_frames else runs[-1].last_ticks)


def meeting_segment(
    codec: Codec, start_ticks: int, runs: Sequence[FrameRun], *, skip_ticks: int, whole_frames: bool
) -> bytes:
    """A segment in AAC or Opus of whose first frame the player leaves out `skip_ticks` (`model.joining.met_of`).

    In AAC that frame has a fragment of its own, and what comes next begins before its end: so a browser cuts it off.
    """
    frame_ticks = FRAME_TICKS[codec]
    last_ticks = frame_ticks if whole_frames else runs[-1].last_ticks
    if not skip_ticks or codec is Codec.OPUS:
        first_ticks = frame_ticks - skip_ticks if skip_ticks else None
        return _fragment(codec, start_ticks, runs, last_ticks=last_ticks, first_ticks=first_ticks)
    first, size = runs[0], runs[0].sizes[0]
    lead = _fragment(
        codec, start_ticks, [FrameRun(first.sizes[:1], first.data[:size], frame_ticks)], last_ticks=frame_ticks
    )
    rest = [FrameRun(first.sizes[1:], first.data[size:], first.last_ticks), *runs[1:]]
    rest = [run for run in rest if run.sizes]
    start_ticks += frame_ticks - skip_ticks
    return lead + _fragment(codec, start_ticks, rest, last_ticks=last_ticks, after=1) if rest else lead


def _fragment(
    codec: Codec,
    start_ticks: int,
    runs: Sequence[FrameRun],
    *,
    last_ticks: int,
    first_ticks: int | None = None,
    after: int = 0,
) -> bytes:
    """One run after another; `after` so many fragments of the same segment."""
    header = fragment_header(
        codec=codec,
        sequence=1 + (start_ticks // _SEQUENCE_TICKS + after) % (_SEQUENCES - 1),
        decode_time=start_ticks,
        frame_ticks=FRAME_TICKS[codec],
        sizes=[size for run in runs for size in run.sizes],
        last_ticks=last_ticks,
        first_ticks=first_ticks,
    )
    return b"".join((header, *(run.data for run in runs)))
