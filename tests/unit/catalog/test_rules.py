"""Rules choose what they say, whatever is in their values: SQL held against the same rules in plain Python."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.rule_choice import tracks_by_rules
from catalog.rules import (
    DAY_MS,
    FIELDS,
    OF_PLAYLISTS,
    OPERATORS,
    Condition,
    Group,
    Kind,
    Known,
    Operator,
    Rules,
    Sort,
)
from catalog.schema import TrackRow
from catalog.store import Catalog
from model.errors import CatalogError
from model.features import TIMBRE, Features, FeatureSet, KeyMode
from tests.unit.catalog.test_schema import ROW

NOW_MS = 20_000 * DAY_MS + 12_345
NAMES = [
    "C",
    "a#M",
    "Dm",
    "Björk",
    "bjork",
    "O'Brien",
    'a "b"',
    "100%",
    "a_b",
    "axb",
    "\\",
    "'; DROP TABLE tracks; --",
    "",
    "Ä",
    "東京",
]
ALL = Group(True, (Condition(Operator.IS_NOT, "title", "\n"),))
MOST = 10_000


def _rows() -> list[TrackRow]:
    """Tracks with names that quote, and with every field there and missing; the last one is not live."""
    chance = random.Random(1)

    def row(n: int) -> TrackRow:
        return replace(
            ROW,
            track_id=f"{n:020}".translate(str.maketrans("0189", "abcd")),
            title=chance.choice(NAMES) or "no title",
            artist=chance.choice(NAMES),
            album=chance.choice(NAMES),
            album_artist=chance.choice(NAMES),
            track_number=chance.choice([None, 1, 2, 3]),
            disc_number=chance.choice([None, 1, 2]),
            duration_s=chance.choice([1.5, 200.0, 300.25]),
            level_lufs=chance.choice([None, -14.0, -20.5]),
            year=chance.choice([None, 1984, 2001]),
            genres=tuple(filter(None, chance.sample(NAMES, chance.randrange(3)))),
            published_s=chance.choice([None, NOW_MS // 1000, NOW_MS // 1000 - 40 * 86_400]),
        )

    rows = [row(n) for n in range(200)]
    return [*rows[:-1], replace(rows[-1], package_id=None)]


ROWS = _rows()
PITCHES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]
FEATURES = {
    row.track_id: Features(
        recording_id=row.recording_id,
        format=FeatureSet.OWN.version,
        level_lufs=None,
        range_lu=None,
        energy=n % 11 / 10,
        tempo_bpm=None if n % 5 == 0 else 100.0 + n,
        tempo_confidence=0.5,
        key=None if n % 13 == 12 else n % 13,
        mode=None if n % 13 == 12 else list(KeyMode)[n % 2],
        key_confidence=0.5,
        timbre=(0.0,) * TIMBRE,
    )
    for n, row in enumerate(ROWS)
    if n % 4
}
OTHERS = {  # of another set: as if there were none
    row.track_id: replace(FEATURES[ROWS[1].track_id], format=FeatureSet.LIBROSA.version) for row in ROWS[::4]
}
HEARD = [(row.track_id, n % 5, NOW_MS - n * DAY_MS) for n, row in enumerate(ROWS) if n % 3]
LOVED = [(row.track_id, NOW_MS - n * DAY_MS // 2) for n, row in enumerate(ROWS) if n % 7 == 0]
RATED = [(row.track_id, n % 5 + 1, NOW_MS - n * DAY_MS) for n, row in enumerate(ROWS) if n % 3 == 1]
LISTS = {"p" * 20: [row.track_id for row in ROWS[:50]], "q" * 20: []}
KNOWN = Known(now_ms=NOW_MS, seed="s", heard=HEARD, loved=LOVED, rated=RATED, playlists=LISTS)


@pytest.fixture(scope="module")
def catalog() -> Any:
    """A catalog with the rows."""
    with Catalog() as opened:
        opened.apply(ROWS, [], FEATURES | OTHERS)
        yield opened


def _value(row: TrackRow, field: str) -> Any:
    heard, loved, features = {each[0]: each for each in HEARD}, dict(LOVED), FEATURES.get(row.track_id)
    rated = {each[0]: each for each in RATED}
    others: dict[str, Any] = {
        "albumartist": row.album_artist,
        "bpm": features and features.tempo_bpm,
        "energy": features and features.energy,
        "key": _key(features),
        "genre": row.genres,
        "tracknumber": row.track_number,
        "discnumber": row.disc_number,
        "duration": row.duration_s,
        "loudness": row.level_lufs,
        "dateadded": None if row.published_s is None else 1000 * row.published_s,
        "playcount": heard.get(row.track_id, ("", 0, None))[1],
        "lastplayed": heard.get(row.track_id, ("", 0, None))[2],
        "loved": row.track_id in loved,
        "dateloved": loved.get(row.track_id),
        "rating": rated.get(row.track_id, ("", 0, None))[1],
        "daterated": rated.get(row.track_id, ("", 0, None))[2],
    }
    return others[field] if field in others else getattr(row, field)


def _key(features: Features | None) -> str:
    if features is None or features.key is None:
        return ""
    return PITCHES[features.key] + ("m" if features.mode is KeyMode.MINOR else "")


def _plain(text: Any) -> Any:
    """As SQLite compares text without regard to case: ASCII letters only."""
    return "".join(char.lower() if char.isascii() else char for char in text) if isinstance(text, str) else text


_TESTS: dict[Operator, Callable[[Any, Any], bool]] = {
    Operator.IS: lambda found, value: found == value,
    Operator.GT: lambda found, value: found is not None and found > value,
    Operator.AFTER: lambda found, value: found is not None and found > value,
    Operator.LT: lambda found, value: found is not None and found < value,
    Operator.BEFORE: lambda found, value: found is not None and found < value,
    Operator.CONTAINS: lambda found, value: value in found,
    Operator.STARTS_WITH: lambda found, value: found.startswith(value),
    Operator.ENDS_WITH: lambda found, value: found.endswith(value),
    Operator.IN_THE_RANGE: lambda found, value: found is not None and value[0] <= found <= value[1],
}
_INVERSES = {
    Operator.IS_NOT: Operator.IS,
    Operator.NOT_CONTAINS: Operator.CONTAINS,
    Operator.NOT_IN_THE_LAST: Operator.IN_THE_LAST,
    Operator.NOT_IN_PLAYLIST: Operator.IN_PLAYLIST,
    Operator.IS_PRESENT: Operator.IS_MISSING,
}


def _holds(row: TrackRow, part: Condition | Group) -> bool:
    """Whether a rule holds for a row, worked out without SQL."""
    if isinstance(part, Group):
        return (all if part.every else any)(_holds(row, each) for each in part.parts)
    operator, value = part.operator, part.value
    if operator in _INVERSES:
        return not _holds(row, replace(part, operator=_INVERSES[operator]))
    if operator is Operator.IN_PLAYLIST:
        return row.track_id in LISTS.get(str(value), ())
    found, kind = _value(row, part.field), FIELDS[part.field].kind
    if operator is Operator.IS_MISSING:
        return (found in (None, "", ())) is value
    if operator is Operator.IN_THE_LAST and isinstance(value, float | int):
        return found is not None and found > (NOW_MS // DAY_MS - value) * DAY_MS
    if kind is Kind.DATE and operator in (Operator.IS, Operator.IN_THE_RANGE):
        first, last = value if isinstance(value, tuple) else (float(value), float(value))
        operator, value = Operator.IN_THE_RANGE, (first, last + DAY_MS - 1)
    if kind is Kind.TEXTS:
        return any(_TESTS[operator](_plain(each), _plain(value)) for each in found or ("",))
    return _TESTS[operator](_plain(found), _plain(value))


_TEXTS = st.sampled_from(NAMES) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\n"), max_size=5
)
_NUMBERS = st.sampled_from([0, 1, 2, 200, 300.25, -14, 1984, 2001, 1e12, -1e12])
_DATES = st.integers(-100, 3).map(lambda days: (NOW_MS // DAY_MS + days) * DAY_MS)


@st.composite
def _conditions(draw: st.DrawFn) -> Condition:
    if draw(st.integers(0, 9)) == 0:
        return Condition(draw(st.sampled_from(sorted(OF_PLAYLISTS))), "id", draw(st.sampled_from([*LISTS, "r" * 20])))
    name = draw(st.sampled_from(sorted(FIELDS)))
    kind = FIELDS[name].kind
    operator = draw(st.sampled_from(sorted(OPERATORS[kind])))
    if operator in (Operator.IS_MISSING, Operator.IS_PRESENT) or kind is Kind.FLAG:
        return Condition(operator, name, draw(st.booleans()))
    if operator in (Operator.IN_THE_LAST, Operator.NOT_IN_THE_LAST):
        return Condition(operator, name, draw(st.integers(0, 100)))
    values: st.SearchStrategy[Any] = {Kind.NUMBER: _NUMBERS, Kind.DATE: _DATES}.get(kind, _TEXTS)
    return Condition(operator, name, draw(st.tuples(values, values) if operator is Operator.IN_THE_RANGE else values))


_GROUPS = st.recursive(
    st.builds(Group, st.booleans(), st.lists(_conditions(), min_size=1, max_size=3).map(tuple)),
    lambda inner: st.builds(Group, st.booleans(), st.lists(inner | _conditions(), min_size=1, max_size=3).map(tuple)),
    max_leaves=5,
)


@given(where=_GROUPS)
def test_rules_choose_what_they_say(catalog: Catalog, where: Group) -> None:
    """Every operator on every field, nested, with values that look like SQL or like patterns; only live tracks."""
    found = tracks_by_rules(catalog.database, Rules(where=where), KNOWN, most=MOST, at_once=70)
    assert sorted(found) == sorted(row.track_id for row in ROWS if row.live and _holds(row, where))


def _other(part: Condition | Group) -> Condition | Group:
    """The same questions with other values."""
    if isinstance(part, Group):
        return Group(part.every, tuple(map(_other, part.parts)))
    if isinstance(part.value, tuple):
        return replace(part, value=(1.0, 2.0))
    return replace(part, value="x") if isinstance(part.value, str) else part


@given(where=_GROUPS)
def test_no_text_of_a_rule_is_in_the_query(where: Group) -> None:
    """What is asked is the same whatever the values are, with a mark for each."""
    asked: list[tuple[str, int]] = []

    class Asked:
        def select_beside(self, _: Any, query: str, values: Any = ()) -> list[tuple[Any, ...]]:
            asked.append((query, len(values)))
            return []

    for each in (where, Group(where.every, tuple(map(_other, where.parts)))):
        tracks_by_rules(Asked(), Rules(where=each), KNOWN, most=MOST)
    assert asked[:2] == asked[2:]
    assert all(query.count("?") == values for query, values in asked)


def test_what_is_random_is_so_by_seed_and_day(catalog: Catalog) -> None:
    """The same today, whoever asks; another order tomorrow, and for another seed."""
    rules = Rules(where=ALL, sort=(Sort("random"),))

    def order(seed: str, days: int) -> list[str]:
        known = Known(now_ms=NOW_MS + days * DAY_MS, seed=seed)
        return tracks_by_rules(catalog.database, rules, known, most=MOST)

    today = order("a", 0)
    assert len(today) == len(ROWS) - 1
    assert today == order("a", 0)
    assert sorted(today) == sorted(order("a", 1)) == sorted(order("b", 0))
    assert today != order("a", 1) and today != order("b", 0)


@pytest.mark.parametrize("limit", [None, 30])
def test_sorts_are_by_one_field_after_another(catalog: Catalog, limit: int | None) -> None:
    """Each up or down; what is missing is the least; equal ones stand as an album does. However many are gone through
    at once, and whether some can be left out on the way or not."""
    rules = Rules(where=ALL, sort=(Sort("year", descending=True), Sort("playcount"), Sort("albumartist")), limit=limit)
    found, other = (
        tracks_by_rules(catalog.database, rules, KNOWN, most=MOST, at_once=at_once) for at_once in (7, MOST)
    )
    assert found == other
    assert len(found) == (limit or len(ROWS) - 1)
    rows = {row.track_id: row for row in ROWS}
    keys = [
        (-(rows[each].year or 0), _value(rows[each], "playcount"), _plain(rows[each].album_artist)) for each in found
    ]
    assert keys == sorted(keys)


@pytest.mark.parametrize(
    ("limit", "percent", "offset", "most", "count"),
    [
        (None, None, 0, MOST, 199),
        (7, None, 0, MOST, 7),
        (7, 50, 0, MOST, 7),  # the number goes before the part
        (None, 50, 0, MOST, 99),
        (None, 1, 0, MOST, 1),
        (None, 100, 190, MOST, 9),
        (None, None, 0, 20, 20),
        (100, None, 0, 20, 20),
    ],
)
def test_how_many(catalog: Catalog, limit: int, percent: int, offset: int, most: int, count: int) -> None:
    """A number, or a part of all that match, at least one; never more than a playlist may have."""
    rules = Rules(where=ALL, limit=limit, limit_percent=percent, offset=offset)
    every = tracks_by_rules(catalog.database, Rules(where=ALL), KNOWN, most=MOST)
    found = tracks_by_rules(catalog.database, rules, KNOWN, most=most, at_once=20)
    assert found == every[offset : offset + count]


def test_many_plays_are_looked_up_and_not_gone_through(catalog: Catalog) -> None:
    """Tracks times plays would be hours for a large catalog."""
    plans: list[str] = []

    class Planned:
        def select_beside(self, tables: Any, query: str, values: Any = ()) -> list[tuple[Any, ...]]:
            found = catalog.database.select_beside(tables, f"EXPLAIN QUERY PLAN {query}", values)
            plans.extend(row[3] for row in found)
            return []

    where = Group(True, (Condition(Operator.GT, "playcount", 1), Condition(Operator.IS, "loved", True)))
    tracks_by_rules(Planned(), Rules(where=where), KNOWN, most=MOST)
    assert not [step for step in plans if step.startswith("SCAN")]  # so many tracks, too
    assert sum("SEARCH" in step and ("heard" in step or "loved" in step) for step in plans) == 2, plans


def test_what_is_handed_over_is_gone_afterwards(catalog: Catalog) -> None:
    """After an answer, and after an error."""
    table = {"beside": ("a TEXT PRIMARY KEY, b", [("x", 1), ("y", 2)])}
    for _ in range(2):
        assert catalog.database.select_beside(table, "SELECT b FROM beside WHERE a = ?", ("y",)) == [(2,)]
        with pytest.raises(CatalogError):
            catalog.database.select_beside(table, "SELECT nothing FROM beside")
        with pytest.raises(CatalogError):
            catalog.database.select_beside({"beside": ("a TEXT PRIMARY KEY", [(object(),)])}, "SELECT 1")
        with pytest.raises(CatalogError):
            catalog.database.select("SELECT * FROM beside")
    assert catalog.count(live_only=False) == len(ROWS)


def test_nothing_matches_is_no_error(catalog: Catalog) -> None:
    """A part of nothing is nothing."""
    where = Group(True, (Condition(Operator.IS, "title", "nobody"),))
    assert tracks_by_rules(catalog.database, Rules(where=where, limit_percent=50), KNOWN, most=MOST) == []
