"""Play events: what is taken, what is refused, and that a bad one costs the others nothing."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.listening.events import (
    AT_MS_MAX,
    EVENTS_MAX,
    PLAYED_MS_MAX,
    EventInvalid,
    Kind,
    PlayEvent,
    read_batch,
    read_event,
)

TRACK = "abcdefghij234567abcd"
GOOD: dict[str, Any] = {
    "event_id": "event-001", "play_id": "play_0001", "track_id": TRACK, "kind": "skip", "at_ms": 1_790_000_000_000,
    "position_ms": 61_000, "played_ms": 20_500, "source": "album:abcdefghij234567abcd", "reason": "forward",
}  # fmt: skip


def test_an_event_is_read_with_all_its_fields() -> None:
    """Nothing is lost, and what may be left out is empty."""
    assert read_event(GOOD) == PlayEvent(**{**GOOD, "kind": Kind.SKIP})
    few = {name: GOOD[name] for name in ("event_id", "play_id", "track_id", "kind", "at_ms")}
    event = read_event(few)
    assert (event.position_ms, event.played_ms, event.source, event.reason) == (0, 0, "", "")
    assert read_event({**GOOD, "mood": "of a newer player"}) == read_event(GOOD)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("event_id", "short"), ("event_id", "x" * 65), ("event_id", "with space"), ("event_id", 12_345_678),
        ("event_id", None), ("event_id", ""), ("play_id", "Ünicode-id"), ("play_id", "12345678\n"),
        ("track_id", "../secret"),
        ("track_id", ["abcdefghij234567abcd"]), ("kind", "pause"), ("kind", []), ("kind", None), ("at_ms", -1),
        ("at_ms", AT_MS_MAX + 1), ("at_ms", 1.5), ("at_ms", True), ("at_ms", "1790000000000"), ("position_ms", -1),
        ("played_ms", PLAYED_MS_MAX + 1), ("played_ms", None), ("source", "Album:1"), ("source", "album:a/b"),
        ("source", "my name is"), ("source", None), ("reason", "because of you"), ("reason", 1),
    ],
)  # fmt: skip
def test_a_field_that_is_wrong_is_named(field: str, value: object) -> None:
    """The error's subject is the field."""
    with pytest.raises(EventInvalid) as caught:
        read_event({**GOOD, field: value})
    assert caught.value.subject == field


@pytest.mark.parametrize("field", ["event_id", "play_id", "track_id", "kind", "at_ms"])
def test_a_field_that_is_missing_is_named(field: str) -> None:
    """These have to be there."""
    with pytest.raises(EventInvalid) as caught:
        read_event({name: value for name, value in GOOD.items() if name != field})
    assert caught.value.subject == field


def test_one_bad_event_is_told_and_the_others_go_on() -> None:
    """With its place in the batch, and its id if it had one."""
    bad = [{**GOOD, "kind": "pause"}, {**GOOD, "event_id": "?"}, "nothing", None, 7]
    batch = read_batch({"sent_at_ms": 5, "events": [GOOD, *bad, {**GOOD, "event_id": "event-002"}]})
    assert [(index, event.event_id) for index, event in batch.events] == [(0, "event-001"), (6, "event-002")]
    assert [(each.index, each.event_id, each.error.subject) for each in batch.refused] == [
        (1, "event-001", "kind"), (2, "", "event_id"), (3, "", "event"), (4, "", "event"), (5, "", "event"),
    ]  # fmt: skip
    assert batch.sent_at_ms == 5


@pytest.mark.parametrize(
    "value",
    [
        None, [], "events", {}, {"events": []}, {"events": "GOOD"}, {"events": {"0": GOOD}},
        {"events": [GOOD] * (EVENTS_MAX + 1)}, {"events": [GOOD], "sent_at_ms": -1},
        {"events": [GOOD], "sent_at_ms": "1"},
    ],
)  # fmt: skip
def test_what_is_no_batch_is_refused_as_a_whole(value: object) -> None:
    """Too many, none, or something else."""
    with pytest.raises(EventInvalid):
        read_batch(value)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.sampled_from(sorted(GOOD)), inner),
)


@given(st.dictionaries(st.sampled_from([*GOOD, "else"]), _JSON))
def test_whatever_is_sent_is_an_event_or_an_error_of_ours(changed: dict[str, Any]) -> None:
    """No other exception for anything that JSON can spell."""
    value = {**GOOD, **changed}
    try:
        event = read_event(json.loads(json.dumps(value)))
    except EventInvalid as error:
        assert error.subject in changed
    else:
        assert 0 <= event.played_ms <= PLAYED_MS_MAX
