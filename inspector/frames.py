"""Sound without boxes: the frames of packed audio and of elementary streams, and ID3 tags with the time of the first.

Nothing here raises on bad bytes: what was read up to there is told, and where it ends.
"""

from dataclasses import dataclass

from inspector.frame_heads import Frame, frame_at

TIMESTAMP_OWNER = b"com.apple.streaming.transportStreamTimestamp\0"  # RFC 8216 §3.4
CLOCK_HZ, CLOCK_BITS = 90_000, 33
ID3_BYTES_MAX = 1 << 24


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundLook:
    """A segment without boxes, as far as it could be read.

    `codecs` are the CODECS entries that are right for it, the plainest last; none if we do not know. `samples` are
    those of one channel; `starts` is the time of the first in ticks of 90 kHz. `programs` is None outside of MPEG-TS,
    0 where no tables name one; `others` counts streams that are no sound.
    """

    codecs: tuple[str, ...] = ()
    sample_rate_hz: int = 0
    channels: int = 0
    frames: int = 0
    samples: int = 0
    starts: int | None = None
    flaw: str = ""
    programs: int | None = None
    sounds: int = 1
    others: int = 0

    @property
    def measured(self) -> bool:
        """Whether it is sound alone, of one stream that could be read to its end: then it lasts what its frames do."""
        return bool(self.samples and not self.flaw and self.sounds == 1 and not self.others)


def look_at_packed(data: bytes) -> SoundLook:
    """A segment of packed audio (RFC 8216 §3.4): an ID3 tag with its time, then frames."""
    starts, position = None, 0
    while (tag_end := _id3_end(data, position)) > position:
        starts = _timestamp(data[position:tag_end]) if starts is None else starts
        position = tag_end
    return look_at_frames(data, starts=starts, first=position)


def look_at_frames(data: bytes, *, starts: int | None = None, first: int = 0) -> SoundLook:
    """Frames of ADTS, MPEG audio, AC-3 or E-AC-3, one after the other to the end; of other codecs nothing is known."""
    known: Frame | None = None
    frames = samples = 0
    position, flaw = first, ""
    while position < len(data):
        found = frame_at(data, position)
        if found is None:
            tag_end = _id3_end(data, position)
            if tag_end > position:  # timed metadata between frames
                position = tag_end
                continue
            flaw = f"no frame of sound at byte {position} of {len(data)}"
            break
        if position + found.size_bytes > len(data):
            flaw = f"the last frame breaks off after {len(data) - position} of {found.size_bytes} bytes"
            break
        if not found.samples:  # more channels of the frame before
            position += found.size_bytes
            continue
        known = known or found
        if (found.codecs, found.sample_rate_hz) != (known.codecs, known.sample_rate_hz):
            flaw = f"another codec or sample rate from byte {position} on"
            break
        frames, samples, position = frames + 1, samples + found.samples, position + found.size_bytes
    if known is None:
        return SoundLook(starts=starts, flaw=flaw or "no frame of sound")
    return SoundLook(
        codecs=known.codecs,
        sample_rate_hz=known.sample_rate_hz,
        channels=known.channels,
        frames=frames,
        samples=samples,
        starts=starts,
        flaw=flaw,
    )


def _id3_end(data: bytes, position: int) -> int:
    """Where the ID3 tag at a position ends; the position itself if there is none, or one that breaks off."""
    head = data[position : position + 10]
    if len(head) < 10 or head[:3] != b"ID3" or any(byte & 0x80 for byte in head[6:]):
        return position
    end = position + 10 + _synchsafe(head[6:]) + (10 if head[5] & 0x10 else 0)
    return end if end <= min(len(data), position + ID3_BYTES_MAX) else position


def _synchsafe(four: bytes) -> int:
    return four[0] << 21 | four[1] << 14 | four[2] << 7 | four[3]


def _timestamp(tag: bytes) -> int | None:
    """The 33 bits of time that a PRIV frame of Apple's owner holds."""
    at = tag.find(b"PRIV")
    while at >= 0:
        body = tag[at + 10 : at + 10 + len(TIMESTAMP_OWNER) + 8]
        if body.startswith(TIMESTAMP_OWNER) and len(body) == len(TIMESTAMP_OWNER) + 8:
            ticks = int.from_bytes(body[-8:], "big")
            return ticks if ticks < 1 << CLOCK_BITS else None
        at = tag.find(b"PRIV", at + 4)
    return None
