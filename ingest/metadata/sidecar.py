"""Tags from beside the files: a JSON or CSV file whose rows go before what the files say (docs/sidecar.md).

A row knows its source by `path` (relative to the sidecar's folder, absolute, or the mere name of a file), by `sha256`,
or by `isrc`. Rows are found by look-up: a hundred thousand of them cost no more than one, and take no more memory.
"""

import marshal
import os
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Self

from catalog.sidecar import Row, SidecarTable
from ingest.metadata.names import named
from ingest.metadata.sidecar_fields import applied
from ingest.metadata.sidecar_rows import RawRow, read_rows
from ingest.scan import Source
from model.errors import UsageError
from model.track import TrackTags

_AT_ONCE = 500


class Sidecar:
    """The rows of a sidecar, by what they are known by. A context manager. Every call blocks for a moment."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._base = folder, os.fspath(folder)
        self._table = SidecarTable()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._table.close()

    def add(self, rows: Iterable[RawRow], *, subject: str) -> None:
        """Add rows. Raises UsageError if two are known by the same."""
        numbered = enumerate(rows, 1)
        while batch := [self._row(number, raw) for number, raw in islice(numbered, _AT_ONCE)]:
            if doubled := self._table.add(batch):
                row, other = doubled
                place, _, key = _text(row.told).partition(": ")
                message = f"{place}: the same {row.kind} as in {_text(other).partition(':')[0]}: {key}"
                raise UsageError(message, subject=subject, hint="one row for each source")

    def see(self, sources: Iterable[Source]) -> None:
        """Tell every source of a batch beforehand: a row that is the name of several of them matches none by it."""
        self._table.see((_name(each), _bytes(os.fspath(each.path))) for each in sources)

    def apply(self, source: Source, tags: TrackTags, *, sha256: str = "") -> tuple[TrackTags, Path | None]:
        """The tags, with what the row of this source sets and clears, and the picture that it names, if it does.

        `tags` are those of the file. Its row is found by path, by hash, by file name, by ISRC: the most certain first.
        """
        row = self._table.find(
            path=_path_key(source.path), sha256=_bytes(sha256), name=_name(source), isrc=_bytes(tags.isrc)
        )
        if row is None:
            return tags, None
        values, art = marshal.loads(row)
        return applied(tags, values, untitled=named(source.path).title), self._folder / art if art else None

    def unmatched(self) -> Iterator[str]:
        """The rows that no source has matched so far, in order: `line 12: CD1/01.flac`."""
        return map(_text, self._table.unused())

    def _row(self, number: int, raw: RawRow) -> Row:
        kind, key = raw.key
        of_path = kind == "path"
        return Row(
            number=number,
            kind=kind,
            key=_path_key(os.path.join(self._base, key)) if of_path else _bytes(key),  # noqa: PTH118 - a million times
            name=_text_key(key) if of_path and "/" not in key else None,
            told=_bytes(f"{raw.place}: {key}"),
            row=marshal.dumps((dict(raw.values), raw.art)),  # for this process alone
        )


def _path_key(path: str | Path) -> bytes:
    return _text_key(os.path.abspath(path))  # noqa: PTH100 - as it is written: links are names too


def _name(source: Source) -> bytes:
    return _text_key(source.path.name)


def _text_key(text: str) -> bytes:
    """Composed: one system writes `é` as one character in a file's name, another as two."""
    return _bytes(unicodedata.normalize("NFC", text))


def _bytes(text: str) -> bytes:
    """Names of files, and of what JSON may say, need not be Unicode."""
    return text.encode("utf-8", "surrogatepass")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def load_sidecar(path: Path) -> Sidecar:
    """Read a sidecar, JSON or CSV by its suffix. Blocking. Raises UsageError with the place of what is wrong."""
    sidecar = Sidecar(path.parent)
    try:
        sidecar.add(read_rows(path), subject=os.fspath(path))
    except BaseException:
        sidecar.__exit__()
        raise
    return sidecar
