"""Rules that choose tracks: what they are made of, the fields that they know, and the SQL that they become. Pure.

What a rule says reaches SQLite as a parameter only; the words of a query come from the tables here. Plays,
favourites and ratings lie in another database and belong to one listener: they are handed over as tables of one query.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from model.features import FeatureSet

DAY_MS = 86_400_000
RANDOM = "random"  # only to sort by


class Kind(StrEnum):
    """What the values of a field are."""

    TEXT = "text"
    TEXTS = "texts"  # any of them
    NUMBER = "number"
    DATE = "date"
    FLAG = "yes or no"


class Operator(StrEnum):
    """What a condition asks, in Navidrome's words."""

    IS = "is"
    IS_NOT = "isNot"
    GT = "gt"
    LT = "lt"
    CONTAINS = "contains"
    NOT_CONTAINS = "notContains"
    STARTS_WITH = "startsWith"
    ENDS_WITH = "endsWith"
    IN_THE_RANGE = "inTheRange"
    BEFORE = "before"
    AFTER = "after"
    IN_THE_LAST = "inTheLast"
    NOT_IN_THE_LAST = "notInTheLast"
    IN_PLAYLIST = "inPlaylist"
    NOT_IN_PLAYLIST = "notInPlaylist"
    IS_MISSING = "isMissing"
    IS_PRESENT = "isPresent"


_OF_TEXTS = ("is", "isNot", "contains", "notContains", "startsWith", "endsWith", "isMissing", "isPresent")
_OF_TEXT = (*_OF_TEXTS, "gt", "lt")
_OF_NUMBER = ("is", "isNot", "gt", "lt", "inTheRange", "isMissing", "isPresent")
_OF_DATE = (*_OF_NUMBER, "before", "after", "inTheLast", "notInTheLast")
OPERATORS = {
    Kind.TEXT: frozenset(map(Operator, _OF_TEXT)),
    Kind.TEXTS: frozenset(map(Operator, _OF_TEXTS)),
    Kind.NUMBER: frozenset(map(Operator, _OF_NUMBER)),
    Kind.DATE: frozenset(map(Operator, _OF_DATE)),
    Kind.FLAG: frozenset([Operator.IS, Operator.IS_NOT]),
}
OF_PLAYLISTS = frozenset([Operator.IN_PLAYLIST, Operator.NOT_IN_PLAYLIST])


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a rule: what it holds, and where in a query it is. `table` is what has to be joined for it."""

    kind: Kind
    sql: str
    table: str = ""


# C, C#, Dm …, empty where it is not known.
_KEY = (
    "COALESCE(trim(substr('C C#D D#E F F#G G#A A#B ', 1 + 2 * features.key, 2))"
    " || iif(features.mode = 'minor', 'm', ''), '')"
)
FIELDS: Mapping[str, Field] = {
    "title": Field(Kind.TEXT, "t.title"),
    "artist": Field(Kind.TEXT, "t.artist"),
    "album": Field(Kind.TEXT, "t.album"),
    "albumartist": Field(Kind.TEXT, "t.album_artist"),
    "genre": Field(Kind.TEXTS, "t.genres"),
    "year": Field(Kind.NUMBER, "t.year"),
    "tracknumber": Field(Kind.NUMBER, "t.track_number"),
    "discnumber": Field(Kind.NUMBER, "t.disc_number"),
    "duration": Field(Kind.NUMBER, "t.duration_s"),
    "loudness": Field(Kind.NUMBER, "t.level_lufs"),
    "bpm": Field(Kind.NUMBER, "features.tempo_bpm", "features"),
    "energy": Field(Kind.NUMBER, "features.energy", "features"),
    "key": Field(Kind.TEXT, _KEY, "features"),
    "dateadded": Field(Kind.DATE, "1000 * t.published_s"),
    "playcount": Field(Kind.NUMBER, "COALESCE(heard.listens, 0)", "heard"),
    "lastplayed": Field(Kind.DATE, "heard.last_ms", "heard"),
    "loved": Field(Kind.FLAG, "(loved.at_ms IS NOT NULL)", "loved"),
    "dateloved": Field(Kind.DATE, "loved.at_ms", "loved"),
    "rating": Field(Kind.NUMBER, "COALESCE(rated.stars, 0)", "rated"),
    "daterated": Field(Kind.DATE, "rated.at_ms", "rated"),
}
_WORDED = (Kind.TEXT, Kind.TEXTS)
# What is handed over, with an index: tracks times plays would be hours for a large catalog.
HANDED = {
    "heard": "track_id TEXT PRIMARY KEY, listens INTEGER, last_ms INTEGER",
    "loved": "track_id TEXT PRIMARY KEY, at_ms INTEGER",
    "rated": "track_id TEXT PRIMARY KEY, stars INTEGER, at_ms INTEGER",
}

Value = str | float | bool | tuple[float, float]


@dataclass(frozen=True, slots=True)
class Condition:
    """One question to one field. The value has the field's kind; a date is its milliseconds since 1970, a period of
    the last days is their number; of a playlist, the value is its id."""

    operator: Operator
    field: str
    value: Value


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions that all have to hold, or one of them at least."""

    every: bool
    parts: "tuple[Condition | Group, ...]"


@dataclass(frozen=True, slots=True)
class Sort:
    """A field to sort by, or RANDOM."""

    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Which tracks, in which order, and how many: `limit`, or else `limit_percent` of those that match."""

    where: Group
    sort: tuple[Sort, ...] = (Sort("title"),)
    limit: int | None = None
    limit_percent: int | None = None
    offset: int = 0

    def playlists(self) -> frozenset[str]:
        """The ids of the playlists that they name."""
        return frozenset(_playlists(self.where))

    def tables(self) -> frozenset[str]:
        """What besides the tracks they ask: `heard`, `loved`, `rated`, `features`."""
        names = {*_fields(self.where), *(each.field for each in self.sort)}
        return frozenset(FIELDS[name].table for name in names if name in FIELDS and FIELDS[name].table)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What rules are held against besides the catalog: the time, a seed for what is random, the listener's plays
    (track, listens, last played in ms), favourites (track, since when in ms) and ratings (track, stars, since when in
    ms), the tracks of playlists, and whose features count."""

    now_ms: int
    seed: str = ""
    heard: Sequence[tuple[str, int, int]] = ()
    loved: Sequence[tuple[str, int]] = ()
    rated: Sequence[tuple[str, int, int]] = ()
    playlists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    features: FeatureSet = FeatureSet.OWN


class OneOf(list[str]):
    """Ids, sorted: a value of a query that goes there as JSON. Those that cannot be found need not."""


class RuleQuery:
    """A query in the making: its values in the order of their marks, those of `where`."""

    def __init__(self, known: Known) -> None:
        self.values: list[object] = []
        self._known = known

    @property
    def day(self) -> str:
        """The seed of what is random today."""
        return f"{self._known.seed}/{self._known.now_ms // DAY_MS}"

    def select(self, rules: Rules) -> str:
        """SELECT and FROM: the id, the sort key, and a value for each sort."""
        sorts = ["t.track_id" if each.field == RANDOM else FIELDS[each.field].sql for each in rules.sort]
        joined = "".join(
            f" LEFT JOIN {'temp' if name in HANDED else 'main'}.{name} AS {name} ON {name}.track_id = t.track_id"
            + (f" AND features.format = '{self._known.features.version}'" if name == "features" else "")
            for name in sorted(rules.tables())
        )
        return f"SELECT t.track_id, t.sort_key, {', '.join(sorts)} FROM main.tracks AS t{joined}"

    def where(self, rules: Rules) -> str:
        """What holds for each of them."""
        return f"t.package_id IS NOT NULL AND {self._group(rules.where)}"

    def _group(self, group: Group) -> str:
        parts = [
            self._group(each) if isinstance(each, Group) else self._condition(each) for each in group.parts
        ]  # fmt: skip
        return f"({(' AND ' if group.every else ' OR ').join(parts)})"

    def _condition(self, condition: Condition) -> str:
        """What asks it: true or false, never NULL."""
        if condition.operator in OF_PLAYLISTS:
            within = self._known.playlists.get(str(condition.value), ())
            self.values.append(OneOf(sorted(set(within))))
            inverse = "NOT " if condition.operator is Operator.NOT_IN_PLAYLIST else ""
            return f"t.track_id {inverse}IN (SELECT value FROM json_each(?))"
        asked = FIELDS[condition.field]
        if condition.operator in (Operator.IS_MISSING, Operator.IS_PRESENT):
            missing = (condition.operator is Operator.IS_MISSING) is condition.value
            empty = f"{asked.sql} = ''" if asked.kind in _WORDED else f"{asked.sql} IS NULL"
            return empty if missing else f"NOT {empty}"
        compiled = {Kind.TEXT: self._text, Kind.TEXTS: self._texts, Kind.DATE: self._date}.get(asked.kind, self._number)
        return compiled(asked.sql, condition.operator, condition.value)

    def _text(self, sql: str, operator: Operator, value: Value) -> str:
        if operator in (Operator.GT, Operator.LT):
            self.values.append(value)
            return f"{sql} {_COMPARED[operator]} ? COLLATE NOCASE"
        return self._like(sql, operator, str(value), "")

    def _texts(self, sql: str, operator: Operator, value: Value) -> str:
        """They are lines: one begins, and ends, with the end of a line."""
        return self._like(f"char(10) || {sql} || char(10)", operator, str(value), "\n")

    def _like(self, sql: str, operator: Operator, text: str, edge: str) -> str:
        before, after = _LOOSE.get(operator, (False, False))
        around = f"%{edge}" if edge else ""
        begin, end = "%" if before else around, "%" if after else around[::-1]
        self.values.append(f"{begin}{_literal(text)}{end}")
        inverse = "NOT " if operator in (Operator.IS_NOT, Operator.NOT_CONTAINS) else ""
        return f"{sql} {inverse}LIKE ? ESCAPE '\\'"

    def _number(self, sql: str, operator: Operator, value: Value) -> str:
        if operator is Operator.IN_THE_RANGE and isinstance(value, tuple):
            self.values += value
            return f"COALESCE({sql} BETWEEN ? AND ?, 0)"
        self.values.append(value)
        return f"COALESCE({sql} {_COMPARED[operator]} ?, 0)"

    def _date(self, sql: str, operator: Operator, value: Value) -> str:
        match operator:
            case Operator.IN_THE_LAST | Operator.NOT_IN_THE_LAST if isinstance(value, float | int):
                self.values.append((self._known.now_ms // DAY_MS - int(value)) * DAY_MS)
                inverse = "NOT " if operator is Operator.NOT_IN_THE_LAST else ""
                return f"{inverse}COALESCE({sql} > ?, 0)"
            case Operator.IN_THE_RANGE if isinstance(value, tuple):
                self.values += [value[0], value[1] + DAY_MS - 1]
                return f"COALESCE({sql} BETWEEN ? AND ?, 0)"
            case Operator.IS | Operator.IS_NOT if isinstance(value, float | int):
                self.values += [value, value + DAY_MS - 1]
                inverse = "NOT " if operator is Operator.IS_NOT else ""
                return f"{inverse}COALESCE({sql} BETWEEN ? AND ?, 0)"
        return self._number(sql, operator, value)


_LOOSE = {  # whether something may stand before, and after
    Operator.CONTAINS: (True, True),
    Operator.NOT_CONTAINS: (True, True),
    Operator.STARTS_WITH: (False, True),
    Operator.ENDS_WITH: (True, False),
}
_COMPARED = {
    Operator.IS: "IS",
    Operator.IS_NOT: "IS NOT",
    Operator.GT: ">",
    Operator.LT: "<",
    Operator.AFTER: ">",
    Operator.BEFORE: "<",
}


def _literal(text: str) -> str:
    """Text for LIKE, in which no character means another."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _playlists(group: Group) -> Iterable[str]:
    for part in group.parts:
        if isinstance(part, Group):
            yield from _playlists(part)
        elif part.operator in OF_PLAYLISTS:
            yield str(part.value)


def _fields(group: Group) -> Iterable[str]:
    for part in group.parts:
        if isinstance(part, Group):
            yield from _fields(part)
        else:
            yield part.field
