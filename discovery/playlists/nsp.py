"""Rule playlists as Navidrome's `.nsp` files have them: JSON, with `all` or `any`, `sort`, `order`, `limit`. Pure.

Names of fields and operators are spelled in any case. What is not known is refused by name, so that a rule never
quietly means something else. Lines of comment (`//`) are passed over, as Navidrome does.
"""

import difflib
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from catalog.rules import (
    FIELDS,
    OF_PLAYLISTS,
    OPERATORS,
    RANDOM,
    Condition,
    Group,
    Kind,
    Operator,
    Rules,
    Sort,
    Value,
)
from discovery.playlists.entries import (
    COMMENT_CHARS_MAX,
    ENTRIES_MAX,
    NAME_CHARS_MAX,
    TEXT_CHARS_MAX,
    clean,
    clean_lines,
)
from model.errors import RequestError
from model.track import is_id

BYTES_MAX = 64 << 10
DEPTH_MAX = 8
CONDITIONS_MAX = 100
NUMBER_MAX = 1e12
DAYS_MAX = 36_500
_JSON_OR_COMMENT = re.compile(r'("(?:[^"\\]|\\.)*"?)|//[^\n]*')  # a string without an end goes to the end
_BY_OPERATOR = {each.lower(): each for each in Operator}
_RULES = ("all", "any", "sort", "order", "limit", "limitPercent", "offset")
_BESIDE = ("name", "comment", "public", "refreshDelay")  # the last one means nothing here: rules are always fresh


class RuleInvalid(RequestError):
    """A rule cannot be: a field or an operator that is none, or a value that does not fit it."""

    code = "rule-invalid"
    http_status = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePlaylist:
    """A rule playlist as a file has it. `text` is the rules alone, in JSON, as they are kept."""

    name: str
    comment: str
    public: bool
    rules: Rules
    text: str


def read_nsp(data: bytes) -> RulePlaylist:
    """The rule playlist of a file. Raises RuleInvalid."""
    if len(data) > BYTES_MAX:
        raise RuleInvalid(f"rules have at most {BYTES_MAX} bytes")
    try:
        document = json.loads(_JSON_OR_COMMENT.sub(lambda found: found[1] or "", data.decode("utf-8-sig")))
    except (ValueError, RecursionError) as error:
        raise RuleInvalid("not JSON") from error
    return rule_playlist(document)


def write_nsp(name: str, comment: str, text: str) -> bytes:
    """A rule playlist as a file, from what is kept of it."""
    said = {key: value for key, value in (("name", name), ("comment", comment)) if value}
    return (json.dumps(said | json.loads(text), ensure_ascii=False, indent=1) + "\n").encode()


def rule_playlist(document: object) -> RulePlaylist:
    """The rule playlist that a JSON object says. Raises RuleInvalid."""
    if not isinstance(document, dict):
        raise RuleInvalid("rules are a JSON object")
    _refuse_unknown(document, (*_RULES, *_BESIDE), "a key of rules")
    said = {key: document[key] for key in _RULES if key in document}
    rules = _rules(said)
    return RulePlaylist(
        name=clean(_text_at(document, "name"), NAME_CHARS_MAX),
        comment=clean_lines(_text_at(document, "comment"), COMMENT_CHARS_MAX),
        public=document.get("public") is True,
        rules=rules,
        text=json.dumps(said, ensure_ascii=False),
    )


def read_rules(text: str) -> Rules:
    """The rules that are kept as `text`. Raises RuleInvalid, for a newer version may know more fields."""
    return read_nsp(text.encode()).rules


def _rules(said: Mapping[str, object]) -> Rules:
    if ("all" in said) == ("any" in said):
        raise RuleInvalid("rules have either all or any", hint='{"all": [{"contains": {"title": "love"}}]}')
    name = "all" if "all" in said else "any"
    where = _Reading().group(name, said[name], 1)
    percent = _whole(said, "limitPercent", 1, 100)
    return Rules(
        where=where,
        sort=_sorts(_text_at(said, "sort"), _text_at(said, "order")),
        limit=_whole(said, "limit", 0, ENTRIES_MAX) or None,
        limit_percent=percent,
        offset=_whole(said, "offset", 0, ENTRIES_MAX) or 0,
    )


def _sorts(text: str, order: str) -> tuple[Sort, ...]:
    """`-lastplayed,title`; `desc` turns each of them round."""
    if order.strip().lower() not in ("", "asc", "desc"):
        raise RuleInvalid("order is asc or desc", subject=ascii(order[:TEXT_CHARS_MAX]))
    inverse = order.strip().lower() == "desc"
    sorts: dict[str, Sort] = {}
    for part in filter(None, map(str.strip, text.split(",")[:CONDITIONS_MAX])):
        name = _field(part.lstrip("+-").strip(), (*FIELDS, RANDOM))
        sorts.setdefault(name, Sort(name, descending=part.startswith("-") is not inverse))
    return tuple(sorts.values()) or (Sort("title", descending=inverse),)


class _Reading:
    """Groups and conditions, counted."""

    def __init__(self) -> None:
        self._conditions = 0

    def group(self, name: str, parts: object, depth: int) -> Group:
        if not isinstance(parts, list) or not parts:
            raise RuleInvalid("a list of conditions, not empty", subject=name)
        if depth > DEPTH_MAX:
            raise RuleInvalid(f"all and any are nested at most {DEPTH_MAX} deep")
        return Group(name == "all", tuple(self._part(each, depth) for each in parts))

    def _part(self, part: object, depth: int) -> Condition | Group:
        name, value = _only(part, "a condition")
        if name.lower() in ("all", "any"):
            return self.group(name.lower(), value, depth + 1)
        self._conditions += 1
        if self._conditions > CONDITIONS_MAX:
            raise RuleInvalid(f"at most {CONDITIONS_MAX} conditions")
        operator = _BY_OPERATOR.get(name.lower())
        if operator is None:
            hint = _nearest(name, [*Operator, "all", "any"])
            raise RuleInvalid("not an operator", subject=ascii(name[:TEXT_CHARS_MAX]), hint=hint)
        return _condition(operator, *_only(value, operator))


def _condition(operator: Operator, name: str, value: object) -> Condition:
    if operator in OF_PLAYLISTS:
        if name != "id" or not isinstance(value, str) or not is_id(value):
            raise RuleInvalid(
                "a playlist is named by its id", subject=operator, hint=f'{{"{operator}": {{"id": "…"}}}}'
            )
        return Condition(operator, name, value)
    name = _field(name, FIELDS)
    kind = FIELDS[name].kind
    if operator not in OPERATORS[kind]:
        hint = f"it takes {', '.join(sorted(OPERATORS[kind]))}"
        raise RuleInvalid(f"{operator} is not for {name}, which is {kind}", subject=operator, hint=hint)
    read = _value(operator, kind, value)
    if read is None:
        raise RuleInvalid(f"not a value for {operator} of {name}", subject=ascii(value)[:TEXT_CHARS_MAX])
    return Condition(operator, name, read)


def _value(operator: Operator, kind: Kind, value: object) -> Value | None:
    """The value as it is compared; None for one that cannot be."""
    if operator in (Operator.IS_MISSING, Operator.IS_PRESENT) or kind is Kind.FLAG:
        return _flag(value)
    if operator in (Operator.IN_THE_LAST, Operator.NOT_IN_THE_LAST):
        days = _number(value)
        return days if days is not None and days == int(days) and 0 <= days <= DAYS_MAX else None
    read = {Kind.TEXT: _text, Kind.TEXTS: _text, Kind.NUMBER: _number, Kind.DATE: _date}[kind]
    if operator is not Operator.IN_THE_RANGE:
        return read(value)
    if not isinstance(value, list) or len(value) != 2:
        return None
    least, most = (_date(each) if kind is Kind.DATE else _number(each) for each in value)
    return None if least is None or most is None else (least, most)


def _flag(value: object) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower())
    return value if isinstance(value, bool) else None


def _text(value: object) -> str | None:
    """Text; a number is text that looks like one."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or len(value) > TEXT_CHARS_MAX:
        return None
    return None if any("\ud800" <= char <= "\udfff" or char == "\0" for char in value) else value


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and abs(number) <= NUMBER_MAX else None


def _date(value: object) -> float | None:
    """`2026-11-26`, or a moment in ISO 8601; without a zone it is UTC."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def _only(value: object, what: str) -> tuple[str, object]:
    if not isinstance(value, dict) or len(value) != 1:
        raise RuleInvalid("one name with one value", subject=what, hint='such as {"is": {"artist": "Björk"}}')
    (pair,) = value.items()
    return pair


def _field(name: str, known: Iterable[str]) -> str:
    if name.lower() not in known:
        raise RuleInvalid("not a field", subject=ascii(name[:TEXT_CHARS_MAX]), hint=_nearest(name, known))
    return name.lower()


def _whole(said: Mapping[str, object], key: str, least: int, most: int) -> int | None:
    value = said.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise RuleInvalid(f"a whole number from {least} to {most}", subject=key)
    return value


def _text_at(said: Mapping[str, object], key: str) -> str:
    value = said.get(key, "")
    if not isinstance(value, str):
        raise RuleInvalid("text", subject=key)
    return value


def _refuse_unknown(document: Mapping[str, object], known: Iterable[str], what: str) -> None:
    for key in document:
        if key not in known:
            raise RuleInvalid(f"not {what}", subject=ascii(key[:TEXT_CHARS_MAX]), hint=_nearest(key, known))


def _nearest(name: str, known: Iterable[str]) -> str:
    known = list(known)
    near = difflib.get_close_matches(name[:TEXT_CHARS_MAX].lower(), [each.lower() for each in known], n=1)
    found = next((each for each in known if near and each.lower() == near[0]), None)
    return f"did you mean {found}?" if found else f"known: {', '.join(known)}"
