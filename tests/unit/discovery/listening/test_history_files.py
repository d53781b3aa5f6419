"""Files of what was played elsewhere: events of ours, listens of ListenBrainz, and whatever else stands in files."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.listening.events import EventInvalid
from discovery.listening.history_files import HistoryFileInvalid, Line, Listen, read_history
from discovery.playlists.entries import Entry
from tests.unit.discovery.listening.test_events import GOOD

LISTEN: dict[str, Any] = {
    "listened_at": 1_700_000_000,
    "track_metadata": {
        "track_name": "Yellow", "artist_name": "Coldplay", "release_name": "Parachutes",
        "additional_info": {"duration_ms": 269_000, "isrc": "GBAYE0000351"},
    },
}  # fmt: skip


def _lines(*values: object) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def test_a_listen_of_listenbrainz_is_names_and_a_moment() -> None:
    """The album and the duration where they are told."""
    full = Listen(Entry(title="Yellow", artist="Coldplay", album="Parachutes", duration_s=269.0), 1_700_000_000_000)
    bare = {"listened_at": 5, "track_metadata": {"track_name": "Yellow", "additional_info": None}}
    assert list(read_history(_lines(LISTEN, bare))) == [Line(1, full), Line(2, Listen(Entry(title="Yellow"), 5000))]
    assert list(read_history(json.dumps([LISTEN]).encode())) == [Line(1, full)]


def test_one_bad_line_is_told_and_the_others_go_on() -> None:
    """By its number; empty lines are none."""
    data = _lines(GOOD) + b"\n{cut off\n" + _lines({**GOOD, "kind": "pause"}, {"listened_at": 0}, {"listened_at": 9}, 7)
    found = list(read_history(b"\xef\xbb\xbf" + data))
    assert [line.number for line in found] == [1, 3, 4, 5, 6, 7]
    subjects = [line.found.subject for line in found if isinstance(line.found, EventInvalid)]
    assert subjects == ["line", "kind", "listened_at", "track_metadata", "event"]


@pytest.mark.parametrize("data", [b"PK\x03\x04\xff", b"[1, 2", b"[" * 100_000])
def test_what_is_no_such_file_is_refused(data: bytes) -> None:
    """A packed export, a list that is cut off."""
    with pytest.raises(HistoryFileInvalid):
        list(read_history(data))


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
def test_whatever_is_in_a_file_is_told(data: bytes) -> None:
    """No exception but ours."""
    try:
        for line in read_history(data):
            assert line.number > 0
    except HistoryFileInvalid:
        pass
