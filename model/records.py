"""Frozen types to JSON and back: the same record gives the same bytes, and junk gives a typed error."""

import json
import threading
from array import array
from dataclasses import fields, is_dataclass
from itertools import chain, islice
from typing import Any, TypeVar

from msgspec import MsgspecError
from msgspec.json import Decoder

from model.errors import RecordMalformed

Record = TypeVar("Record")

_PIECES = 1_024  # of text, a number or a name each, that are put together at once
_DECODERS: dict[type, Decoder[Any]] = {}
_MAKING = threading.Lock()  # msgspec shows other threads a class that it has only begun to know, and crashes on it


def to_json(record: object) -> bytes:
    """A frozen dataclass as JSON: fields in their order, two-space indent, a newline at the end.

    It is put together piece by piece: beside the record, little more than its text is in memory.
    """
    pieces = chain(_ENCODER.iterencode(record), "\n")
    return b"".join(iter(lambda: "".join(islice(pieces, _PIECES)).encode(), b""))


def from_json(kind: type[Record], data: bytes, *, subject: str) -> Record:
    """The record that `data` holds. Unknown fields are ignored (a newer writer may add some).

    Raises RecordMalformed, naming `subject` and the field, for anything that is not such a record.
    """
    try:
        found: Record = _decoder(kind).decode(data)
    except (MsgspecError, ValueError, KeyError, OverflowError, RecursionError) as error:
        hint = "the object was written by something else or damaged; run `segue package --repair`"
        raise RecordMalformed(f"not a {kind.__name__} record ({error})", subject=subject, hint=hint) from error
    return found


def _decoder(kind: type) -> Decoder[Any]:
    if kind not in _DECODERS:
        with _MAKING:
            _DECODERS[kind] = _DECODERS.get(kind) or Decoder(kind)
    return _DECODERS[kind]


def _plain(value: object) -> object:
    """One level of what JSON does not know."""
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, array):
        return value.tolist()
    raise TypeError(f"no record holds a {type(value).__name__}")


_ENCODER = json.JSONEncoder(ensure_ascii=False, indent=2, allow_nan=False, default=_plain)
