"""Rule playlists are read as Navidrome's files mean them; what cannot be is refused by name."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.rules import DAY_MS, FIELDS, OPERATORS, Condition, Group, Kind, Operator, Rules, Sort
from discovery.playlists.nsp import (
    BYTES_MAX,
    CONDITIONS_MAX,
    DEPTH_MAX,
    RuleInvalid,
    read_nsp,
    read_rules,
    rule_playlist,
    write_nsp,
)

_EXAMPLE = b"""{
  // as published for Navidrome, with a comment
  "name": "80's // Top Songs", "comment": "Some\\nlines",
  "all": [
    {"any": [{"IS": {"Loved": true}}, {"gt": {"rating": "3"}}]},
    {"inTheRange": {"year": [1981, 1990]}}
  ],
  "sort": "-year, +title", "order": "desc", "limit": 25
}"""


def _only(condition: dict[str, Any]) -> Condition | Group:
    return rule_playlist({"all": [condition]}).rules.where.parts[0]


def test_a_file_is_read() -> None:
    """Nested groups, names in any case, numbers as text, comments, several sorts turned round by the order."""
    found = read_nsp(_EXAMPLE)
    anyway = Group(False, (Condition(Operator.IS, "loved", True), Condition(Operator.GT, "rating", 3.0)))
    where = Group(True, (anyway, Condition(Operator.IN_THE_RANGE, "year", (1981.0, 1990.0))))
    assert found.rules == Rules(where=where, sort=(Sort("year"), Sort("title", descending=True)), limit=25)
    assert (found.name, found.comment, found.public) == ("80's // Top Songs", "Some\nlines", False)


def test_what_is_kept_reads_as_the_same_rules() -> None:
    """Without name and comment, and again as a file."""
    found = read_nsp(_EXAMPLE)
    assert set(json.loads(found.text)) == {"all", "sort", "order", "limit"}
    assert read_rules(found.text) == found.rules
    assert read_nsp(write_nsp(found.name, found.comment, found.text)) == found


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_takes_its_operators_and_no_other(name: str) -> None:
    """A date cannot contain text, and a number is not in the last days."""
    values: dict[Kind, Any] = {Kind.NUMBER: 1, Kind.DATE: "2026-01-31", Kind.FLAG: True}
    for operator in Operator:
        value: Any = values.get(FIELDS[name].kind, "x")
        if operator is Operator.IN_THE_RANGE:
            value = [value, value]
        elif operator in (Operator.IN_THE_LAST, Operator.NOT_IN_THE_LAST):
            value = 30
        elif operator in (Operator.IS_MISSING, Operator.IS_PRESENT):
            value = True
        if operator in OPERATORS[FIELDS[name].kind]:
            assert isinstance(_only({operator: {name: value}}), Condition)
        else:
            with pytest.raises(RuleInvalid):
                _only({operator: {name: value}})


def test_dates_are_in_utc() -> None:
    """A day is its first moment; a moment may have a zone."""
    day = 20_484 * DAY_MS  # 2026-01-31
    assert _only({"before": {"lastplayed": "2026-01-31"}}) == Condition(Operator.BEFORE, "lastplayed", day)
    moment = {"after": {"lastplayed": "2026-01-31T02:00:00+02:00"}}
    assert _only(moment) == Condition(Operator.AFTER, "lastplayed", day)


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        ({"all": [{"is": {"colour": 3}}]}, "colour"),
        ({"all": [{"resembles": {"title": "x"}}]}, "resembles"),
        ({"all": [{"is": {"title": "x"}}], "sort": "title,colour"}, "colour"),
        ({"all": [{"is": {"random": 1}}]}, "random"),
        ({"all": [{"is": {"title": "x"}}], "limti": 3}, "limti"),
        ({"all": [{"is": {"title": "x"}}], "order": "up"}, "up"),
        ({"all": [{"contains": {"year": "19"}}]}, "contains"),
        ({"all": [{"inPlaylist": {"path": "a.nsp"}}]}, "inPlaylist"),
        ({"all": [{"inPlaylist": {"id": "'; --"}}]}, "inPlaylist"),
        ({"all": [{"before": {"lastplayed": "yesterday"}}]}, "yesterday"),
    ],
)
def test_what_is_not_known_is_named(rules: dict[str, Any], named: str) -> None:
    """A misspelt word is never passed over: the playlist would be another one."""
    with pytest.raises(RuleInvalid, match=named):
        rule_playlist(rules)


@pytest.mark.parametrize(
    "rules",
    [
        [],
        {},
        {"all": []},
        {"all": {}},
        {"all": [{"is": {"title": "x"}}], "any": [{"is": {"title": "x"}}]},
        {"all": [{"is": {"title": "x", "album": "y"}}]},
        {"all": [{"is": {"title": "x"}, "isNot": {"title": "y"}}]},
        {"all": [{"is": "title"}]},
        {"all": [{"is": {"title": None}}]},
        {"all": [{"is": {"title": "x" * 501}}]},
        {"all": [{"is": {"title": "\ud800"}}]},
        {"all": [{"is": {"title": "\0"}}]},
        {"all": [{"is": {"year": True}}]},
        {"all": [{"is": {"year": 10**400}}]},
        {"all": [{"is": {"year": "nan"}}]},
        {"all": [{"is": {"loved": "maybe"}}]},
        {"all": [{"inTheRange": {"year": [1]}}]},
        {"all": [{"inTheLast": {"lastplayed": -1}}]},
        {"all": [{"inTheLast": {"lastplayed": 1.5}}]},
        {"all": [{"is": {"title": "x"}}], "limit": -1},
        {"all": [{"is": {"title": "x"}}], "limit": True},
        {"all": [{"is": {"title": "x"}}], "limitPercent": 101},
        {"all": [{"is": {"title": "x"}}], "sort": 1},
        {"all": [{"is": {"title": "x"}}], "name": 1},
        {"all": [{"is": {"title": "x"}}] * (CONDITIONS_MAX + 1)},
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(rules: Any) -> None:
    """Shapes, values and sizes."""
    with pytest.raises(RuleInvalid):
        rule_playlist(rules)


def test_hostile_files_are_refused_in_time() -> None:
    """Deep ones, large ones, and quotes without an end."""
    deep: dict[str, Any] = {"is": {"title": "x"}}
    for _ in range(DEPTH_MAX):
        deep = {"all": [deep]}
    assert read_nsp(json.dumps(deep).encode()).rules
    for data in (
        json.dumps({"all": [deep]}).encode(),
        b'{"all":[' * 5_000,
        b" " * (BYTES_MAX + 1),
        b'"' + b'\\"' * (BYTES_MAX // 2 - 1),
        b"\xff",
    ):
        with pytest.raises(RuleInvalid):
            read_nsp(data)


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["all", "any", "sort", "limit", *FIELDS, *Operator]), inner, max_size=2)
    ),
    max_leaves=8,
)


@given(rules=_JSON)
def test_junk_gives_rules_or_their_error(rules: Any) -> None:
    """Nothing else."""
    try:
        found = rule_playlist(rules)
    except RuleInvalid:
        return
    assert read_rules(found.text) == found.rules
