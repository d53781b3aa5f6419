"""The rows of a sidecar, JSON or CSV, checked: what is malformed is named with its place before any work begins."""

import csv
import difflib
import io
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ingest.metadata.fields import isrc
from ingest.metadata.sidecar_fields import FIELDS, MULTIPLE, Value, parsed
from model.errors import UsageError

SIDECAR_BYTES_MAX = 512 << 20
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
    """The rows of a file, in order. Blocking. Raises UsageError, with the line (CSV) or the entry (JSON)."""
    text = _text(path)
    kind = path.suffix.lower()
    if kind not in (".json", ".csv", ".tsv"):
        raise UsageError("a sidecar is a .json or .csv file", subject=os.fspath(path), hint=_HINT)
    entries = _json(text, path) if kind == ".json" else _csv(text, path)
    for place, entry in entries:
        try:
            yield _row(place, entry)
        except ValueError as error:
            raise UsageError(f"{place}: {error}", subject=os.fspath(path), hint=_HINT) from error


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(SIDECAR_BYTES_MAX + 1)
    except OSError as error:
        message = f"cannot read the sidecar ({(error.strerror or 'unknown error').lower()})"
        raise UsageError(message, subject=os.fspath(path), hint="check the file and its rights") from error
    if len(data) > SIDECAR_BYTES_MAX:
        message = f"a sidecar of more than {SIDECAR_BYTES_MAX >> 20} MiB"
        raise UsageError(message, subject=os.fspath(path), hint="use several, one for each batch")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"line {line}: not UTF-8", subject=os.fspath(path), hint="save it as UTF-8") from error


def _json(text: str, path: Path) -> Iterator[tuple[str, dict[str, object]]]:
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError) as error:
        line = f"line {error.lineno}: " if isinstance(error, json.JSONDecodeError) else ""
        message = error.msg.lower() if isinstance(error, json.JSONDecodeError) else "not what we read"
        raise UsageError(f"{line}no JSON ({message})", subject=os.fspath(path), hint=_HINT) from error
    entries = whole.get("tracks") if isinstance(whole, dict) else whole
    if not isinstance(entries, list):
        message = 'neither a list of objects nor {"tracks": [...]}'
        raise UsageError(message, subject=os.fspath(path), hint=_HINT)
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, dict):
            raise UsageError(f"entry {number}: not an object", subject=os.fspath(path), hint=_HINT)
        yield f"entry {number}", entry


def _csv(text: str, path: Path) -> Iterator[tuple[str, dict[str, object]]]:
    head = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=head.count)  # spreadsheets write what their country is used to
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        columns = [column.strip().lower() for column in next(reader, [])]
        twice = [column for column in columns if columns.count(column) > 1]
        if not columns or twice:
            message = f"line 1: twice the same column: {twice[0]}" if twice else "line 1: no header"
            raise UsageError(message, subject=os.fspath(path), hint=_HINT)
        line = reader.line_num + 1
        for cells in reader:
            if any(cells):
                yield f"line {line}", _entry(columns, cells, line, path)
            line = reader.line_num + 1
    except csv.Error as error:
        raise UsageError(f"line {reader.line_num}: no CSV ({error})", subject=os.fspath(path), hint=_HINT) from error


def _entry(columns: list[str], cells: list[str], line: int, path: Path) -> dict[str, object]:
    if len(cells) != len(columns):
        message = f"line {line}: {len(cells)} cells under {len(columns)} columns"
        raise UsageError(message, subject=os.fspath(path), hint=_HINT)
    pairs = zip(columns, cells, strict=True)
    return {column: _cell(column, cell) for column, cell in pairs if cell.strip() or column not in _COLUMNS}


def _cell(column: str, cell: str) -> object:
    if cell.strip() == CLEAR and column in FIELDS:
        return None
    return cell.split(BETWEEN) if column in MULTIPLE else cell


def _row(place: str, entry: Mapping[str, object]) -> RawRow:
    """The entry, checked. Raises ValueError that says what is wrong."""
    for name in entry.keys() - _COLUMNS:
        near = difflib.get_close_matches(name, _COLUMNS, n=1)
        raise ValueError(f"unknown field: {name[:100]}" + (f" (did you mean {near[0]}?)" if near else ""))
    kind = next((key for key in _KEYS if entry.get(key)), None)
    if kind is None:
        raise ValueError("no path, sha256 or isrc to know its source by")
    values = {}
    for field, raw in entry.items():
        if field in FIELDS and field != kind:
            try:
                values[field] = parsed(field, raw)
            except ValueError as error:
                raise ValueError(f"{field} {error}: {str(raw)[:100]}") from error
    art = entry.get("art") or ""
    if not isinstance(art, str):
        raise ValueError("art needs the path of a picture")
    return RawRow(place=place, key=(kind, _key(kind, entry[kind])), values=values, art=art)


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
