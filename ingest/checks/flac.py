"""FLAC's own promises: the samples of STREAMINFO, and a last frame that ends with them and with its checksum."""

from typing import BinaryIO

from ingest.checks.promise import SAYS_NOTHING, Promise, read_at

BLOCKS_MAX = 1_000
TAIL_BYTES = 1 << 20  # what the last frame and tags behind it fit into
_LAST_FRAME = "its last frame"
_BLOCK_SIZES = {
    1: 192,
    **{code: 576 << code - 2 for code in range(2, 6)},
    **{code: 256 << code - 8 for code in range(8, 16)},
}


def flac(file: BinaryIO, start: int, size: int) -> Promise:
    """Native FLAC. A total of 0 was never filled in and promises nothing."""
    at, info = start + 4, b""
    for _ in range(BLOCKS_MAX):
        header = read_at(file, at, 4)
        if len(header) < 4:
            return Promise(lacks="its frames")
        length = int.from_bytes(header[1:], "big")
        if header[0] & 0x7F == 0:
            info = read_at(file, at + 4, 34)
        at += 4 + length
        if header[0] & 0x80:
            break
    if len(info) < 34:
        return SAYS_NOTHING
    packed = int.from_bytes(info[10:18], "big")  # 20 bits of rate, 3 of channels, 5 of depth, 36 of samples
    rate, channels, samples = packed >> 44, (packed >> 41 & 7) + 1, packed & (1 << 36) - 1
    whole = not samples or _ends_with(file, max(at, size - TAIL_BYTES), samples, int.from_bytes(info[:2], "big"))
    lacks = "" if whole else _LAST_FRAME
    return Promise(lacks=lacks, samples=samples or None, sample_rate_hz=rate, channels=channels)


def _ends_with(file: BinaryIO, at: int, samples: int, block: int) -> bool:
    """Whether the tail holds the frame with the last sample, whole."""
    tail = read_at(file, at, TAIL_BYTES)
    found = len(tail)
    while (found := tail.rfind(b"\xff", 0, found)) >= 0:
        header = tail[found : found + 16]
        if len(header) > 5 and header[1] in (0xF8, 0xF9) and _frame_end(header, block) == samples:
            return _checks_out(tail[found:])
    return False


def _frame_end(header: bytes, block: int) -> int | None:
    """The number of the sample after a frame, None if these bytes are no frame header."""
    number, at = _coded_number(header, 4)
    if number is None or header[3] & 1:
        return None
    code, rate = header[2] >> 4, header[2] & 15
    size = _BLOCK_SIZES.get(code, 0)
    if code in (6, 7):
        size = int.from_bytes(header[at : at + code - 5], "big") + 1
        at += code - 5
    at += {12: 1, 13: 2, 14: 2}.get(rate, 0)
    if not size or at >= len(header) or _crc8(header[:at]) != header[at]:
        return None
    return (number if header[1] & 1 else number * block) + size


def _coded_number(header: bytes, at: int) -> tuple[int | None, int]:
    """A number in the extended UTF-8 of FLAC, and where it ends."""
    first = header[at]
    if first < 0x80:
        return first, at + 1
    length = 8 - (first ^ 0xFF).bit_length()
    rest = header[at + 1 : at + length]
    if not 2 <= length <= 7 or len(rest) < length - 1 or any(byte & 0xC0 != 0x80 for byte in rest):
        return None, at
    number = first & (0x7F >> length)
    for byte in rest:
        number = number << 6 | byte & 0x3F
    return number, at + length


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc = _CRC8[crc ^ byte]
    return crc


def _checks_out(frame: bytes) -> bool:
    """Whether the checksum at a frame's end fits somewhere: where the frame ends, only a decoder knows, and tags may
    follow. A cut frame passes by chance less often than its length over 65,536; what is decoded is counted as well."""
    crc = 0
    for byte in frame:
        crc = (crc << 8 & 0xFFFF) ^ _CRC16[crc >> 8 ^ byte]
        if not crc:
            return True
    return False


def _table(polynomial: int, bits: int) -> tuple[int, ...]:
    def entry(value: int) -> int:
        value <<= bits - 8
        for _ in range(8):
            value = (value << 1 ^ (polynomial if value >> bits - 1 else 0)) & (1 << bits) - 1
        return value

    return tuple(entry(value) for value in range(256))


_CRC8 = _table(0x07, 8)
_CRC16 = _table(0x8005, 16)
