"""The rows of a sidecar, JSON or CSV, checked: what is malformed is named with its place before any work begins."""

import csv
import difflib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, filterfalse
from pathlib import Path

from ingest.metadata.fields import isrc
from ingest.metadata.json_entries import entries
from ingest.metadata.sidecar_fields import FIELDS, MULTIPLE, Value, parsed
from ingest.metadata.sidecar_text import lines, pieces
from model.errors import UsageError

CLEAR = "-"
BETWEEN = ";"
_HINT = "docs/sidecar.md shows the form"
_KEYS = ("path", "sha256", "isrc")
_COLUMNS = frozenset([*FIELDS, *_KEYS, "art"])
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DELIMITERS = (",", ";", "\t")


@dataclass(frozen=True, slots=True, kw_only=True)
class RawRow:
    """A row: `place` is where it stands, `key` what it is known by, as (path, sha256 or isrc; value)."""

    place: str
    key: tuple[str, str]
    values: Mapping[str, Value]
    art: str


def read_rows(path: Path) -> Iterator[RawRow]:
    """The rows of a file, in order, as it is read. Blocking. Raises UsageError with the line (CSV) or entry (JSON)."""
    kind = path.suffix.lower()
    if kind not in (".json", ".csv", ".tsv"):
        raise UsageError("a sidecar is a .json or .csv file", subject=os.fspath(path), hint=_HINT)
    text = pieces(path)
    try:
        for place, entry in _json(text) if kind == ".json" else _csv(text):
            yield _row(place, entry)
    except ValueError as error:
        raise UsageError(str(error), subject=os.fspath(path), hint=_HINT) from error


def _json(text: Iterable[str]) -> Iterator[tuple[str, dict[str, object]]]:
    for number, entry in enumerate(entries(text, name="tracks"), 1):
        if not isinstance(entry, dict):
            raise ValueError(f"entry {number}: not an object")
        yield f"entry {number}", entry


def _csv(text: Iterable[str]) -> Iterator[tuple[str, dict[str, object]]]:
    rows = lines(text)
    head = next(rows, "")
    delimiter = max(_DELIMITERS, key=head.count)  # spreadsheets write what their country is used to
    reader = csv.reader(chain([head], rows), delimiter=delimiter, strict=True)
    try:
        columns = [column.strip().lower() for column in next(reader, [])]
        twice = [column for column in columns if columns.count(column) > 1]
        if not columns or twice:
            raise ValueError(f"line 1: twice the same column: {twice[0]}" if twice else "line 1: no header")
        line = reader.line_num + 1
        for cells in reader:
            if any(cells):
                yield f"line {line}", _entry(columns, cells, line)
            line = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: no CSV ({error})") from error


def _entry(columns: list[str], cells: list[str], line: int) -> dict[str, object]:
    if len(cells) != len(columns):
        raise ValueError(f"line {line}: {len(cells)} cells under {len(columns)} columns")
    pairs = zip(columns, cells, strict=True)
    return {column: _cell(column, cell) for column, cell in pairs if cell.strip() or column not in _COLUMNS}


def _cell(column: str, cell: str) -> object:
    if cell.strip() == CLEAR and column in FIELDS:
        return None
    return cell.split(BETWEEN) if column in MULTIPLE else cell


def _row(place: str, entry: Mapping[str, object]) -> RawRow:
    """The entry, checked. Raises ValueError that says where it is, and what is wrong."""
    try:
        kind = _kind(entry)
        values = {field: _value(field, raw) for field, raw in entry.items() if field in FIELDS and field != kind}
        art = entry.get("art") or ""
        if not isinstance(art, str):
            raise ValueError("art needs the path of a picture")
        return RawRow(place=place, key=(kind, _key(kind, entry[kind])), values=values, art=art)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error


def _kind(entry: Mapping[str, object]) -> str:
    for name in filterfalse(_COLUMNS.__contains__, entry):
        near = difflib.get_close_matches(name, _COLUMNS, n=1)
        raise ValueError(f"unknown field: {name[:100]}" + (f" (did you mean {near[0]}?)" if near else ""))
    kind = next((key for key in _KEYS if entry.get(key)), None)
    if kind is None:
        raise ValueError("no path, sha256 or isrc to know its source by")
    return kind


def _value(field: str, raw: object) -> Value:
    try:
        return parsed(field, raw)
    except ValueError as error:
        raise ValueError(f"{field} {error}: {str(raw)[:100]}") from error


def _key(kind: str, raw: object) -> str:
    if not isinstance(raw, str) or "\0" in raw:
        raise ValueError(f"{kind} needs a text")
    if kind == "path":
        return raw
    key = raw.strip().lower() if kind == "sha256" else isrc(raw)
    if kind == "sha256" and not _SHA256.fullmatch(key):
        raise ValueError("sha256 needs 64 hexadecimal digits")
    if not key:
        raise ValueError("isrc needs an ISRC, as DEABC2400001")
    return key
