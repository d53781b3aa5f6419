"""What of a recording librosa is given."""

from hypothesis import given
from hypothesis import strategies as st

from ingest.librosa_features import part_of


@given(pieces=st.lists(st.binary(max_size=9)), skipped=st.integers(0, 20), most=st.integers(0, 20))
def test_a_part_of_a_stream_is_kept(pieces: list[bytes], skipped: int, most: int) -> None:
    """However it is cut into pieces."""
    kept = bytearray()
    take = part_of(kept, skipped, most)
    for piece in pieces:
        take(piece)
    assert kept == b"".join(pieces)[skipped : skipped + most]
