"""Decoder configurations by hand, field by field; and whatever bytes come, a value or MediaError."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmaf.codec_config import DecoderConfig, decoder_config
from model.errors import MediaError


def _is(rate: int, channels: int, depth: int = 16, *, plain: bool = True) -> DecoderConfig:
    return DecoderConfig(sample_rate_hz=rate, channels=channels, bit_depth=depth, plain=plain)


@pytest.mark.parametrize(
    ("entry", "config", "expected"),
    [
        ("mp4a", "1190", _is(48_000, 2)),  # AAC-LC
        ("mp4a", "1208", _is(44_100, 1)),
        ("mp4a", "119056e500", _is(48_000, 2)),  # with an extension that says: no SBR
        ("mp4a", "119056e580", _is(48_000, 2, plain=False)),  # SBR present
        ("mp4a", "2b118800", _is(24_000, 2, plain=False)),  # HE-AAC, told at once
        ("mp4a", "1194", _is(48_000, 2, plain=False)),  # frames of 960
        ("Opus", "0002 0138 0000bb80 0000 00", _is(48_000, 2)),
        ("Opus", "0001 0f00 0000ac44 0000 00", _is(48_000, 1)),
        ("Opus", "0002 0138 0000bb80 ff00 00", _is(48_000, 2, plain=False)),  # a gain of -1 dB
        ("Opus", "0102 0138 0000bb80 0000 00", _is(48_000, 2, plain=False)),  # a version to come
        ("Opus", "0006 0138 0000bb80 0000 01 04 02 000401020305", _is(48_000, 6, plain=False)),
        ("fLaC", "00000000 80000022 0f000f00000000000000 0bb80370 00000000" + "00" * 16, _is(48_000, 2, 24)),
        ("fLaC", "00000000 80000022 0f000f00000000000000 0ac442f0 00000000" + "00" * 16, _is(44_100, 2, 16)),
        ("fLaC", "00000000 00000022 0f000f00000000000000 0bb80370 00000000" + "00" * 16 + "81000000",
         _is(48_000, 2, 24, plain=False)),
    ],
)  # fmt: skip
def test_what_a_configuration_says(entry: str, config: str, expected: DecoderConfig) -> None:
    """Rate, channels, depth, and whether CODECS tells the whole of it."""
    assert decoder_config(entry, bytes.fromhex(config)) == expected


@pytest.mark.parametrize("entry", ["mp4a", "Opus", "fLaC", "ac-4"])
@pytest.mark.parametrize("config", [b"", b"\x17", b"\x17\xff"])
def test_what_ends_early_is_refused(entry: str, config: bytes) -> None:
    """Before its fields do; or a rate by number 15; or an entry that is none of ours."""
    with pytest.raises(MediaError):
        decoder_config(entry, config)


@given(entry=st.sampled_from(["mp4a", "Opus", "fLaC"]), config=st.binary(max_size=80))
def test_junk(entry: str, config: bytes) -> None:
    """A value or MediaError."""
    with suppress(MediaError):
        assert decoder_config(entry, config).channels >= 0
