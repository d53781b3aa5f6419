"""Files of an AAC encoder in fragments, made by hand: frames of known sizes."""

import struct
from io import BytesIO

from cmaf.write import TrackHeader, box, full_box, init_section
from model.rendition import Codec
from tests.unit.cmaf.samples import CONFIGS, LOUDNESS

FRAME = 1_024
HEADER = TrackHeader(
    codec=Codec.AAC, config=CONFIGS[Codec.AAC], timescale=48_000, channels=2, bit_depth=16, priming_ticks=FRAME,
    frame_ticks=FRAME, frame_bytes_max=1, bitrate_max_bps=1, bitrate_average_bps=1, loudness=LOUDNESS,
)  # fmt: skip


def fragment(sizes: list[int], *, last: int = FRAME, alike: bool = False, count: int | None = None) -> bytes:
    """A fragment as ffmpeg writes it: durations are told if the `last` is another, sizes if they are not `alike`."""
    tfhd = full_box(b"tfhd", 0, 0x02_0038, struct.pack(">IIII", 1, FRAME, sizes[0], 0x0200_0000))
    told = last != FRAME
    ticks = [*([FRAME] * (len(sizes) - 1)), last]
    rows = [value for pair in zip(ticks, sizes, strict=True) for value in pair[0 if told else 1 : 1 if alike else 2]]
    flags = 0x1 | (0x100 if told else 0) | (0 if alike else 0x200)

    def moof(offset: int) -> bytes:
        head = struct.pack(">II", len(sizes) if count is None else count, offset)
        trun = full_box(b"trun", 0, flags, head, *(row.to_bytes(4, "big") for row in rows))
        return box(b"moof", full_box(b"mfhd", 0, 0, bytes(4)), box(b"traf", tfhd, trun))

    frames = [bytes([number]) * size for number, size in enumerate(sizes)]
    return moof(len(moof(0)) + 8) + box(b"mdat", *frames)


def file_of(*parts: bytes) -> BytesIO:
    """An encoder's file with these fragments."""
    return BytesIO(init_section(HEADER) + b"".join(parts))
