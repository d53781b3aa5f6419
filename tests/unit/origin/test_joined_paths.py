"""The names of segments of joined tracks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.rendition import Codec
from origin.joined_paths import (
    FRAMES_MAX,
    PARTS_MAX,
    Part,
    init_path,
    is_on_grid,
    parts_of,
    priming_is_possible,
    segment_iv,
    segment_path,
)

ids = st.text("abcxyz234567", min_size=16, max_size=26)
R, P = "r" * 20, "p" * 16
ONE = f"{R}/{P}/aac-64/0-45"
FRAMES = st.integers(0, 10**6)
LENGTHS = st.integers(1, FRAMES_MAX)


def part(first: int, length: int | None, recording_id: str = R, package_id: str = P) -> Part:
    """A part of the rendition `aac-64`."""
    end = None if length is None else first + length
    return Part(recording_id=recording_id, package_id=package_id, rendition_id="aac-64", first=first, end=end)


def test_each_segment_has_an_iv_of_its_own() -> None:
    """Wherever the same frames begin, and whatever begins there; never a small number, which a track's own are."""
    segments = [(start, part(first, length)) for start in (0, 1024) for first in (0, 45) for length in (45, 46, None)]
    ivs = {segment_iv(start, each) for start, each in segments}
    assert len(ivs) == len(segments)
    assert all(len(iv) == 16 and int.from_bytes(iv, "big") >> 32 for iv in ivs)


@given(
    start=st.integers(0, 10**14),
    whole=st.lists(
        st.builds(part, st.integers(0, 10**6), st.integers(1, FRAMES_MAX), ids, ids), max_size=PARTS_MAX - 1
    ),
    last=st.builds(part, FRAMES, st.none() | LENGTHS, ids, ids),
)
def test_a_path_says_its_parts(start: int, whole: list[Part], last: Part) -> None:
    """And they say the path: a segment has one name."""
    path = segment_path(start, [*whole, last])
    head, _, rest = path.removeprefix("joined/").partition("/")
    assert int(head) == start
    assert parts_of(rest.removesuffix(".mp4")) == (*whole, last)


@pytest.mark.parametrize(
    "text",
    [
        "", "/", ONE.replace("0-45", "045-46"), ONE.replace("0-45", "5-5"), ONE.replace("0-45", "6-5"),
        ONE.replace("0-45", f"0-{FRAMES_MAX + 1}"), ONE.replace("0-45", "-1-5"), ONE.replace("0-45", "0"),
        f"{R}/aac-64/0-45", f"{ONE}/", f"/{ONE}", f"{ONE}/{ONE}/x", ONE.replace(R, "R" * 20), ONE.replace(P, "p"),
        f"{R}/{P}/aac-64/0-end/{ONE}", "/".join([ONE] * (PARTS_MAX + 1)), "a/" * 400,
    ],
)  # fmt: skip
def test_nonsense_has_no_parts(text: str) -> None:
    """Other spellings, empty or endless ranges, malformed ids, too many parts."""
    assert parts_of(text) is None


def test_the_rest_of_a_file_is_one_part() -> None:
    """Of a file there is nothing after it."""
    assert parts_of(f"{R}/{P}/aac-64/7-end") == (part(7, None),)


def test_frames_begin_on_their_grid() -> None:
    """But for FLAC, whose blocks may be short."""
    assert is_on_grid(Codec.AAC, 1024 * 3)
    assert not is_on_grid(Codec.AAC, 960)
    assert is_on_grid(Codec.OPUS, 960)
    assert is_on_grid(Codec.FLAC, 1)


def test_priming_is_a_few_frames() -> None:
    """More than any encoder or run needs is nonsense."""
    assert init_path(Codec.OPUS, 312) == "joined/init/opus-312.mp4"
    assert priming_is_possible(Codec.AAC, 2047)
    assert priming_is_possible(Codec.OPUS, 4 * 960 + 959)
    assert not priming_is_possible(Codec.OPUS, 100_000)
    assert not priming_is_possible(Codec.FLAC, 1)
