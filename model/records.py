"""Frozen types to JSON and back: the same record gives the same bytes, and junk gives a typed error."""

import json
import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from model.errors import RecordMalformed

Record = TypeVar("Record")


def to_json(record: object) -> bytes:
    """A frozen dataclass as JSON: fields in their order, two-space indent, a newline at the end."""
    return (json.dumps(_plain(record), ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode()


def from_json(kind: type[Record], data: bytes, *, subject: str) -> Record:
    """The record that `data` holds. Unknown fields are ignored (a newer writer may add some).

    Raises RecordMalformed, naming `subject` and the field, for anything that is not such a record.
    """
    try:
        value: Record = _build(kind, json.loads(data), path="$")
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


def _build(kind: Any, value: Any, *, path: str) -> Any:
    if is_dataclass(kind):
        return _build_dataclass(kind, value, path=path)
    origin = get_origin(kind)
    if origin is tuple:
        if not isinstance(value, list):
            raise TypeError(f"{path} must be a list")
        item_kind = get_args(kind)[0]
        return tuple(_build(item_kind, item, path=f"{path}[{i}]") for i, item in enumerate(value))
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        (kind,) = (each for each in get_args(kind) if each is not type(None))
        return _build(kind, value, path=path)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind(value)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise TypeError(f"{path} must be {kind.__name__}, is {type(value).__name__}")
    if kind is float and not math.isfinite(value):
        raise ValueError(f"{path} must be a finite number")
    if kind is str:
        value.encode()  # JSON can spell half a surrogate pair, which is no text
    return value


def _build_dataclass(kind: Any, value: Any, *, path: str) -> Any:
    if not isinstance(value, Mapping):
        raise TypeError(f"{path} must be an object")
    hints = _hints(kind)
    found: dict[str, Any] = {}
    for field in fields(kind):
        if field.name in value:
            found[field.name] = _build(hints[field.name], value[field.name], path=f"{path}.{field.name}")
        elif field.default is MISSING and field.default_factory is MISSING:
            raise KeyError(f"{path}.{field.name} is missing")
    return kind(**found)


@cache  # evaluating the annotations anew for each segment took two thirds of the time to read a package record
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
