"""AES-128 as HLS means it: CBC over a whole segment, PKCS#7 padding (RFC 8216 §4.3.2.4). Pure."""

from typing import TYPE_CHECKING

from model.errors import KeyWrong

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.modes import CBC

BLOCK_BYTES = 16


def sequence_iv(media_sequence: int) -> bytes:
    """The IV of a segment whose EXT-X-KEY has none: its media sequence number (RFC 8216 §5.2)."""
    return media_sequence.to_bytes(BLOCK_BYTES, "big")


def encrypt(data: bytes, key: bytes, iv: bytes) -> bytes:
    """The encrypted segment: 1 to 16 bytes longer, a whole number of blocks."""
    missing = BLOCK_BYTES - len(data) % BLOCK_BYTES
    encryptor = _cipher(key, iv).encryptor()
    return encryptor.update(data + bytes([missing]) * missing) + encryptor.finalize()


def decrypt(data: bytes, key: bytes, iv: bytes) -> bytes:
    """The segment in the clear. Raises KeyWrong if it does not end in padding, which one wrong key in 256 gets past."""
    if not data or len(data) % BLOCK_BYTES:
        raise KeyWrong("not encrypted with AES-128: no whole number of blocks")
    decryptor = _cipher(key, iv).decryptor()
    padded = decryptor.update(data) + decryptor.finalize()
    added = padded[-1]
    if not 1 <= added <= BLOCK_BYTES or padded[-added:] != bytes([added]) * added:
        raise KeyWrong("the key does not open the segment")
    return padded[:-added]


def _cipher(key: bytes, iv: bytes) -> "Cipher[CBC]":
    from cryptography.hazmat.primitives.ciphers import Cipher  # noqa: PLC0415 - 7 MiB that few have a use for
    from cryptography.hazmat.primitives.ciphers.algorithms import AES  # noqa: PLC0415
    from cryptography.hazmat.primitives.ciphers.modes import CBC  # noqa: PLC0415

    return Cipher(AES(key), CBC(iv))
