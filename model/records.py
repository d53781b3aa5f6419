"""Frozen types to JSON and back: the same record gives the same bytes, and junk gives a typed error."""

import json
import math
import types
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from model.errors import RecordMalformed

Record = TypeVar("Record")
_Place = tuple[Any, str | int] | None  # where in a record: in what, and the field or the number there
Reader = Callable[[Any, _Place], Any]

_AS_THEY_ARE = (int, bool)  # types whose values need no look but at their type


class _Never:
    """The type of no value."""


def to_json(record: object) -> bytes:
    """A frozen dataclass as JSON: fields in their order, two-space indent, a newline at the end."""
    return (json.dumps(_plain(record), ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode()


def from_json(kind: type[Record], data: bytes, *, subject: str) -> Record:
    """The record that `data` holds. Unknown fields are ignored (a newer writer may add some).

    Raises RecordMalformed, naming `subject` and the field, for anything that is not such a record.
    """
    try:
        value: Record = _reader(cast(Any, kind))(json.loads(data), None)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        hint = "the object was written by something else or damaged; run `segue package --repair`"
        raise RecordMalformed(f"not a {kind.__name__} record ({error})", subject=subject, hint=hint) from error
    return value


def _plain(value: object) -> object:
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


@cache
def _reader(kind: Any) -> Reader:
    """What makes a value of this type of what JSON holds. Made once for each type: looking at annotations anew for each
    segment took nine tenths of the time to read a package record."""
    if is_dataclass(kind):
        return _reader_of_records(kind)
    origin = get_origin(kind)
    if origin is tuple:
        return _reader_of_lists(_reader(get_args(kind)[0]))
    if origin in (Union, types.UnionType):
        (inner,) = (_reader(each) for each in get_args(kind) if each is not type(None))
        return lambda value, place: None if value is None else inner(value, place)
    if issubclass(kind, StrEnum):
        return lambda value, place: kind(value)
    return _reader_of_leaves(kind)


def _reader_of_records(kind: Any) -> Reader:
    hints = get_type_hints(kind)
    plan = tuple(
        (
            field.name,
            field.default is MISSING and field.default_factory is MISSING,
            hints[field.name] if hints[field.name] in _AS_THEY_ARE else _Never,
            _reader(hints[field.name]),
        )
        for field in fields(kind)
    )

    def read(value: Any, place: _Place) -> Any:
        if not isinstance(value, dict):
            raise TypeError(f"{_path(place)} must be an object")
        found: dict[str, Any] = {}
        for name, needed, plain, read_field in plan:
            if name in value:
                item = value[name]
                found[name] = item if type(item) is plain else read_field(item, (place, f".{name}"))
            elif needed:
                raise KeyError(f"{_path(place)}.{name} is missing")
        return kind(**found)

    return read


def _reader_of_lists(read_item: Reader) -> Reader:
    def read(value: Any, place: _Place) -> Any:
        if not isinstance(value, list):
            raise TypeError(f"{_path(place)} must be a list")
        return tuple([read_item(item, (place, number)) for number, item in enumerate(value)])

    return read


def _reader_of_leaves(kind: Any) -> Reader:
    def read(value: Any, place: _Place) -> Any:
        if kind is float and type(value) is int:
            return float(value)
        if type(value) is not kind:
            raise TypeError(f"{_path(place)} must be {kind.__name__}, is {type(value).__name__}")
        if kind is float and not math.isfinite(value):
            raise ValueError(f"{_path(place)} must be a finite number")
        if kind is str:
            value.encode()  # JSON can spell half a surrogate pair, which is no text
        return value

    return read


def _path(place: _Place) -> str:
    parts: list[str] = []
    while place is not None:
        place, part = place
        parts.append(part if isinstance(part, str) else f"[{part}]")
    return "$" + "".join(reversed(parts))
