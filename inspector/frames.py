"""Sound without boxes: the frames of packed audio and of elementary streams, and ID3 tags with the time of the first.

Nothing here raises on bad bytes: what was read up to there is told, and where it ends.
"""

from dataclasses import dataclass

TIMESTAMP_OWNER = b"com.apple.streaming.transportStreamTimestamp\0"  # RFC 8216 §3.4
CLOCK_HZ, CLOCK_BITS = 90_000, 33
ID3_BYTES_MAX = 1 << 24
_RATES_HZ = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350)
_CHANNELS = (0, 1, 2, 3, 4, 5, 6, 8)
# ISO/IEC 11172-3 §2.4.2.3 and 13818-3 §2.4.2.3: kbit/s by layer, of MPEG-1 and of the half rates
_KBPS = {
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_MPEG_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
# An object type is one of several in CODECS: AAC-LC may hold HE-AAC in the way that old decoders pass over
_AAC = {1: ("mp4a.40.1",), 2: ("mp4a.40.29", "mp4a.40.5", "mp4a.40.2"), 3: ("mp4a.40.3",), 4: ("mp4a.40.4",)}
_LAYERS = {1: ("mp4a.40.32",), 2: ("mp4a.40.33",), 3: ("mp4a.6B", "mp4a.69", "mp4a.40.34")}


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


@dataclass(frozen=True, slots=True)
class _Frame:
    codecs: tuple[str, ...]
    sample_rate_hz: int
    channels: int
    samples: int
    size_bytes: int


def look_at_packed(data: bytes) -> SoundLook:
    """A segment of packed audio (RFC 8216 §3.4): an ID3 tag with its time, then frames."""
    starts, position = None, 0
    while (tag_end := _id3_end(data, position)) > position:
        starts = _timestamp(data[position:tag_end]) if starts is None else starts
        position = tag_end
    return look_at_frames(data, starts=starts, first=position)


def look_at_frames(data: bytes, *, starts: int | None = None, first: int = 0) -> SoundLook:
    """Frames of ADTS or MPEG audio, one after the other to the end; of other codecs nothing is known."""
    if data[first : first + 2] == b"\x0b\x77":
        return SoundLook(codecs=("ec-3", "ac-3"), starts=starts)
    known: _Frame | None = None
    frames = samples = 0
    position, flaw = first, ""
    while position < len(data):
        found = _frame_at(data, position)
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


def _frame_at(data: bytes, position: int) -> _Frame | None:
    head = data[position : position + 7]
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    return _adts(head) if head[1] & 0xF6 == 0xF0 else _mpeg(head)


def _adts(head: bytes) -> _Frame | None:
    """ISO/IEC 13818-7 §6.2."""
    if len(head) < 7:
        return None
    rate, size_bytes = head[2] >> 2 & 0xF, (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    if rate >= len(_RATES_HZ) or size_bytes < 7:
        return None
    return _Frame(
        codecs=_AAC[(head[2] >> 6) + 1],
        sample_rate_hz=_RATES_HZ[rate],
        channels=_CHANNELS[(head[2] & 1) << 2 | head[3] >> 6],
        samples=1_024 * ((head[6] & 3) + 1),
        size_bytes=size_bytes,
    )


def _mpeg(head: bytes) -> _Frame | None:
    """ISO/IEC 11172-3 §2.4.1.3."""
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    kbps, rate = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer == 4 or kbps in (0, 15) or rate == 3:
        return None
    whole = version == 3
    bitrate_bps, rate_hz = 1_000 * _KBPS[whole, layer][kbps - 1], _MPEG_HZ[version][rate]
    samples = 384 if layer == 1 else 576 if layer == 3 and not whole else 1_152
    slot = 4 if layer == 1 else 1
    return _Frame(
        codecs=_LAYERS[layer],
        sample_rate_hz=rate_hz,
        channels=1 if head[3] >> 6 == 3 else 2,
        samples=samples,
        size_bytes=slot * (samples // 8 // slot * bitrate_bps // rate_hz + (head[2] >> 1 & 1)),
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
