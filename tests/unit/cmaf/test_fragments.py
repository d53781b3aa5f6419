"""Fragments of an encoder: what they say of their frames, and what is refused."""

from io import BytesIO
from itertools import accumulate

import pytest

from cmaf.encoded import read_encoded
from cmaf.fragments import fragments
from cmaf.splice import replaced
from cmaf.write import box
from model.errors import MediaError
from tests.support.fragmented import FRAME, file_of, fragment


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
