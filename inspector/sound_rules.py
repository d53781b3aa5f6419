"""The rules for segments without boxes: MPEG-TS and packed audio. `RFC8216-3` is what HLS asks of them."""

from collections.abc import Callable, Iterator
from itertools import pairwise

from inspector.frames import CLOCK_BITS, CLOCK_HZ, SoundLook
from inspector.gathered import PACKED, MediaTrack, Part, Stream
from manifests.listing import ListedSegment
from model.rule import Breaches, Place, Rule, Severity
from model.timebase import MICROSECONDS, decimal_seconds

_CLOCK_ENDS = 1 << CLOCK_BITS


def _in_segments(wrong: Callable[[ListedSegment, Part, SoundLook], str]) -> Callable[[Stream], Breaches]:
    """A check of each segment by itself; `wrong` is empty for a sound one. What repeats in a track is told once."""

    def check(it: Stream) -> Breaches:
        for track in it.tracks:
            found = [
                (number, part, message)
                for number, (segment, part) in enumerate(zip(track.listing.segments, track.parts, strict=False))
                if part.sound and (message := wrong(segment, part, part.sound))
            ]
            if found:
                number, part, message = found[0]
                yield Place(resource=part.location, segment=number), message + _and_more(len(found) - 1)

    return check


def _and_more(count: int) -> str:
    return f" (and in {count} more segments)" if count else ""


def _no_time(segment: ListedSegment, part: Part, look: SoundLook) -> str:
    return "no ID3 tag with the time of its first sample" if part.kind == PACKED and look.starts is None else ""


def _no_tables(segment: ListedSegment, part: Part, look: SoundLook) -> str:
    if look.programs is None or look.programs == 1:
        return ""
    if look.programs:
        return f"{look.programs} programs in one segment"
    return "" if segment.init_map else "no association and map tables: a player that begins here finds nothing"


def _several_sounds(segment: ListedSegment, part: Part, look: SoundLook) -> str:
    return f"{look.sounds} streams of sound in one segment" if look.sounds > 1 else ""


def _measured(track: MediaTrack) -> Iterator[tuple[ListedSegment, Part, SoundLook | None]]:
    for segment, part in zip(track.listing.segments, track.parts, strict=False):
        yield segment, part, part.sound if part.sound and part.sound.measured else None


def _time_jumps(it: Stream) -> Breaches:
    for track in it.tracks:
        jumps = list(_jumps(track))
        if jumps:
            yield jumps[0][0], jumps[0][1] + _and_more(len(jumps) - 1)


def _jumps(track: MediaTrack) -> Iterator[tuple[Place, str]]:
    for number, ((before, _, old), (after, part, new)) in enumerate(pairwise(_measured(track)), start=1):
        if not old or not new or old.starts is None or new.starts is None or before.period != after.period:
            continue
        lasts = old.samples * CLOCK_HZ // old.sample_rate_hz
        off = (new.starts - old.starts - lasts + _CLOCK_ENDS // 2) % _CLOCK_ENDS - _CLOCK_ENDS // 2
        if abs(off) > CLOCK_HZ * (old.samples // old.frames) // old.sample_rate_hz:  # a frame: encoders round
            seconds = decimal_seconds(abs(off) * MICROSECONDS // CLOCK_HZ)
            how = "after" if off > 0 else "before"
            yield Place(resource=part.location, segment=number), f"begins {seconds} s {how} the one before it ended"


SOUND_RULES: tuple[Rule[Stream], ...] = (
    Rule(
        "RFC8216-3-frames",
        "RFC 8216 §3, ISO/IEC 13818-1 §2.4.3, ISO/IEC 13818-7 §6.2",
        Severity.MUST,
        _in_segments(lambda segment, part, look: look.flaw),
        "cut segments between frames, write whole packets, and upload them whole",
    ),
    Rule(
        "RFC8216-3.2",
        "RFC 8216 §3.2",
        Severity.MUST,
        _in_segments(_no_tables),
        "begin each segment of MPEG-TS with the tables of its one program",
    ),
    Rule(
        "RFC8216-3.4",
        "RFC 8216 §3.4",
        Severity.MUST,
        _in_segments(_no_time),
        "begin each segment with an ID3 PRIV frame of com.apple.streaming.transportStreamTimestamp and 8 bytes of time",
    ),
    Rule(
        "APPLE-2.17-ts",
        "Apple HLS authoring 2.17",
        Severity.MUST,
        _in_segments(_several_sounds),
        "put each stream of sound into segments and a media playlist of its own",
    ),
    Rule(
        "RFC8216-3-time",
        "RFC 8216 §3, Apple HLS authoring 7.1",
        Severity.MUST,
        _time_jumps,
        "let time stamps run on from segment to segment; mark a real break with EXT-X-DISCONTINUITY",
    ),
)
