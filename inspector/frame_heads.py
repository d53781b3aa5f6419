"""The heads of frames of sound: codec, rate and channels, how many samples, and where the next frame begins. Pure."""

from dataclasses import dataclass

RATES_HZ = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350)
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
# ATSC A/52 §5.3, §5.4: what is in an AC-3 frame, and kbit/s by half of its size code
_DOLBY_SYNC = b"\x0b\x77"
_DOLBY_HZ = (48_000, 44_100, 32_000)
_DOLBY_CHANNELS = (2, 1, 2, 3, 3, 4, 4, 5)
_DOLBY_KBPS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)
_AC3_SAMPLES, _BLOCK_SAMPLES = 1_536, 256
_BLOCKS = (1, 2, 3, 6)
_AC3_LAST, _EAC3_LAST = 10, 16  # versions of the syntax


@dataclass(frozen=True, slots=True)
class Frame:
    """What the head of a frame says. Without samples it belongs to the frame before it, for more channels."""

    codecs: tuple[str, ...]
    sample_rate_hz: int
    channels: int
    samples: int
    size_bytes: int


def frame_at(data: bytes, position: int) -> Frame | None:
    """The frame that begins there, by its head; None if there is none that we know."""
    head = data[position : position + 7]
    if head[:2] == _DOLBY_SYNC:
        return _dolby(head) if len(head) == 7 else None
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    return _adts(head) if head[1] & 0xF6 == 0xF0 else _mpeg(head)


def _adts(head: bytes) -> Frame | None:
    """ISO/IEC 13818-7 §6.2."""
    if len(head) < 7:
        return None
    rate, size_bytes = head[2] >> 2 & 0xF, (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    if rate >= len(RATES_HZ) or size_bytes < 7:
        return None
    return Frame(
        codecs=_AAC[(head[2] >> 6) + 1],
        sample_rate_hz=RATES_HZ[rate],
        channels=_CHANNELS[(head[2] & 1) << 2 | head[3] >> 6],
        samples=1_024 * ((head[6] & 3) + 1),
        size_bytes=size_bytes,
    )


def _mpeg(head: bytes) -> Frame | None:
    """ISO/IEC 11172-3 §2.4.1.3."""
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    kbps, rate = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer == 4 or kbps in (0, 15) or rate == 3:
        return None
    whole = version == 3
    bitrate_bps, rate_hz = 1_000 * _KBPS[whole, layer][kbps - 1], _MPEG_HZ[version][rate]
    samples = 384 if layer == 1 else 576 if layer == 3 and not whole else 1_152
    slot = 4 if layer == 1 else 1
    return Frame(
        codecs=_LAYERS[layer],
        sample_rate_hz=rate_hz,
        channels=1 if head[3] >> 6 == 3 else 2,
        samples=samples,
        size_bytes=slot * (samples // 8 // slot * bitrate_bps // rate_hz + (head[2] >> 1 & 1)),
    )


def _dolby(head: bytes) -> Frame | None:
    """AC-3 (ATSC A/52 §5.3), or E-AC-3 (its annex E, §E.1.2)."""
    version = head[5] >> 3
    if version > _EAC3_LAST:
        return None
    return _ac3(head, version) if version <= _AC3_LAST else _eac3(head)


def _ac3(head: bytes, version: int) -> Frame | None:
    rate, size_code, mode = head[4] >> 6, head[4] & 0x3F, head[6] >> 5
    if rate == 3 or size_code >= 2 * len(_DOLBY_KBPS):
        return None
    rate_hz, bitrate_bps = _DOLBY_HZ[rate], 1_000 * _DOLBY_KBPS[size_code >> 1]
    words = _AC3_SAMPLES * bitrate_bps // rate_hz // 16 + (size_code & 1 if rate_hz == 44_100 else 0)
    levels = sum((mode & 1 and mode != 1, mode & 4 != 0, mode == 2))  # of two bits each, before that of the low channel
    return Frame(
        codecs=("ac-3",),
        sample_rate_hz=rate_hz >> max(0, version - 8),
        channels=_DOLBY_CHANNELS[mode] + (head[6] >> (4 - 2 * levels) & 1),
        samples=_AC3_SAMPLES,
        size_bytes=2 * words,
    )


def _eac3(head: bytes) -> Frame | None:
    kind, stream = head[2] >> 6, head[2] >> 3 & 7
    rate, blocks = head[4] >> 6, head[4] >> 4 & 3
    if rate == 3:  # half of the rate that the next bits say, and all blocks
        rate, blocks, halved = blocks, 3, 1
        if rate == 3:
            return None
    else:
        halved = 0
    return Frame(
        codecs=("ec-3",),
        sample_rate_hz=_DOLBY_HZ[rate] >> halved,
        channels=_DOLBY_CHANNELS[head[4] >> 1 & 7] + (head[4] & 1),
        samples=0 if kind == 1 or stream else _BLOCKS[blocks] * _BLOCK_SAMPLES,
        size_bytes=2 * (((head[2] & 7) << 8 | head[3]) + 1),
    )
