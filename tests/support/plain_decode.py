"""Track files read and decoded without a line of ours: boxes by hand, frames to a plain ffmpeg as ADTS or Ogg.

What the container says is to be left out is left out here, not by the decoder: its own ideas of trims do not matter.
"""

import struct
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
TIMEOUT_S = 60
_FRAME_TICKS = {"mp4a": 1024, "Opus": 960}
_FIELDS = {  # before the boxes inside a box
    **dict.fromkeys(("moov", "trak", "edts", "mdia", "minf", "stbl", "moof", "traf"), 0),
    "stsd": 8,
    "mp4a": 28,
    "Opus": 28,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """A track file: its frames, how many samples come before the music, and how many samples of music there are."""

    codec: str
    frames: tuple[bytes, ...]
    priming: int
    samples: int

    @property
    def frame_ticks(self) -> int:
        """How many samples a frame has."""
        return _FRAME_TICKS[self.codec]


def frames_of(path: Path) -> Frames:
    """Read a track file of AAC or Opus."""
    data = path.read_bytes()
    boxes = list(_boxes(data, 0, len(data)))
    where = dict(boxes)
    codec = next(kind for kind in _FRAME_TICKS if kind in where)
    if codec == "Opus":
        (priming,) = struct.unpack_from(">H", data, where["dOps"] + 2)
    else:
        edits, _, priming = struct.unpack_from(">IIi", data, where["elst"] + 4)
        assert edits == 1
    frames: list[bytes] = []
    ticks = moof = default = 0
    for kind, start in boxes:
        if kind == "moof":
            moof = start - 8
        elif kind == "tfhd":
            (default,) = struct.unpack_from(">I", data, start + 8)
        elif kind == "trun":
            flags, count, offset = struct.unpack_from(">IIi", data, start)
            fields = struct.unpack_from(f">{count * (2 if flags & 0x100 else 1)}I", data, start + 12)
            sizes = fields[1::2] if flags & 0x100 else fields
            ticks += sum(fields[::2]) if flags & 0x100 else count * default
            at = moof + offset
            for size in sizes:
                frames.append(data[at : at + size])
                at += size
    return Frames(codec=codec, frames=tuple(frames), priming=priming, samples=ticks - priming)


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[str, int]]:
    """Kind and start of the payload of every box, those inside others too."""
    while start < end:
        size, name = struct.unpack_from(">I4s", data, start)
        kind = name.decode("latin-1")
        yield kind, start + 8
        if kind in _FIELDS:
            yield from _boxes(data, start + 8 + _FIELDS[kind], start + size)
        start += size


def alone(track: Frames) -> Any:
    """What a listener hears who plays this track and no other."""
    return _decoded(track.codec, track.frames)[track.priming : track.priming + track.samples]


def joined(tracks: Sequence[Frames]) -> Any:
    """What a listener hears of several tracks on one timeline: see docs/architecture.md, "Runs"."""
    first = tracks[0]
    frames, border = list(first.frames), first.priming + first.samples
    for track in tracks[1:]:
        if border % track.frame_ticks:
            frames.pop()  # the border lies in this frame, which the next track has too
        frames += track.frames[track.priming // track.frame_ticks :]
        border += track.samples
    return _decoded(first.codec, frames)[first.priming : border]


def _decoded(codec: str, frames: Sequence[bytes]) -> Any:
    form, stream = ("aac", _adts(frames)) if codec == "mp4a" else ("ogg", _ogg(frames))
    command = [FFMPEG, "-v", "error", "-f", form, "-i", "pipe:0", "-f", "f32le", "pipe:1"]
    done = subprocess.run(command, input=stream, check=True, capture_output=True, timeout=TIMEOUT_S)
    return np.frombuffer(done.stdout, "<f4").reshape(-1, 2).astype(float)


def _adts(frames: Sequence[bytes]) -> bytes:
    """AAC-LC, 48 kHz, stereo, with a header of 7 bytes before each frame (ISO/IEC 13818-7 §6.2)."""
    out = bytearray()
    for frame in frames:
        size = len(frame) + 7
        out += struct.pack(">HBBBBB", 0xFFF1, 0x4C, 0x80 | size >> 11, size >> 3 & 0xFF, (size & 7) << 5 | 0x1F, 0xFC)
        out += frame
    return bytes(out)


def _ogg(frames: Sequence[bytes]) -> bytes:
    """A page for each frame (RFC 3533, RFC 7845), with no pre-skip: nothing is left out."""
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, 2, 0, 48_000, 0, 0)
    packets = [head, b"OpusTags" + bytes(8), *frames]
    granules = [0, 0, *range(960, 960 * len(frames) + 1, 960)]
    flags = [2, *[0] * (len(packets) - 1)]
    pages = zip(packets, granules, flags, strict=True)
    return b"".join(_page(packet, granule, flag, number) for number, (packet, granule, flag) in enumerate(pages))


def _page(packet: bytes, granule: int, flags: int, number: int) -> bytes:
    lacing = b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255])
    head = struct.pack("<4sBBqII", b"OggS", 0, flags, granule, 1, number)
    rest = bytes([len(lacing)]) + lacing + packet
    checksum = 0
    for byte in head + bytes(4) + rest:
        checksum = (checksum << 8) & 0xFFFF_FFFF ^ _CRC[checksum >> 24 ^ byte]
    return head + struct.pack("<I", checksum) + rest


def _crc_of(value: int) -> int:
    value <<= 24
    for _ in range(8):
        value = value << 1 ^ (0x04C1_1DB7 if value & 0x8000_0000 else 0)
    return value & 0xFFFF_FFFF


_CRC = [_crc_of(value) for value in range(256)]
