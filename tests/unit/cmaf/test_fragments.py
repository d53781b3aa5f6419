"""Fragments of an encoder, made by hand: what they say of their frames, and what is refused."""

import struct
from io import BytesIO
from itertools import accumulate

import pytest

from cmaf.encoded import read_encoded
from cmaf.fragments import fragments
from cmaf.splice import replaced
from cmaf.write import TrackHeader, box, full_box, init_section
from model.errors import MediaError
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


def test_frames_of_several_fragments_are_one_track() -> None:
    """Sizes of their own or the default one, durations too; the last frame may be shorter."""
    file = file_of(fragment([5, 7, 9]), fragment([4, 4], alike=True), fragment([8, 6], last=400))
    encoded = read_encoded(file)
    assert list(encoded.sizes) == [5, 7, 9, 4, 4, 8, 6]
    assert (encoded.priming_ticks, encoded.frame_ticks, encoded.last_ticks) == (FRAME, FRAME, 400)
    assert encoded.media_ticks == 5 * FRAME + 400
    starts = [each.mdat.offset + 8 for each in fragments(file)]
    places = [
        at for start, own in zip(starts, ([5, 7], [4], [8]), strict=True) for at in accumulate(own, initial=start)
    ]
    assert list(encoded.offsets) == places


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([], "0 frames"),
        ([fragment([5, 7], count=0)], "0 frames in an mdat"),
        ([fragment([5, 7], count=1 << 30)], "1073741824 frames in an mdat"),
        ([fragment([5, 7], count=3)], "trun is cut off"),
        ([fragment([5, 7], count=1)], "do not fill"),
        ([fragment([5, 7])[:-20]], "followed by nothing"),
        ([fragment([5, 7])[:-20], box(b"free", bytes(12))], "followed by free"),
        ([fragment([5, 7], last=400), fragment([5, 7])], "different durations"),
        ([fragment([5, 7], last=0)], "different durations"),
    ],
)
def test_what_is_no_track_is_refused(parts: list[bytes], message: str) -> None:
    """Nothing, lies about what there is, and frames that are on no grid."""
    with pytest.raises(MediaError, match=message):
        read_encoded(file_of(*parts))


def test_frames_are_replaced_where_each_has_its_own_size() -> None:
    """In a fragment of one size for all there is no room for another: no encoder gives such where it was loud."""
    file, target = file_of(fragment([4, 4], alike=True), fragment([5, 7])), BytesIO()
    replaced(file, target, {2: b"longer"})
    assert list(read_encoded(target).sizes) == [4, 4, 6, 7]
    with pytest.raises(MediaError, match="one size"):
        replaced(file, BytesIO(), {1: b"longer"})
