"""AAC as LATM in LOAS (ISO/IEC 14496-3 §1.7), as broadcasters have it in MPEG-TS.

Nothing here raises on bad bytes: what was read up to there is told, and where it ends.
"""

from dataclasses import dataclass

from inspector.frame_heads import RATES_HZ
from inspector.frames import SoundLook

_SYNC, _HEAD_BYTES = 0x2B7, 3  # 11 bits, before 13 bits of length
_CONFIG_BYTES = 32  # it is in the first of an element
_CODECS = ("mp4a.40.29", "mp4a.40.5", "mp4a.40.2")  # AAC-LC, and what old decoders take for it
_SBR = (5, 29)


@dataclass(frozen=True, slots=True)
class _Config:
    sample_rate_hz: int
    channels: int
    samples: int  # of an element


class _Bits:
    """Takes bits off, the first ones first; zeros after the last."""

    def __init__(self, data: bytes) -> None:
        self._number = int.from_bytes(data.ljust(_CONFIG_BYTES, b"\0"), "big")
        self._left = 8 * max(len(data), _CONFIG_BYTES)

    def take(self, count: int) -> int:
        self._left = max(0, self._left - count)
        return self._number >> self._left & ((1 << count) - 1)


def look_at_latm(data: bytes, *, starts: int | None = None) -> SoundLook:
    """Elements one after the other to the end. The configuration is said in some of them and is that of all; where none
    says one that we know, nothing but the codec is told."""
    config: _Config | None = None
    elements, position, flaw = 0, 0, ""
    while position < len(data):
        head = int.from_bytes(data[position : position + _HEAD_BYTES], "big")
        end = position + _HEAD_BYTES + (head & 0x1FFF)
        if len(data) - position < _HEAD_BYTES or head >> 13 != _SYNC:
            flaw = f"no frame of sound at byte {position} of {len(data)}"
            break
        if end > len(data):
            flaw = f"the last frame breaks off after {len(data) - position} of {end - position} bytes"
            break
        if config is None:
            config = _config(data[position + _HEAD_BYTES : min(end, position + _HEAD_BYTES + _CONFIG_BYTES)])
        elements, position = elements + 1, end
    if config is None or not elements:
        return SoundLook(codecs=_CODECS, starts=starts, flaw=flaw)
    return SoundLook(
        codecs=_CODECS,
        sample_rate_hz=config.sample_rate_hz,
        channels=config.channels,
        frames=elements,
        samples=elements * config.samples,
        starts=starts,
        flaw=flaw,
    )


def _config(element: bytes) -> _Config | None:
    """The configuration at the head of an element (§1.7.3.1), of one program with one layer; None if it says none."""
    bits = _Bits(element)
    if bits.take(2):  # the one before counts; or the second version of the syntax
        return None
    bits.take(1)
    frames, others = bits.take(6) + 1, bits.take(7)
    kind, rate_hz, channels = bits.take(5), _rate(bits), bits.take(4)
    if kind in _SBR:
        _rate(bits)
        kind = bits.take(5)
    if others or kind != 2 or not rate_hz or not channels:
        return None
    return _Config(rate_hz, 8 if channels == 7 else channels, frames * (960 if bits.take(1) else 1_024))


def _rate(bits: _Bits) -> int:
    index = bits.take(4)
    if index == 0xF:
        return bits.take(24)
    return RATES_HZ[index] if index < len(RATES_HZ) else 0
