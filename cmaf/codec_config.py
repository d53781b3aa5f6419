"""What a decoder is told before the first frame: AudioSpecificConfig, `dOps` and STREAMINFO, read field by field."""

from dataclasses import dataclass

from model.errors import MediaError

_AAC_RATES_HZ = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350)
_SBR, _PS = 5, 29  # audio object types (ISO/IEC 14496-3 table 1.17)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderConfig:
    """The format that a decoder will give. `bit_depth` is 16 where the codec has none; `plain` says that nothing else
    is asked of it: in AAC the LC profile without SBR, in Opus two channels or one without a mapping table and without
    a gain, in FLAC STREAMINFO and no other block."""

    sample_rate_hz: int
    channels: int
    bit_depth: int
    plain: bool


def decoder_config(sample_entry: str, config: bytes) -> DecoderConfig:
    """What `config` of a sample entry says. Raises MediaError for what cannot be read."""
    reader = {"mp4a": _aac, "Opus": _opus, "fLaC": _flac}.get(sample_entry)
    if reader is None:
        raise MediaError(f"no configuration of sample entry {sample_entry} is known")
    return reader(config)


def _bits(data: bytes, first: int, count: int) -> int:
    if first + count > 8 * len(data):
        raise MediaError(f"a decoder configuration of {len(data)} bytes ends before its fields do")
    return int.from_bytes(data, "big") >> (8 * len(data) - first - count) & ((1 << count) - 1)


def _aac(config: bytes) -> DecoderConfig:
    """AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1) of an object type with GASpecificConfig."""
    object_type, rate_index, channels = _bits(config, 0, 5), _bits(config, 5, 4), _bits(config, 9, 4)
    if rate_index >= len(_AAC_RATES_HZ):
        raise MediaError(f"AudioSpecificConfig with the rate of number {rate_index}")
    low_complexity = object_type == 2 and _bits(config, 13, 3) == 0  # frames of 1,024, no core coder, no extension
    sbr = False
    if 8 * len(config) >= 16 + 17 and _bits(config, 16, 11) == 0x2B7:  # a backward compatible extension follows
        sbr = _bits(config, 27, 5) in (_SBR, _PS) and _bits(config, 32, 1) == 1
    return DecoderConfig(
        sample_rate_hz=_AAC_RATES_HZ[rate_index], channels=channels, bit_depth=16, plain=low_complexity and not sbr
    )


def _opus(config: bytes) -> DecoderConfig:
    """OpusSpecificBox (Encapsulation of Opus in ISO BMFF §4.3.2). Opus decodes to 48 kHz whatever went in."""
    version, channels = _bits(config, 0, 8), _bits(config, 8, 8)
    gain, family = _bits(config, 64, 16), _bits(config, 80, 8)
    plain = (version, gain, family, len(config)) == (0, 0, 0, 11) and channels in (1, 2)
    return DecoderConfig(sample_rate_hz=48_000, channels=channels, bit_depth=16, plain=plain)


def _flac(config: bytes) -> DecoderConfig:
    """FLACSpecificBox (Encapsulation of FLAC in ISO BMFF §3.3.2): version, flags, then metadata blocks."""
    streaminfo_alone = _bits(config, 32, 32) == 0x8000_0022 and len(config) == 4 + 4 + 34
    fields = 64 + 80  # after the smallest and largest block and frame
    return DecoderConfig(
        sample_rate_hz=_bits(config, fields, 20),
        channels=_bits(config, fields + 20, 3) + 1,
        bit_depth=_bits(config, fields + 23, 5) + 1,
        plain=streaminfo_alone and _bits(config, 0, 32) == 0,
    )
