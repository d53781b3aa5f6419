"""AES-128 as RFC 8216 means it, against published vectors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import KeyWrong
from protection.cipher import decrypt, encrypt, sequence_iv

KEY, IV = bytes(range(16)), bytes(range(16, 32))


def test_as_nist_has_it() -> None:
    """SP 800-38A, F.2.1 (CBC-AES128): four blocks; then a block of padding, which the standard has not."""
    key = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
    plain = bytes.fromhex(
        "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
        "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
    )
    wanted = bytes.fromhex(
        "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"
        "73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7"
    )
    made = encrypt(plain, key, bytes(range(16)))
    assert made[:-16] == wanted
    assert decrypt(made, key, bytes(range(16))) == plain


@given(data=st.binary(max_size=200))
def test_what_is_encrypted_comes_back(data: bytes) -> None:
    """Of any length; 1 to 16 bytes longer meanwhile."""
    made = encrypt(data, KEY, IV)
    assert len(made) == len(data) // 16 * 16 + 16
    assert decrypt(made, KEY, IV) == data


@pytest.mark.parametrize("data", [b"", bytes(15), bytes(17)])
def test_no_whole_number_of_blocks_is_told(data: bytes) -> None:
    """It was not encrypted, or was cut off."""
    with pytest.raises(KeyWrong, match="blocks"):
        decrypt(data, KEY, IV)


def test_a_wrong_key_is_told() -> None:
    """Its padding is none."""
    with pytest.raises(KeyWrong, match="does not open"):
        decrypt(encrypt(b"music" * 10, KEY, IV), IV, IV)


def test_the_iv_of_a_segment_is_its_number() -> None:
    """Big-endian, padded with zeros on the left (RFC 8216 §5.2)."""
    assert sequence_iv(0) == bytes(16)
    assert sequence_iv(0x0102) == bytes(14) + b"\x01\x02"
