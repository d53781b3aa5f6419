"""Tags from beside the files: a JSON or CSV file whose rows go before what the files say (docs/sidecar.md).

A row knows its source by `path` (relative to the sidecar's folder, absolute, or the mere name of a file), by `sha256`,
or by `isrc`. Rows are found by look-up: a hundred thousand of them cost no more than one.
"""

import os
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ingest.metadata.names import named
from ingest.metadata.sidecar_fields import Value, applied
from ingest.metadata.sidecar_rows import RawRow, read_rows
from ingest.scan import Source
from model.errors import UsageError
from model.track import TrackTags


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A row: where it stands, what it is known by, and what it sets."""

    place: str
    key: str
    values: Mapping[str, Value]
    art: Path | None


class Sidecar:
    """The rows of a sidecar, by what they are known by."""

    def __init__(self, folder: Path, rows: Iterable[RawRow], *, subject: str) -> None:
        self._folder = folder
        self._rows: list[_Row] = []
        self._by: dict[str, dict[str, _Row]] = {"path": {}, "sha256": {}, "isrc": {}}
        self._by_name: dict[str, _Row] = {}
        self._seen: dict[str, Path] = {}
        self._ambiguous: set[str] = set()
        self._used: set[int] = set()
        for raw in rows:
            self._add(raw, subject)

    def _add(self, raw: RawRow, subject: str) -> None:
        kind, key = raw.key
        art = self._folder / raw.art if raw.art else None
        row = _Row(place=f"{raw.place}: {key}", key=kind, values=raw.values, art=art)
        wanted = _path_key(os.path.join(self._folder, key)) if kind == "path" else key  # noqa: PTH118 - a million times
        other = self._by[kind].setdefault(wanted, row)
        if other is not row:
            message = f"{raw.place}: the same {kind} as in {other.place.partition(':')[0]}"
            raise UsageError(f"{message}: {key}", subject=subject, hint="one row for each source")
        self._rows.append(row)
        if kind == "path" and "/" not in key:
            self._by_name[_text_key(key)] = row

    def see(self, source: Source) -> None:
        """Tell every source of a batch beforehand: a row that is the name of several of them matches none by it."""
        name = _text_key(source.path.name)
        if name in self._by_name and self._seen.setdefault(name, source.path) != source.path:
            self._ambiguous.add(name)

    def apply(self, source: Source, tags: TrackTags, *, sha256: str = "") -> TrackTags:
        """The tags, with what the rows of this source set and clear; `tags` are those of the file."""
        row = self._find(source, tags, sha256)
        if row is None:
            return tags
        return applied(tags, row.values, untitled=named(source.path).title)

    def art(self, source: Source, tags: TrackTags, *, sha256: str = "") -> Path | None:
        """The picture that the row of this source names, None if it names none; `tags` are those of the file."""
        row = self._find(source, tags, sha256)
        return row.art if row is not None else None

    def unmatched(self) -> tuple[str, ...]:
        """The rows that no source has matched so far, in order: `line 12: CD1/01.flac`."""
        return tuple(row.place for row in self._rows if id(row) not in self._used)

    def _find(self, source: Source, tags: TrackTags, sha256: str) -> _Row | None:
        """By path, by hash, by file name, by ISRC: the most certain first."""
        row = (
            self._by["path"].get(_path_key(source.path))
            or self._by["sha256"].get(sha256)
            or self._named(source)
            or self._by["isrc"].get(tags.isrc)
        )
        if row is not None:
            self._used.add(id(row))
        return row

    def _named(self, source: Source) -> _Row | None:
        name = _text_key(source.path.name)
        return None if name in self._ambiguous else self._by_name.get(name)


def _path_key(path: str | Path) -> str:
    return _text_key(os.path.abspath(path))  # noqa: PTH100 - as it is written: links are names too


def _text_key(text: str) -> str:
    """Composed: one system writes `é` as one character in a file's name, another as two."""
    return unicodedata.normalize("NFC", text)


def load_sidecar(path: Path) -> Sidecar:
    """Read a sidecar, JSON or CSV by its suffix. Blocking. Raises UsageError with the place of what is wrong."""
    return Sidecar(path.parent, read_rows(path), subject=os.fspath(path))
