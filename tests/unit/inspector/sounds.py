"""Small streams without boxes, made by hand: packed audio and MPEG-TS with ADTS frames of 48 kHz inside."""

from collections.abc import Callable, Sequence

from tests.unit.inspector.streams import Files

FRAMES = (282, 282, 141)  # of each segment: 6.016 s, 6.016 s, 3.008 s
STARTS = (126_000, 667_440, 1_208_880)  # of each, in ticks of 90 kHz
_HEAD = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:6\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-INDEPENDENT-SEGMENTS\n"
_OWNER = b"com.apple.streaming.transportStreamTimestamp\0"
AAC, LATM = 0x0F, 0x11


def adts(frames: int, rate: int = 3) -> bytes:
    """Frames of AAC-LC in stereo, of 64 bytes; the rate by its index (3: 48 kHz, 4: 44.1 kHz)."""
    head = bytes([0xFF, 0xF1, 0x40 | rate << 2, 0x80, 64 >> 3, (64 & 7) << 5 | 0x1F, 0xFC])
    return frames * (head + bytes(57))


def latm(frames: int, config: bytes = b"\x80") -> bytes:
    """Elements of AAC in LOAS, of 64 bytes, the first of them with a configuration; by default all leave it unsaid."""
    first, others = (bytes.fromhex("56e03d") + each.ljust(61, b"\0") for each in (config, b"\x80"))
    return first + (frames - 1) * others


def timed(ticks: int) -> bytes:
    """An ID3 tag with the time of the first sample."""
    body = _OWNER + ticks.to_bytes(8, "big")
    frame = b"PRIV" + bytes([0, 0, 0, len(body), 0, 0]) + body
    return b"ID3\x04\0\0" + bytes([0, 0, 0, len(frame)]) + frame


def packed(starts: Sequence[int] = STARTS) -> Files:
    """A media playlist, `index.m3u8`, and three segments of packed audio."""
    return _stream("aac", [timed(start) + adts(frames) for start, frames in zip(starts, FRAMES, strict=True)])


def transport(*, kinds: Sequence[int] = (AAC,), sound: Callable[[int], bytes] = adts) -> Files:
    """The same in MPEG-TS; the map table names a stream of each kind, the first of which is there."""
    return _stream("ts", [_segment(start, sound(frames), kinds) for start, frames in zip(STARTS, FRAMES, strict=True)])


def _stream(suffix: str, segments: list[bytes]) -> Files:
    names = [f"{number}.{suffix}" for number in range(len(segments))]
    listed = "".join(
        f"#EXTINF:{frames * 1024 / 48_000:.6f},\n{name}\n" for frames, name in zip(FRAMES, names, strict=True)
    )
    return {"index.m3u8": f"{_HEAD}{listed}#EXT-X-ENDLIST\n".encode(), **dict(zip(names, segments, strict=True))}


def _segment(start: int, sound: bytes, kinds: Sequence[int]) -> bytes:
    association = bytes.fromhex("00b00d0001c100000001e100") + bytes(4)
    streams = b"".join(bytes([kind, 0xE1, number, 0xF0, 0]) for number, kind in enumerate(kinds, start=1))
    table = bytes.fromhex("02b0") + bytes([13 + len(streams)]) + bytes.fromhex("0001c10000e101f000") + streams
    bits = 0x21_0001_0001 | (start >> 30 & 7) << 33 | (start >> 15 & 0x7FFF) << 17 | (start & 0x7FFF) << 1
    head = bytes.fromhex("000001c00000808005") + bits.to_bytes(5, "big")
    tables = _packets(0, b"\0" + association) + _packets(0x100, b"\0" + table + bytes(4))
    return tables + _packets(0x101, head + sound)


def _packets(pid: int, payload: bytes) -> bytes:
    out = b""
    for number, at in enumerate(range(0, len(payload), 184)):
        piece = payload[at : at + 184]
        place = (pid | (0 if number else 0x4000)).to_bytes(2, "big")
        stuffing = 184 - len(piece)
        field = bytes([stuffing - 1]) + bytes(stuffing > 1) + b"\xff" * (stuffing - 2) if stuffing else b""
        out += b"\x47" + place + bytes([(0x30 if stuffing else 0x10) | number % 16]) + field + piece
    return out
