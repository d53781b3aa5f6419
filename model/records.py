"""Frozen types to JSON and back: the same record gives the same bytes, and junk gives a typed error."""

import json
from dataclasses import fields, is_dataclass
from typing import TypeVar

from msgspec import MsgspecError
from msgspec.json import decode

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
        return decode(data, type=kind)
    except (MsgspecError, ValueError, KeyError, OverflowError, RecursionError) as error:
        hint = "the object was written by something else or damaged; run `segue package --repair`"
        raise RecordMalformed(f"not a {kind.__name__} record ({error})", subject=subject, hint=hint) from error


def _plain(value: object) -> object:
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
