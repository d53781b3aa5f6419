"""Long encodings in parts: all frames, each once, behind headers of which only the first tells of priming."""

from io import BytesIO

import pytest

from cmaf.encoded import read_encoded
from cmaf.parts import PART_FRAGMENTS, part_ends, parts
from model.errors import MediaError
from tests.support.fragmented import FRAME, file_of, fragment


@pytest.mark.parametrize(("fragments", "expected"), [(1, 1), (PART_FRAGMENTS, 1), (2 * PART_FRAGMENTS + 1, 3)])
def test_parts_have_the_frames_of_the_whole(fragments: int, expected: int) -> None:
    """Whoever reads one part has no more than ten minutes of frames to remember."""
    file = file_of(*(fragment([5 + number % 7, 9]) for number in range(fragments)))
    made = [read_encoded(BytesIO(b"".join(pieces))) for pieces in parts(file, part_ends(file))]
    assert len(made) == expected
    assert [each.priming_ticks for each in made] == [FRAME] + [0] * (expected - 1)
    assert all(len(each.sizes) <= 2 * PART_FRAGMENTS for each in made)
    assert [size for each in made for size in each.sizes] == list(read_encoded(file).sizes)


def test_a_file_without_a_header_has_no_parts() -> None:
    """It is no encoder's."""
    file = BytesIO(fragment([5]) * 2)
    with pytest.raises(MediaError, match="no moov"):
        list(parts(file, part_ends(file, 1)))
