"""Ids: the same sound is the same recording, another release of it another track, and all are safe in URLs and keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.track import (
    DERIVED_ID_LENGTH,
    TRACK_ID_LENGTH,
    SourceInfo,
    TrackTags,
    derived_id,
    is_id,
    recording_id_of,
    track_id_of,
)
from tests.unit.model.builders import source_info


@given(st.text(), st.text())
def test_recordings_and_tracks_are_named_by_what_they_are(sound: str, release: str) -> None:
    """Of fixed length, in the form of an id; another sound or another release gives another one."""
    recording_id = recording_id_of(sound)
    track_id = track_id_of(recording_id, release)
    for made in (recording_id, track_id):
        assert is_id(made)
        assert len(made) == TRACK_ID_LENGTH
    assert track_id == track_id_of(recording_id, release) != recording_id
    assert track_id != track_id_of(recording_id, release + "!")
    assert track_id != track_id_of(recording_id_of(sound, ""), release)


@given(parts=st.lists(st.text(), min_size=1, max_size=5), cut=st.integers(0, 20))
def test_parts_of_a_derived_id_cannot_flow_together(parts: list[str], cut: int) -> None:
    """`("ab", "c")` and `("a", "bc")` are different recipes."""
    made = derived_id(*parts)
    assert is_id(made)
    assert len(made) == DERIVED_ID_LENGTH
    whole = "".join(parts)
    other = (whole[:cut], whole[cut:])
    assert (derived_id(*other) == made) == (other == tuple(parts))


@pytest.mark.parametrize(
    "text", ["", "abc", "A" * 20, "a" * 27, "a" * 15, "a" * 19 + "1", "a" * 19 + "/", "a" * 20 + "\n"]
)
def test_what_is_no_id(text: str) -> None:
    """Wrong length, capitals, digits that look like letters, and anything with a meaning in a path."""
    assert not is_id(text)


@pytest.mark.parametrize("field", ["sample_rate_hz", "channels", "size_bytes"])
def test_an_impossible_source_is_refused(field: str) -> None:
    """No rate, no channels, no bytes: no source."""
    values = {name: getattr(source_info(), name) for name in SourceInfo.__slots__}
    with pytest.raises(ValueError, match="impossible"):
        SourceInfo(**(values | {field: 0}))


def test_a_track_has_a_title() -> None:
    """Players show something, always."""
    with pytest.raises(ValueError, match="title"):
        TrackTags(title="")
