"""What MP3 (MPEG audio of any layer) and ADTS AAC promise: frames of known size, and a count of them at the front."""

from collections.abc import Callable
from typing import BinaryIO

from ingest.checks.promise import SAYS_NOTHING, Promise, read_at

JUNK_BYTES_MAX = 1 << 16  # that may stand before the first frame
TAIL_BYTES = 1 << 16
CHAIN_FRAMES = 4  # so many frames in a row are no chance
TAGS_MAX = 8
_LAST_FRAME = "the rest of its last frame"
_RATES = (44_100, 48_000, 32_000)
_BITRATES = {  # kbit/s by (MPEG 1?, layer)
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_SIDE_BYTES = {(True, False): 32, (True, True): 17, (False, False): 17, (False, True): 9}  # by (MPEG 1?, mono?)

_FrameSize = Callable[[bytes], int]  # of the frame that begins with these bytes; 0 for none, or none that is known


def mp3_frame_size(header: bytes) -> int:
    """The size in bytes of an MPEG audio frame; 0 for what is none, and for free format, where it is not told."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return 0
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    kilobits, rate = header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or layer == 4 or kilobits in (0, 15) or rate == 3:
        return 0
    first = version == 3
    hertz = _RATES[rate] >> {3: 0, 2: 1, 0: 2}[version]
    bits = _BITRATES[first, layer][kilobits] * 1000
    padding = header[2] >> 1 & 1
    if layer == 1:
        return (12 * bits // hertz + padding) * 4
    return (144 if first or layer == 2 else 72) * bits // hertz + padding


def adts_frame_size(header: bytes) -> int:
    """The size in bytes of an ADTS frame; 0 for what is none."""
    if len(header) < 7 or header[0] != 0xFF or header[1] & 0xF6 != 0xF0 or header[2] >> 2 & 15 > 12:
        return 0
    size = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
    return size if size > 7 else 0


def mp3(file: BinaryIO, start: int, size: int) -> Promise:
    """MPEG audio. Tags, padding and other bytes behind the last frame are no sign of damage."""
    end = _without_tags(file, start, size)
    first = _first_frame(file, start, end, mp3_frame_size)
    if first is None:
        return SAYS_NOTHING
    told = _told_bytes(read_at(file, first, 256))
    frame = mp3_frame_size(read_at(file, first, 4))
    if first + told - frame > end:  # some encoders count the frame that says so, others do not
        return Promise(end=first + told + size - end)
    lacks = _tail(file, first, end, mp3_frame_size)
    return Promise(lacks=lacks, samples=_told_samples(read_at(file, first, 256)))


def adts(file: BinaryIO, start: int, size: int) -> Promise:
    """AAC in ADTS frames."""
    end = _without_tags(file, start, size)
    return Promise(lacks=_tail(file, start, end, adts_frame_size))


def _told_bytes(frame: bytes) -> int:
    """The bytes of all frames as Xing, Info or VBRI tell them, 0 if none does."""
    tag = frame[4 + _side_bytes(frame) :]
    if tag[:4] in (b"Xing", b"Info"):
        flags = int.from_bytes(tag[4:8], "big")
        at = 12 if flags & 1 else 8
        return int.from_bytes(tag[at : at + 4], "big") if flags & 2 else 0
    return int.from_bytes(frame[46:50], "big") if frame[36:40] == b"VBRI" else 0


def _told_samples(frame: bytes) -> int | None:
    """The samples that are left after the encoder's delay and padding, where LAME's tag tells them."""
    first, side = frame[1] >> 3 & 3 == 3, _side_bytes(frame)
    tag = frame[4 + side :]
    if tag[:4] not in (b"Xing", b"Info") or tag[7] & 15 != 15 or tag[120:124] not in (b"LAME", b"Lavc", b"Lavf"):
        return None
    frames, trims = int.from_bytes(tag[8:12], "big"), int.from_bytes(tag[141:144], "big")
    return max(0, frames * (1152 if first else 576) - (trims >> 12) - (trims & 0xFFF)) or None


def _side_bytes(frame: bytes) -> int:
    return _SIDE_BYTES[frame[1] >> 3 & 3 == 3, frame[3] >> 6 == 3]


def _first_frame(file: BinaryIO, start: int, end: int, size_of: _FrameSize) -> int | None:
    head = read_at(file, start, min(2 * JUNK_BYTES_MAX, max(0, end - start)))
    found = _chain(head, size_of)
    return None if found is None or found[0] > JUNK_BYTES_MAX else start + found[0]


def _tail(file: BinaryIO, start: int, end: int, size_of: _FrameSize) -> str:
    """What the last frame lacks, as far as its frames can be followed."""
    at = max(start, end - TAIL_BYTES)
    found = _chain(read_at(file, at, end - at), size_of)
    return _LAST_FRAME if found is not None and at + found[1] > end else ""


def _chain(data: bytes, size_of: _FrameSize) -> tuple[int, int] | None:
    """Where the last chain of frames in `data` begins and where the frame ends that it ends with."""
    at, best = 0, None
    while (at := data.find(b"\xff", at)) >= 0:
        end, frames = at, 0
        while (size := size_of(data[end : end + 7])) and _alike(data[at : at + 3], data[end : end + 3]):
            end, frames = end + size, frames + 1
        if frames >= CHAIN_FRAMES:
            best = (best[0] if best else at, end)
            at = end
        else:
            at += 1
    return best


def _alike(first: bytes, other: bytes) -> bool:
    """Whether two headers are of one stream: its version, layer and rate."""
    return first[1] & 0xFE == other[1] & 0xFE and first[2] & 0x0C == other[2] & 0x0C


def _without_tags(file: BinaryIO, start: int, end: int) -> int:
    """Where the audio ends if ID3v1, APE, Lyrics3 or ID3v2 tags stand behind it."""
    for _ in range(TAGS_MAX):
        length = _tag_at_end(file, end)
        if not 0 < length <= end - start:
            break
        end -= length
    return end


def _tag_at_end(file: BinaryIO, end: int) -> int:
    """The length of the tag that ends here, 0 for none."""
    tail = read_at(file, end - 128, 128) if end >= 128 else b""
    if tail[:3] == b"TAG":
        return 128
    if tail[96:104] == b"APETAGEX":  # its size counts the footer, not the header
        header = 32 if tail[119] & 0x80 else 0
        return int.from_bytes(tail[108:112], "little") + header
    if tail[118:121] == b"3DI":
        return 20 + unsynchronised(tail[124:128])
    if tail[119:] == b"LYRICS200" and tail[113:119].isdigit():
        return int(tail[113:119]) + 15
    return 0


def unsynchronised(data: bytes) -> int:
    """A size of ID3v2: seven bits a byte."""
    value = 0
    for byte in data:
        value = value << 7 | byte & 0x7F
    return value
